"""What a Hugging Face token-classification pipeline returns, aggregated or not."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from khabar import jsonl
from khabar.errors import Issue, KhabarError
from khabar.inputs.columns import Typed, make_annotation
from khabar.inputs.records import Predictions, TagsRead
from khabar.metrics.tags import decode, split_tag
from khabar.types import Span


class PipelineEntity(msgspec.Struct, frozen=True, kw_only=True):
    """An entity as the pipeline gives it: `entity_group` where aggregated, `entity` and `index` where not."""

    entity_group: str | None = None
    entity: str | None = None
    index: int | None = None
    start: int | None = None
    end: int | None = None
    score: float | None = None
    word: str | None = None


class PipelineDocument(msgspec.Struct, frozen=True, kw_only=True):
    """The pipeline's output for one document."""

    doc_id: str
    entities: tuple[PipelineEntity, ...]


def read_pipeline(path: Path, *, layer: str = "", scheme: str = "IOB2") -> Predictions:
    """Read JSON lines `{"doc_id": …, "entities": [what the pipeline returned]}`.

    Args:
        path: the file.
        layer: triggers for events; otherwise mentions.
        scheme: of the tags, where the entities are not aggregated.

    Raises:
        KhabarError: as `khabar.jsonl.read_records`, and as `pipeline_predictions`.
    """
    return _predictions(jsonl.read_list(path, PipelineDocument), layer, scheme)


def pipeline_predictions(
    outputs: Mapping[str, Sequence[Mapping[str, Any]]], *, layer: str = "", scheme: str = "IOB2"
) -> Predictions:
    """Make predictions of a pipeline's outputs.

    Args:
        outputs: document → what the pipeline returned for its text.
        layer: triggers for events; otherwise mentions.
        scheme: of the tags, where the entities are not aggregated.

    Raises:
        KhabarError: wrong-shape, score-invalid, tag-unknown.
    """
    documents = [
        jsonl.convert({"doc_id": doc_id, "entities": [_plain(item) for item in items]}, PipelineDocument, where=doc_id)
        for doc_id, items in outputs.items()
    ]
    return _predictions(documents, layer, scheme)


def _plain(item: Mapping[str, Any]) -> dict[str, Any]:
    """Turn numpy's numbers, which the pipeline returns, into Python's."""
    return {key: value.item() if hasattr(value, "item") else value for key, value in item.items()}


def _predictions(documents: Sequence[PipelineDocument], layer: str, scheme: str) -> Predictions:
    issues = [issue for document in documents for issue in _check(document, scheme)]
    if issues:
        raise KhabarError(issues)
    annotations = []
    tags = invalid = sequences = broken = 0
    for document in documents:
        spans = [(_span(item), item.entity_group) for item in document.entities if item.entity_group]
        loose = [item for item in document.entities if not item.entity_group]
        for run in _runs(loose):
            chunks, bad = decode([item.entity or "" for item in run], scheme)
            spans += [(Span(_span(run[c.first]).start, _span(run[c.last]).end), c.type) for c in chunks]
            tags, invalid, sequences, broken = tags + len(run), invalid + len(bad), sequences + 1, broken + bool(bad)
        annotations.append(make_annotation(document.doc_id, _typed(spans), layer))
    read = TagsRead(tags=tags, invalid=invalid, sequences=sequences, scheme=scheme, broken=broken) if tags else None
    return Predictions(annotations=tuple(annotations), tags=read)


def _typed(spans: Sequence[tuple[Span, str | None]]) -> list[Typed]:
    return [(span, name or "") for span, name in spans]


def _span(item: PipelineEntity) -> Span:
    return Span(item.start or 0, item.end or 0)


def _runs(items: Sequence[PipelineEntity]) -> Iterator[list[PipelineEntity]]:
    """Yield runs of word pieces that stand next to each other: the pipeline leaves out those tagged O."""
    run: list[PipelineEntity] = []
    for item in sorted(items, key=lambda item: (item.index or 0, item.start or 0)):
        if run and (item.index or 0) != (run[-1].index or 0) + 1:
            yield run
            run = []
        run.append(item)
    if run:
        yield run


def _check(document: PipelineDocument, scheme: str) -> Iterator[Issue]:
    for number, item in enumerate(document.entities):
        where = f"document {document.doc_id}, entity {number}"
        if item.start is None or item.end is None:
            fix = "Use a fast tokenizer: only it gives the pipeline offsets."
            yield _issue("wrong-shape", where, "no start or no end", "offsets in characters", fix)
        if item.score is not None and not (math.isfinite(item.score) and 0 <= item.score <= 1):
            yield _issue("score-invalid", where, str(item.score), "a number from 0 to 1", "Look at the model's logits.")
        if not item.entity_group and item.index is None:
            fix = "Hand in what the pipeline returns, unchanged."
            yield _issue("wrong-shape", where, "neither entity_group nor index", "one of them", fix)
        if not item.entity_group and split_tag(item.entity, scheme) is None:
            fix = "Map the model's label ids to tags, or choose another --scheme."
            yield _issue("tag-unknown", where, repr(item.entity), f"a tag of {scheme}", fix)


def _issue(code: str, where: str, found: str, expected: str, fix: str) -> Issue:
    return Issue(code=code, where=where, found=found, expected=expected, fix=fix)
