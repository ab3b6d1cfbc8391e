"""Score one system: from annotations to the counts of every document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec
import numpy as np

from khabar.corpus import SPLITS, GoldSet, Inventory, load_marks
from khabar.inputs.records import Predictions, Unplaced
from khabar.metrics.counting import compare_sides, count_metrics
from khabar.metrics.counts import Counts, CountTable
from khabar.metrics.declared import BY_NAME, WHOLE, khabar_inventory
from khabar.metrics.diagnosis import Finding, Marked, count_confusions, count_kinds, find_all
from khabar.results import DocumentRecord, Settings
from khabar.slices import Known, Sliced, learn, slice_items
from khabar.tagview import LayerTags, tag_layers
from khabar.types import Annotation, Document

PROVENANCE = ("lang", "origin", "theatre", "storyline", "genre", "stance", "outlet", "date")


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What is scored, and how."""

    reference: GoldSet
    system: Predictions
    layers: tuple[str, ...]
    settings: Settings

    @property
    def inventory(self) -> Inventory:
        """Give the declared types by layer: khabar's, or those of other people's gold."""
        return khabar_inventory() if self.reference.inventory is None else self.reference.inventory

    @property
    def paired(self) -> list[Annotation]:
        """List the prediction of each document of the gold, an empty one where there is none."""
        given = {annotation.doc_id: annotation for annotation in self.system.annotations}
        return [given.get(gold.doc_id) or Annotation(doc_id=gold.doc_id) for gold in self.reference.annotations]


class Scored(msgspec.Struct, frozen=True, kw_only=True):
    """The counts of every document, what became of every item, and the tags of the token layers."""

    records: dict[str, DocumentRecord]
    findings: tuple[Finding, ...]
    tags: Mapping[str, LayerTags]


def score(work: Work) -> Scored:
    """Count everything, document by document.

    Args:
        work: gold and valid predictions.
    """
    reference, paired = work.reference, work.paired
    comparison = compare_sides(gold=reference.annotations, pred=paired, layers=work.layers, inventory=work.inventory)
    unplaced = [item for item in work.system.unplaced if set(_layers_of(item, work)) & set(work.layers)]
    tables = count_metrics(comparison, work.layers)
    counts = {name: _with_unplaced(table, name, unplaced, work) for name, table in tables.items()}
    findings = (*find_all(comparison), *_unplaced_findings(unplaced, work))
    sliced = slice_items(comparison, reference, _known(reference))
    tags = tag_layers(reference, work.system, paired, work.layers)
    return Scored(records=_records(work, counts, findings, sliced, tags), findings=findings, tags=tags)


def _known(reference: GoldSet) -> Known | None:
    """Learn what train shows, for khabar's own splits; a gold set of any other name knows nothing of it."""
    if reference.inventory is not None or reference.name not in SPLITS:
        return None
    return learn(load_marks("train"), khabar_inventory()["actors"])


def _layers_of(item: Unplaced, work: Work) -> Iterator[str]:
    """Tell in which layers something that has no place is counted."""
    if item.layer != "mentions":
        yield item.layer
    elif work.reference.inventory is not None:
        yield "mentions"
    else:
        yield "fillers" if item.type in work.inventory["fillers"] else "actors"


def _with_unplaced(table: CountTable, name: str, unplaced: Sequence[Unplaced], work: Work) -> CountTable:
    """Count what has no place as predicted: it can match nothing."""
    metric = BY_NAME[name]
    extra = [item for item in unplaced if metric.layer in _layers_of(item, work) and not metric.given_trigger]
    if not extra:
        return table
    units = {document.doc_id: number for number, document in enumerate(work.reference.documents)}
    names = [_group_of(item, metric.group) for item in extra]
    groups = (*table.groups, *sorted(set(names) - set(table.groups)))
    array = np.pad(table.array, ((0, 0), (0, len(groups) - len(table.groups)), (0, 0)))
    for item, group in zip(extra, names, strict=True):
        array[units[item.doc_id], groups.index(group), 1] += 1
    return CountTable(groups, array)


def _group_of(item: Unplaced, group: str) -> str:
    return {"": WHOLE, "family": item.type.partition(".")[0]}.get(group, item.type)


def _unplaced_findings(unplaced: Sequence[Unplaced], work: Work) -> list[Finding]:
    units = {document.doc_id: number for number, document in enumerate(work.reference.documents)}
    return [
        Finding(
            unit=units[item.doc_id],
            layer=layer,
            kind="spurious",
            pred=Marked(label=item.type, pieces=(), id=item.id),
        )
        for item in unplaced
        for layer in _layers_of(item, work)
        if layer in work.layers
    ]


def _records(
    work: Work,
    counts: Mapping[str, CountTable],
    findings: Sequence[Finding],
    sliced: Sequence[Sliced],
    tags: Mapping[str, LayerTags],
) -> dict[str, DocumentRecord]:
    per_metric = {name: table.by_unit() for name, table in counts.items()}
    found: list[list[Finding]] = [[] for _ in work.reference.documents]
    for finding in findings:
        found[finding.unit].append(finding)
    slices = _slices_by_unit(sliced, len(found))
    return {
        document.doc_id: DocumentRecord(
            fields=_fields(document, work.reference),
            counts={name: units[number] for name, units in per_metric.items() if units[number]},
            tags={layer: view.by_unit(number) for layer, view in tags.items()},
            errors=count_kinds(found[number]),
            confusion=count_confusions(found[number]),
            slices=slices[number],
        )
        for number, document in enumerate(work.reference.documents)
    }


def _fields(document: Document, reference: GoldSet) -> dict[str, str]:
    own = {name: getattr(document, name) for name in PROVENANCE}
    return {name: value for name, value in {**own, **reference.fields.get(document.doc_id, {})}.items() if value}


SliceCounts = dict[str, dict[str, dict[str, dict[str, Counts]]]]


def _slices_by_unit(sliced: Sequence[Sliced], units: int) -> list[SliceCounts]:
    found: list[SliceCounts] = [{} for _ in range(units)]
    for part in sliced:
        for number, groups in enumerate(part.table.by_unit()):
            if groups:
                found[number].setdefault(part.slice, {}).setdefault(part.value, {})[part.metric] = groups
    return found
