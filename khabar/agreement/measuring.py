"""Agreement of any number of annotators, before adjudication: all of it, and part by part."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import msgspec

from khabar.agreement.gamma import LAYERS, NOT_ASKED, Cells, compute_cells, no_gamma, read_gamma
from khabar.agreement.pairing import Pairing, make_pairings, resampling_labels
from khabar.agreement.records import FEW, FEW_UNITS, Agreed, AgreementReport, Confused, Contrast, Part
from khabar.agreement.spans import Tables, contrast, count_pairs, pick, read_agreed, read_types
from khabar.agreement.values import VALUES, Marks, count_values, mark_values, rate, read_values
from khabar.metrics.counts import CountTable
from khabar.metrics.declared import BY_NAME
from khabar.metrics.diagnosis import CORRECT, Finding
from khabar.results import Settings
from khabar.types import Annotation, Document

ASSISTED, BLIND = "assisted", "blind"
ALONE = "alone"
_LEFT_OVER = ("missed", "spurious", "duplicate")
Rows = Sequence[int]


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """Everything counted once, row by row of the pairs; each part of the report takes some rows."""

    pairings: Sequence[Pairing]
    clusters: Sequence[str]
    tables: Tables
    values: Mapping[str, CountTable]
    marks: Mapping[tuple[str, str], Marks]
    cells: Cells
    settings: Settings

    @property
    def doc_ids(self) -> list[str]:
        """List the document of each row."""
        return [pairing.doc_id for pairing in self.pairings]


def measure(
    work: Sequence[Annotation],
    documents: Mapping[str, Document],
    *,
    rounds: Mapping[str, str] | None = None,
    arms: Mapping[str, str] | None = None,
    predictions: Sequence[Annotation] = (),
    gamma: bool = True,
    settings: Settings | None = None,
    tick: Callable[[str], None] = lambda _: None,
) -> AgreementReport:
    """Measure how far annotators agree, with the number of items behind each figure.

    Args:
        work: everybody's annotations, each with its author; every two authors of a document are a pair.
        documents: by doc_id; texts are not needed.
        rounds: the round of each document; rounds are put in the order of the numbers in their names.
        arms: whether a document was pre-annotated, "assisted" or "blind".
        predictions: what the pre-annotating model said, on documents of both arms.
        gamma: whether gamma is computed, which takes the longest.
        settings: of resampling; `unit` is "doc" or a field of the documents (storyline).
        tick: called with a document's id before its gamma is computed.

    Returns:
        The report. A figure over too few items is None and says why.

    Raises:
        KhabarError: document-unknown, annotation-duplicate, unit-unknown.

    Source: F1 as agreement where chance is negligible: Hripcsak and Rothschild (2005); PROTOCOL.md section 10.
    """
    options = settings or Settings()
    pairings = make_pairings(work, documents)
    cells = compute_cells(pairings, options, tick=tick) if gamma else no_gamma(NOT_ASKED)
    counted, findings = _count(pairings, cells, options)
    labels = _labels(pairings, rounds or {}, arms or {})
    compared = dict.fromkeys(counted.doc_ids)
    return AgreementReport(
        authors=tuple(dict.fromkeys(annotation.author for annotation in work)),
        documents=len(compared),
        alone=len({annotation.doc_id for annotation in work} - compared.keys()),
        settings=options,
        few=FEW,
        few_units=FEW_UNITS,
        overall=_part(counted, range(len(pairings))),
        per_type=_per_type(counted),
        slices={name: _slice(counted, values) for name, values in labels.items() if any(values)},
        kinds=_kinds(findings),
        confusion=_confusion(findings),
        drift=_drift(counted, labels["round"]),
        arms=_contrasts(counted, labels["arm"], ASSISTED, BLIND),
        bias=_bias(work, predictions, documents, arms or {}, options),
        notes=(*(("no document has two annotators",) if not pairings else ()), *cells.notes),
    )


def _count(pairings: Sequence[Pairing], cells: Cells, settings: Settings) -> tuple[Counted, list[Finding]]:
    sides = [(pairing.one, pairing.two) for pairing in pairings]
    marks = {(side.doc_id, side.author): mark_values(side) for pair in sides for side in pair}
    both = [(marks[one.doc_id, one.author], marks[two.doc_id, two.author]) for one, two in sides]
    tables, findings = count_pairs(sides)
    counted = Counted(
        pairings=pairings,
        clusters=resampling_labels([pairing.document for pairing in pairings], settings.unit),
        tables=tables,
        values=count_values(both),
        marks=marks,
        cells=cells,
        settings=settings,
    )
    return counted, findings


def _labels(
    pairings: Sequence[Pairing], rounds: Mapping[str, str], arms: Mapping[str, str]
) -> dict[str, tuple[str, ...]]:
    return {
        "language": tuple(pairing.document.lang for pairing in pairings),
        "genre": tuple(pairing.document.genre for pairing in pairings),
        "pair": tuple(pairing.name for pairing in pairings),
        "round": tuple(rounds.get(pairing.doc_id, "") for pairing in pairings),
        "arm": tuple(arms.get(pairing.doc_id, "") for pairing in pairings),
    }


def _slice(counted: Counted, labels: Sequence[str]) -> dict[str, Part]:
    return {
        value: _part(counted, [row for row, label in enumerate(labels) if label == value])
        for value in sorted(set(labels) - {""}, key=natural_order)
    }


def natural_order(name: str) -> list[tuple[int, int, str]]:
    """Order names by the numbers in them: round 2 comes before round 10.

    Args:
        name: any name.
    """
    parts = re.findall(r"\d+|\D+", name)
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]


def _part(counted: Counted, rows: Rows) -> Part:
    doc_ids, clusters = pick(counted.doc_ids, rows), pick(counted.clusters, rows)
    own = counted.settings
    return Part(
        documents=len(set(doc_ids)),
        pairs=len(rows),
        spans={name: read_agreed(_of(table, rows), doc_ids, clusters, own) for name, table in counted.tables.items()},
        values={
            name: read_values(
                _of(counted.values[name], rows),
                rate(name, _marks(counted, rows), dict(zip(doc_ids, clusters, strict=True))),
                doc_ids=doc_ids,
                clusters=clusters,
                settings=own,
            )
            for name in VALUES
        },
        gamma={
            layer: read_gamma(counted.cells, layer, rows, doc_ids=counted.doc_ids, clusters=counted.clusters, own=own)
            for layer in LAYERS
        },
    )


def _of(table: CountTable, rows: Rows) -> CountTable:
    return CountTable(table.groups, table.array[list(rows)])


def _marks(counted: Counted, rows: Rows) -> dict[str, list[Marks]]:
    authors: dict[str, dict[str, None]] = {}
    for row in rows:
        pairing = counted.pairings[row]
        authors.setdefault(pairing.doc_id, {}).update({pairing.one.author: None, pairing.two.author: None})
    return {doc_id: [counted.marks[doc_id, name] for name in names] for doc_id, names in authors.items()}


def _per_type(counted: Counted) -> dict[str, dict[str, Agreed]]:
    grouped = [name for name in counted.tables if name == "links" or (name in BY_NAME and BY_NAME[name].group)]
    return {
        name: read_types(counted.tables[name], counted.doc_ids, counted.clusters, counted.settings) for name in grouped
    }


def _kinds(findings: Sequence[Finding]) -> dict[str, dict[str, int]]:
    """Count what became of the items; whose the left-over one is does not matter."""
    counts: dict[str, Counter[str]] = {}
    for finding in findings:
        kind = ALONE if finding.kind in _LEFT_OVER else finding.kind
        counts.setdefault(finding.layer, Counter())[kind] += 1
    return {layer: dict(count.most_common()) for layer, count in counts.items()}


def _confusion(findings: Sequence[Finding]) -> dict[str, tuple[Confused, ...]]:
    counts: dict[str, Counter[tuple[str, str]]] = {}
    equal: Counter[tuple[str, str, str]] = Counter()
    for finding in findings:
        labels = sorted(side.label for side in (finding.gold, finding.pred) if side)
        one, two = (*labels, "")[:2]
        if finding.kind != CORRECT and one != two:
            counts.setdefault(finding.layer, Counter())[one, two] += 1
            equal[finding.layer, one, two] += _same_span(finding)
    return {
        layer: tuple(
            Confused(one=one, two=two, number=number, same_span=equal[layer, one, two])
            for (one, two), number in sorted(count.items(), key=lambda pair: (-pair[1], pair[0]))
        )
        for layer, count in counts.items()
    }


def _same_span(finding: Finding) -> bool:
    return bool(finding.gold and finding.pred and finding.gold.pieces == finding.pred.pieces)


def _contrasts(counted: Counted, labels: Sequence[str], of: str, minus: str) -> dict[str, Contrast]:
    if not {of, minus} <= set(labels):
        return {}
    return {
        name: contrast(
            table,
            labels,
            of=of,
            minus=minus,
            doc_ids=counted.doc_ids,
            clusters=counted.clusters,
            settings=counted.settings,
        )
        for name, table in counted.tables.items()
    }


def _drift(counted: Counted, labels: Sequence[str]) -> dict[str, Contrast]:
    rounds = sorted(set(labels) - {""}, key=natural_order)
    return _contrasts(counted, labels, rounds[-1], rounds[0]) if len(rounds) > 1 else {}


def _bias(
    work: Sequence[Annotation],
    predictions: Sequence[Annotation],
    documents: Mapping[str, Document],
    arms: Mapping[str, str],
    settings: Settings,
) -> dict[str, Contrast]:
    """Compare how near annotators are to the model's answer where they saw it and where they did not."""
    given = {prediction.doc_id: prediction for prediction in predictions}
    pairings = [
        Pairing(documents[item.doc_id], item, given[item.doc_id])
        for item in work
        if item.doc_id in given and item.doc_id in arms
    ]
    counted, _ = _count(pairings, no_gamma(NOT_ASKED), settings)
    return _contrasts(counted, [arms[pairing.doc_id] for pairing in pairings], ASSISTED, BLIND)
