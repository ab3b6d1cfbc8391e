"""The folder `annotations`: documents, exports, decisions; and the gold that is made of them."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from khabar import jsonl
from khabar.adjudicate import Decision, adjudicate
from khabar.corpus import COMPOSED_SPLITS, GoldSet, gold_set
from khabar.errors import Issue, KhabarError
from khabar.label_studio.desk import read_export
from khabar.label_studio.server import annotator_email
from khabar.types import Annotation, Document
from khabar.validate import check_annotation, check_documents, check_set
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
        return self._in_role("annotator")

    @cached_property
    def adjudicators(self) -> tuple[str, ...]:
        """Name whoever decides where annotators differ."""
        return self._in_role("adjudicator")

    def _in_role(self, role: str) -> tuple[str, ...]:
        known = jsonl.read_json(self.folder / "annotators.json", Annotators).annotators
        return tuple(item.name for item in known if item.role == role)

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
        issues += check_set(annotations, documents)
        if issues:
            raise KhabarError(issues)
        return annotations

    def decisions(self, project: str) -> dict[str, list[Decision]]:
        """Read the adjudicator's decisions by document.

        Args:
            project: composed or wire.

        Raises:
            KhabarError: decision-stale, where the document is not in the project.
        """
        found: dict[str, list[Decision]] = {document.doc_id: [] for document in self.documents(project)}
        path = self.folder / "adjudication" / f"{project}.jsonl"
        for number, decision in jsonl.read_records(path, Decision):
            if decision.doc_id not in found:
                raise KhabarError(
                    Issue(
                        code="decision-stale",
                        where=f"{path}:{number}",
                        found=f"a decision about {decision.doc_id!r}",
                        expected="a document of the project",
                        fix="Correct the doc_id or remove the line.",
                    )
                )
            found[decision.doc_id].append(decision)
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
        gold = [adjudicate((item, second[item.doc_id]), decisions[item.doc_id]) for item in one]
        issues = [issue for item in gold for issue in check_annotation(item, documents[item.doc_id])]
        if issues:
            raise KhabarError(issues)
        return gold

    def stored_gold(self, project: str) -> list[Annotation]:
        """Read the gold as it is kept, in the order of the documents.

        Args:
            project: composed or wire.

        Raises:
            KhabarError: documents without gold, twice or unknown.
        """
        gold = jsonl.read_list(self.folder / "gold" / f"{project}.jsonl", Annotation)
        documents = {document.doc_id: document for document in self.documents(project)}
        issues = list(check_set(gold, documents))
        if issues:
            raise KhabarError(issues)
        found = {annotation.doc_id: annotation for annotation in gold}
        return [found[doc_id] for doc_id in documents]

    def assignment(self) -> dict[str, str]:
        """Read which split each storyline is in.

        Raises:
            KhabarError: split-unknown, where a storyline has none, or one that does not exist.
        """
        path = self.folder / "registry" / "splits.json"
        found = jsonl.read_json(path, dict[str, str])
        storylines = sorted({document.storyline for document in self.documents("composed")})
        issues = [
            Issue(
                code="split-unknown",
                where=f"{path}, storyline {name}",
                found=repr(found.get(name)),
                expected=", ".join(COMPOSED_SPLITS),
                fix="Put every storyline into one split.",
            )
            for name in storylines
            if found.get(name) not in COMPOSED_SPLITS
        ]
        if issues:
            raise KhabarError(issues)
        return found

    def gold_sets(self) -> dict[str, GoldSet]:
        """Put documents and kept gold together by split: train, validation, test, wire.

        Splits go by storyline, as annotations/registry/splits.json says.
        """
        assignment = self.assignment()
        pairs = list(zip(self.documents("composed"), self.stored_gold("composed"), strict=True))
        sets = {}
        for split in COMPOSED_SPLITS:
            chosen = [pair for pair in pairs if assignment[pair[0].storyline] == split]
            sets[split] = gold_set(split, [document for document, _ in chosen], [gold for _, gold in chosen])
        bare = [recipe.document for recipe in self.recipes]
        return {**sets, "wire": gold_set("wire", bare, self.stored_gold("wire"), recipes=self.recipes)}
