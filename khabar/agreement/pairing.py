"""Which annotations are compared: every two annotators of a document are a pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import msgspec

from khabar.errors import Issue, KhabarError
from khabar.types import Annotation, Document
from khabar.validate import nearest


class Pairing(msgspec.Struct, frozen=True):
    """Two annotators' work on one document."""

    document: Document
    one: Annotation
    two: Annotation

    @property
    def doc_id(self) -> str:
        """Give the document's id."""
        return self.document.doc_id

    @property
    def name(self) -> str:
        """Name the pair of annotators."""
        return f"{self.one.author} × {self.two.author}"


def make_pairings(work: Sequence[Annotation], documents: Mapping[str, Document]) -> list[Pairing]:
    """Pair the annotators of each document.

    Args:
        work: everybody's annotations.
        documents: by doc_id.

    Returns:
        Pairs in the order in which documents, then annotators first occur in `work`.

    Raises:
        KhabarError: document-unknown, annotation-duplicate.
    """
    _require_sound(work, documents)
    place = {author: number for number, author in enumerate(dict.fromkeys(item.author for item in work))}
    groups: dict[str, list[Annotation]] = {}
    for annotation in work:
        groups.setdefault(annotation.doc_id, []).append(annotation)
    return [
        Pairing(documents[doc_id], one, two)
        for doc_id, found in groups.items()
        for one, two in combinations(sorted(found, key=lambda item: place[item.author]), 2)
    ]


def _require_sound(work: Sequence[Annotation], documents: Mapping[str, Document]) -> None:
    unknown = [_unknown(name, documents) for name in dict.fromkeys(w.doc_id for w in work) if name not in documents]
    seen: set[tuple[str, str]] = set()
    repeated = []
    for annotation in work:
        key = annotation.doc_id, annotation.author
        if key in seen:
            repeated.append(_repeated(annotation))
        seen.add(key)
    if unknown or repeated:
        raise KhabarError([*unknown, *repeated])


def _unknown(doc_id: str, documents: Mapping[str, Document]) -> Issue:
    return Issue(
        code="document-unknown",
        doc_id=doc_id,
        where=f"document {doc_id}",
        found="an annotation of an unknown document",
        expected="a document that is given",
        fix=f"Give the documents that were annotated.{nearest(doc_id, documents)}",
    )


def _repeated(annotation: Annotation) -> Issue:
    return Issue(
        code="annotation-duplicate",
        doc_id=annotation.doc_id,
        where=f"document {annotation.doc_id}",
        found=f"two annotations by {annotation.author or 'nobody'}",
        expected="one of each annotator",
        fix="Keep one, or name the annotators apart.",
    )


def resampling_labels(documents: Sequence[Document], unit: str) -> list[str]:
    """Tell for each document what it is resampled with: itself, or the others of one cluster.

    Args:
        documents: one a row; a document of several pairs occurs several times.
        unit: "doc", or a field of the documents (storyline).

    Raises:
        KhabarError: unit-unknown, where no document has the field.
    """
    names = [document.doc_id for document in documents]
    if unit == "doc" or not documents:
        return names
    values = [str(getattr(document, unit, "")) for document in documents]
    if not any(values):
        fields = ("doc", *Document.__struct_fields__[1:-2])
        raise KhabarError(
            Issue(
                code="unit-unknown",
                where=f"field {unit!r}",
                found="no document that has it",
                expected=", ".join(fields),
                fix=f"Name a field of the documents.{nearest(unit, fields)}",
            )
        )
    # A document without the field stands for itself.
    return [value or f"document {name}" for value, name in zip(values, names, strict=True)]
