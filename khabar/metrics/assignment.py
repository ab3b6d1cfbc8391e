"""Optimal one-to-one assignment of overlapping spans: exact pairs first, then same type, then the rest.

Greedy matching depends on the order of the items and can lose pairs. Here the number of exact pairs is
made as large as possible, then the number of overlapping pairs of one type, then that of other
overlapping pairs; what is left open prefers equal spans and larger overlap. (Kuhn 1955, The Hungarian
method for the assignment problem.)
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from khabar.metrics.columns import Column, Rows, Vocabularies
from khabar.metrics.exact import Mask, match_rows
from khabar.types import Pieces

EXACT, BOUNDARY, TYPE, BOTH = range(4)
SMALL = 8
_FINE = 1000


class Pairs(msgspec.Struct, frozen=True, kw_only=True):
    """Which gold row is paired with which predicted row, and how they differ.

    `kind` is EXACT, BOUNDARY (same type, overlapping), TYPE (same span, other type) or BOTH.
    """

    gold: Column
    pred: Column
    kind: Column


class _Spot(msgspec.Struct, frozen=True, order=True):
    # Ordered by what it is, so that ties are settled in the same way whatever the order of the items.
    pieces: Pieces
    label: str
    row: int


class _Edge(msgspec.Struct, frozen=True):
    gold: int
    pred: int
    kind: int
    overlap: float


Weigh = Callable[[_Spot, _Spot], tuple[int, float] | None]


def overlap_length(one: Pieces, two: Pieces) -> int:
    """Count the characters that two covers share.

    Args:
        one: pieces of text.
        two: pieces of text.
    """
    return sum(max(0, min(a[1], b[1]) - max(a[0], b[0])) for a in one for b in two)


def overlap_ratio(one: Pieces, two: Pieces) -> float:
    """Give the intersection of two covers over their union, in characters.

    Args:
        one: pieces of text that do not overlap one another.
        two: pieces of text that do not overlap one another.
    """
    shared = overlap_length(one, two)
    return shared / (sum(end - start for start, end in (*one, *two)) - shared) if shared else 0.0


def assign(*, gold: Rows, pred: Rows, words: Vocabularies) -> Pairs:
    """Pair the spans of gold and prediction, unit by unit.

    Args:
        gold: rows with the columns unit, label and cover.
        pred: rows of the prediction.
        words: what the numbers of the columns label and cover stand for.

    Returns:
        The pairs. Exact pairs are found for the whole corpus at once, only the rest is assigned.
    """
    return _pair(gold, pred, words, _weigh_any)


def assign_ratio(*, gold: Rows, pred: Rows, words: Vocabularies, threshold: float) -> Pairs:
    """Pair spans of one type whose intersection over union reaches a threshold.

    Args:
        gold: rows with the columns unit, label and cover.
        pred: rows of the prediction.
        words: what the numbers of the columns label and cover stand for.
        threshold: above 0, at most 1.
    """

    def weigh(one: _Spot, two: _Spot) -> tuple[int, float] | None:
        ratio = overlap_ratio(one.pieces, two.pieces) if one.label == two.label else 0.0
        return (BOUNDARY, ratio) if ratio >= threshold else None

    return _pair(gold, pred, words, weigh)


def _weigh_any(one: _Spot, two: _Spot) -> tuple[int, float] | None:
    ratio = overlap_ratio(one.pieces, two.pieces)
    if not ratio:
        return None
    if one.label == two.label:
        return BOUNDARY, ratio
    return (TYPE if one.pieces == two.pieces else BOTH), ratio


def _pair(gold: Rows, pred: Rows, words: Vocabularies, weigh: Weigh) -> Pairs:
    names = ("unit", "label", "cover")
    left, right = match_rows(gold=gold, pred=pred, names=names)
    exact = _align_exact(gold, pred, left, right)
    rest = list(_assign_rest(_by_unit(gold, ~left, words), _by_unit(pred, ~right, words), weigh))
    columns = np.array(rest, dtype=np.int64).reshape(len(rest), 3)
    return Pairs(
        gold=np.r_[exact[0], columns[:, 0]],
        pred=np.r_[exact[1], columns[:, 1]],
        kind=np.r_[np.full(len(exact[0]), EXACT), columns[:, 2]],
    )


def _align_exact(gold: Rows, pred: Rows, left: Mask, right: Mask) -> tuple[Column, Column]:
    ordered = []
    for rows, mask in ((gold, left), (pred, right)):
        kept = np.flatnonzero(mask)
        keys = [rows.columns[name][kept] for name in ("cover", "label", "unit")]
        ordered.append(kept[np.lexsort(keys)])
    return ordered[0], ordered[1]


def _by_unit(rows: Rows, mask: Mask, words: Vocabularies) -> dict[int, list[_Spot]]:
    units: dict[int, list[_Spot]] = {}
    unit, label, cover = (rows.columns[name] for name in ("unit", "label", "cover"))
    labels, covers = words.labels.values(), words.covers.values()
    for row in np.flatnonzero(mask):
        spot = _Spot(covers[cover[row]], labels[label[row]], int(row))
        units.setdefault(int(unit[row]), []).append(spot)
    return {unit: sorted(spots) for unit, spots in units.items()}


def _assign_rest(
    gold: dict[int, list[_Spot]], pred: dict[int, list[_Spot]], weigh: Weigh
) -> Iterator[tuple[int, int, int]]:
    for unit in sorted(gold.keys() & pred.keys()):
        edges = list(_edges(gold[unit], pred[unit], weigh))
        for component in _components(edges):
            for edge in _solve(component):
                yield gold[unit][edge.gold].row, pred[unit][edge.pred].row, edge.kind


def _edges(gold: Sequence[_Spot], pred: Sequence[_Spot], weigh: Weigh) -> Iterator[_Edge]:
    starts = [spot.pieces[0][0] if spot.pieces else -1 for spot in pred]
    longest = max((spot.pieces[-1][1] - spot.pieces[0][0] for spot in pred if spot.pieces), default=0)
    for left, one in enumerate(gold):
        first = bisect_left(starts, one.pieces[0][0] - longest)
        last = bisect_left(starts, one.pieces[-1][1])
        for right in range(first, last):
            weight = weigh(one, pred[right])
            if weight is not None:
                yield _Edge(left, right, *weight)


def _components(edges: Sequence[_Edge]) -> list[list[_Edge]]:
    parent: dict[tuple[str, int], tuple[str, int]] = {}

    def root(node: tuple[str, int]) -> tuple[str, int]:
        while parent.setdefault(node, node) != node:
            parent[node] = node = parent[parent[node]]
        return node

    for edge in edges:
        parent[root(("gold", edge.gold))] = root(("pred", edge.pred))
    groups: dict[tuple[str, int], list[_Edge]] = {}
    for edge in edges:
        groups.setdefault(root(("gold", edge.gold)), []).append(edge)
    return list(groups.values())


def _solve(edges: list[_Edge]) -> list[_Edge]:
    left = {node: row for row, node in enumerate(sorted({edge.gold for edge in edges}))}
    right = {node: column for column, node in enumerate(sorted({edge.pred for edge in edges}))}
    size = min(len(left), len(right))
    if size == 1:
        return [max(edges, key=lambda edge: _weight(edge, 1))]
    table = {(left[edge.gold], right[edge.pred]): edge for edge in edges}
    weights = np.zeros((len(left), len(right)))
    for place, edge in table.items():
        weights[place] = _weight(edge, size)
    return [table[place] for place in best_assignment(weights)]


def best_assignment(weights: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Choose at most one column a row and one row a column so that the sum of weights is largest.

    Args:
        weights: [rows, columns], 0 where the two may not be paired, otherwise positive whole numbers.

    Returns:
        The chosen (row, column) pairs.
    """
    return _by_subsets(weights) if min(weights.shape) <= SMALL else _by_hungarian(weights)


