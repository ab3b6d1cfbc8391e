import math
import random
import statistics
from collections.abc import Callable, Sequence
from itertools import pairwise, product
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from khabar.statistics import (
    Resampler,
    cluster,
    difference_interval,
    holm,
    make_intervals,
    make_resampler,
    measures,
    permutation_test,
    spread,
)

Table = NDArray[np.float64]
Row = Sequence[float]
Rows = list[Row]
Figure = Callable[[Sequence[int]], float]
NAN = math.nan
TAILS = ((1 - 0.95) / 2, (1 + 0.95) / 2)
NOTHING = (None, None, None)
pytestmark = pytest.mark.filterwarnings("error")  # a figure that is undefined is no division by zero


# The plain reference: lists, loops, and every resample written out unit by unit.


def plain(rows: Sequence[Row]) -> tuple[float, float, float]:
    credit, predicted, gold = (sum(row[n] for row in rows) for n in range(3))
    precision = credit / predicted if predicted else NAN
    recall = credit / gold if gold else NAN
    if not predicted and not gold:
        return precision, recall, NAN
    one, two = (0.0 if math.isnan(value) else value for value in (precision, recall))
    return precision, recall, 2 * one * two / (one + two) if one + two else 0.0


def mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else NAN


def quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def figures(table: Table) -> dict[str, Figure]:
    """Name every figure of a table, each a function of the units that were drawn."""
    units: list[Rows] = table.tolist()
    groups = range(table.shape[1])
    whole: Rows = [[sum(row[n] for row in unit) for n in range(3)] for unit in units]

    def of_group(group: int, place: int) -> Figure:
        return lambda drawn: plain([units[n][group] for n in drawn])[place]

    named = {f"{group}.{place}": of_group(group, place) for group in groups for place in range(3)}
    for place in range(3):
        named[f"micro.{place}"] = lambda drawn, at=place: plain([whole[n] for n in drawn])[at]  # type: ignore[misc]
    named["macro"] = lambda drawn: mean([plain([units[n][group] for n in drawn])[2] for group in groups])
    named["unit_mean"] = lambda drawn: mean([plain([whole[n]])[2] for n in drawn])
    return named


def found_bounds(table: Table, resampler: Resampler, method: str) -> dict[str, tuple[float, float] | None]:
    found = make_intervals(table, resampler, method=method)
    named = {
        f"{group}.{place}": bounds for group, three in enumerate(found.groups) for place, bounds in enumerate(three)
    }
    named.update({f"micro.{place}": bounds for place, bounds in enumerate(found.micro)})
    return {**named, "macro": found.macro, "unit_mean": found.unit_mean}


def draws_of(resampler: Resampler) -> list[list[int]]:
    lines = np.concatenate(list(resampler.blocks())).tolist()
    return [[n for n, times in enumerate(line) for _ in range(int(times))] for line in lines]


def some_table(units: int, groups: int, seed: int) -> Table:
    rng = np.random.default_rng(seed)
    gold = rng.poisson(3, (units, groups))
    matched = rng.binomial(gold, 0.7)
    predicted = matched + rng.poisson(0.8, (units, groups))
    return np.stack((matched, predicted, gold), axis=-1).astype(float)


def sparse_table() -> Table:
    """Ten units: a usual group, one in two units only, one that never occurs, one that is only predicted."""
    table = some_table(10, 4, 1)
    table[:, 1] = 0
    table[3, 1], table[7, 1] = (1.5, 2, 3), (2, 4, 2)
    table[:, 2] = 0
    table[:, 3, [0, 2]] = 0
    table[5] = 0  # a document with nothing in it
    return table


