"""Intervals, tests and spreads from counts that add. Documents, never sentences, are resampled.

A table of counts is an array [units, groups, 3]: credit (matched, half a point for a partial match),
predicted, gold. A unit is a document, or a cluster of documents that belong together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from statistics import NormalDist

import msgspec
import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
SEED = 12345
PERMUTATIONS = 10_000
_SAME = 1e-12
_BLOCK = 1_000_000
_KEPT = 4_000_000
Array = NDArray[np.float64]
Bounds = tuple[float, float]
Bounds3 = tuple[Bounds | None, Bounds | None, Bounds | None]


class Resampler(msgspec.Struct, frozen=True):
    """Blocks [resamples, units] that say how often each unit is drawn; the same for every metric."""

    units: int
    resamples: int
    seed: int
    kept: tuple[Array, ...] = ()

    def blocks(self) -> Iterable[Array]:
        """Give the blocks: kept ones, or, for very many units, drawn again each time."""
        return self.kept or _draw(self.units, self.resamples, self.seed)

    def apply(self, columns: Array) -> Array:
        """Sum the columns over the drawn units.

        Args:
            columns: [units, columns].

        Returns:
            [resamples, columns].
        """
        return np.concatenate([weights @ columns for weights in self.blocks()])


class Intervals(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of precision, recall and F1 of each group and of all together, and of two means of F1."""

    groups: tuple[Bounds3, ...]
    micro: Bounds3
    macro: Bounds | None
    unit_mean: Bounds | None


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A paired permutation test: how far two systems are apart, and how often chance puts them as far.

    `floor` is the smallest p that so many units can give; with `exact` all sign vectors were tried.
    """

    difference: float
    p: float
    permutations: int
    exact: bool
    floor: float


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """A figure over several runs of one system; `sd` has n − 1 in its denominator."""

    n: int
    mean: float
    sd: float | None
    low: float
    high: float


def cluster(table: Array, labels: Sequence[str]) -> Array:
    """Sum the units that belong together, in the order in which their labels are first met.

    Args:
        table: [units, ...].
        labels: one a unit.
    """
    place = {label: number for number, label in enumerate(dict.fromkeys(labels))}
    summed = np.zeros((len(place), *table.shape[1:]))
    np.add.at(summed, [place[label] for label in labels], table)
    return summed


def measures(sums: Array) -> tuple[Array, Array, Array]:
    """Read precision, recall and F1 off counts; nan where undefined.

    Args:
        sums: [..., 3], credit, predicted and gold.
    """
    credit, predicted, gold = sums[..., 0], sums[..., 1], sums[..., 2]
    precision, recall = _divide(credit, predicted), _divide(credit, gold)
    one, two = _or_zero(precision), _or_zero(recall)
    f1 = _or_zero(_divide(2 * one * two, one + two))
    return precision, recall, np.where(predicted + gold > 0, f1, np.nan)


def _or_zero(values: Array) -> Array:
    return np.where(np.isnan(values), 0.0, values)


def _divide(part: Array, whole: Array) -> Array:
    """Divide where there is something to divide by; nan elsewhere."""
    shares: Array = np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=np.asarray(whole) > 0)
    return shares


@lru_cache(maxsize=8)
def make_resampler(units: int, *, resamples: int = RESAMPLES, seed: int = SEED) -> Resampler:
    """Draw units with replacement, as many as there are, many times.

    Args:
        units: how many there are.
        resamples: how many times.
        seed: of the generator.

    Source: Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 13.
    """
    kept = tuple(_draw(units, resamples, seed)) if units * resamples <= _KEPT else ()
    return Resampler(units, resamples, seed, kept)


def _draw(units: int, resamples: int, seed: int) -> Iterator[Array]:
    rng = np.random.default_rng(seed)
    size = max(1, _BLOCK // max(units, 1))
    for first in range(0, resamples, size):
        count = min(size, resamples - first)
        drawn = rng.integers(0, max(units, 1), size=(count, units), dtype=np.int32)
        drawn += np.arange(count, dtype=np.int32)[:, None] * units
        times = np.bincount(drawn.ravel(), minlength=count * units)
        yield times.reshape(count, units).astype(np.float64)


def make_intervals(table: Array, resampler: Resampler, *, level: float = 0.95, method: str = "percentile") -> Intervals:
    """Give the intervals of every figure of one table.

    Args:
        table: [units, groups, 3].
        resampler: of as many units.
        level: share of the resamples inside.
        method: "percentile" or "bca" (bias-corrected and accelerated).

    Returns:
        Bounds; None with fewer than two units, where nothing is defined, and where BCa is.

    Source: Efron and Tibshirani (1993) chapter 13; BCa: Efron (1987), Better Bootstrap Confidence Intervals.
    """
    units, groups, _ = table.shape
    if units < 2 or not groups:
        nothing: Bounds3 = (None, None, None)
        return Intervals(groups=(nothing,) * groups, micro=nothing, macro=None, unit_mean=None)
    drawn = resampler.apply(table.reshape(units, -1)).reshape(-1, groups, 3)
    unit_f1 = _unit_f1(table)
    total, unit_total = table.sum(axis=0), unit_f1.sum(axis=0)
    spare = slice(None) if method == "bca" else slice(0)
    resamples = _figures(drawn, resampler.apply(unit_f1))
    jackknife = _figures((total - table)[spare], (unit_total - unit_f1)[spare])
    point = _figures(total[None], unit_total[None])[0]
    bounds = _bounds(resamples, jackknife, point, level, method)
    triples = [(bounds[at], bounds[at + groups + 1], bounds[at + 2 * (groups + 1)]) for at in range(groups + 1)]
    return Intervals(groups=tuple(triples[:groups]), micro=triples[groups], macro=bounds[-2], unit_mean=bounds[-1])


def _figures(sums: Array, unit_sums: Array) -> Array:
    """Lay out all figures of each resample: P, R and F1 of the groups and of their sum, then the two means."""
    with_micro = np.concatenate((sums, sums.sum(axis=1, keepdims=True)), axis=1)
    precision, recall, f1 = measures(with_micro)
    group_sums = np.stack((_or_zero(f1[:, :-1]).sum(axis=1), (~np.isnan(f1[:, :-1])).sum(axis=1)), axis=1)
    return np.concatenate((precision, recall, f1, _mean(group_sums), _mean(unit_sums)), axis=1)


def _mean(sums: Array) -> Array:
    """Divide sums [rows, 2] by their numbers; nan where nothing was summed."""
    with np.errstate(invalid="ignore"):
        means: Array = sums[:, :1] / sums[:, 1:]
    return means


def _unit_f1(table: Array) -> Array:
    """Give each unit's F1 and whether it is defined, [units, 2]."""
    f1 = measures(table.sum(axis=1))[2]
    return np.stack((_or_zero(f1), ~np.isnan(f1)), axis=1)


