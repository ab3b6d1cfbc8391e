"""From the counts of documents to figures; a stored result is computed again by the same functions."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np

from khabar import __version__
from khabar.corpus import GoldSet, Inventory
from khabar.errors import Issue, KhabarError
from khabar.metrics.counts import CountArray, Counts, CountTable, make_counts, make_table
from khabar.metrics.declared import BY_NAME, MAIN, declared_groups, metric_names
from khabar.metrics.diagnosis import KINDS
from khabar.metrics.tag_report import report_counts
from khabar.ontology import ontology
from khabar.results import (
    DEFAULT_SLICES,
    Average,
    Bounds,
    DocumentRecord,
    Figures,
    Muc,
    Score,
    Settings,
    Slice,
    TagFigures,
)
from khabar.slices import RECALL_ONLY
from khabar.statistics import Intervals, cluster, make_intervals, make_resampler
from khabar.validate import nearest

Records = Mapping[str, DocumentRecord]
INTERVALS = ("percentile", "bca")
Bounds3 = tuple[Bounds | None, Bounds | None, Bounds | None]


def summarise(records: Records, *, layers: Sequence[str], settings: Settings, inventory: Inventory) -> Figures:
    """Compute every figure from the counts of documents.

    Args:
        records: by document.
        layers: what was scored.
        settings: of resampling and slices.
        inventory: layer → declared types.

    Raises:
        KhabarError: unit-unknown, where documents have no field to be resampled or sliced by.

    Source: PROTOCOL.md sections 4, 5 and 7.
    """
    _check_interval(settings)
    clusters = cluster_labels(records, settings.unit)
    _check_slices(records, settings.slices)
    tables = {
        name: _table(name, [record.counts.get(name, {}) for record in records.values()], inventory)
        for name in metric_names(layers)
    }
    found = {name: summarise_table(table, clusters, settings) for name, table in tables.items()}
    grouped = [name for name in found if BY_NAME[name].group]
    return Figures(
        scores={name: summary.micro for name, summary in found.items()},
        macro={name: found[name].macro for name in grouped},
        document_mean={name: summary.document_mean for name, summary in found.items()},
        muc={BY_NAME[name].layer: _muc(t.total()) for name, t in tables.items() if BY_NAME[name].match == "partial"},
        per_type={name: found[name].groups for name in grouped},
        seqeval=_tag_figures(records, clusters, settings),
        slices={**_document_slices(records, tables, clusters, settings), **_item_slices(records, clusters, settings)},
        errors=_sum_errors(records.values()),
        confusion=_sum_confusions(records.values()),
    )


class TableSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One metric's figures: micro, each group, the mean over groups, the mean over documents."""

    micro: Score
    groups: dict[str, Score]
    macro: Average
    document_mean: Average


def summarise_table(table: CountTable, clusters: Sequence[str], settings: Settings) -> TableSummary:
    """Compute one metric's figures with their intervals.

    Args:
        table: counts by document and group.
        clusters: for each document, what it is resampled with.
        settings: of resampling.
    """
    bounds = intervals_of(table, clusters, settings)
    sums = table.array.sum(axis=0)
    groups = {
        name: make_score(make_counts(row), bounds.groups[number])
        for number, (name, row) in enumerate(zip(table.groups, sums, strict=True))
        if row.any()
    }
    documents = [make_counts(row).f1 for row in table.array.sum(axis=1)]
    return TableSummary(
        micro=make_score(table.total(), bounds.micro),
        groups=groups,
        macro=_average([score.f1 for score in groups.values()], len(table.groups), bounds.macro),
        document_mean=_average(documents, len(documents), bounds.unit_mean),
    )


def _micros(arrays: Sequence[CountArray], clusters: Sequence[str], settings: Settings) -> list[Score]:
    """Compute the micro figures of several metrics over the same documents, resampled in one go."""
    if not arrays:
        return []
    totals = np.stack([array.sum(axis=1) for array in arrays], axis=1)
    bounds = intervals_of(CountTable(("",) * len(arrays), totals), clusters, settings).groups
    return [make_score(make_counts(row), around) for row, around in zip(totals.sum(axis=0), bounds, strict=True)]


def intervals_of(table: CountTable, clusters: Sequence[str], settings: Settings) -> Intervals:
    """Resample one metric's counts.

    Args:
        table: counts by document and group.
        clusters: for each document, what it is resampled with.
        settings: of resampling.

    Source: PROTOCOL.md section 7.
    """
    counts = np.stack(
        (table.array[..., 0] + 0.5 * table.array[..., 3], table.array[..., 1], table.array[..., 2]), axis=-1
    )
    summed = cluster(counts, clusters)
    resampler = make_resampler(len(summed), resamples=settings.resamples, seed=settings.seed)
    return make_intervals(summed, resampler, level=settings.level, method=settings.interval)