HALVES = st.integers(0, 8).flatmap(
    lambda twice: st.tuples(st.just(twice / 2), st.integers(-(-twice // 2), 9), st.integers(-(-twice // 2), 9))
)
TABLES = st.tuples(st.integers(2, 6), st.integers(1, 3)).flatmap(
    lambda shape: st.lists(
        st.lists(HALVES, min_size=shape[1], max_size=shape[1]), min_size=shape[0], max_size=shape[0]
    ).map(lambda rows: np.array(rows, dtype=float))
)


# Measures


@given(rows=st.lists(HALVES, min_size=1, max_size=6))
def test_measures_are_those_of_the_plain_reference_to_the_last_bit(rows: list[Row]) -> None:
    found = [float(value) for value in measures(np.array(rows, dtype=float).sum(axis=0))]
    assert list(map(repr, found)) == list(map(repr, plain(rows)))


@given(number=st.integers(1, 10**9))
def test_perfect_is_exactly_one(number: int) -> None:
    assert [float(value) for value in measures(np.array([number] * 3, dtype=float))] == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("sums", "expected"),
    [
        ((0, 0, 0), (NAN, NAN, NAN)),
        ((0, 3, 0), (0.0, NAN, 0.0)),
        ((0, 0, 3), (NAN, 0.0, 0.0)),
        ((0, 2, 3), (0.0, 0.0, 0.0)),
        ((1, 2, 4), (0.5, 0.25, 2 * 0.5 * 0.25 / 0.75)),
        ((0.5, 1, 1), (0.5, 0.5, 0.5)),
    ],
)
def test_what_is_undefined_is_nan_and_what_is_wrong_is_zero(
    sums: tuple[float, ...], expected: tuple[float, ...]
) -> None:
    found = [float(value) for value in measures(np.array(sums))]  # integers, but for half a point
    assert list(map(repr, found)) == list(map(repr, expected))


def test_measures_keep_the_shape_of_what_they_measure() -> None:
    table = some_table(4, 3, 0)
    for place, values in enumerate(measures(table)):
        assert values.shape == (4, 3)
        assert repr(float(values[2, 1])) == repr(plain([table[2, 1].tolist()])[place])


@given(table=TABLES, seed=st.integers(0, 99))
def test_the_order_of_the_units_does_not_change_a_figure(table: Table, seed: int) -> None:
    order = random.Random(seed).sample(range(len(table)), len(table))
    for one, two in zip(measures(table.sum(axis=0)), measures(table[order].sum(axis=0)), strict=True):
        np.testing.assert_array_equal(one, two)


# Clusters


def test_clusters_are_summed_in_the_order_in_which_they_are_met() -> None:
    table = np.arange(12, dtype=float).reshape(4, 1, 3)
    summed = cluster(table, ["b", "a", "b", "a"])
    assert summed.tolist() == [(table[0] + table[2]).tolist(), (table[1] + table[3]).tolist()]


@given(table=TABLES, seed=st.integers(0, 99))
def test_clusters_add_up_to_the_whole(table: Table, seed: int) -> None:
    rng = random.Random(seed)
    labels = [rng.choice("abc") for _ in table]
    summed = cluster(table, labels)
    assert len(summed) == len(set(labels))
    assert summed.sum(axis=0).tolist() == table.sum(axis=0).tolist()
    for place, label in enumerate(dict.fromkeys(labels)):
        rows = [n for n, other in enumerate(labels) if other == label]
        assert summed[place].tolist() == table[rows].sum(axis=0).tolist()


# Resampling


def test_the_same_seed_draws_the_same_and_another_seed_does_not() -> None:
    lines = []
    for seed in (1, 1, 2):
        make_resampler.cache_clear()
        lines.append(np.concatenate(list(make_resampler(30, resamples=50, seed=seed).blocks())))
    assert (lines[0] == lines[1]).all()
    assert (lines[0] != lines[2]).any()


def test_each_resample_draws_as_many_units_as_there_are_each_as_often_as_the_others() -> None:
    lines = np.concatenate(list(make_resampler(20, resamples=4000, seed=6).blocks()))
    assert lines.shape == (4000, 20)
    assert (lines.sum(axis=1) == 20).all()
    # Multinomial: mean 1, variance 1 − 1/20, and exp(−1) or so of the units are left out.
    assert lines.mean(axis=0) == pytest.approx(np.ones(20), abs=0.08)
    assert float(lines.var(axis=0).mean()) == pytest.approx(0.95, abs=0.02)
    assert float((lines == 0).mean()) == pytest.approx((19 / 20) ** 20, abs=0.01)


def test_blocks_that_are_not_kept_give_the_same_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    table = some_table(40, 2, 4).reshape(40, -1)
    kept = make_resampler(40, resamples=60, seed=3).apply(table)
    monkeypatch.setattr("khabar.statistics._KEPT", 0)
    make_resampler.cache_clear()
    assert make_resampler(40, resamples=60, seed=3).kept == ()
    assert (make_resampler(40, resamples=60, seed=3).apply(table) == kept).all()
    make_resampler.cache_clear()


def test_small_blocks_draw_every_resample_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("khabar.statistics._BLOCK", 50)
    make_resampler.cache_clear()
    lines = [block.shape for block in make_resampler(20, resamples=7, seed=3).blocks()]
    make_resampler.cache_clear()
    assert lines == [(2, 20), (2, 20), (2, 20), (1, 20)]


def test_all_metrics_are_resampled_together() -> None:
    table = some_table(15, 4, 9)
    resampler = make_resampler(15, resamples=100)
    alone = [make_intervals(table[:, [group]], resampler).groups[0] for group in range(4)]
    assert make_intervals(table, resampler).groups == tuple(alone)


# Intervals


@pytest.mark.parametrize("table", [some_table(9, 3, 1), sparse_table()], ids=["usual", "sparse"])
def test_every_bound_is_that_of_a_plain_bootstrap_with_the_same_draws(table: Table) -> None:
    resampler = make_resampler(len(table), resamples=200, seed=5)
    draws = draws_of(resampler)
    found = found_bounds(table, resampler, "percentile")
    assert len(found) == 3 * table.shape[1] + 5
    for name, figure in figures(table).items():
        values = [value for drawn in draws if not math.isnan(value := figure(drawn))]
        expected = tuple(quantile(values, tail) for tail in TAILS) if values else None
        if name in ("macro", "unit_mean"):  # means are summed in another order
            assert found[name] == pytest.approx(expected, abs=1e-12), name
        else:
            assert found[name] == expected, name


def test_a_sparse_table_has_undefined_resamples_and_figures() -> None:
    table = sparse_table()
    resampler = make_resampler(10, resamples=200, seed=5)
    rare = figures(table)["1.2"]
    assert 5 < sum(math.isnan(rare(drawn)) for drawn in draws_of(resampler)) < 60
    found = make_intervals(table, resampler)
    assert None not in found.groups[1]
    assert found.groups[2] == NOTHING
    assert found.groups[3] == ((0.0, 0.0), None, (0.0, 0.0))


def test_bounds_are_close_to_those_of_an_independent_bootstrap() -> None:
    table = some_table(40, 2, 8)
    found = found_bounds(table, make_resampler(40, resamples=3000), "percentile")
    rng = random.Random(77)
    draws = [[rng.randrange(40) for _ in range(40)] for _ in range(3000)]
    for name, figure in figures(table).items():
        values = [figure(drawn) for drawn in draws]
        assert found[name] == pytest.approx(tuple(quantile(values, tail) for tail in TAILS), abs=0.015), name


def plain_bca(figure: Figure, units: int, draws: list[list[int]]) -> tuple[float, float] | None:
    """Follow Efron (1987) by hand; None where a correction is undefined."""
    point = figure(range(units))
    values = [value for drawn in draws if not math.isnan(value := figure(drawn))]
    if math.isnan(point) or not values:
        return None
    if max(values) - min(values) < 1e-12:
        return values[0], values[0]
    ties = sum(abs(value - point) <= 1e-12 for value in values)
    below = (sum(value < point - 1e-12 for value in values) + ties / 2) / len(values)
    spare = [figure([n for n in range(units) if n != left]) for left in range(units)]
    away = [mean(spare) - value for value in spare if not math.isnan(value)]
    scale = sum(value**2 for value in away) ** 1.5
    if below in (0, 1) or scale < 1e-30:
        return None
    normal = NormalDist()
    bias, speed = normal.inv_cdf(below), sum(value**3 for value in away) / (6 * scale)
    totals = [bias + normal.inv_cdf(tail) for tail in TAILS]
    low, high = (quantile(values, normal.cdf(bias + total / (1 - speed * total))) for total in totals)
    return low, high


@pytest.mark.parametrize("table", [some_table(12, 2, 3), sparse_table()], ids=["usual", "sparse"])
def test_every_bca_bound_is_that_of_a_plain_reference(table: Table) -> None:
    resampler = make_resampler(len(table), resamples=400, seed=8)
    draws = draws_of(resampler)
    found = found_bounds(table, resampler, "bca")
    for name, figure in figures(table).items():
        expected = plain_bca(figure, len(table), draws)
        assert found[name] == (None if expected is None else pytest.approx(expected, abs=1e-9)), name
    assert found["micro.2"] != found_bounds(table, resampler, "percentile")["micro.2"]


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_where_nothing_varies_the_interval_is_the_point(method: str) -> None:
    same = np.tile([[[2.0, 3.0, 4.0]]], (5, 1, 1))
    precision, recall, f1 = plain([(2, 3, 4)])
    found = make_intervals(same, make_resampler(5), method=method)
    assert found.micro == found.groups[0] == ((precision, precision), (recall, recall), (f1, f1))
    assert found.macro == (f1, f1)
    one_of_three = np.array([[[0.0, 0.0, 0.0]], [[1.0, 1.0, 1.0]], [[0.0, 0.0, 0.0]]])
    assert make_intervals(one_of_three, make_resampler(3), method=method).micro == ((1.0, 1.0),) * 3


def test_bca_has_no_interval_where_all_resamples_are_on_one_side() -> None:
    table = some_table(6, 1, 2)
    figure = figures(table)["micro.2"]
    point = figure(range(6))
    sides = {}
    for seed in range(60):
        resampler = make_resampler(6, resamples=3, seed=seed)
        values = [figure(drawn) for drawn in draws_of(resampler)]
        if len(set(values)) > 1 and (max(values) < point - 1e-9 or min(values) > point + 1e-9):
            sides[max(values) < point] = resampler
    assert set(sides) == {True, False}
    for resampler in sides.values():
        assert make_intervals(table, resampler, method="bca").micro[2] is None
        assert make_intervals(table, resampler).micro[2] is not None


def test_bca_has_no_interval_where_leaving_a_unit_out_changes_nothing() -> None:
    # Two units that mirror each other: macro F1 is 1/2 of either and 2/3 of both.
    mirrored = np.array([[[2, 2, 2], [0, 1, 1]], [[0, 1, 1], [2, 2, 2]]], dtype=float)
    assert make_intervals(mirrored, make_resampler(2), method="bca").macro is None
    assert make_intervals(mirrored, make_resampler(2)).macro == (0.5, 2 / 3)


def test_fewer_than_two_units_or_nothing_at_all_have_no_interval() -> None:
    for method in ("percentile", "bca"):
        for units in (0, 1):
            single = make_intervals(some_table(units, 2, 0), make_resampler(units), method=method)
            assert (single.groups, single.micro) == ((NOTHING, NOTHING), NOTHING)
            assert (single.macro, single.unit_mean) == (None, None)
        empty = make_intervals(np.zeros((4, 2, 3)), make_resampler(4), method=method)
        assert (empty.groups, empty.micro) == ((NOTHING, NOTHING), NOTHING)
        assert (empty.macro, empty.unit_mean) == (None, None)
        assert make_intervals(np.zeros((4, 0, 3)), make_resampler(4), method=method).micro == NOTHING


def test_a_lower_level_gives_the_quantiles_of_that_level() -> None:
    table = some_table(20, 1, 5)
    resampler = make_resampler(20, resamples=300)
    values = [figures(table)["micro.2"](drawn) for drawn in draws_of(resampler)]
    bounds = {level: make_intervals(table, resampler, level=level).micro[2] for level in (0.5, 0.9, 0.95, 0.99)}
    assert bounds[0.5] == (quantile(values, 0.25), quantile(values, 0.75))
    for inner, outer in pairwise(bounds.values()):
        assert inner is not None
        assert outer is not None
        assert outer[0] <= inner[0] < inner[1] <= outer[1]


@given(table=TABLES, method=st.sampled_from(["percentile", "bca"]))
def test_bounds_are_in_order_between_zero_and_one_and_among_the_resamples(table: Table, method: str) -> None:
    resampler = make_resampler(len(table), resamples=40)
    draws = draws_of(resampler)
    found = found_bounds(table, resampler, method)
    for name, figure in figures(table).items():
        bounds = found[name]
        if math.isnan(figure(range(len(table)))):
            assert bounds is None
        if bounds is not None:
            values = [value for drawn in draws if not math.isnan(value := figure(drawn))]
            assert -1e-12 <= min(values) - 1e-12 <= bounds[0] <= bounds[1] <= max(values) + 1e-12 <= 1 + 1e-9


@given(seed=st.integers(0, 50))
@settings(max_examples=15)
def test_a_group_split_in_two_leaves_the_micro_interval_as_it_is(seed: int) -> None:
    table = some_table(8, 2, seed)
    joined = table.sum(axis=1, keepdims=True)
    resampler = make_resampler(8, resamples=100)
    one, two = make_intervals(table, resampler), make_intervals(joined, resampler)
    assert one.micro == two.micro == two.groups[0]
    assert one.unit_mean == two.unit_mean


def coin_table(rng: np.random.Generator, units: int, rate: float) -> Table:
    """Draw documents of a system that gets each item right at the same rate: its F1 is that rate."""
    gold = rng.poisson(5, units) + 1
    return np.stack((rng.binomial(gold, rate), gold, gold), axis=-1).astype(float)[:, None]


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_intervals_hold_the_truth_about_as_often_as_they_say(method: str) -> None:
    rng = np.random.default_rng(11)
    hits = 0
    for seed in range(300):
        bounds = make_intervals(coin_table(rng, 60, 0.6), make_resampler(60, resamples=300, seed=seed), method=method)
        assert bounds.micro[2] is not None
        hits += bounds.micro[2][0] <= 0.6 <= bounds.micro[2][1]
    assert 0.90 <= hits / 300 <= 0.98


def test_the_interval_is_as_wide_as_the_sampling_spread() -> None:
    rng = np.random.default_rng(12)
    widths, estimates = [], []
    for seed in range(200):
        table = coin_table(rng, 60, 0.6)
        bounds = make_intervals(table, make_resampler(60, resamples=300, seed=seed)).micro[2]
        assert bounds is not None
        widths.append(bounds[1] - bounds[0])
        estimates.append(plain(table[:, 0].tolist())[2])
    # Divided by the square root of the number of resamples, a known mistake, it would be 17 times too narrow.
    assert statistics.fmean(widths) / (2 * 1.96 * statistics.stdev(estimates)) == pytest.approx(1, abs=0.15)


def test_resampling_sentences_instead_of_documents_is_too_narrow() -> None:
    rng = np.random.default_rng(2)
    labels = [f"document {number}" for number in range(40) for _ in range(20)]
    ratios, wide, estimates = [], [], []
    for seed in range(40):
        rates = rng.choice([0.1, 0.9], 40)
        sentences = np.array([[rng.binomial(2, rate), 2, 2] for rate in rates for _ in range(20)], dtype=float)[:, None]
        documents = cluster(sentences, labels)
        assert documents.shape == (40, 1, 3)
        right = make_intervals(documents, make_resampler(40, resamples=200, seed=seed)).micro[2]
        wrong = make_intervals(sentences, make_resampler(800, resamples=200, seed=seed)).micro[2]
        assert right is not None
        assert wrong is not None
        wide.append(right[1] - right[0])
        ratios.append(wide[-1] / (wrong[1] - wrong[0]))
        estimates.append(plain(documents[:, 0].tolist())[2])
    # Var of a rate is 0.16, of two coins at a known rate 0.09 / 2: the design effect is √(1 + 19 · 0.16 / 0.205) ≈ 4.
    assert statistics.fmean(ratios) == pytest.approx(4, abs=0.5)
    assert statistics.fmean(wide) / (2 * 1.96 * statistics.stdev(estimates)) == pytest.approx(1, abs=0.25)


# Permutation tests


def systems(units: int, seed: int, worse: float) -> tuple[Table, Table]:
    """Make two systems of which the second loses one match in a share of the units."""
    one = some_table(units, 1, seed)[:, 0]
    two = one.copy()
    lost = np.random.default_rng(seed + 1).random(units) < worse
    two[:, 0] -= lost & (two[:, 0] > 0)
    return one, two


def brute_force(one: Table, two: Table, signs: Sequence[Sequence[bool]]) -> int:
    """Count the sign vectors whose difference is at least the observed one, or undefined."""
    left, right = one.tolist(), two.tolist()
    observed = abs(plain(left)[2] - plain(right)[2])
    large = 0
    for swaps in signs:
        sides = [
            [pair[swap] for pair, swap in zip(zip(*both, strict=True), swaps, strict=True)]
            for both in ((left, right), (right, left))
        ]
        difference = abs(plain(sides[0])[2] - plain(sides[1])[2])
        large += math.isnan(difference) or difference >= observed - 1e-12
    return large


@given(
    pairs=st.lists(st.tuples(HALVES, HALVES), min_size=1, max_size=7),
    seed=st.integers(0, 99),
)
def test_all_sign_vectors_are_tried_where_they_are_few(pairs: list[tuple[Row, Row]], seed: int) -> None:
    one, two = (np.array([pair[side] for pair in pairs], dtype=float) for side in (0, 1))
    found = permutation_test(one, two)
    observed = plain(one.tolist())[2] - plain(two.tolist())[2]
    if math.isnan(observed):
        assert found is None
        return
    assert found is not None
    number = 2 ** len(pairs)
    assert (found.exact, found.permutations) == (True, number)
    assert found.p == brute_force(one, two, list(product((False, True), repeat=len(pairs)))) / number
    assert found.difference == observed
    assert found.floor == min(1.0, 2 / number) <= found.p
    order = random.Random(seed).sample(range(len(pairs)), len(pairs))
    assert permutation_test(one[order], two[order]) == found


@pytest.mark.parametrize(
    ("units", "permutations", "exact", "floor"),
    [(6, 64, True, 2 / 64), (6, 63, False, 2 / 64), (13, 10_000, True, 2 / 2**13), (14, 10_000, False, 2 / 2**14),
     (70, 999, False, 1 / 1000)],
)  # fmt: skip
def test_the_floor_is_the_smallest_p_that_so_many_units_can_give(
    units: int, permutations: int, exact: bool, floor: float
) -> None:
    one, two = (np.tile([[credit, 4.0, 4.0]], (units, 1)) for credit in (3.0, 2.0))
    found = permutation_test(one, two, permutations=permutations)
    assert found is not None
    assert found.exact is exact
    assert found.permutations == (2**units if exact else permutations)
    assert found.floor == pytest.approx(max(floor, 0 if exact else 1 / (permutations + 1)))
    # One system is better in every unit, so that only all signs or none reach the observed difference.
    if exact:
        assert found.p == found.floor
    else:
        assert found.p == pytest.approx(found.floor, abs=6 / permutations)


def test_undefined_permuted_differences_count_as_large() -> None:
    # Swapping one unit leaves a system with nothing in gold and prediction; counted as small, p would be 1/2.
    one, two = np.array([[1.0, 1, 1], [0, 0, 0]]), np.array([[0.0, 0, 0], [0, 1, 1]])
    found = permutation_test(one, two)
    assert found is not None
    assert (found.difference, found.p, found.exact) == (1.0, 1.0, True)


def test_a_clear_difference_is_found() -> None:
    one, two = systems(60, 1, 0.7)
    clear = permutation_test(one, two, permutations=2000)
    assert clear is not None
    assert clear.difference > 0
    assert (clear.p, clear.exact) == (1 / 2001, False)


@pytest.mark.parametrize("units", [1, 5, 60])
def test_identical_systems_give_a_p_of_one(units: int) -> None:
    one = some_table(units, 1, 4)[:, 0]
    same = permutation_test(one, one, permutations=200)
    assert same is not None
    assert (same.difference, same.p) == (0.0, 1.0)


def rivals(units: int, seed: int) -> tuple[Table, Table]:
    """Make two systems that are right and wrong independently, the first a little more often right."""
    rng = np.random.default_rng(seed)
    gold = rng.poisson(4, units) + 1
    one, two = (np.stack((rng.binomial(gold, rate), gold, gold), axis=-1).astype(float) for rate in (0.65, 0.55))
    return one, two


@pytest.mark.parametrize("seed", range(4))
def test_the_sampled_p_is_close_to_that_of_a_plain_permutation(seed: int) -> None:
    one, two = rivals(25, seed)
    found = permutation_test(one, two, permutations=4000)
    assert found is not None
    rng = random.Random(1)
    large = brute_force(one, two, [[rng.random() < 0.5 for _ in range(25)] for _ in range(4000)])
    assert 0 < found.p < 0.9
    assert found.p == pytest.approx((large + 1) / 4001, abs=0.03)


def test_the_sampled_p_is_close_to_the_exact_one() -> None:
    one, two = rivals(12, 1)
    exact, sampled = permutation_test(one, two), permutation_test(one, two, permutations=4000)
    assert exact is not None
    assert sampled is not None
    assert (exact.exact, sampled.exact) == (True, False)
    assert 0.02 < exact.p < 0.9
    assert sampled.p == pytest.approx(exact.p, abs=0.02)


def test_p_is_spread_evenly_where_systems_do_not_differ() -> None:
    rng = np.random.default_rng(3)
    values = []
    for seed in range(200):
        gold = rng.poisson(4, 30) + 1
        sides = [np.stack((rng.binomial(gold, 0.5), gold, gold), axis=-1).astype(float) for _ in range(2)]
        found = permutation_test(sides[0], sides[1], permutations=400, seed=seed)
        assert found is not None
        values.append(found.p)
    for share in (0.05, 0.25, 0.5, 0.75):
        deviation = 3 * math.sqrt(share * (1 - share) / 200)
        assert sum(value <= share for value in values) / 200 == pytest.approx(share, abs=deviation)


def test_swapping_the_systems_turns_the_sign_and_keeps_p() -> None:
    one, two = rivals(40, 5)
    there, back = permutation_test(one, two, permutations=1000), permutation_test(two, one, permutations=1000)
    assert there is not None
    assert back is not None
    assert there.difference == -back.difference
    assert there.p == back.p


def test_the_same_seed_gives_the_same_p_and_many_blocks_are_one_test(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = rivals(40, 5)
    first = permutation_test(one, two, permutations=3000)
    assert permutation_test(one, two, permutations=3000) == first
    monkeypatch.setattr("khabar.statistics._BLOCK", 40 * 7)
    cut = permutation_test(one, two, permutations=3000)
    assert first is not None
    assert cut is not None
    assert cut.permutations == 3000
    assert cut.p == pytest.approx(first.p, abs=0.03)
    few = permutation_test(one[:6], two[:6])
    monkeypatch.setattr("khabar.statistics._BLOCK", 6)
    assert permutation_test(one[:6], two[:6]) == few


def test_an_undefined_figure_is_not_tested() -> None:
    nothing, something = np.zeros((4, 3)), np.ones((4, 3))
    assert permutation_test(nothing, something) is None
    assert permutation_test(something, nothing) is None
    assert permutation_test(np.zeros((0, 3)), np.zeros((0, 3))) is None


# Differences


def test_the_interval_of_the_difference_resamples_both_systems_together() -> None:
    one, two = systems(30, 2, 0.3)
    resampler = make_resampler(30, resamples=400)
    left, right = one.tolist(), two.tolist()
    values = [plain([left[n] for n in drawn])[2] - plain([right[n] for n in drawn])[2] for drawn in draws_of(resampler)]
    bounds = difference_interval(one, two, resampler)
    assert bounds == pytest.approx((quantile(values, TAILS[0]), quantile(values, TAILS[1])), abs=1e-12)
    assert difference_interval(one, two, resampler, level=0.5) == pytest.approx(
        (quantile(values, 0.25), quantile(values, 0.75)), abs=1e-12
    )
    back = difference_interval(two, one, resampler)
    assert bounds is not None
    assert back == pytest.approx((-bounds[1], -bounds[0]), abs=1e-12)
    assert difference_interval(one, one, resampler) == (0.0, 0.0)
    # Drawn apart, documents that are hard for both would hide the difference.
    alone = [make_intervals(side[:, None], resampler).micro[2] for side in (one, two)]
    assert all(interval is not None and interval[1] - interval[0] > bounds[1] - bounds[0] for interval in alone)


def test_resamples_without_a_difference_are_left_out() -> None:
    one, two = np.zeros((6, 3)), np.zeros((6, 3))
    one[0], two[0] = (2, 2, 4), (1, 1, 4)
    resampler = make_resampler(6, resamples=200)
    assert any(0 not in drawn for drawn in draws_of(resampler))
    difference = plain([(2, 2, 4)])[2] - plain([(1, 1, 4)])[2]
    assert difference_interval(one, two, resampler) == pytest.approx((difference, difference), abs=1e-12)


def test_a_difference_has_no_interval_without_two_units_or_any_item() -> None:
    assert difference_interval(np.ones((1, 3)), np.ones((1, 3)), make_resampler(1)) is None
    assert difference_interval(np.zeros((4, 3)), np.ones((4, 3)), make_resampler(4)) is None


# Many tests, many runs


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        ([0.01, 0.04, None, 0.03], [0.03, 0.06, None, 0.06]),
        ([0.02, 0.02, 0.02], [0.06, 0.06, 0.06]),
        ([0.5, 0.9], [1.0, 1.0]),
        ([0.2], [0.2]),
        ([None, None], [None, None]),
        ([], []),
    ],
)
def test_holm_as_worked_by_hand(values: list[float | None], expected: list[float | None]) -> None:
    found = holm(values)
    assert [value is None for value in found] == [value is None for value in expected]
    assert [value for value in found if value is not None] == pytest.approx([v for v in expected if v is not None])


@given(values=st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=8), level=st.floats(0, 0.999))
def test_holm_rejects_what_stepping_down_rejects(values: list[float | None], level: float) -> None:
    known = sorted((value, place) for place, value in enumerate(values) if value is not None)
    rejected = set()
    for rank, (value, place) in enumerate(known):
        if value * (len(known) - rank) > level:
            break
        rejected.add(place)
    corrected = holm(values)
    assert {place for place, value in enumerate(corrected) if value is not None and value <= level} == rejected


@given(values=st.lists(st.floats(0, 1), max_size=8))
def test_holm_never_lowers_a_p_and_keeps_their_order(values: list[float]) -> None:
    corrected = holm(list(values))
    assert all(after is not None and 1 >= after >= before for before, after in zip(values, corrected, strict=True))
    order = sorted(range(len(values)), key=lambda n: values[n])
    ranked = [corrected[n] or 0.0 for n in order]
    assert ranked == sorted(ranked)


@given(values=st.lists(st.floats(0, 1), min_size=2, max_size=8))
def test_the_spread_over_runs(values: list[float]) -> None:
    found = spread(values)
    assert (found.n, found.low, found.high) == (len(values), min(values), max(values))
    assert found.mean == pytest.approx(statistics.fmean(values), abs=1e-12)
    assert found.sd == pytest.approx(statistics.stdev(values), abs=1e-9)


def test_one_run_has_no_spread() -> None:
    found = spread([0.4])
    assert (found.n, found.mean, found.sd, found.low, found.high) == (1, 0.4, None, 0.4, 0.4)
