import math
import random
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from khabar.statistics import (
    cluster,
    difference_interval,
    holm,
    make_intervals,
    make_resampler,
    measures,
    permutation_test,
    spread,
)

Row = tuple[float, float, float]


def plain(rows: list[Row]) -> tuple[float, float, float]:
    credit, predicted, gold = (sum(row[n] for row in rows) for n in range(3))
    precision = credit / predicted if predicted else math.nan
    recall = credit / gold if gold else math.nan
    if not predicted and not gold:
        return precision, recall, math.nan
    one, two = (0.0 if math.isnan(value) else value for value in (precision, recall))
    return precision, recall, 2 * one * two / (one + two) if one + two else 0.0


def some_table(units: int, groups: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    gold = rng.poisson(3, (units, groups))
    matched = rng.binomial(gold, 0.7)
    predicted = matched + rng.poisson(0.8, (units, groups))
    return np.stack((matched, predicted, gold), axis=-1).astype(float)


COUNTS = st.integers(0, 6).flatmap(
    lambda matched: st.tuples(st.just(matched), st.integers(matched, 9), st.integers(matched, 9))
)


@given(rows=st.lists(COUNTS, min_size=1, max_size=6))
def test_measures_are_those_of_the_plain_reference(rows: list[Row]) -> None:
    found = [float(value) for value in measures(np.array(rows, dtype=float).sum(axis=0))]
    assert found == pytest.approx(list(plain(rows)), nan_ok=True, abs=0)


def test_perfect_is_exactly_one() -> None:
    assert [float(value) for value in measures(np.array([7.0, 7.0, 7.0]))] == [1.0, 1.0, 1.0]


def quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def resampled(table: np.ndarray, weights: np.ndarray) -> list[list[Row]]:
    """Write every resample out, unit by unit, as a plain bootstrap would draw it."""
    rows = [tuple(row) for row in table]
    return [[rows[n] for n, times in enumerate(line) for _ in range(int(times))] for line in weights]


def test_every_bound_is_that_of_a_plain_bootstrap_with_the_same_draws() -> None:
    table = some_table(9, 3, 1)
    table[:, 2, :] = 0  # a group that never occurs
    resampler = make_resampler(9, resamples=200, seed=5)
    found = make_intervals(table, resampler)
    weights = np.concatenate(list(resampler.blocks()))
    for group in (0, 1):
        draws = [plain(rows) for rows in resampled(table[:, group], weights)]
        for place, bounds in enumerate(found.groups[group]):
            values = [draw[place] for draw in draws if not math.isnan(draw[place])]
            assert bounds == pytest.approx((quantile(values, 0.025), quantile(values, 0.975)), abs=1e-12)
    micro = [plain(rows)[2] for rows in resampled(table.sum(axis=1), weights)]
    assert found.micro[2] == pytest.approx((quantile(micro, 0.025), quantile(micro, 0.975)), abs=1e-12)
    assert found.groups[2] == (None, None, None)
    macro = [
        float(np.mean([value for group in (0, 1) if not math.isnan(value := plain(rows[group])[2])]))
        for rows in zip(*(resampled(table[:, group], weights) for group in (0, 1)), strict=True)
    ]
    assert found.macro == pytest.approx((quantile(macro, 0.025), quantile(macro, 0.975)), abs=1e-12)
    own = [plain([tuple(row)])[2] for row in table.sum(axis=1)]
    means = [
        float(np.mean([own[n] for n, times in enumerate(line) for _ in range(int(times)) if not math.isnan(own[n])]))
        for line in weights
    ]
    assert found.unit_mean == pytest.approx((quantile(means, 0.025), quantile(means, 0.975)), abs=1e-12)


def test_bca_is_that_of_a_plain_reference() -> None:
    from statistics import NormalDist

    table = some_table(12, 1, 3)
    resampler = make_resampler(12, resamples=400, seed=8)
    weights = np.concatenate(list(resampler.blocks()))
    rows = [tuple(row) for row in table[:, 0]]
    point = plain(rows)[2]
    draws = [plain(drawn)[2] for drawn in resampled(table[:, 0], weights)]
    below = (sum(d < point - 1e-12 for d in draws) + 0.5 * sum(abs(d - point) <= 1e-12 for d in draws)) / len(draws)
    spare = [plain(rows[:n] + rows[n + 1 :])[2] for n in range(len(rows))]
    away = [sum(spare) / len(spare) - value for value in spare]
    normal = NormalDist()
    bias = normal.inv_cdf(below)
    speed = sum(a**3 for a in away) / (6 * sum(a**2 for a in away) ** 1.5)
    tails = []
    for tail in (0.025, 0.975):
        total = bias + normal.inv_cdf(tail)
        tails.append(normal.cdf(bias + total / (1 - speed * total)))
    expected = tuple(quantile(draws, tail) for tail in tails)
    found = make_intervals(table, resampler, method="bca")
    assert found.groups[0][2] == pytest.approx(expected, abs=1e-9)
    assert found.groups[0][2] != make_intervals(table, resampler).groups[0][2]


def test_bca_is_none_where_its_correction_is_undefined_and_a_point_where_nothing_varies() -> None:
    same = np.tile([[[2.0, 3.0, 4.0]]], (5, 1, 1))
    point = plain([(2.0, 3.0, 4.0)])[2]
    assert make_intervals(same, make_resampler(5), method="bca").micro[2] == pytest.approx((point, point))
    perfect_but_one = np.array([[[0.0, 0.0, 0.0]], [[1.0, 1.0, 1.0]], [[0.0, 0.0, 0.0]]])
    assert make_intervals(perfect_but_one, make_resampler(3), method="bca").micro[2] == (1.0, 1.0)


def test_fewer_than_two_units_or_nothing_at_all_have_no_interval() -> None:
    nothing = (None, None, None)
    assert make_intervals(some_table(1, 2, 0), make_resampler(1)).micro == nothing
    empty = make_intervals(np.zeros((4, 2, 3)), make_resampler(4))
    assert (empty.micro, empty.macro, empty.unit_mean) == (nothing, None, None)


def test_the_same_seed_draws_the_same_and_another_seed_does_not() -> None:
    one, two, other = (np.concatenate(list(make_resampler(30, resamples=50, seed=seed).blocks())) for seed in (1, 1, 2))
    assert (one == two).all()
    assert (one != other).any()
    assert (one.sum(axis=1) == 30).all()


def test_blocks_that_are_not_kept_give_the_same_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    table = some_table(40, 2, 4).reshape(40, -1)
    kept = make_resampler(40, resamples=60, seed=3).apply(table)
    monkeypatch.setattr("khabar.statistics._KEPT", 0)
    make_resampler.cache_clear()
    assert make_resampler(40, resamples=60, seed=3).kept == ()
    assert (make_resampler(40, resamples=60, seed=3).apply(table) == kept).all()
    make_resampler.cache_clear()


def test_the_interval_is_as_wide_as_the_sampling_spread() -> None:
    rng = np.random.default_rng(11)
    widths, estimates = [], []
    for seed in range(120):
        gold = rng.poisson(5, 60) + 1
        matched = rng.binomial(gold, 0.6)
        table = np.stack((matched, gold, gold), axis=-1).astype(float)[:, None]
        bounds = make_intervals(table, make_resampler(60, resamples=300, seed=seed)).micro[2]
        assert bounds is not None
        widths.append(bounds[1] - bounds[0])
        estimates.append(plain([tuple(row) for row in table[:, 0]])[2])
    # Divided by the square root of the number of resamples it would be 17 times too narrow.
    assert float(np.mean(widths)) == pytest.approx(2 * 1.96 * float(np.std(estimates)), rel=0.2)


def test_resampling_sentences_instead_of_documents_is_too_narrow() -> None:
    rng = np.random.default_rng(2)
    rates = rng.choice([0.1, 0.9], 40)
    sentences = np.array([[rng.binomial(2, rate), 2, 2] for rate in rates for _ in range(20)], dtype=float)[:, None]
    labels = [f"document {number}" for number in range(40) for _ in range(20)]
    documents = cluster(sentences, labels)
    assert documents.shape == (40, 1, 3)
    wide = make_intervals(documents, make_resampler(40)).micro[2]
    narrow = make_intervals(sentences, make_resampler(800)).micro[2]
    assert wide is not None
    assert narrow is not None
    assert (wide[1] - wide[0]) / (narrow[1] - narrow[0]) > 2


def test_clusters_are_summed_in_the_order_in_which_they_are_met() -> None:
    table = np.arange(12, dtype=float).reshape(4, 1, 3)
    summed = cluster(table, ["b", "a", "b", "a"])
    assert (summed[0] == table[0] + table[2]).all()
    assert (summed[1] == table[1] + table[3]).all()


def systems(units: int, seed: int, worse: float) -> tuple[np.ndarray, np.ndarray]:
    one = some_table(units, 1, seed)[:, 0]
    two = one.copy()
    lost = np.random.default_rng(seed + 1).random(units) < worse
    two[:, 0] -= lost & (two[:, 0] > 0)
    return one, two


def test_all_sign_vectors_are_tried_where_they_are_few() -> None:
    one, two = systems(6, 4, 0.6)
    found = permutation_test(one, two)
    assert found is not None
    assert found.exact
    observed = plain([tuple(r) for r in one])[2] - plain([tuple(r) for r in two])[2]
    large = 0
    for signs in product((0, 1), repeat=6):
        left = [tuple(two[n] if swap else one[n]) for n, swap in enumerate(signs)]
        right = [tuple(one[n] if swap else two[n]) for n, swap in enumerate(signs)]
        large += abs(plain(left)[2] - plain(right)[2]) >= abs(observed) - 1e-12
    assert found.p == large / 64
    assert found.difference == pytest.approx(observed)
    assert found.floor == 2 / 64


def test_a_clear_difference_is_found_and_none_is_not() -> None:
    one, two = systems(60, 1, 0.7)
    clear = permutation_test(one, two, permutations=2000)
    assert clear is not None
    assert clear.p == 1 / 2001
    same = permutation_test(one, one, permutations=2000)
    assert same is not None
    assert same.p == 1.0


def test_the_sampled_p_is_close_to_that_of_a_plain_permutation() -> None:
    one, two = systems(25, 7, 0.12)
    found = permutation_test(one, two, permutations=4000)
    assert found is not None
    rng = random.Random(1)
    large = 0
    for _ in range(4000):
        swaps = [rng.random() < 0.5 for _ in range(25)]
        left = [tuple(two[n] if swap else one[n]) for n, swap in enumerate(swaps)]
        right = [tuple(one[n] if swap else two[n]) for n, swap in enumerate(swaps)]
        large += abs(plain(left)[2] - plain(right)[2]) >= abs(found.difference) - 1e-12
    assert found.p == pytest.approx((large + 1) / 4001, abs=0.03)


def test_p_is_spread_evenly_where_systems_do_not_differ() -> None:
    rng = np.random.default_rng(3)
    values = []
    for seed in range(80):
        gold = rng.poisson(4, 30) + 1
        sides = [np.stack((rng.binomial(gold, 0.5), gold, gold), axis=-1).astype(float) for _ in range(2)]
        found = permutation_test(sides[0], sides[1], permutations=400, seed=seed)
        assert found is not None
        values.append(found.p)
    assert 0.35 < float(np.mean(values)) < 0.65
    assert sum(value <= 0.05 for value in values) <= 10


def test_swapping_the_systems_turns_the_sign_and_keeps_p() -> None:
    one, two = systems(40, 5, 0.2)
    there, back = permutation_test(one, two, permutations=1000), permutation_test(two, one, permutations=1000)
    assert there is not None
    assert back is not None
    assert there.difference == -back.difference
    assert there.p == back.p


def test_an_undefined_figure_is_not_tested() -> None:
    assert permutation_test(np.zeros((4, 3)), np.ones((4, 3))) is None
    assert difference_interval(np.ones((1, 3)), np.ones((1, 3)), make_resampler(1)) is None


def test_the_interval_of_the_difference_resamples_both_systems_together() -> None:
    one, two = systems(30, 2, 0.3)
    bounds = difference_interval(one, two, make_resampler(30))
    assert bounds is not None
    assert 0 < bounds[0] < bounds[1]
    assert difference_interval(one, one, make_resampler(30)) == (0.0, 0.0)


def test_holm_as_worked_by_hand() -> None:
    assert holm([0.01, 0.04, None, 0.03]) == pytest.approx([0.03, 0.06, None, 0.06], nan_ok=True)
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


@given(values=st.lists(st.floats(0, 1), max_size=8))
def test_holm_never_lowers_a_p_and_keeps_their_order(values: list[float]) -> None:
    corrected = holm(list(values))
    assert all(after is not None and after >= before for before, after in zip(values, corrected, strict=True))
    order = sorted(range(len(values)), key=lambda n: values[n])
    ranked = [corrected[n] or 0.0 for n in order]
    assert ranked == sorted(ranked)


def test_the_spread_over_runs() -> None:
    found = spread([0.5, 0.6, 0.7])
    assert (found.n, found.low, found.high) == (3, 0.5, 0.7)
    assert found.mean == pytest.approx(0.6)
    assert found.sd == pytest.approx(0.1)
    assert spread([0.4]).sd is None


@given(seed=st.integers(0, 50))
@settings(max_examples=15, deadline=None)
def test_a_group_split_in_two_leaves_the_micro_interval_as_it_is(seed: int) -> None:
    table = some_table(8, 2, seed)
    joined = table.sum(axis=1, keepdims=True)
    resampler = make_resampler(8, resamples=100)
    assert make_intervals(table, resampler).micro == make_intervals(joined, resampler).micro
