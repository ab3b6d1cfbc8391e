"""Exact matching: items are equal where all columns of their key are; compared as multisets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from khabar.metrics.columns import Column, Rows

LIMIT = 2**62
Mask = NDArray[np.bool_]


def pack_keys(*, gold: Rows, pred: Rows, names: Sequence[str]) -> tuple[Column, Column]:
    """Pack some columns of both sides into one number a row; equal rows get equal numbers.

    Args:
        gold: rows of the gold.
        pred: rows of the prediction, of the same table.
        names: the columns, most significant first.
    """
    left: Column = np.zeros(len(gold), dtype=np.int64)
    right: Column = np.zeros(len(pred), dtype=np.int64)
    size = 1
    for name in names:
        one, two = gold.columns[name], pred.columns[name]
        radix = int(max(one.max(initial=0), two.max(initial=0))) + 1
        if size * radix > LIMIT:
            left, right, size = _renumber(left, right)
        left, right, size = left * radix + one, right * radix + two, size * radix
    return left, right


def _renumber(left: Column, right: Column) -> tuple[Column, Column, int]:
    values, codes = np.unique(np.concatenate((left, right)), return_inverse=True)
    return codes[: len(left)], codes[len(left) :], len(values)


def count_matches(*, gold: Rows, pred: Rows, names: Sequence[str], cells: tuple[Column, Column], size: int) -> Column:
    """Count the multiset intersection of two sides by cell.

    Args:
        gold: rows of the gold.
        pred: rows of the prediction.
        names: columns that must be equal; among them those that the cell is made of.
        cells: for each row of gold and prediction, the cell it is counted in.
        size: number of cells.

    Returns:
        Matches by cell. Cost: one sort of each side.
    """
    left, right = pack_keys(gold=gold, pred=pred, names=names)
    wanted, first, wanted_times = np.unique(left, return_index=True, return_counts=True)
    given, given_times = np.unique(right, return_counts=True)
    place = np.searchsorted(wanted, given)
    inside = place < len(wanted)
    place, given, given_times = place[inside], given[inside], given_times[inside]
    hit = wanted[place] == given
    both = np.minimum(wanted_times[place[hit]], given_times[hit])
    return np.bincount(cells[0][first[place[hit]]], weights=both, minlength=size).astype(np.int64)


def match_rows(*, gold: Rows, pred: Rows, names: Sequence[str]) -> tuple[Mask, Mask]:
    """Tell which rows of each side have an equal row on the other, each used once.

    Args:
        gold: rows of the gold.
        pred: rows of the prediction.
        names: columns that must be equal.

    Returns:
        A mask of the gold's rows and one of the prediction's; both have as many True values. Among
        equal rows the first ones are matched.
    """
    left, right = pack_keys(gold=gold, pred=pred, names=names)
    left, right, _ = _renumber(left, right)
    width = max(len(left), len(right), 1)
    one, two = left * width + _ranks(left), right * width + _ranks(right)
    return np.isin(one, two), np.isin(two, one)


def _ranks(values: Column) -> Column:
    """Number equal values 0, 1, 2 … in the order in which they stand."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(ordered) else np.zeros(0, np.int64)
    lengths = np.diff(np.r_[starts, len(ordered)])
    ranks = np.empty(len(values), dtype=np.int64)
    ranks[order] = np.arange(len(values)) - np.repeat(starts, lengths)
    return ranks
