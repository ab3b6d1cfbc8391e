"""The folder `annotations`: documents, exports, decisions; and the gold that is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from khabar import jsonl
from khabar.adjudicate import Decision, adjudicate
from khabar.corpus import GoldSet, sentence_tokens
from khabar.errors import KhabarError
from khabar.label_studio.desk import read_export
from khabar.label_studio.server import annotator_email
from khabar.types import Annotation, Document, Span
from khabar.validate import check_annotation, check_documents
from khabar.wire import WireRecipe, build

PROJECTS = ("composed", "wire")


class Annotator(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an annotator is, said plainly."""

    name: str
    kind: str
    role: str
    languages: tuple[str, ...]
    note: str


class Annotators(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file annotators.json."""

    annotators: tuple[Annotator, ...]


class Workspace(msgspec.Struct, frozen=True, dict=True):
    """The maintainers' folder, and where the wire articles are, if they are anywhere."""

    folder: Path
    sources: Path | None = None

    @cached_property
    def annotators(self) -> tuple[str, ...]:
        """Name the two annotators in the order of annotators.json."""
        known = jsonl.read_json(self.folder / "annotators.json", Annotators).annotators
        return tuple(item.name for item in known if item.role == "annotator")

    @cached_property
    def recipes(self) -> list[WireRecipe]:
        """Read how the wire documents are cut."""
        return jsonl.read_list(self.folder / "documents" / "wire.jsonl", WireRecipe)

    @cached_property
    def projects(self) -> tuple[str, ...]:
        """Name the projects whose texts are here: wire only with the articles."""
        return PROJECTS if self.sources else PROJECTS[:1]

    def documents(self, project: str) -> list[Document]:
        """Read the documents of a project; wire texts are empty where the articles are not here.

        Args:
            project: composed or wire.

        Raises:
            KhabarError: issues of the documents; with `sources`, every article that is missing or differs.
        """
        if project == "composed":
            documents = jsonl.read_list(self.folder / "documents" / "composed.jsonl", Document)
        elif self.sources is None:
            documents = [recipe.document for recipe in self.recipes]
        else:
            documents, issues = build(self.recipes, self.sources)
            if issues:
                raise KhabarError(issues)
        problems = list(check_documents(documents))
        if problems:
            raise KhabarError(problems)
        return documents

    def work(self, project: str, annotator: str) -> list[Annotation]:
        """Read an annotator's kept export.

        Args:
            project: composed or wire.
            annotator: the annotator's name.

        Raises:
            KhabarError: every issue of the export.
        """
        folder = self.folder / "exports" / project
        tasks = jsonl.read_json(folder / f"{annotator}.json", list[dict[str, Any]])
        accounts = jsonl.read_json(folder / "accounts.json", dict[str, str])
        documents = {document.doc_id: document for document in self.documents(project)}
        email = annotator_email(annotator)
        annotations, issues = read_export(tasks, accounts, documents, email=email, author=annotator)
        if issues:
            raise KhabarError(issues)
        return annotations

    def decisions(self, project: str) -> dict[str, list[Decision]]:
        """Read the adjudicator's decisions by document.

        Args:
            project: composed or wire.
        """
        found: dict[str, list[Decision]] = {}
        for decision in jsonl.read_list(self.folder / "adjudication" / f"{project}.jsonl", Decision):
            found.setdefault(decision.doc_id, []).append(decision)
        return found

    def gold(self, project: str) -> list[Annotation]:
        """Make the gold of a project from its exports and decisions.

        Args:
            project: composed or wire.

        Raises:
            KhabarError: missing or stale decisions, and whatever is wrong with the gold itself.
        """
        one, two = (self.work(project, name) for name in self.annotators)
        second = {annotation.doc_id: annotation for annotation in two}
        decisions = self.decisions(project)
        documents = {document.doc_id: document for document in self.documents(project)}
        gold = [adjudicate(item, second[item.doc_id], decisions.get(item.doc_id, [])) for item in one]
        issues = [issue for item in gold for issue in check_annotation(item, documents[item.doc_id])]
        if issues:
            raise KhabarError(issues)
        return gold

    def stored_gold(self, project: str) -> list[Annotation]:
        """Read the gold as it is kept.

        Args:
            project: composed or wire.
        """
        return jsonl.read_list(self.folder / "gold" / f"{project}.jsonl", Annotation)

    def gold_sets(self) -> dict[str, GoldSet]:
        """Put documents and kept gold together by split: train, validation, test, wire.

        Splits go by storyline, as annotations/registry/splits.json says.
        """
        assignment = jsonl.read_json(self.folder / "registry" / "splits.json", dict[str, str])
        documents = self.documents("composed")
        gold = {annotation.doc_id: annotation for annotation in self.stored_gold("composed")}
        sets = {}
        for split in ("train", "validation", "test"):
            chosen = [document for document in documents if assignment[document.storyline] == split]
            tokens = {document.doc_id: sentence_tokens(document.text) for document in chosen}
            annotations = tuple(gold[document.doc_id] for document in chosen)
            sets[split] = GoldSet(name=split, documents=tuple(chosen), annotations=annotations, tokens=tokens)
        return {**sets, "wire": self._wire_set()}

    def _wire_set(self) -> GoldSet:
        gold = {annotation.doc_id: annotation for annotation in self.stored_gold("wire")}
        documents = tuple(recipe.document for recipe in self.recipes)
        return GoldSet(
            name="wire",
            documents=documents,
            annotations=tuple(gold[document.doc_id] for document in documents),
            tokens={recipe.document.doc_id: _spans(recipe.sentences) for recipe in self.recipes},
        )


def _spans(sentences: Sequence[Sequence[tuple[int, int]]]) -> tuple[tuple[Span, ...], ...]:
    return tuple(tuple(Span(start, end) for start, end in row) for row in sentences)
