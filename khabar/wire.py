"""The wire test set: texts that may not be shipped, rebuilt from the reader's own copies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from khabar.errors import Issue, KhabarError
from khabar.jsonl import read_text
from khabar.types import Document, text_hash

SEPARATOR = "\n\n"


class WireRecipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a wire document's text is cut out of its file: title first, then the body's paragraphs.

    `sentences` holds the offsets of its tokens, sentence by sentence, so that scores can be
    computed by whoever has no articles.
    """

    document: Document
    byline: str
    date_basis: str
    file: str
    ranges: tuple[tuple[int, int], ...]
    length: int
    sentences: tuple[tuple[tuple[int, int], ...], ...]


def build(recipes: Sequence[WireRecipe], folder: Path) -> tuple[list[Document], list[Issue]]:
    """Rebuild the wire documents from the files in a folder.

    Args:
        recipes: what to cut from where.
        folder: where the articles' files are.

    Returns:
        The documents whose text is exactly the one that was annotated, and an issue for each that
        is missing or differs.
    """
    documents: list[Document] = []
    issues: list[Issue] = []
    for recipe in recipes:
        try:
            documents.append(_build_one(recipe, folder / recipe.file))
        except KhabarError as error:
            issues += error.issues
    return documents, issues


def _build_one(recipe: WireRecipe, path: Path) -> Document:
    doc_id = recipe.document.doc_id
    if not path.is_file():
        raise KhabarError(
            Issue(
                code="source-missing",
                doc_id=doc_id,
                where=f"article {doc_id}, {path}",
                found="no such file",
                expected=f"the text of {recipe.document.outlet}, {recipe.document.date}",
                fix="Put the file there; everything but this article works without it.",
            )
        )
    source = read_text(path)
    text = SEPARATOR.join(source[start:end] for start, end in recipe.ranges)
    if text_hash(text) != recipe.document.sha256:
        raise KhabarError(
            Issue(
                code="source-differs",
                doc_id=doc_id,
                where=f"article {doc_id}, {path}",
                found=f"sha256 {text_hash(text)[:12]}… ({len(text)} characters)",
                expected=f"{recipe.document.sha256[:12]}… ({recipe.length} characters)",
                fix="The file must be the exact copy that was annotated, UTF-8 with line feeds.",
            )
        )
    return msgspec.structs.replace(recipe.document, text=text)
