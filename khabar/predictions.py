"""A system's output, read from JSON lines by offsets or from IOB2 columns."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

import msgspec

from khabar import jsonl
from khabar.align import read_iob2
from khabar.corpus import GoldSet
from khabar.errors import Issue, KhabarError
from khabar.ontology import ontology
from khabar.types import Annotation, Event, Mention, Span
from khabar.validate import nearest


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


class _Row(msgspec.Struct, frozen=True):
    line: int
    word: str
    tag: str


class _Block(msgspec.Struct, frozen=True):
    """A document's sentences as they stand in the file."""

    doc_id: str
    line: int
    sentences: list[list[_Row]]


def read_columns(path: Path, layer: str, reference: GoldSet) -> TagColumn:
    """Read one layer from IOB2 columns: a token and, last, its tag; a blank line after each sentence.

    A line `# doc_id = X` opens a document; other lines that begin with `# ` and hold no tab are
    comments. Tokens and sentences must be those of the gold. Tags are read as strict IOB2: an I- tag
    with nothing to continue opens no span; such tags are counted.

    Args:
        path: the file.
        layer: actors, fillers or triggers.
        reference: the gold set whose tokens the file repeats.

    Raises:
        KhabarError: all issues of the file: file-empty, wrong-shape, document-unknown,
            document-duplicate, tokens-differ, tag-unknown.
    """
    blocks, issues = _blocks(path)
    if not blocks and not issues:
        issues = [_issue("file-empty", str(path), "no document", "at least one", "Write `# doc_id = …` first.")]
    known = set(ontology().tags(layer))
    for number, block in enumerate(blocks):
        where = f"{path}:{block.line}"
        if any(block.doc_id == other.doc_id for other in blocks[:number]):
            issues.append(_issue("document-duplicate", where, f"{block.doc_id} again", "it once", "Remove one."))
        issues += _check_block(block, path, reference)
        for row in (row for sentence in block.sentences for row in sentence if row.tag not in known):
            expected = f"O, or B- or I- with a type of {layer}"
            issues.append(
                _issue("tag-unknown", f"{path}:{row.line}", repr(row.tag), expected, "Choose another --layer.")
            )
    if issues:
        raise KhabarError(issues)
    read = [_read_block(block, layer, reference) for block in blocks]
    return TagColumn(
        annotations=tuple(annotation for annotation, _ in read),
        tags=sum(len(sentence) for block in blocks for sentence in block.sentences),
        orphans=sum(orphans for _, orphans in read),
    )


def _blocks(path: Path) -> tuple[list[_Block], list[Issue]]:
    blocks: list[_Block] = []
    issues: list[Issue] = []
    for number, line in enumerate(jsonl.read_text(path).split("\n"), 1):
        columns = line.rstrip("\r").split("\t")
        if line.startswith("#") and len(columns) == 1:
            key, _, value = line[1:].partition("=")
            if key.strip() == "doc_id":
                blocks.append(_Block(value.strip(), number, [[]]))
        elif not line.strip():
            if blocks and blocks[-1].sentences[-1]:
                blocks[-1].sentences.append([])
        elif len(columns) < 2 or not blocks:
            expected = "token, tab, tag under a `# doc_id = …` line"
            issues.append(_issue("wrong-shape", f"{path}:{number}", repr(line[:60]), expected, "Use tabs."))
        else:
            blocks[-1].sentences[-1].append(_Row(number, columns[0], columns[-1].strip()))
    for block in blocks:
        if not block.sentences[-1]:
            block.sentences.pop()
    return blocks, issues


def _check_block(block: _Block, path: Path, reference: GoldSet) -> list[Issue]:
    where = f"{path}:{block.line}, document {block.doc_id}"
    if block.doc_id not in reference.tokens:
        hint = nearest(block.doc_id, reference.tokens)
        expected = f"a document of {reference.name}"
        return [_issue("document-unknown", where, "an unknown id", expected, f"Score it against its own split.{hint}")]
    sentences = reference.tokens[block.doc_id]
    fix = "Use the tokens and sentences of the released split."
    sizes = list(zip_longest((len(rows) for rows in block.sentences), (len(tokens) for tokens in sentences)))
    differing = next((number for number, (found, wanted) in enumerate(sizes) if found != wanted), None)
    if differing is not None:
        found, wanted = (f"{size} tokens" if size else "no sentence" for size in sizes[differing])
        return [_issue("tokens-differ", f"{where}, sentence {differing + 1}", found, wanted, fix)]
    text = reference.by_id[block.doc_id].text
    return [
        _issue("tokens-differ", f"{path}:{row.line}", repr(row.word), repr(text[token.start : token.end]), fix)
        for rows, tokens in zip(block.sentences, sentences, strict=True)
        for row, token in zip(rows, tokens, strict=True)
        if text and text[token.start : token.end] != row.word
    ]


def _read_block(block: _Block, layer: str, reference: GoldSet) -> tuple[Annotation, int]:
    spans: list[tuple[Span, str]] = []
    orphans = 0
    for rows, tokens in zip(block.sentences, reference.tokens[block.doc_id], strict=True):
        found, bad = read_iob2([row.tag for row in rows], tokens)
        spans, orphans = spans + found, orphans + len(bad)
    return _annotation(block.doc_id, spans, layer), orphans


def _annotation(doc_id: str, spans: Sequence[tuple[Span, str]], layer: str) -> Annotation:
    if layer == "triggers":
        events = (Event(id=f"e{n}", start=s.start, end=s.end, type=t) for n, (s, t) in enumerate(spans, 1))
        return Annotation(doc_id=doc_id, events=tuple(events))
    mentions = (Mention(id=f"m{n}", start=s.start, end=s.end, type=t) for n, (s, t) in enumerate(spans, 1))
    return Annotation(doc_id=doc_id, mentions=tuple(mentions))


def _issue(code: str, where: str, found: str, expected: str, fix: str) -> Issue:
    return Issue(code=code, where=where, found=found, expected=expected, fix=fix)
