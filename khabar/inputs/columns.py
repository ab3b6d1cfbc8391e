"""Tags in columns: a token, then its tag; a blank line after each sequence (CoNLL, IOB2 files)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path

import msgspec

from khabar import jsonl
from khabar.corpus import GoldSet
from khabar.errors import Issue, KhabarError
from khabar.inputs.jsonlines import make_document, make_gold
from khabar.inputs.realign import align_words
from khabar.inputs.records import Predictions, TagRows, TagsRead
from khabar.metrics.seqeval_view import TOKEN_LAYERS
from khabar.metrics.tags import decode, split_tag
from khabar.ontology import ontology
from khabar.types import Annotation, Event, Mention, Span
from khabar.validate import nearest

DOCUMENT_KEYS = ("doc_id", "newdoc id")
DOCSTART = "-DOCSTART-"
Typed = tuple[Span, str]


class Row(msgspec.Struct, frozen=True):
    """A line of a file: its number, its word and its tag."""

    line: int
    word: str
    tag: str


class Block(msgspec.Struct, frozen=True):
    """A document's sequences as they stand in the file."""

    doc_id: str
    line: int
    sequences: list[list[Row]]


class Columns(msgspec.Struct, frozen=True, kw_only=True):
    """A file of columns as read; `named` tells whether it says where documents begin."""

    path: str
    blocks: tuple[Block, ...]
    named: bool


def read_columns(path: Path, *, column: int = -1, word_column: int = 0) -> Columns:
    """Read a file of columns; nothing is decoded yet.

    Lines `# doc_id = X`, `# newdoc id = X` and `-DOCSTART-` begin a document; other lines that begin
    with `# ` and hold no tab are comments. Columns are cut at tabs where a line has one, else at blanks.

    Args:
        path: the file.
        column: which column holds the tag, from 0, or from the end where negative.
        word_column: which column holds the word.

    Raises:
        KhabarError: file-empty, wrong-shape, document-duplicate, and as `khabar.jsonl.read_lines`.
    """
    blocks: list[Block] = []
    issues: list[Issue] = []
    named = False
    for number, line in jsonl.read_lines(path):
        doc_id = _document_of(line, len(blocks) + 1)
        if doc_id is not None:
            named = True
            blocks.append(Block(doc_id, number, [[]]))
        elif not line.strip():
            _close(blocks)
        elif not _is_comment(line):
            row = _row(line, number, column, word_column)
            if row is None:
                expected = f"columns up to {max(column, word_column)}, a word and its tag"
                issues.append(_issue("wrong-shape", f"{path}:{number}", repr(line[:60]), expected, "Use tabs."))
                continue
            if not blocks:
                blocks.append(Block("", number, [[]]))
            blocks[-1].sequences[-1].append(row)
    _close(blocks)
    issues += _check_blocks(path, blocks, named=named)
    if issues:
        raise KhabarError(issues)
    return Columns(path=str(path), blocks=_finish(blocks, named=named), named=named)


def _document_of(line: str, number: int) -> str | None:
    if line.startswith(DOCSTART):
        return f"d{number}"
    if line.startswith("#") and "\t" not in line:
        key, equals, value = line[1:].partition("=")
        if equals and key.strip() in DOCUMENT_KEYS:
            return value.strip()
    return None


def _is_comment(line: str) -> bool:
    return line.startswith("# ") and "\t" not in line


def _row(line: str, number: int, column: int, word_column: int) -> Row | None:
    cells = line.rstrip("\r").split("\t") if "\t" in line else line.split()
    try:
        return Row(number, cells[word_column], cells[column].strip()) if len(cells) > 1 else None
    except IndexError:
        return None


def _close(blocks: list[Block]) -> None:
    if blocks and blocks[-1].sequences[-1]:
        blocks[-1].sequences.append([])


def _check_blocks(path: Path, blocks: Sequence[Block], *, named: bool) -> Iterator[Issue]:
    if not blocks:
        yield _issue("file-empty", str(path), "no token", "words with tags", "Check that the file was written.")
    seen: set[str] = set()
    for block in blocks:
        where = f"{path}:{block.line}"
        if block.doc_id in seen:
            yield _issue("document-duplicate", where, f"{block.doc_id} again", "it once", "Remove one.")
        if named and not block.doc_id:
            yield _issue("wrong-shape", where, "tokens before the first document", "a document's name", "Name it.")
        seen.add(block.doc_id)


def _finish(blocks: Sequence[Block], *, named: bool) -> tuple[Block, ...]:
    """Drop empty sequences; where no document is named, each sequence stands for itself."""
    if named:
        return tuple(Block(b.doc_id, b.line, [rows for rows in b.sequences if rows]) for b in blocks)
    sequences = [rows for block in blocks for rows in block.sequences if rows]
    return tuple(Block(f"s{number}", rows[0].line, [rows]) for number, rows in enumerate(sequences, 1))


