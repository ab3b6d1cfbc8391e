"""seqeval's input: a list of tags for each sequence, without words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from khabar import jsonl
from khabar.corpus import GoldSet
from khabar.errors import Issue, KhabarError
from khabar.inputs.columns import Block, Columns, Row, columns_predictions
from khabar.inputs.jsonlines import make_document, make_gold
from khabar.inputs.records import Predictions
from khabar.metrics.tags import decode, split_tag
from khabar.types import Annotation, Mention, Span

TagLists = Sequence[Sequence[str]]


def read_lists(path: Path) -> list[list[str]]:
    """Read a JSON file that holds a list of tags for each sequence.

    Args:
        path: the file.

    Raises:
        KhabarError: as `khabar.jsonl.read_json`.
    """
    return jsonl.read_json(path, list[list[str]])


def lists_gold(tags: TagLists, *, scheme: str = "IOB2", name: str = "lists") -> GoldSet:
    """Make a gold set of tag lists: each sequence stands for itself, token i at characters [2i, 2i + 1).

    Args:
        tags: a list of tags for each sequence.
        scheme: of the tags.
        name: what to call the set.

    Raises:
        KhabarError: file-empty, tag-unknown.
    """
    if not tags:
        fix = "Check that the list was written."
        raise KhabarError(Issue(code="file-empty", where=name, found="no sequence", expected="tags", fix=fix))
    _require_tags(tags, scheme, name)
    names = [f"s{number}" for number in range(1, len(tags) + 1)]
    return make_gold(
        name,
        [make_document(doc_id) for doc_id in names],
        [_annotate(doc_id, row, scheme) for doc_id, row in zip(names, tags, strict=True)],
        tokens={doc_id: (_places(len(row)),) for doc_id, row in zip(names, tags, strict=True)},
        unit="sequence",
        rows={doc_id: (tuple(row),) for doc_id, row in zip(names, tags, strict=True)},
        scheme=scheme,
    )


def _require_tags(tags: TagLists, scheme: str, name: str) -> None:
    issues = [
        Issue(
            code="tag-unknown",
            where=f"{name}, sequence {number}, token {at}",
            found=repr(tag)[:60],
            expected=f"O, or a tag of {scheme}",
            fix="Choose another --scheme, or mend the tag.",
        )
        for number, row in enumerate(tags)
        for at, tag in enumerate(row)
        if split_tag(tag, scheme) is None
    ]
    if issues:
        raise KhabarError(issues)


def _places(length: int) -> tuple[Span, ...]:
    return tuple(Span(2 * at, 2 * at + 1) for at in range(length))


def _annotate(doc_id: str, row: Sequence[str], scheme: str) -> Annotation:
    chunks, _ = decode(row, scheme)
    return Annotation(
        doc_id=doc_id,
        mentions=tuple(
            Mention(id=f"m{number}", start=2 * chunk.first, end=2 * chunk.last + 1, type=chunk.type)
            for number, chunk in enumerate(chunks, 1)
        ),
    )


def lists_predictions(
    tags: TagLists, reference: GoldSet, *, layer: str = "", scheme: str = "IOB2", name: str = "lists"
) -> Predictions:
    """Make predictions of tag lists, one list for each sequence of the gold, in its order.

    Args:
        tags: a list of tags for each sequence.
        reference: the gold set that they are about.
        layer: actors, fillers or triggers for khabar's own splits; none for other people's data.
        scheme: of the tags.
        name: what to call the input in an error.

    Raises:
        KhabarError: tokens-differ, tag-unknown, usage.
    """
    sequences = [
        (document.doc_id, row) for document in reference.documents for row in reference.tokens[document.doc_id]
    ]
    if len(tags) != len(sequences):
        raise KhabarError(
            Issue(
                code="tokens-differ",
                where=name,
                found=f"{len(tags)} sequences",
                expected=f"{len(sequences)}, the sequences of {reference.name} in order",
                fix="Give a list for each sequence of the gold, also where it is all O.",
            )
        )
    _require_tags(tags, scheme, name)
    blocks: dict[str, Block] = {}
    for (doc_id, tokens), row in zip(sequences, tags, strict=True):
        text = reference.by_id[doc_id].text
        words = [text[token.start : token.end] for token in tokens] + [""] * max(0, len(row) - len(tokens))
        rows = [Row(at, word, tag) for at, (word, tag) in enumerate(zip(words, row, strict=False))]
        blocks.setdefault(doc_id, Block(doc_id, 0, [])).sequences.append(rows)
    columns = Columns(path=name, blocks=tuple(blocks.values()), named=True)
    return columns_predictions(columns, reference, layer=layer, scheme=scheme)
