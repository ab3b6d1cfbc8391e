"""A second scorer, plain and slow, written from PROTOCOL.md: it shares no counting code with khabar's."""

from collections import Counter
from itertools import permutations

from khabar.metrics.declared import METRICS, Metric, khabar_inventory
from khabar.types import Annotation, Event, Mention

Five = tuple[int, int, int, int, int]


def spans(annotation: Annotation, metric: Metric) -> list[Mention | Event]:
    if metric.layer == "triggers":
        return list(annotation.events)
    if metric.layer == "mentions":
        return list(annotation.mentions)
    return [mention for mention in annotation.mentions if mention.type in khabar_inventory()[metric.layer]]


def characters(item: Mention | Event) -> set[int]:
    return {place for start, end in item.cover for place in range(start, end)}


def kind_of(one: Mention | Event, two: Mention | Event, threshold: float) -> int | None:
    """0 exact, 1 same type and overlapping, 2 another overlap; None where the two may not be paired."""
    if (one.cover, one.type) == (two.cover, two.type):
        return 0
    shared, union = characters(one) & characters(two), characters(one) | characters(two)
    if not shared:
        return None
    if threshold:
        return 1 if one.type == two.type and len(shared) / len(union) >= threshold else None
    return 1 if one.type == two.type else 2


def best(gold: list[Mention | Event], pred: list[Mention | Event], threshold: float) -> tuple[int, int, int]:
    """Try every one-to-one assignment; the greatest (exact, same type, other) wins."""
    short, long = (gold, pred) if len(gold) <= len(pred) else (pred, gold)
    winner = (0, 0, 0)
    for chosen in permutations([*long, *[None] * len(short)], len(short)):
        kinds = Counter(kind_of(one, two, threshold) for one, two in zip(short, chosen, strict=True) if two is not None)
        winner = max(winner, (kinds[0], kinds[1], kinds[2]))
    return winner


def right_triggers(gold: Annotation, pred: Annotation) -> Counter[object]:
    one, two = (Counter((event.cover, event.type) for event in side.events) for side in (gold, pred))
    return one & two


def arguments(annotation: Annotation, metric: Metric, allowed: Counter[object]) -> Counter[object]:
    fillers = {mention.id: mention for mention in annotation.mentions}
    found: Counter[object] = Counter()
    for event in annotation.events:
        if metric.given_trigger and (event.cover, event.type) not in allowed:
            continue
        for argument in event.arguments:
            if argument.mention in fillers:
                trigger = event.cover if "trigger" in metric.key else ()
                role = argument.role if metric.group else ""
                found[event.type, trigger, role, fillers[argument.mention].cover] += 1
    return found


def attributes(annotation: Annotation, metric: Metric, allowed: Counter[object]) -> Counter[object]:
    found: Counter[object] = Counter()
    for event in annotation.events:
        if (event.cover, event.type) in allowed:
            found[event.cover, event.type, getattr(event, metric.group)] += 1
    return found


def keys(annotation: Annotation, metric: Metric) -> Counter[object]:
    group = {"label": lambda item: item.type, "family": lambda item: item.family, "": lambda _: ""}[metric.group]
    return Counter((group(item), item.cover) for item in spans(annotation, metric))


def count(metric: Metric, gold: Annotation, pred: Annotation) -> Five:
    if metric.match == "exact":
        allowed = right_triggers(gold, pred)
        if metric.table == "arguments":
            one, two = (arguments(side, metric, allowed) for side in (gold, pred))
        elif metric.given_trigger:
            one, two = (attributes(side, metric, allowed) for side in (gold, pred))
        else:
            one, two = (keys(side, metric) for side in (gold, pred))
        return (one & two).total(), two.total(), one.total(), 0, 0
    wanted, given = spans(gold, metric), spans(pred, metric)
    exact, same, other = best(wanted, given, metric.threshold)
    if metric.match == "partial":
        return exact, len(given), len(wanted), same, other
    return exact + same, len(given), len(wanted), 0, 0


def count_all(gold: Annotation, pred: Annotation, layers: tuple[str, ...]) -> dict[str, Five]:
    return {metric.name: count(metric, gold, pred) for metric in METRICS if metric.layer in layers}
