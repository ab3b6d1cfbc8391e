"""The released data as this installation carries it, read back as khabar's records."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from khabar import jsonl
from khabar.align import sentences, tokenize
from khabar.errors import Issue, KhabarError
from khabar.linking import Conflict
from khabar.types import Annotation, Document, Span
from khabar.validate import nearest
from khabar.wire import WireRecipe

COMPOSED_SPLITS = ("train", "validation", "test")
SPLITS = (*COMPOSED_SPLITS, "wire")
_PACKAGE = Path(__file__).parent


Inventory = Mapping[str, tuple[str, ...]]


class GoldSet(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """Documents with their gold and their tokens; texts are empty where they may not be shipped.

    `unit` says what a document stands for ("doc", or "sequence" where other people's data do not tell
    documents apart); `inventory` holds the types of other people's data by layer (None: khabar's
    ontology), `fields` what a line of theirs says besides, `rows` the tags as they were
    written in `scheme`, by document. `conflicts` are those between documents of the set.
    """

    name: str
    documents: tuple[Document, ...]
    annotations: tuple[Annotation, ...]
    tokens: Mapping[str, tuple[tuple[Span, ...], ...]]
    lengths: Mapping[str, int]
    unit: str = "doc"
    inventory: Inventory | None = None
    fields: Mapping[str, Mapping[str, str]] = {}
    rows: Mapping[str, tuple[tuple[str, ...], ...]] | None = None
    scheme: str = "IOB2"
    conflicts: tuple[Conflict, ...] = ()

    @cached_property
    def by_id(self) -> dict[str, Document]:
        """Index the documents by their id."""
        return {document.doc_id: document for document in self.documents}

    @cached_property
    def hash(self) -> str:
        """Give a short hash of the texts' hashes, the tokens and every gold annotation."""
        digest = hashlib.sha256()
        for document, annotation in zip(self.documents, self.annotations, strict=True):
            bare = msgspec.structs.replace(annotation, author="")
            digest.update(document.sha256.encode() + msgspec.json.encode([bare, self.tokens[document.doc_id]]))
        return digest.hexdigest()[:12]


def gold_set(
    name: str,
    documents: Sequence[Document],
    annotations: Sequence[Annotation],
    *,
    recipes: Sequence[WireRecipe] = (),
    conflicts: Sequence[Conflict] = (),
) -> GoldSet:
    """Put documents and their gold together, with tokens and lengths.

    Args:
        name: what to call the set.
        documents: with their texts, but for those of the recipes.
        annotations: in the order of the documents.
        recipes: of wire documents, whose tokens and lengths are known without their texts.
        conflicts: between any documents; those between documents of the set are kept.
    """
    wire = {recipe.document.doc_id: recipe for recipe in recipes}
    tokens, lengths = {}, {}
    for document in documents:
        recipe = wire.get(document.doc_id)
        tokens[document.doc_id] = _as_spans(recipe.sentences) if recipe else sentence_tokens(document.text)
        lengths[document.doc_id] = recipe.length if recipe else len(document.text)
    return GoldSet(
        name=name,
        documents=tuple(documents),
        annotations=tuple(annotations),
        tokens=tokens,
        lengths=lengths,
        conflicts=tuple(item for item in conflicts if item.first[0] in tokens and item.second[0] in tokens),
    )


def _as_spans(sentences: Sequence[Sequence[tuple[int, int]]]) -> tuple[tuple[Span, ...], ...]:
    return tuple(tuple(Span(start, end) for start, end in row) for row in sentences)


def sentence_tokens(text: str) -> tuple[tuple[Span, ...], ...]:
    """Cut a text into sentences of tokens.

    Args:
        text: any text.
    """
    tokens = tokenize(text)
    rows, at = [], 0
    for part in sentences(text):
        first = at
        while at < len(tokens) and tokens[at].end <= part.end:
            at += 1
        rows.append(tuple(tokens[first:at]))
    return tuple(row for row in rows if row)