def columns_gold(columns: Columns, *, scheme: str = "IOB2") -> GoldSet:
    """Make a gold set of columns: words joined by blanks, sequences by line breaks.

    Args:
        columns: as read.
        scheme: of the tags.

    Raises:
        KhabarError: tag-unknown.
    """
    _require_tags(columns, scheme)
    documents, annotations, tokens = [], [], {}
    for block in columns.blocks:
        text, spans = _lay_out(block)
        documents.append(make_document(block.doc_id, text))
        tokens[block.doc_id] = spans
        annotations.append(_annotate(block, spans, scheme, "mentions")[0])
    return make_gold(
        Path(columns.path).name,
        documents,
        annotations,
        tokens=tokens,
        unit="doc" if columns.named else "sequence",
        rows={block.doc_id: _tags(block) for block in columns.blocks},
        scheme=scheme,
    )


def _lay_out(block: Block) -> tuple[str, tuple[tuple[Span, ...], ...]]:
    parts: list[str] = []
    spans: list[tuple[Span, ...]] = []
    at = 0
    for rows in block.sequences:
        row_spans = []
        for row in rows:
            row_spans.append(Span(at, at + len(row.word)))
            at += len(row.word) + 1
        parts.append(" ".join(row.word for row in rows))
        spans.append(tuple(row_spans))
    return "\n".join(parts), tuple(spans)


def columns_predictions(
    columns: Columns, reference: GoldSet, *, layer: str = "", scheme: str = "IOB2", realign: bool = False
) -> Predictions:
    """Make predictions of columns.

    Args:
        columns: as read.
        reference: the gold set that they are about.
        layer: actors, fillers or triggers for khabar's own splits; none for other people's data.
        scheme: of the tags.
        realign: whether tokens that are not the gold's are looked for in the text.

    Raises:
        KhabarError: usage, tag-unknown, document-unknown, tokens-differ, text-missing.
    """
    known = _layer_types(reference, layer)
    _require_tags(columns, scheme, known, layer)
    blocks = _match_blocks(columns, reference)
    issues = [] if realign else [issue for block in blocks for issue in _check_tokens(block, columns, reference)]
    if issues:
        raise KhabarError(issues)
    tokens = {block.doc_id: _find_tokens(block, columns, reference, realign=realign) for block in blocks}
    read = [_annotate(block, tokens[block.doc_id], scheme, layer) for block in blocks]
    return Predictions(
        annotations=tuple(annotation for annotation, _ in read),
        tags=TagsRead(
            tags=sum(len(rows) for block in blocks for rows in block.sequences),
            invalid=sum(bad for _, invalid in read for bad in invalid),
            sequences=sum(len(block.sequences) for block in blocks),
            scheme=scheme,
            broken=sum(bad > 0 for _, invalid in read for bad in invalid),
            realigned=sum(_differing(tokens[block.doc_id], reference.tokens[block.doc_id]) for block in blocks),
        ),
        rows=None if realign else {block.doc_id: _tags(block) for block in blocks},
    )


def _layer_types(reference: GoldSet, layer: str) -> tuple[str, ...] | None:
    """Name the types that tags may have; other people's data may have any, what is wrong is spurious."""
    if reference.inventory is not None:
        return None
    if layer not in TOKEN_LAYERS:
        hint = nearest(layer, TOKEN_LAYERS) if layer else ""
        fix = f"Columns hold one layer: say which, with --layer.{hint}"
        raise KhabarError(_issue("usage", "layer", repr(layer), f"one of {', '.join(TOKEN_LAYERS)}", fix))
    return ontology().layer_types(layer)


def _require_tags(columns: Columns, scheme: str, known: tuple[str, ...] | None = None, layer: str = "") -> None:
    issues = []
    for block in columns.blocks:
        for row in (row for rows in block.sequences for row in rows):
            parts = split_tag(row.tag, scheme)
            if parts is None or (known is not None and parts[1] and parts[1] not in known):
                expected = f"O, or a tag of {scheme}" + (f" with a type of {layer}" if known else "")
                fix = "Choose another --layer or --scheme." if known else "Choose another --scheme or --column."
                issues.append(_issue("tag-unknown", f"{columns.path}:{row.line}", repr(row.tag), expected, fix))
    if issues:
        raise KhabarError(issues)


