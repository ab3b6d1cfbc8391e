"""Counts of matched, predicted and gold items. Precision, recall and F1 are read off them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable

import msgspec


class Counts(msgspec.Struct, frozen=True):
    """How many items matched, were predicted, and are in the gold. Counts add; averages do not.

    What is undefined (nothing predicted, nothing in the gold) is None, never 0 and never nan.
    """

    matched: int = 0
    predicted: int = 0
    gold: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.matched + other.matched, self.predicted + other.predicted, self.gold + other.gold)

    @property
    def precision(self) -> float | None:
        """Give the share of predicted items that matched."""
        return self.matched / self.predicted if self.predicted else None

    @property
    def recall(self) -> float | None:
        """Give the share of gold items that matched."""
        return self.matched / self.gold if self.gold else None

    @property
    def f1(self) -> float | None:
        """Give the harmonic mean, as seqeval computes it; None where nothing is in gold and prediction."""
        if not self.predicted and not self.gold:
            return None
        precision, recall = self.precision or 0.0, self.recall or 0.0
        return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def count_items(gold: Iterable[Hashable], pred: Iterable[Hashable]) -> Counts:
    """Count two multisets of items against each other; an item twice must be matched twice.

    Args:
        gold: keys of the gold items.
        pred: keys of the predicted items.
    """
    wanted, given = Counter(gold), Counter(pred)
    return Counts((wanted & given).total(), given.total(), wanted.total())