def release_folder() -> Path:
    """Find the released splits: in the installed package, or in the checkout it is run from."""
    packaged = _PACKAGE / "data" / "splits"
    return packaged if packaged.is_dir() else _PACKAGE.parent / "splits"


def wire_recipes() -> list[WireRecipe]:
    """Read how the wire documents are cut out of their files."""
    packaged = _PACKAGE / "data" / "wire"
    folder = packaged if packaged.is_dir() else _PACKAGE.parent / "annotations" / "documents"
    return [recipe for path in sorted(folder.glob("wire-*.jsonl")) for recipe in jsonl.read_list(path, WireRecipe)]


def load_gold(split: str, folder: Path | None = None) -> GoldSet:
    """Read a released split with its gold.

    Args:
        split: train, validation, test or wire.
        folder: the released splits; those of this installation by default.

    Raises:
        KhabarError: split-unknown, file-missing.
    """
    if split not in SPLITS:
        raise KhabarError(
            Issue(
                code="split-unknown",
                where=f"split {split!r}",
                found="no such split",
                expected=", ".join(SPLITS),
                fix=f"Name one of them.{nearest(split, SPLITS)}",
            )
        )
    config, name = ("wire", "test") if split == "wire" else ("documents", split)
    rows = _read_rows((folder or release_folder()) / config, name)
    return GoldSet(
        name=split,
        documents=tuple(
            msgspec.convert({key: row[key] for key in Document.__struct_fields__ if key in row}, Document)
            for row in rows
        ),
        annotations=tuple(_annotation(row) for row in rows),
        tokens={row["doc_id"]: _row_tokens(row) for row in rows},
        lengths={row["doc_id"]: row["length"] if "length" in row else len(row["text"]) for row in rows},
    )


class Marks(msgspec.Struct, frozen=True):
    """What was marked in one document, without its tokens: typed mentions and the types of events."""

    text: str
    mentions: tuple[tuple[int, int, str], ...]
    events: tuple[str, ...]


def load_marks(split: str) -> list[Marks]:
    """Read what was marked in a composed split; much quicker than `load_gold`.

    Args:
        split: train, validation or test.

    Raises:
        KhabarError: file-missing, file-unreadable.
    """
    parts = [f"mentions.list.element.{name}" for name in ("start", "end", "type")]
    rows = _read_rows(release_folder() / "documents", split, columns=["text", *parts, "events.list.element.type"])
    return [
        Marks(
            row["text"],
            tuple((mention["start"], mention["end"], mention["type"]) for mention in row["mentions"]),
            tuple(event["type"] for event in row["events"]),
        )
        for row in rows
    ]


def _read_rows(folder: Path, split: str, *, columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    paths = sorted(folder.glob(f"{split}-*.parquet"))
    if not paths:
        raise KhabarError(
            Issue(
                code="file-missing",
                where=str(folder),
                found=f"no {split}-*.parquet",
                expected="the released splits",
                fix="Install the wheel again, or run make splits in a checkout.",
            )
        )
    try:
        # pq.read_table would import pandas, which takes longer than all the rest.
        tables = [pq.ParquetFile(path).read(columns=columns) for path in paths]
        return [row for table in tables for row in table.to_pylist()]
    except (pa.ArrowException, OSError) as error:
        raise KhabarError(
            Issue(
                code="file-unreadable",
                where=str(folder),
                found=str(error)[:200],
                expected="the Parquet files of a release",
                fix="Copy the folder again.",
            )
        ) from error


def _annotation(row: Mapping[str, Any]) -> Annotation:
    record = {key: row[key] for key in ("doc_id", "sha256", "mentions", "events", "links")}
    return msgspec.convert({**record, "author": "gold"}, Annotation, strict=True)


def _row_tokens(row: Mapping[str, Any]) -> tuple[tuple[Span, ...], ...]:
    return tuple(
        tuple(Span(start, end) for start, end in zip(part["starts"], part["ends"], strict=True))
        for part in row["sentences"]
    )