def _bounds(resamples: Array, jackknife: Array, point: Array, level: float, method: str) -> list[Bounds | None]:
    ordered = np.sort(resamples, axis=0)  # what is undefined comes last
    number = np.sum(~np.isnan(ordered), axis=0)
    tails = np.tile([(1 - level) / 2, (1 + level) / 2], (len(point), 1))
    known = (number > 0) & ~np.isnan(point)
    if method == "bca":
        for at in np.flatnonzero(known):
            tails[at] = _correct(ordered[: number[at], at], jackknife[:, at], float(point[at]), tails[at])
    low, high = (_quantiles(ordered, number, tails[:, side]) for side in (0, 1))
    known &= ~np.isnan(tails[:, 0])
    return [(float(one), float(two)) if fine else None for one, two, fine in zip(low, high, known, strict=True)]


def _quantiles(ordered: Array, number: NDArray[np.int64], tails: Array) -> Array:
    """Give a quantile of each sorted column, interpolated linearly among its first `number` values."""
    place = _or_zero(tails) * np.maximum(number - 1, 0)
    below = np.floor(place).astype(np.int64)
    above = np.minimum(below + 1, np.maximum(number - 1, 0))
    columns = np.arange(ordered.shape[1])
    one, two = ordered[below, columns], ordered[above, columns]
    return np.where(one == two, one, one + (two - one) * (place - below))


def _correct(drawn: Array, jackknife: Array, point: float, tails: Array) -> tuple[float, float]:
    """Move the tails by BCa's bias correction and acceleration; nan where these are undefined."""
    if drawn[0] == drawn[-1]:
        return float(tails[0]), float(tails[1])
    below = (np.sum(drawn < point - _SAME) + 0.5 * np.sum(np.abs(drawn - point) <= _SAME)) / len(drawn)
    spare = jackknife[~np.isnan(jackknife)]
    away = spare.mean() - spare if len(spare) else np.zeros(0)
    scale = float(np.sum(away**2) ** 1.5)
    if not 0 < below < 1 or not scale:
        return np.nan, np.nan
    normal = NormalDist()
    bias, acceleration = normal.inv_cdf(float(below)), float(np.sum(away**3) / (6 * scale))
    totals = [bias + normal.inv_cdf(float(tail)) for tail in tails]
    if any(1 - acceleration * total <= 0 for total in totals):
        return np.nan, np.nan
    low, high = (normal.cdf(bias + total / (1 - acceleration * total)) for total in totals)
    return low, high


