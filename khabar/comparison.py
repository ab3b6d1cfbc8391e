"""Results beside each other: computed again, compared with a paired test, spread over runs, ranked."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import msgspec
import numpy as np
from numpy.typing import NDArray

from khabar.errors import Issue, KhabarError
from khabar.metrics.declared import MAIN, khabar_inventory
from khabar.ontology import ontology
from khabar.results import Bounds, Figures, Result, Settings
from khabar.statistics import (
    PERMUTATIONS,
    Difference,
    Spread,
    cluster,
    difference_interval,
    holm,
    make_resampler,
    permutation_test,
    spread,
)
from khabar.summary import cluster_labels, sign_again, summarise
from khabar.validate import nearest

Table = NDArray[np.float64]


class Contrast(msgspec.Struct, frozen=True, kw_only=True):
    """Two systems on one metric: the difference of their F1, its interval, and how likely chance makes it."""

    metric: str
    one: str
    two: str
    f1_one: float | None
    f1_two: float | None
    interval: Bounds | None
    test: Difference | None
    p_holm: float | None
    verdict: str


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """All pairs of systems on all metrics, with Holm's correction over the whole of it."""

    signature: str
    systems: dict[str, dict[str, Spread]]
    contrasts: tuple[Contrast, ...]
    units: int
    permutations: int
    seed: int
    alpha: float


def recompute(result: Result, settings: Settings | None = None) -> Result:
    """Compute every figure of a result again from its counts by document; no prediction is needed.

    Args:
        result: as stored.
        settings: other units, intervals or slices; those of the result by default.

    Raises:
        KhabarError: signature-differs, where the result was made with another ontology; unit-unknown
            and field-unknown, where its documents have no such field.
    """
    given = settings or result.settings
    if result.inventory is None and f"labels:{ontology().hash}" not in result.signature.split("|"):
        raise KhabarError(
            _issue(
                "signature-differs",
                f"result {result.name!r}",
                result.signature,
                f"labels:{ontology().hash}",
                "Use the version of khabar that made the result.",
            )
        )
    inventory = khabar_inventory() if result.inventory is None else result.inventory
    figures = summarise(result.documents, layers=result.layers, settings=given, inventory=inventory)
    return msgspec.structs.replace(
        result,
        settings=given,
        signature=sign_again(result.signature, given),
        **{name: getattr(figures, name) for name in figures.__struct_fields__},
    )


def differing_figures(one: Result, two: Result) -> list[str]:
    """Name the parts in which two results of the same predictions differ.

    Args:
        one: a result.
        two: another.
    """
    return [name for name in Figures.__struct_fields__ if getattr(one, name) != getattr(two, name)]


def compare(
    results: Sequence[Result],
    *,
    metrics: Sequence[str] = (),
    permutations: int = PERMUTATIONS,
    alpha: float = 0.05,
) -> Comparison:
    """Compare systems on the same documents.

    Results of one name are runs of one system: their counts are averaged, document by document.

    Args:
        results: of at least two systems.
        metrics: which; the main metric of each layer that all have by default.
        permutations: how many for each test.
        alpha: the level at which a difference counts as shown.

    Raises:
        KhabarError: usage, with fewer than two systems or an unknown metric; signature-differs.

    Source: PROTOCOL.md section 8.
    """
    _require_same(results)
    systems = _by_name(results)
    chosen = _chosen_metrics(results, metrics)
    settings = results[0].settings
    labels = cluster_labels(results[0].documents, settings.unit)
    tables = {(name, metric): _pooled(runs, metric, labels) for name, runs in systems.items() for metric in chosen}
    pairs = [(metric, one, two) for metric in chosen for one, two in combinations(systems, 2)]
    tests = [
        permutation_test(tables[one, metric], tables[two, metric], permutations=permutations, seed=settings.seed)
        for metric, one, two in pairs
    ]
    corrected = holm([test.p if test else None for test in tests])
    spreads = {name: _spreads(runs, chosen) for name, runs in systems.items()}
    return Comparison(
        signature=results[0].signature,
        systems=spreads,
        contrasts=tuple(
            _contrast(pair, tables, test, p, settings, spreads, alpha)
            for pair, test, p in zip(pairs, tests, corrected, strict=True)
        ),
        units=len(set(labels)),
        permutations=permutations,
        seed=settings.seed,
        alpha=alpha,
    )


