"""khabar's own format: annotations by offsets, one JSON object a line; also as other people's gold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from khabar import jsonl
from khabar.corpus import GoldSet, sentence_tokens
from khabar.errors import KhabarError
from khabar.inputs.records import Predictions
from khabar.types import Annotation, Document, Span, text_hash
from khabar.validate import check_annotation, check_documents, check_set

_OWN = frozenset(Annotation.__struct_fields__)


def read_jsonl_predictions(path: Path) -> Predictions:
    """Read annotations by offsets, one JSON object a line.

    Args:
        path: the file.

    Raises:
        KhabarError: as `khabar.jsonl.read_records`.
    """
    return Predictions(annotations=tuple(jsonl.read_list(path, Annotation)))


def read_jsonl_gold(path: Path) -> GoldSet:
    """Read other people's gold: khabar's records with the text and any other string beside them.

    A line is `{"doc_id", "text"?, "mentions"?, "events"?, "links"?}`; other strings of a line (lang,
    source, …) are fields that results can be sliced by.

    Args:
        path: the file.

    Raises:
        KhabarError: as `khabar.jsonl.read_records`, and every issue of the records.
    """
    documents, annotations, fields = [], [], {}
    for number, record in jsonl.read_records(path, dict[str, Any]):
        where = f"{path}:{number}"
        own = {key: value for key, value in record.items() if key in _OWN}
        annotation = jsonl.convert(own, Annotation, where=where)
        text = record.get("text", "")
        others = {key: value for key, value in record.items() if key not in _OWN and key != "text"}
        fields[annotation.doc_id] = jsonl.convert(others, dict[str, str], where=where)
        documents.append(make_document(annotation.doc_id, jsonl.convert(text, str, where=where), others))
        annotations.append(annotation)
    return make_gold(path.name, documents, annotations, fields=fields)


def make_document(doc_id: str, text: str = "", fields: Mapping[str, str] | None = None) -> Document:
    """Make the document of other people's data; what they do not say is empty.

    Args:
        doc_id: its id.
        text: its text.
        fields: what is known of it; only the language is kept here.
    """
    empty = dict.fromkeys(("theatre", "storyline", "genre", "stance", "outlet", "date", "licence"), "")
    return Document(
        doc_id=doc_id,
        lang=(fields or {}).get("lang", ""),
        origin="foreign",
        sha256=text_hash(text),
        text=text,
        **empty,
    )


def make_gold(
    name: str,
    documents: Sequence[Document],
    annotations: Sequence[Annotation],
    *,
    tokens: Mapping[str, tuple[tuple[Span, ...], ...]] | None = None,
    fields: Mapping[str, Mapping[str, str]] | None = None,
    **others: Any,
) -> GoldSet:
    """Put other people's documents and gold together, with the types that occur as the inventory.

    Args:
        name: what to call the set.
        documents: with or without texts.
        annotations: in the order of the documents.
        tokens: their tokens by document; khabar's own where there is a text and none are given.
        fields: what else is known of a document.
        others: unit, rows and scheme of the gold set.

    Raises:
        KhabarError: every issue of the gold.
    """
    texts = {document.doc_id: document.text for document in documents}
    cut = tokens or {doc_id: sentence_tokens(text) if text else () for doc_id, text in texts.items()}
    issues = [*check_documents(documents), *check_set(annotations, {item.doc_id: item for item in documents})]
    for document, annotation in zip(documents, annotations, strict=True):
        issues += check_annotation(annotation, document if document.text else None, foreign=True)
    if issues:
        raise KhabarError(issues)
    return GoldSet(
        name=name,
        documents=tuple(documents),
        annotations=tuple(annotations),
        tokens=cut,
        lengths={doc_id: len(text) for doc_id, text in texts.items() if text},
        inventory=inventory_of(annotations),
        fields=fields or {},
        **others,
    )


def inventory_of(annotations: Iterable[Annotation]) -> dict[str, tuple[str, ...]]:
    """List the types that occur, by layer, with families, roles and values of attributes.

    Args:
        annotations: all of a gold set.
    """
    found: dict[str, Counter[str]] = {}
    for annotation in annotations:
        found.setdefault("mentions", Counter()).update(mention.type for mention in annotation.mentions)
        for event in annotation.events:
            found.setdefault("triggers", Counter())[event.type] += 1
            found.setdefault("families", Counter())[event.family] += 1
            found.setdefault("roles", Counter()).update(argument.role for argument in event.arguments)
    return {layer: tuple(sorted(counts)) for layer, counts in found.items() if counts}