def make_score(counts: Counts, bounds: Bounds3 | None = None) -> Score:
    """Read a score off its counts.

    Args:
        counts: the sum over documents.
        bounds: intervals of precision, recall and F1.
    """
    precision, recall, f1 = bounds or (None, None, None)
    return Score(
        precision=counts.precision,
        recall=counts.recall,
        f1=counts.f1,
        matched=counts.matched,
        predicted=counts.predicted,
        gold=counts.gold,
        partial=counts.partial,
        incorrect=counts.incorrect,
        interval=f1,
        precision_interval=precision,
        recall_interval=recall,
    )


def _average(values: Sequence[float | None], of: int, bounds: Bounds | None) -> Average:
    defined = [value for value in values if value is not None]
    # numpy's mean, as in seqeval's averages, so that equal figures are equal in the last bit.
    value = float(np.average(defined)) if defined else None
    return Average(value=value, over=len(defined), of=of, interval=bounds)


def _muc(counts: Counts) -> Muc:
    """Compute MUC-5's measures (Chinchor and Sundheim 1993); None where the denominator is 0."""
    answered = counts.matched + counts.partial + counts.incorrect
    wrong = counts.incorrect + 0.5 * counts.partial
    return Muc(
        und=_share(counts.missed, counts.gold),
        ovg=_share(counts.spurious, counts.predicted),
        sub=_share(wrong, answered),
        err=_share(wrong + counts.missed + counts.spurious, answered + counts.missed + counts.spurious),
    )


def _share(part: float, whole: int) -> float | None:
    return part / whole if whole else None


def _table(name: str, units: Sequence[dict[str, Counts]], inventory: Inventory) -> CountTable:
    declared = declared_groups(BY_NAME[name], inventory)
    met = {group for counts in units for group in counts}
    return make_table((*declared, *sorted(met - set(declared))), units)


def cluster_labels(records: Records, unit: str) -> list[str]:
    """Tell for each document what it is resampled with: itself, or the others of one cluster.

    Args:
        records: by document.
        unit: "doc", or a field of the documents.

    Raises:
        KhabarError: unit-unknown.
    """
    if unit == "doc":
        return list(records)
    _require_field(records, unit, "unit-unknown")
    # A document without the field stands for itself.
    return [record.fields.get(unit, f"document {doc_id}") for doc_id, record in records.items()]


def _check_interval(settings: Settings) -> None:
    if settings.interval not in INTERVALS or settings.resamples < 1:
        raise KhabarError(
            Issue(
                code="usage",
                where="settings",
                found=f"interval {settings.interval!r}, {settings.resamples} resamples",
                expected=f"{' or '.join(INTERVALS)}, at least one resample",
                fix=f"Name a kind of interval.{nearest(settings.interval, INTERVALS)}",
            )
        )


def _check_slices(records: Records, names: Sequence[str]) -> None:
    for name in names:
        if name not in DEFAULT_SLICES:
            _require_field(records, name, "field-unknown")


def _require_field(records: Records, name: str, code: str) -> None:
    known = {field for record in records.values() for field in record.fields}
    if name not in known:
        raise KhabarError(
            Issue(
                code=code,
                where=f"field {name!r}",
                found="no document that has it",
                expected=", ".join(sorted(known)) or "no field: these documents have none",
                fix=f"Name a field of the documents.{nearest(name, known)}",
            )
        )


def _document_slices(
    records: Records, tables: Mapping[str, CountTable], clusters: Sequence[str], settings: Settings
) -> dict[str, dict[str, Slice]]:
    found: dict[str, dict[str, Slice]] = {}
    for name in settings.slices:
        values = [record.fields.get(name, "") for record in records.values()]
        for value in sorted(set(values) - {""}):
            rows = [number for number, other in enumerate(values) if other == value]
            labels = [clusters[number] for number in rows]
            chosen = [metric for metric in tables if metric in MAIN.values()]
            scores = _micros([tables[metric].array[rows] for metric in chosen], labels, settings)
            found.setdefault(name, {})[value] = Slice(size=len(rows), scores=dict(zip(chosen, scores, strict=True)))
    return found


