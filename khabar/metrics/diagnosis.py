"""What went wrong, item by item: kinds of error, and which type was taken for which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

import msgspec
import numpy as np

from khabar.metrics.assignment import BOTH, BOUNDARY, EXACT, TYPE, overlap_length, overlap_ratio
from khabar.metrics.columns import Column, Origin, Rows
from khabar.metrics.counting import Comparison, LayerRows
from khabar.types import Pieces

CORRECT = "correct"
KINDS = (CORRECT, "boundary", "type", "both", "wrong-event", "duplicate", "spurious", "missed")
NONE = ""
_PAIR_KINDS = {EXACT: CORRECT, BOUNDARY: "boundary", TYPE: "type", BOTH: "both"}


class Marked(msgspec.Struct, frozen=True, kw_only=True):
    """A span with its label as it was annotated or predicted; for an argument also its event."""

    label: str
    pieces: Pieces
    trigger: Pieces = ()
    event: str = ""
    id: str = ""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One gold item, one predicted item, or a pair of them, and how they stand to each other."""

    unit: int
    layer: str
    kind: str
    gold: Marked | None = None
    pred: Marked | None = None


def find_all(comparison: Comparison) -> list[Finding]:
    """List what became of every item of every layer.

    Args:
        comparison: gold beside prediction.

    Returns:
        Findings by layer, then in the order of units and of the text.

    Source: PROTOCOL.md section 6.
    """
    found: list[Finding] = []
    for layer, rows in comparison.layers.items():
        items = find_arguments(rows) if layer == "arguments" else find_spans(rows, layer)
        found += sorted(items, key=_place)
    return found


def _place(finding: Finding) -> tuple[int, Pieces, str]:
    marked = finding.gold or finding.pred
    return (finding.unit, marked.pieces, marked.label) if marked else (finding.unit, (), "")


def count_kinds(findings: Iterable[Finding]) -> dict[str, dict[str, int]]:
    """Count the findings of each layer by kind; every kind that a layer can have is there.

    Args:
        findings: of any units.
    """
    counts: dict[str, Counter[str]] = {}
    for finding in findings:
        counts.setdefault(finding.layer, Counter())[finding.kind] += 1
    return {layer: {kind: count[kind] for kind in KINDS if count[kind]} for layer, count in counts.items()}


Cell = tuple[str, str, int]


def count_confusions(findings: Iterable[Finding]) -> dict[str, list[Cell]]:
    """Count which gold label was answered by which predicted label, layer by layer.

    Args:
        findings: of any units.

    Returns:
        Layer → (gold label, predicted label, count); an empty label stands for a missing side.
    """
    counts: dict[str, Counter[tuple[str, str]]] = {}
    for finding in findings:
        labels = tuple(side.label if side else NONE for side in (finding.gold, finding.pred))
        counts.setdefault(finding.layer, Counter())[labels[0], labels[1]] += 1
    return {layer: [(*pair, number) for pair, number in sorted(count.items())] for layer, count in counts.items()}


def find_spans(rows: LayerRows, layer: str) -> Iterator[Finding]:
    """Tell what became of each span of a layer.

    Args:
        rows: the layer on both sides, paired.
        layer: its name.
    """
    if rows.pairs is None:
        raise ValueError(f"layer {layer} has no spans to pair")
    gold, pred = rows.gold, rows.pred
    for left, right, kind in zip(rows.pairs.gold, rows.pairs.pred, rows.pairs.kind, strict=True):
        yield Finding(
            unit=int(gold.columns["unit"][left]),
            layer=layer,
            kind=_PAIR_KINDS[int(kind)],
            gold=_mark(gold.origins[left]),
            pred=_mark(pred.origins[right]),
        )
    for row in _left_over(gold, rows.pairs.gold):
        yield Finding(unit=int(gold.columns["unit"][row]), layer=layer, kind="missed", gold=_mark(gold.origins[row]))
    answered = _answered(rows)
    for row in _left_over(pred, rows.pairs.pred):
        unit, marked = int(pred.columns["unit"][row]), _mark(pred.origins[row])
        repeats = any(overlap_length(marked.pieces, pieces) for pieces in answered.get((unit, marked.label), ()))
        yield Finding(unit=unit, layer=layer, kind="duplicate" if repeats else "spurious", pred=marked)


def _left_over(rows: Rows, used: Column) -> Column:
    return np.setdiff1d(np.arange(len(rows)), used)