def _pooled(runs: Sequence[Result], metric: str, labels: Sequence[str]) -> Table:
    """Average the counts of a system's runs, document by document, and sum them by cluster."""
    mean: Table = np.mean([_table(run, metric) for run in runs], axis=0)
    return cluster(mean, labels)


def _require_same(results: Sequence[Result]) -> None:
    if len({result.name for result in results}) < 2:
        found = ", ".join(sorted({result.name for result in results})) or "no result"
        fix = "Give results of at least two systems; --name tells systems apart when they are scored."
        raise KhabarError(_issue("usage", "results", found, "at least two systems", fix))
    first = results[0]
    issues = []
    for other in results[1:]:
        parts = zip(_comparable(first), _comparable(other), strict=False)
        differing = [f"{one} / {two}" for one, two in parts if one != two]
        if differing or list(first.documents) != list(other.documents):
            found = "; ".join(differing) or "other documents"
            fix = "Score both on the same gold with the same settings and the same version of khabar."
            issues.append(_issue("signature-differs", f"{first.name} and {other.name}", found, "equal signatures", fix))
    if issues:
        raise KhabarError(issues)


def _comparable(result: Result) -> list[str]:
    """Give the signature without the layers: systems may have predicted different ones."""
    return result.signature.split("|")[1:]


def _by_name(results: Sequence[Result]) -> dict[str, list[Result]]:
    systems: dict[str, list[Result]] = {}
    for result in results:
        systems.setdefault(result.name, []).append(result)
    return systems


def _chosen_metrics(results: Sequence[Result], metrics: Sequence[str]) -> list[str]:
    shared = [name for name in results[0].scores if all(name in result.scores for result in results)]
    unknown = [name for name in metrics if name not in shared]
    if unknown or not shared:
        hints = "".join(nearest(name, shared) for name in unknown).strip()
        found = ", ".join(unknown) or "no metric that all have"
        raise KhabarError(_issue("usage", "--metric", found, ", ".join(shared), hints or "Name one that all have."))
    return list(metrics) or [name for name in shared if name in MAIN.values()]


def _table(result: Result, metric: str) -> Table:
    """Give the counts of one metric by document, [documents, 3]: credit, predicted and gold."""
    rows = []
    for record in result.documents.values():
        counts = record.counts.get(metric, {}).values()
        rows.append((sum(c.credit for c in counts), sum(c.predicted for c in counts), sum(c.gold for c in counts)))
    return np.array(rows, dtype=np.float64)


def _spreads(runs: Sequence[Result], metrics: Sequence[str]) -> dict[str, Spread]:
    values = {metric: [run.scores[metric].f1 for run in runs] for metric in metrics}
    return {
        metric: spread([value for value in found if value is not None])
        for metric, found in values.items()
        if any(value is not None for value in found)
    }


def _contrast(
    pair: tuple[str, str, str],
    tables: dict[tuple[str, str], Table],
    test: Difference | None,
    p_holm: float | None,
    settings: Settings,
    spreads: dict[str, dict[str, Spread]],
    alpha: float,
) -> Contrast:
    metric, one, two = pair
    resampler = make_resampler(len(tables[one, metric]), resamples=settings.resamples, seed=settings.seed)
    means = [spreads[name].get(metric) for name in (one, two)]
    return Contrast(
        metric=metric,
        one=one,
        two=two,
        f1_one=means[0].mean if means[0] else None,
        f1_two=means[1].mean if means[1] else None,
        interval=difference_interval(tables[one, metric], tables[two, metric], resampler, level=settings.level),
        test=test,
        p_holm=p_holm,
        verdict=_verdict(one, two, test, p_holm, alpha),
    )


def _verdict(one: str, two: str, test: Difference | None, p_holm: float | None, alpha: float) -> str:
    if test is None or p_holm is None:
        return "not comparable: a figure is undefined"
    if p_holm <= alpha:
        ahead, behind = (one, two) if test.difference > 0 else (two, one)
        return f"{ahead} is ahead of {behind}"
    if test.floor > alpha:
        return f"no difference can be shown: with so few documents p is at least {test.floor:.3f}"
    return "no difference shown"


def _issue(code: str, where: str, found: str, expected: str, fix: str) -> Issue:
    return Issue(code=code, where=where, found=found, expected=expected, fix=fix)
