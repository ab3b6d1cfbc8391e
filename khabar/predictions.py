"""A system's output, read from JSON lines by offsets or from IOB2 columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from khabar import jsonl
from khabar.align import read_iob2
from khabar.corpus import GoldSet
from khabar.errors import Issue, KhabarError
from khabar.ontology import ontology
from khabar.types import Annotation, Event, Mention, Span


def read_predictions(path: Path) -> list[Annotation]:
    """Read annotations by offsets, one JSON object a line.

    Args:
        path: the file.

    Raises:
        KhabarError: as `khabar.jsonl.read_records`.
    """
    return jsonl.read_list(path, Annotation)


class TagColumn(msgspec.Struct, frozen=True, kw_only=True):
    """Predictions of one layer read from columns, and how many I- tags had nothing to continue."""

    annotations: tuple[Annotation, ...]
    tags: int
    orphans: int


def read_columns(path: Path, layer: str, reference: GoldSet) -> TagColumn:
    """Read one layer from IOB2 columns: a token and, last, its tag; a blank line after each sentence.

    A line `# doc_id = X` opens a document. Tokens and sentences must be those of the gold. Tags are
    read as strict IOB2: an I- tag with nothing to continue opens no span; such tags are counted.

    Args:
        path: the file.
        layer: actors, fillers or triggers.
        reference: the gold set whose tokens the file repeats.

    Raises:
        KhabarError: file-empty, wrong-shape, document-unknown, document-duplicate, tokens-differ, tag-unknown.
    """
    found: list[Annotation] = []
    total = orphans = 0
    for doc_id, where, rows in _documents(path):
        if any(item.doc_id == doc_id for item in found):
            raise _error("document-duplicate", where, f"{doc_id} a second time", "each document once", "Remove one.")
        tokens = _check_tokens(doc_id, where, rows, reference)
        tags = [tag for _, _, tag in rows]
        _check_tags(rows, layer, path)
        spans, bad = _spans(tags, tokens)
        total, orphans = total + len(tags), orphans + bad
        found.append(_annotation(doc_id, spans, layer))
    if not found:
        raise _error("file-empty", str(path), "no document", "at least one", "Write `# doc_id = …` before its tokens.")
    return TagColumn(annotations=tuple(found), tags=total, orphans=orphans)


Row = tuple[int, str, str]


def _documents(path: Path) -> Iterator[tuple[str, str, list[Row]]]:
    doc_id, where = "", str(path)
    rows: list[Row] = []
    for number, line in enumerate(jsonl.read_text(path).split("\n"), 1):
        if line.startswith("#"):
            key, _, value = line[1:].partition("=")
            if key.strip() == "doc_id":
                if doc_id:
                    yield doc_id, where, rows
                doc_id, where, rows = value.strip(), f"{path}:{number}", []
        elif line.strip():
            columns = line.split("\t")
            if len(columns) < 2 or not doc_id:
                raise _error(
                    "wrong-shape",
                    f"{path}:{number}",
                    repr(line[:60]),
                    "token, tab, tag under a `# doc_id = …` line",
                    "Write the columns with tabs.",
                )
            rows.append((number, columns[0], columns[-1].strip()))
    if doc_id:
        yield doc_id, where, rows


def _check_tokens(doc_id: str, where: str, rows: Sequence[Row], reference: GoldSet) -> list[list[Span]]:
    if doc_id not in reference.tokens:
        raise _error(
            "document-unknown", where, doc_id, f"a document of {reference.name}", "Score it against its own split."
        )
    sentences = [list(sentence) for sentence in reference.tokens[doc_id]]
    flat = [token for sentence in sentences for token in sentence]
    if len(flat) != len(rows):
        raise _error(
            "tokens-differ", where, f"{len(rows)} tokens", f"{len(flat)}", "Use the tokens of the released split."
        )
    text = next(document.text for document in reference.documents if document.doc_id == doc_id)
    for token, (number, word, _) in zip(flat, rows, strict=True):
        if text and text[token.start : token.end] != word:
            raise _error(
                "tokens-differ",
                f"{where}, line {number}",
                repr(word),
                repr(text[token.start : token.end]),
                "Use the tokens of the released split.",
            )
    return sentences


def _check_tags(rows: Sequence[Row], layer: str, path: Path) -> None:
    known = set(ontology().tags(layer))
    for number, _, tag in rows:
        if tag not in known:
            raise _error(
                "tag-unknown",
                f"{path}:{number}",
                repr(tag),
                f"O, or B- or I- with a type of {layer}",
                "Score each layer with its own --layer.",
            )


def _spans(tags: Sequence[str], sentences: Sequence[Sequence[Span]]) -> tuple[list[tuple[Span, str]], int]:
    spans: list[tuple[Span, str]] = []
    orphans = at = 0
    for tokens in sentences:
        found, bad = read_iob2(tags[at : at + len(tokens)], tokens)
        spans, orphans, at = spans + found, orphans + len(bad), at + len(tokens)
    return spans, orphans


def _annotation(doc_id: str, spans: Sequence[tuple[Span, str]], layer: str) -> Annotation:
    if layer == "triggers":
        events = (Event(id=f"e{n}", start=s.start, end=s.end, type=t) for n, (s, t) in enumerate(spans, 1))
        return Annotation(doc_id=doc_id, events=tuple(events))
    mentions = (Mention(id=f"m{n}", start=s.start, end=s.end, type=t) for n, (s, t) in enumerate(spans, 1))
    return Annotation(doc_id=doc_id, mentions=tuple(mentions))


def _error(code: str, where: str, found: str, expected: str, fix: str) -> KhabarError:
    return KhabarError(Issue(code=code, where=where, found=found, expected=expected, fix=fix))