def permutation_test(
    one: Array, two: Array, *, permutations: int = PERMUTATIONS, seed: int = SEED
) -> Difference | None:
    """Test whether two systems' F1 differ, by swapping their counts unit by unit.

    Args:
        one: [units, 3], the first system's counts.
        two: [units, 3], the second's on the same units.
        permutations: how many; all 2^units sign vectors are tried where they are no more than that.
        seed: of the generator.

    Returns:
        Difference of F1 (first minus second) and a two-sided p, (c + 1) / (n + 1), or c / 2^units where
        all were tried; None where the F1 of a system is undefined. Undefined permuted differences count
        as large.

    Source: approximate randomisation, Noreen (1989); Yeh (2000); Phipson and Smyth (2010) for the p.
    """
    totals = one.sum(axis=0), two.sum(axis=0)
    observed = float(measures(totals[0])[2] - measures(totals[1])[2])
    if np.isnan(observed):
        return None
    units = len(one)
    exact = units < 63 and 2**units <= permutations
    number = 2**units if exact else permutations
    large = 0
    for swapped in _sign_vectors(units, number, exact=exact, seed=seed):
        moved = swapped @ (two - one)
        difference = measures(totals[0] + moved)[2] - measures(totals[1] - moved)[2]
        large += int(np.sum(~(np.abs(difference) < abs(observed) - _SAME)))
    p = large / number if exact else (large + 1) / (number + 1)
    floor = max(2.0 ** (1 - units) if units < 63 else 0.0, 0.0 if exact else 1 / (number + 1))
    return Difference(difference=observed, p=p, permutations=number, exact=exact, floor=min(floor, 1.0))


def _sign_vectors(units: int, number: int, *, exact: bool, seed: int) -> Iterator[NDArray[np.float32] | Array]:
    """Yield blocks [permutations, units] of 0 and 1: whether a unit is swapped."""
    rng = np.random.default_rng(seed)
    size = max(1, _BLOCK // max(units, 1))
    for first in range(0, number, size):
        count = min(size, number - first)
        if exact:
            yield ((np.arange(first, first + count)[:, None] >> np.arange(units)) & 1).astype(np.float64)
        else:
            width = (units + 7) // 8
            raw = np.frombuffer(rng.bytes(count * width), dtype=np.uint8).reshape(count, width)
            yield np.unpackbits(raw, axis=1, count=units).astype(np.float64)


def difference_interval(one: Array, two: Array, resampler: Resampler, *, level: float = 0.95) -> Bounds | None:
    """Give the percentile interval of the difference of two systems' F1, both resampled together.

    Args:
        one: [units, 3], the first system's counts.
        two: [units, 3], the second's.
        resampler: of as many units.
        level: share of the resamples inside.
    """
    if len(one) < 2:
        return None
    drawn = measures(resampler.apply(one))[2] - measures(resampler.apply(two))[2]
    defined = drawn[~np.isnan(drawn)]
    if not len(defined):
        return None
    low, high = np.quantile(defined, ((1 - level) / 2, (1 + level) / 2))
    return float(low), float(high)


def holm(values: Sequence[float | None]) -> list[float | None]:
    """Correct p-values for their number by Holm's step-down method; None stays and does not count.

    Args:
        values: p-values.

    Source: Holm (1979), A simple sequentially rejective multiple test procedure.
    """
    known = sorted((value, place) for place, value in enumerate(values) if value is not None)
    corrected: list[float | None] = [None] * len(values)
    highest = 0.0
    for rank, (value, place) in enumerate(known):
        highest = max(highest, min(1.0, value * (len(known) - rank)))
        corrected[place] = highest
    return corrected


def spread(values: Sequence[float]) -> Spread:
    """Describe a figure over several runs.

    Args:
        values: at least one.
    """
    array = np.asarray(values, dtype=np.float64)
    sd = float(array.std(ddof=1)) if len(array) > 1 else None
    return Spread(n=len(array), mean=float(array.mean()), sd=sd, low=float(array.min()), high=float(array.max()))
