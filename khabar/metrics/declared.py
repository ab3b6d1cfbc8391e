"""Each metric is declared: which rows it looks at, how they are grouped, when two match. See PROTOCOL.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from khabar.ontology import ontology

Inventory = Mapping[str, tuple[str, ...]]
SPAN_LAYERS = ("actors", "fillers", "mentions", "triggers")
ATTRIBUTES = ("attribution", "polarity", "actuality", "loaded")
LAYERS = ("actors", "fillers", "triggers", "arguments", "attributes")
FOREIGN_LAYERS = ("mentions", "triggers", "arguments")
WHOLE = "all"


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """A metric as data.

    `table` holds its rows; `group` is the column that tells types apart (empty: no groups); `key` are
    the columns that must be equal where `match` is exact. The other ways to match are "overlap" (one
    type, a shared character), "partial" (the same with half credit; MUC-5) and "ratio" (intersection
    over union of at least `threshold`), all by optimal assignment. With `given_trigger` only rows of
    events whose trigger and type are right count, on both sides.
    """

    name: str
    layer: str
    section: str
    summary: str
    table: str
    group: str = ""
    key: tuple[str, ...] = ()
    match: str = "exact"
    threshold: float = 0.0
    given_trigger: bool = False


def _span_metrics(layer: str, exact: str, section: str) -> tuple[Metric, ...]:
    table = "events" if layer == "triggers" else "mentions"
    noun = "triggers" if layer == "triggers" else "mentions" if layer == "mentions" else f"{layer[:-1]} mentions"

    def make(name: str, part: str, summary: str, **fields: object) -> Metric:
        return Metric(name=name, layer=layer, section=f"{section}{part}", summary=summary, table=table, **fields)  # type: ignore[arg-type]

    return (
        make(exact, "", f"{noun}: span and type", group="label", key=("cover",)),
        make(f"{layer}.boundary", ".1", f"{noun}: span, whatever the type", key=("cover",)),
        make(f"{layer}.overlap", ".2", f"{noun}: type, and a shared character", group="label", match="overlap"),
        make(
            f"{layer}.partial",
            ".3",
            f"{noun}: as overlap, half credit for another span",
            group="label",
            match="partial",
        ),
        make(
            f"{layer}.iou50",
            ".4",
            f"{noun}: type, and intersection over union of at least 0.5",
            group="label",
            match="ratio",
            threshold=0.5,
        ),
    )


def _argument_metric(
    name: str, section: str, summary: str, *, role: bool, attached: bool, given: bool = False
) -> Metric:
    return Metric(
        name=f"arguments.{name}",
        layer="arguments",
        section=section,
        summary=summary,
        table="arguments",
        group="role" if role else "",
        key=("event", "trigger", "cover") if attached else ("event", "cover"),
        given_trigger=given,
    )


def _attribute_metric(number: int, name: str) -> Metric:
    return Metric(
        name=f"attributes.{name}",
        layer="attributes",
        section=f"3.6.{number}",
        summary=f"events whose trigger and type are right: {name}",
        table="events",
        group=name,
        key=("label", "cover"),
        given_trigger=True,
    )


METRICS: tuple[Metric, ...] = (
    *_span_metrics("actors", "actors", "3.1"),
    *_span_metrics("fillers", "fillers", "3.1"),
    *_span_metrics("mentions", "mentions", "3.1"),
    Metric(
        name="triggers.identified",
        layer="triggers",
        section="3.2",
        summary="triggers: span",
        table="events",
        key=("cover",),
    ),
    Metric(
        name="triggers.family",
        layer="triggers",
        section="3.2",
        summary="triggers: span and family",
        table="events",
        group="family",
        key=("cover",),
    ),
    *(
        metric
        for metric in _span_metrics("triggers", "triggers.classified", "3.2")
        if metric.name != "triggers.boundary"
    ),
    _argument_metric("identified", "3.3", "arguments: event type and span", role=False, attached=False),
    _argument_metric("classified", "3.3", "arguments: event type, span and role", role=True, attached=False),
    _argument_metric(
        "attached.identified", "3.4", "arguments: trigger, event type and span", role=False, attached=True
    ),
    _argument_metric(
        "attached.classified", "3.4", "arguments: trigger, event type, span and role", role=True, attached=True
    ),
    _argument_metric(
        "given.classified",
        "3.5",
        "arguments of events whose trigger and type are right: span and role",
        role=True,
        attached=True,
        given=True,
    ),
    *(_attribute_metric(number, name) for number, name in enumerate(ATTRIBUTES, 1)),
)
BY_NAME: Mapping[str, Metric] = {metric.name: metric for metric in METRICS}
# The metric that stands for a layer where there is room for one.
MAIN: Mapping[str, str] = {
    "actors": "actors",
    "fillers": "fillers",
    "mentions": "mentions",
    "triggers": "triggers.classified",
    "arguments": "arguments.attached.classified",
}


def metric_names(layers: Sequence[str]) -> tuple[str, ...]:
    """List the metrics of some layers.

    Args:
        layers: of actors, fillers, triggers, arguments and attributes, or mentions for other people's data.
    """
    return tuple(metric.name for metric in METRICS if metric.layer in layers)


def khabar_inventory() -> Inventory:
    """Map each layer of khabar's own data to its declared types."""
    labels = ontology()
    return {
        "actors": labels.actors,
        "fillers": labels.fillers,
        "triggers": labels.event_types,
        "families": tuple(family.name for family in labels.families),
        "roles": labels.role_names,
        "loaded": ("false", "true"),
        **{name: labels.values(name) for name in ATTRIBUTES if name != "loaded"},
    }


def declared_groups(metric: Metric, inventory: Inventory) -> tuple[str, ...]:
    """List the groups that a metric is declared over.

    Args:
        metric: any metric.
        inventory: layer → types; also families, roles and the attributes' values.
    """
    if not metric.group:
        return (WHOLE,)
    place = {"label": metric.layer, "family": "families", "role": "roles"}.get(metric.group, metric.group)
    return inventory.get(place, ())