def _match_blocks(columns: Columns, reference: GoldSet) -> tuple[Block, ...]:
    """Find the document of each block; sequences without names pair in their order."""
    if not columns.named and reference.unit == "sequence":
        if len(columns.blocks) != len(reference.documents):
            found, expected = f"{len(columns.blocks)} sequences", f"{len(reference.documents)}, as in the gold"
            raise KhabarError(_issue("tokens-differ", columns.path, found, expected, "Tag every sequence."))
        return columns.blocks
    unknown = [block for block in columns.blocks if block.doc_id not in reference.tokens]
    if not columns.named and unknown:
        fix = "Write `# doc_id = …` before each document."
        raise KhabarError(_issue("wrong-shape", columns.path, "no document's name", "one for each document", fix))
    if unknown:
        raise KhabarError(
            _issue(
                "document-unknown",
                f"{columns.path}:{block.line}, document {block.doc_id}",
                "an unknown id",
                f"a document of {reference.name}",
                f"Score it against its own split.{nearest(block.doc_id, reference.tokens)}",
            )
            for block in unknown
        )
    return columns.blocks


def _check_tokens(block: Block, columns: Columns, reference: GoldSet) -> list[Issue]:
    sentences = reference.tokens[block.doc_id]
    fix = "Use the tokens and sentences of the gold, or pass --realign to find other tokens in the text."
    sizes = list(zip_longest((len(rows) for rows in block.sequences), (len(tokens) for tokens in sentences)))
    differing = next((number for number, (found, wanted) in enumerate(sizes) if found != wanted), None)
    if differing is not None:
        found, wanted = (f"{size} tokens" if size else "no sentence" for size in sizes[differing])
        where = f"{columns.path}:{block.line}, document {block.doc_id}, sentence {differing + 1}"
        return [_issue("tokens-differ", where, found, wanted, fix)]
    text = reference.by_id[block.doc_id].text
    return [
        _issue("tokens-differ", f"{columns.path}:{row.line}", repr(row.word), repr(text[token.start : token.end]), fix)
        for rows, tokens in zip(block.sequences, sentences, strict=True)
        for row, token in zip(rows, tokens, strict=True)
        if text and text[token.start : token.end] != row.word
    ]


Tokens = Sequence[Sequence[Span | None]]


def _find_tokens(block: Block, columns: Columns, reference: GoldSet, *, realign: bool) -> Tokens:
    if not realign:
        return reference.tokens[block.doc_id]
    rows = [row for sequence in block.sequences for row in sequence]
    text = reference.by_id[block.doc_id].text
    if not text:
        fix = "Give the folder of the articles with --sources, or use the tokens of the gold."
        where = f"{columns.path}:{block.line}, document {block.doc_id}"
        raise KhabarError(_issue("text-missing", where, "no text", "a text to find tokens in", fix))
    spans, lost = align_words(text, [row.word for row in rows])
    if lost is not None:
        after = next((span.end for span in reversed(spans) if span), 0)
        expected = f"a token that the text goes on with: {text[after : after + 30].strip()!r}"
        fix = "Give the tokens of the exact text, all of them, in order."
        raise KhabarError(
            _issue("tokens-differ", f"{columns.path}:{rows[lost].line}", repr(rows[lost].word), expected, fix)
        )
    places = iter(spans)
    return [[next(places) for _ in sequence] for sequence in block.sequences]


def _differing(found: Tokens, wanted: Tokens) -> int:
    known = {token for row in wanted for token in row}
    return sum(token not in known for row in found for token in row)


def _tags(block: Block) -> TagRows:
    return tuple(tuple(row.tag for row in rows) for rows in block.sequences)


def _annotate(block: Block, tokens: Tokens, scheme: str, layer: str) -> tuple[Annotation, list[int]]:
    """Make the annotation of a block, and count the invalid tags of each of its sequences."""
    spans: list[Typed] = []
    invalid: list[int] = []
    for rows, places in zip(block.sequences, tokens, strict=True):
        chunks, bad = decode([row.tag for row in rows], scheme)
        invalid.append(len(bad))
        for chunk in chunks:
            inside = [place for place in places[chunk.first : chunk.last + 1] if place is not None]
            if inside:
                spans.append((Span(inside[0].start, inside[-1].end), chunk.type))
    return make_annotation(block.doc_id, spans, layer), invalid


def make_annotation(doc_id: str, spans: Sequence[Typed], layer: str) -> Annotation:
    """Make an annotation of typed spans.

    Args:
        doc_id: the document.
        spans: (span, type) pairs.
        layer: triggers for events; anything else for mentions.
    """
    if layer == "triggers":
        events = (Event(id=f"e{n}", start=s.start, end=s.end, type=t) for n, (s, t) in enumerate(spans, 1))
        return Annotation(doc_id=doc_id, events=tuple(events))
    mentions = (Mention(id=f"m{n}", start=s.start, end=s.end, type=t) for n, (s, t) in enumerate(spans, 1))
    return Annotation(doc_id=doc_id, mentions=tuple(mentions))


def _issue(code: str, where: str, found: str, expected: str, fix: str) -> Issue:
    return Issue(code=code, where=where, found=found, expected=expected, fix=fix)
