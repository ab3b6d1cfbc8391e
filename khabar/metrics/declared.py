"""Each metric is what it takes as an item, and how items are grouped. Defined in PROTOCOL.md."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence

import msgspec

from khabar.metrics.counts import Counts, count_items
from khabar.ontology import ontology
from khabar.types import Annotation, Event, Mention

Item = tuple[str, Hashable]
Items = Callable[[Annotation], Iterator[Item]]


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """A metric: its name, the protocol's section, and the (group, key) pairs of an annotation.

    Two items match where group and key are equal.
    """

    name: str
    section: str
    summary: str
    items: Items


def _mentions(group: str) -> Items:
    def items(annotation: Annotation) -> Iterator[Item]:
        types = ontology().layer_types(group)
        for mention in annotation.mentions:
            if mention.type in types:
                yield mention.type, (mention.start, mention.end)

    return items


def _triggers_identified(annotation: Annotation) -> Iterator[Item]:
    for event in annotation.events:
        yield "trigger", (event.start, event.end)


def _triggers_by_family(annotation: Annotation) -> Iterator[Item]:
    for event in annotation.events:
        yield event.family, (event.start, event.end)


def _triggers_classified(annotation: Annotation) -> Iterator[Item]:
    for event in annotation.events:
        yield event.type, (event.start, event.end)


def _filled(annotation: Annotation) -> Iterator[tuple[Event, str, Mention]]:
    mentions = {mention.id: mention for mention in annotation.mentions}
    for event in annotation.events:
        for argument in event.arguments:
            if argument.mention in mentions:
                yield event, argument.role, mentions[argument.mention]


def _arguments(*, role: bool, attached: bool) -> Items:
    def items(annotation: Annotation) -> Iterator[Item]:
        for event, name, mention in _filled(annotation):
            trigger = (event.start, event.end) if attached else ()
            yield (name if role else "argument"), (event.type, trigger, mention.start, mention.end)

    return items


METRICS: tuple[Metric, ...] = (
    Metric(name="actors", section="3.1", summary="actor mentions: span and type", items=_mentions("actors")),
    Metric(name="fillers", section="3.1", summary="filler mentions: span and type", items=_mentions("fillers")),
    Metric(name="triggers.identified", section="3.2", summary="triggers: span", items=_triggers_identified),
    Metric(name="triggers.family", section="3.2", summary="triggers: span and family", items=_triggers_by_family),
    Metric(name="triggers.classified", section="3.2", summary="triggers: span and type", items=_triggers_classified),
    Metric(
        name="arguments.identified",
        section="3.3",
        summary="arguments: event type and span",
        items=_arguments(role=False, attached=False),
    ),
    Metric(
        name="arguments.classified",
        section="3.3",
        summary="arguments: event type, span and role",
        items=_arguments(role=True, attached=False),
    ),
    Metric(
        name="arguments.attached.identified",
        section="3.4",
        summary="arguments: trigger, event type and span",
        items=_arguments(role=False, attached=True),
    ),
    Metric(
        name="arguments.attached.classified",
        section="3.4",
        summary="arguments: trigger, event type, span and role",
        items=_arguments(role=True, attached=True),
    ),
)
LAYER_METRICS: Mapping[str, tuple[str, ...]] = {
    "actors": ("actors",),
    "fillers": ("fillers",),
    "triggers": ("triggers.identified", "triggers.family", "triggers.classified"),
    "arguments": tuple(metric.name for metric in METRICS if metric.name.startswith("arguments")),
}


def metric_names(layers: Sequence[str]) -> tuple[str, ...]:
    """List the metrics of some layers.

    Args:
        layers: of actors, fillers, triggers, arguments.
    """
    return tuple(name for layer in layers for name in LAYER_METRICS[layer])


def count_groups(metric: Metric, gold: Annotation, pred: Annotation) -> dict[str, Counts]:
    """Count one document by group (type or role).

    Args:
        metric: what to count.
        gold: the gold annotation.
        pred: the prediction.
    """
    wanted: dict[str, list[Hashable]] = {}
    given: dict[str, list[Hashable]] = {}
    for group, key in metric.items(gold):
        wanted.setdefault(group, []).append(key)
    for group, key in metric.items(pred):
        given.setdefault(group, []).append(key)
    return {
        name: count_items(wanted.get(name, ()), given.get(name, ())) for name in sorted(wanted.keys() | given.keys())
    }