def _answered(rows: LayerRows) -> dict[tuple[int, str], list[Pieces]]:
    """List the gold spans that an answer of their own type has been paired with."""
    spans: dict[tuple[int, str], list[Pieces]] = {}
    if rows.pairs is not None:
        for row in rows.pairs.gold[np.isin(rows.pairs.kind, (EXACT, BOUNDARY))]:
            item = rows.gold.origins[row].item
            spans.setdefault((int(rows.gold.columns["unit"][row]), item.type), []).append(item.cover)
    return spans


def _mark(origin: Origin) -> Marked:
    return Marked(label=origin.item.type, pieces=origin.item.cover, id=origin.item.id)


class _Filled(msgspec.Struct, frozen=True, order=True):
    """An argument with all that it can agree in; the order settles ties."""

    unit: int
    event: str
    trigger: Pieces
    role: str
    cover: Pieces
    id: str


Key = Callable[[_Filled], Hashable]
# One pass a kind, in this order: what must be equal, and whether the spans need only overlap.
_ARGUMENT_PASSES: tuple[tuple[str, Key, bool], ...] = (
    (CORRECT, lambda item: (item.unit, item.event, item.trigger, item.role, item.cover), False),
    ("type", lambda item: (item.unit, item.event, item.trigger, item.cover), False),
    ("wrong-event", lambda item: (item.unit, item.event, item.role, item.cover), False),
    ("wrong-event", lambda item: (item.unit, item.role, item.cover), False),
    ("boundary", lambda item: (item.unit, item.event, item.trigger, item.role), True),
    ("both", lambda item: (item.unit, item.event, item.trigger), True),
)


def find_arguments(rows: LayerRows) -> list[Finding]:
    """Tell what became of each argument: exact first, then another role, another event, another span.

    Args:
        rows: the arguments of both sides.
    """
    gold, pred = sorted(_filled(rows.gold)), sorted(_filled(rows.pred))
    found: list[Finding] = []
    answered: dict[Hashable, list[Pieces]] = {}
    for kind, key, overlapping in _ARGUMENT_PASSES:
        pairs, gold, pred = _pass(gold, pred, key, overlapping=overlapping)
        for one, two in pairs:
            found.append(_argument_finding(kind, one, two))
            if kind in (CORRECT, "boundary"):
                answered.setdefault(_slot(one), []).append(one.cover)
    found += [_argument_finding("missed", one, None) for one in gold]
    for two in pred:
        repeats = any(overlap_length(two.cover, cover) for cover in answered.get(_slot(two), ()))
        found.append(_argument_finding("duplicate" if repeats else "spurious", None, two))
    return found


def _slot(item: _Filled) -> Hashable:
    return item.unit, item.event, item.trigger, item.role


def _filled(rows: Rows) -> Iterator[_Filled]:
    for unit, origin in zip(rows.columns["unit"], rows.origins, strict=True):
        if origin.event is not None:
            head = int(unit), origin.event.type, origin.event.cover
            yield _Filled(*head, origin.role, origin.item.cover, origin.item.id)


def _pass(
    gold: Sequence[_Filled], pred: Sequence[_Filled], key: Key, *, overlapping: bool
) -> tuple[list[tuple[_Filled, _Filled]], list[_Filled], list[_Filled]]:
    waiting: dict[Hashable, list[_Filled]] = {}
    for two in pred:
        waiting.setdefault(key(two), []).append(two)
    pairs: list[tuple[_Filled, _Filled]] = []
    left: list[_Filled] = []
    for one in gold:
        options = waiting.get(key(one), [])
        fits = [two for two in options if not overlapping or overlap_length(one.cover, two.cover)]
        if fits:
            best = max(fits, key=lambda two: overlap_ratio(one.cover, two.cover))
            options.remove(best)
            pairs.append((one, best))
        else:
            left.append(one)
    return pairs, left, sorted(two for options in waiting.values() for two in options)


def _argument_finding(kind: str, gold: _Filled | None, pred: _Filled | None) -> Finding:
    unit = gold.unit if gold else pred.unit if pred else 0
    return Finding(unit=unit, layer="arguments", kind=kind, gold=_mark_filled(gold), pred=_mark_filled(pred))


def _mark_filled(item: _Filled | None) -> Marked | None:
    if item is None:
        return None
    return Marked(label=item.role, pieces=item.cover, trigger=item.trigger, event=item.event, id=item.id)
