"""Counts of matched, predicted and gold items. Precision, recall and F1 are read off them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

CountArray = NDArray[np.int64]
COLUMNS = ("matched", "predicted", "gold", "partial", "incorrect")


class Counts(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """How many items matched, were predicted, and are in the gold. Counts add; averages do not.

    `partial` counts the pairs that a metric gives half credit, `incorrect` those that overlap and
    agree in nothing else; both are 0 for metrics that know only right and wrong. What is undefined
    (nothing predicted, nothing in the gold) is None, never 0 and never nan.
    """

    matched: int = 0
    predicted: int = 0
    gold: int = 0
    partial: int = 0
    incorrect: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.matched + other.matched,
            self.predicted + other.predicted,
            self.gold + other.gold,
            self.partial + other.partial,
            self.incorrect + other.incorrect,
        )

    @property
    def credit(self) -> float:
        """Give what is credited: one a match, half a partial match."""
        return self.matched + 0.5 * self.partial

    @property
    def precision(self) -> float | None:
        """Give the share of predicted items that matched."""
        return self.credit / self.predicted if self.predicted else None

    @property
    def recall(self) -> float | None:
        """Give the share of gold items that matched."""
        return self.credit / self.gold if self.gold else None

    @property
    def f1(self) -> float | None:
        """Give the harmonic mean, as seqeval computes it; None where nothing is in gold and prediction."""
        if not self.predicted and not self.gold:
            return None
        precision, recall = self.precision or 0.0, self.recall or 0.0
        return 2 * precision * recall / (precision + recall) if precision + recall else 0.0

    @property
    def missed(self) -> int:
        """Give the number of gold items without any answer."""
        return self.gold - self.matched - self.partial - self.incorrect

    @property
    def spurious(self) -> int:
        """Give the number of predicted items that answer no gold item."""
        return self.predicted - self.matched - self.partial - self.incorrect


class CountTable(msgspec.Struct, frozen=True):
    """Counts of one metric: an array [units, groups, 5] in the order of `COLUMNS`, and the groups' names."""

    groups: tuple[str, ...]
    array: CountArray

    def total(self) -> Counts:
        """Sum over units and groups."""
        return make_counts(self.array.sum(axis=(0, 1)))

    def by_group(self) -> dict[str, Counts]:
        """Sum over units; groups with nothing in gold and prediction are left out."""
        sums = self.array.sum(axis=0)
        return {name: make_counts(row) for name, row in zip(self.groups, sums, strict=True) if row.any()}

    def by_unit(self) -> list[dict[str, Counts]]:
        """List the counts of each unit by group, empty groups left out."""
        units: list[dict[str, Counts]] = [{} for _ in range(len(self.array))]
        for unit, group in np.argwhere(self.array.any(axis=2)):
            units[unit][self.groups[group]] = make_counts(self.array[unit, group])
        return units


def make_counts(row: Sequence[int] | CountArray) -> Counts:
    """Make counts of five numbers.

    Args:
        row: in the order of `COLUMNS`.
    """
    return Counts(*(int(value) for value in row))


def make_table(groups: Sequence[str], units: Sequence[dict[str, Counts]]) -> CountTable:
    """Make a table of counts by unit and group; the inverse of `CountTable.by_unit`.

    Args:
        groups: names, at least those that occur.
        units: counts by group, one a unit.
    """
    place = {name: number for number, name in enumerate(groups)}
    array = np.zeros((len(units), len(groups), len(COLUMNS)), dtype=np.int64)
    for unit, counts in enumerate(units):
        for name, value in counts.items():
            array[unit, place[name]] = msgspec.structs.astuple(value)
    return CountTable(tuple(groups), array)