def _item_slices(records: Records, clusters: Sequence[str], settings: Settings) -> dict[str, dict[str, Slice]]:
    met = {
        (name, value, metric)
        for record in records.values()
        for name, values in record.slices.items()
        for value, metrics in values.items()
        for metric in metrics
    }
    keys = sorted(met)
    arrays = [_slice_array(records, *key) for key in keys]
    found: dict[str, dict[str, Slice]] = {}
    for (name, value, metric), score in zip(keys, _micros(arrays, clusters, settings), strict=True):
        only = name in RECALL_ONLY
        shown = msgspec.structs.replace(score, f1=None, interval=None) if only else score
        before = found.setdefault(name, {}).get(value) or Slice(size=0, scores={}, recall_only=only)
        found[name][value] = msgspec.structs.replace(
            before, size=before.size + score.gold, scores={**before.scores, metric: shown}
        )
    return found


def _slice_array(records: Records, name: str, value: str, metric: str) -> CountArray:
    units = [record.slices.get(name, {}).get(value, {}).get(metric, {}) for record in records.values()]
    return make_table(sorted({group for groups in units for group in groups}), units).array


def _tag_figures(records: Records, clusters: Sequence[str], settings: Settings) -> dict[str, dict[str, TagFigures]]:
    met = {(layer, mode) for record in records.values() for layer, modes in record.tags.items() for mode in modes}
    found: dict[str, dict[str, TagFigures]] = {}
    for layer, mode in sorted(met, key=lambda pair: (pair[0], pair[1] != "strict")):
        units = [record.tags.get(layer, {}).get(mode, {}) for record in records.values()]
        table = make_table(sorted({name for groups in units for name in groups}), units)
        figures = report_counts(table.groups, table.array.sum(axis=0)[:, :3], scheme=settings.scheme, mode=mode)
        precision, recall, f1 = intervals_of(table, clusters, settings).micro
        found.setdefault(layer, {})[mode] = TagFigures(
            scheme=figures.scheme,
            mode=mode,
            micro=figures.micro,
            macro=figures.macro,
            weighted=figures.weighted,
            per_type=figures.per_type,
            reason=figures.reason,
            interval=f1,
            precision_interval=precision,
            recall_interval=recall,
        )
    return found


def _sum_errors(records: Iterable[DocumentRecord]) -> dict[str, dict[str, int]]:
    totals: dict[str, Counter[str]] = {}
    for record in records:
        for layer, kinds in record.errors.items():
            totals.setdefault(layer, Counter()).update(kinds)
    return {layer: {kind: count[kind] for kind in KINDS if count[kind]} for layer, count in sorted(totals.items())}


def _sum_confusions(records: Iterable[DocumentRecord]) -> dict[str, list[tuple[str, str, int]]]:
    totals: dict[str, Counter[tuple[str, str]]] = {}
    for record in records:
        for layer, cells in record.confusion.items():
            totals.setdefault(layer, Counter()).update({(gold, pred): number for gold, pred, number in cells})
    return {
        layer: [(gold, pred, number) for (gold, pred), number in sorted(count.items())]
        for layer, count in sorted(totals.items())
    }


def sign(reference: GoldSet, layers: Sequence[str], settings: Settings) -> str:
    """Say in one line everything that a score depends on besides the predictions.

    Args:
        reference: the gold set.
        layers: what was scored.
        settings: of resampling.
    """
    fields = (
        "+".join(layers),
        f"split:{reference.name}",
        f"scheme:{settings.scheme.lower()}-strict",
        "match:exact",
        "avg:micro",
        "empty:null",
        "missing:fn",
        f"triggers:{settings.triggers}",
        *_resampling(reference.unit, settings),
        f"data:{reference.hash}",
        f"labels:{_labels_hash(reference)}",
        f"v:{__version__}",
    )
    return "|".join(fields)


def sign_again(signature: str, settings: Settings) -> str:
    """Put other settings of resampling into a signature.

    Args:
        signature: of a result.
        settings: what its intervals are computed with now.
    """
    parts = signature.split("|")
    known = dict(part.split(":", 1) for part in parts[1:])
    own = "sequence" if known["unit"] == "sequence" else "doc"
    changed = dict(part.split(":", 1) for part in _resampling(own, settings))
    return "|".join([parts[0], *(f"{key}:{value}" for key, value in {**known, **changed}.items())])


def _resampling(unit: str, settings: Settings) -> tuple[str, ...]:
    return (
        f"unit:{unit if settings.unit == 'doc' else settings.unit}",
        f"ci:{settings.interval}{settings.level * 100:g}",
        f"bs:{settings.resamples}",
        f"seed:{settings.seed}",
    )


def _labels_hash(reference: GoldSet) -> str:
    if reference.inventory is None:
        return ontology().hash
    return hashlib.sha256(msgspec.json.encode(dict(reference.inventory), order="sorted")).hexdigest()[:12]
