"""The token layers as tags, gold and prediction by the same program, counted as seqeval counts them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from khabar.align import Losses
from khabar.corpus import GoldSet
from khabar.errors import Issue
from khabar.inputs.records import Predictions
from khabar.metrics.counts import Counts
from khabar.metrics.seqeval_view import layer_tags
from khabar.metrics.tag_report import seqeval_report
from khabar.metrics.tags import MODES, TagCounts, count_tags
from khabar.results import Result
from khabar.types import Annotation

TAGGED = ("actors", "fillers", "mentions", "triggers")
Rows = Sequence[Sequence[str]]


class LayerTags(msgspec.Struct, frozen=True, kw_only=True):
    """A layer's tags counted in each mode, and what writing spans as tags lost on each side."""

    scheme: str
    modes: dict[str, TagCounts]
    losses: dict[str, Losses]

    def by_unit(self, unit: int) -> dict[str, dict[str, Counts]]:
        """Give the counts of one unit by mode and type, empty ones left out.

        Args:
            unit: its number.
        """
        return {mode: _unit_counts(counts, unit) for mode, counts in self.modes.items()}


def _unit_counts(counts: TagCounts, unit: int) -> dict[str, Counts]:
    # Documents without a token come last, if at all, and have no row.
    rows = counts.table[unit] if unit < len(counts.table) else counts.table[:0].sum(axis=0)
    return {name: Counts(*map(int, row)) for name, row in zip(counts.types, rows, strict=True) if row.any()}


def tag_layers(
    reference: GoldSet, system: Predictions, paired: Sequence[Annotation], layers: Sequence[str]
) -> dict[str, LayerTags]:
    """Count the token layers as seqeval does, in both of its modes.

    Args:
        reference: the gold with its tokens.
        system: the predictions; tags that they were read from are taken as they were written.
        paired: a prediction for each document of the gold.
        layers: which layers; those that are no token layers are passed over.
    """
    return {layer: _tag_layer(reference, system, paired, layer) for layer in layers if layer in TAGGED}


class _Side(msgspec.Struct, frozen=True):
    rows: list[list[str]]
    losses: Losses


def check_seqeval(reference: GoldSet, system: Predictions, result: Result) -> list[Issue]:
    """Let seqeval count the same tags, and name each figure in which it differs from the result's.

    Args:
        reference: the gold.
        system: the predictions.
        result: what khabar says.
    """
    given = {annotation.doc_id: annotation for annotation in system.annotations}
    paired = [given.get(gold.doc_id) or Annotation(doc_id=gold.doc_id) for gold in reference.annotations]
    issues = []
    for layer, modes in result.seqeval.items():
        gold, pred = _sides(reference, system, paired, layer)
        for mode, ours in modes.items():
            theirs = seqeval_report(gold=gold.rows, pred=pred.rows, scheme=ours.scheme, mode=mode)
            for part in ("micro", "macro", "weighted", "per_type"):
                one, two = getattr(ours, part), getattr(theirs, part)
                if one != two and not (ours.reason and theirs.reason):
                    issues.append(_seqeval_issue(f"{layer}, {mode}, {part}", str(one), str(two)))
    return issues


def _seqeval_issue(where: str, found: str, expected: str) -> Issue:
    return Issue(
        code="seqeval-differs",
        where=where,
        found=found,
        expected=f"{expected}, as seqeval says",
        fix="Report it: it is a bug of khabar's.",
    )


def _tag_layer(reference: GoldSet, system: Predictions, paired: Sequence[Annotation], layer: str) -> LayerTags:
    gold, pred = _sides(reference, system, paired, layer)
    units = [number for number, document in enumerate(reference.documents) for _ in reference.tokens[document.doc_id]]
    used = tag_scheme(reference, system)
    modes = MODES if used == "IOB2" else ("strict",)
    return LayerTags(
        scheme=used,
        modes={mode: count_tags(gold=gold.rows, pred=pred.rows, scheme=used, mode=mode, units=units) for mode in modes},
        losses={"gold": gold.losses, "predicted": pred.losses},
    )


def _sides(reference: GoldSet, system: Predictions, paired: Sequence[Annotation], layer: str) -> tuple[_Side, _Side]:
    written = bool(_scheme(reference, system))
    gold = _side(reference, reference.annotations, layer, reference.rows if written else None)
    return gold, _side(reference, paired, layer, system.rows if written else None)


def tag_scheme(reference: GoldSet, system: Predictions) -> str:
    """Name the scheme in which gold and prediction are compared: the one both were written in, else IOB2.

    Args:
        reference: the gold; khabar's own is written as IOB2.
        system: the predictions.
    """
    return _scheme(reference, system) or "IOB2"


def _scheme(reference: GoldSet, system: Predictions) -> str:
    """Name the scheme in which tags can be compared as they were written; none where they cannot."""
    given = system.tags.scheme if system.tags and system.rows is not None else "IOB2"
    own = reference.scheme if reference.rows is not None else "IOB2"
    return given if given == own else ""


def _side(reference: GoldSet, annotations: Sequence[Annotation], layer: str, raw: Mapping[str, Rows] | None) -> _Side:
    rows: list[list[str]] = []
    losses = Losses()
    for annotation in annotations:
        sentences = reference.tokens[annotation.doc_id]
        tags, lost = layer_tags(annotation, layer, sentences)
        written = raw.get(annotation.doc_id) if raw is not None else None
        rows.extend(list(row) for row in (tags if written is None else written))
        losses += lost
    return _Side(rows, losses)
