"""The token layers as seqeval sees them: strict IOB2 over khabar's tokens, sentence by sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from khabar.align import Losses, Typed, to_iob2
from khabar.ontology import ontology
from khabar.types import Annotation, Span

Sentences = Sequence[Sequence[Span]]
TOKEN_LAYERS = ("actors", "fillers", "triggers")


class SeqevalScore(msgspec.Struct, frozen=True, kw_only=True):
    """What seqeval 1.2.2 reports in strict mode; values are None, with a reason, where it would raise or give nan."""

    micro: dict[str, float | None]
    macro: dict[str, float | None]
    weighted: dict[str, float | None]
    per_type: dict[str, dict[str, float]]
    reason: str = ""


def layer_spans(annotation: Annotation, layer: str) -> list[Typed]:
    """List the typed spans of a token layer.

    Args:
        annotation: anybody's work.
        layer: actors, fillers or triggers.
    """
    types = ontology().layer_types(layer)
    items = annotation.events if layer == "triggers" else annotation.mentions
    return [(item.span, item.type) for item in items if item.type in types]


def layer_tags(annotation: Annotation, layer: str, sentences: Sentences) -> tuple[list[list[str]], Losses]:
    """Write a token layer as IOB2, one list a sentence, and count what that lost.

    Args:
        annotation: anybody's work.
        layer: actors, fillers or triggers.
        sentences: tokens of each sentence.
    """
    spans = layer_spans(annotation, layer)
    tags, lost = [], Losses()
    for tokens in sentences:
        row, losses = to_iob2(spans, tokens)
        tags.append(row)
        lost += losses
    limits = [Span(tokens[0].start, tokens[-1].end) for tokens in sentences]
    # A span over two sentences is met in both, and lost once.
    split = sum(
        any(limit.overlaps(span) for limit in limits) and not any(limit.holds(span) for limit in limits)
        for span, _ in spans
    )
    return tags, msgspec.structs.replace(lost, split=split)


def score_tags(gold: Sequence[Sequence[str]], pred: Sequence[Sequence[str]]) -> SeqevalScore:
    """Score tags by seqeval in strict IOB2.

    Args:
        gold: tags of each sentence.
        pred: as many tags of as many sentences.
    """
    nothing: dict[str, float | None] = {"precision": None, "recall": None, "f1": None}
    if not any(tag != "O" for tags in (*gold, *pred) for tag in tags):
        return SeqevalScore(
            micro=nothing, macro=nothing, weighted=nothing, per_type={}, reason="no entity in gold or prediction"
        )
    from seqeval.metrics import classification_report
    from seqeval.scheme import IOB2

    report: dict[str, Any] = classification_report(
        [list(tags) for tags in gold],
        [list(tags) for tags in pred],
        mode="strict",
        scheme=IOB2,
        output_dict=True,
        zero_division=0,
    )
    rows = {name: _row(row) for name, row in report.items()}
    averages = {name: rows.pop(f"{name} avg") for name in ("micro", "macro", "weighted")}
    undefined = {
        name: {key: None if math.isnan(value) else value for key, value in row.items()}
        for name, row in averages.items()
    }
    reason = "" if rows else "no valid entity in gold or prediction"
    return SeqevalScore(**undefined, per_type=rows, reason=reason)


def _row(row: Mapping[str, Any]) -> dict[str, float]:
    return {
        "precision": float(row["precision"]),
        "recall": float(row["recall"]),
        "f1": float(row["f1-score"]),
        "support": int(row["support"]),
    }