def _weight(edge: _Edge, size: int) -> int:
    """Weigh an edge so that the sum over at most `size` pairs orders assignments lexicographically."""
    fine = int(_FINE * edge.overlap)
    same_span = size * _FINE + 1
    any_pair = same_span * (size + 1)
    same_type = any_pair * (size + 1)
    return fine + any_pair + same_span * (edge.kind == TYPE) + same_type * (edge.kind in (EXACT, BOUNDARY))


def _by_subsets(weights: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Solve by dynamic programming over subsets of the smaller side: scipy is slow to import."""
    turned = weights.shape[0] < weights.shape[1]
    table = (weights.T if turned else weights).tolist()
    best: dict[int, tuple[float, tuple[tuple[int, int], ...]]] = {0: (0.0, ())}
    for row, values in enumerate(table):
        for used, (value, pairs) in list(best.items()):
            for column, weight in enumerate(values):
                mask = used | 1 << column
                if weight and mask != used and value + weight > best.get(mask, (-1.0, ()))[0]:
                    best[mask] = value + weight, (*pairs, (row, column))
    chosen = max(best.values(), key=lambda entry: entry[0])[1]
    return [(column, row) if turned else (row, column) for row, column in chosen]


def _by_hungarian(weights: NDArray[np.float64]) -> list[tuple[int, int]]:
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(weights, maximize=True)
    return [(int(row), int(column)) for row, column in zip(rows, columns, strict=True) if weights[row, column]]
