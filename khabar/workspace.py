"""The folder `annotations`: documents, exports, decisions; and the gold that is made of them.

A project (composed, wire) is made of lots, named in lots.json. Each lot was annotated in one campaign, whose exports
and decisions are in `annotations/campaigns`, as a campaign's folder has them; of those that the annotation desk ran,
configuration and archive are there too.
"""

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
from khabar.linking import Linking, apply_linking, read_linking, require_linking
from khabar.registry import read_registry
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
        paths = [self._documents_file(lot) for lot in self.lots("wire")]
        return [recipe for path in paths for recipe in jsonl.read_list(path, WireRecipe)]

    def lots(self, project: str) -> tuple[str, ...]:
        """Name the lots of a project in the order in which they were annotated; a lot is a lot of its own.

        Args:
            project: composed, wire, or a lot.
        """
        return self._lots.get(project, (project,))

    @cached_property
    def _lots(self) -> dict[str, tuple[str, ...]]:
        return jsonl.read_json(self.folder / "lots.json", dict[str, tuple[str, ...]])

    def _documents_file(self, lot: str) -> Path:
        return self.folder / "documents" / f"{lot}.jsonl"

    def _campaign(self, lot: str) -> Path:
        return self.folder / "campaigns" / lot

    @cached_property
    def projects(self) -> tuple[str, ...]:
        """Name the projects whose texts are here: wire only with the articles."""
        return PROJECTS if self.sources else PROJECTS[:1]

    def documents(self, project: str) -> list[Document]:
        """Read the documents of a project or lot; wire texts are empty where the articles are not here.

        Args:
            project: composed, wire, or a lot of theirs.

        Raises:
            KhabarError: issues of the documents; with `sources`, every article that is missing or differs.
        """
        documents = [document for lot in self.lots(project) for document in self._read_documents(lot)]
        problems = list(check_documents(documents))
        if problems:
            raise KhabarError(problems)
        return documents

    def _read_documents(self, lot: str) -> list[Document]:
        path = self._documents_file(lot)
        if lot not in self.lots("wire"):
            return jsonl.read_list(path, Document)
        recipes = jsonl.read_list(path, WireRecipe)
        if self.sources is None:
            return [recipe.document for recipe in recipes]
        documents, issues = build(recipes, self.sources)
        if issues:
            raise KhabarError(issues)
        return documents

    def work(self, project: str, annotator: str) -> list[Annotation]:
        """Read an annotator's kept export.

        Args:
            project: composed, wire, or a lot of theirs.
            annotator: the annotator's name.

        Raises:
            KhabarError: every issue of the export.
        """
        return [annotation for lot in self.lots(project) for annotation in self._read_work(lot, annotator)]

    def _read_work(self, lot: str, annotator: str) -> list[Annotation]:
        folder = self._campaign(lot) / "exports"
        tasks = jsonl.read_json(folder / f"{annotator}.json", list[dict[str, Any]])
        accounts = jsonl.read_json(folder / "accounts.json", dict[str, str])
        documents = {document.doc_id: document for document in self.documents(lot)}
        email = annotator_email(annotator)
        annotations, issues = read_export(tasks, accounts, documents, email=email, author=annotator)
        issues += check_set(annotations, documents)
        if issues:
            raise KhabarError(issues)
        found = {annotation.doc_id: annotation for annotation in annotations}
        return [found[doc_id] for doc_id in documents]

    def decisions(self, project: str) -> dict[str, list[Decision]]:
        """Read the adjudicator's decisions by document.

        Args:
            project: composed, wire, or a lot of theirs.

        Raises:
            KhabarError: decision-stale, where the document is not in the project.
        """
        found: dict[str, list[Decision]] = {document.doc_id: [] for document in self.documents(project)}
        lines = [
            (f"{path}:{number}", decision)
            for path in (self._campaign(lot) / "decisions.jsonl" for lot in self.lots(project))
            for number, decision in jsonl.read_records(path, Decision)
        ]
        for where, decision in lines:
            if decision.doc_id not in found:
                raise KhabarError(
                    Issue(
                        code="decision-stale",
                        where=where,
                        found=f"a decision about {decision.doc_id!r}",
                        expected="a document of the project",
                        fix="Correct the doc_id or remove the line.",
                    )
                )
            found[decision.doc_id].append(decision)
        return found

    def gold(self, project: str) -> list[Annotation]:
        """Make the gold of a project or lot from its exports and decisions.

        Args:
            project: composed, wire, or a lot of theirs.

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
            project: composed, wire, or a lot of theirs.

        Raises:
            KhabarError: documents without gold, twice or unknown.
        """
        paths = [self.folder / "gold" / f"{lot}.jsonl" for lot in self.lots(project)]
        gold = [annotation for path in paths for annotation in jsonl.read_list(path, Annotation)]
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

    def linked_gold(self, project: str) -> list[Annotation]:
        """Read the kept gold with registry ids and clusters, as it is released.

        Args:
            project: composed or wire.

        Raises:
            KhabarError: issues of the gold, and of what holds across documents.
        """
        return apply_linking(self.stored_gold(project), self.linking)

    @cached_property
    def linking(self) -> Linking:
        """Read what holds across documents, checked against the kept gold and the registry."""
        folder = self.folder / "registry"
        found, documents, gold = read_linking(folder), [], []
        for project in PROJECTS:
            documents += Workspace(self.folder).documents(project)
            gold += self.stored_gold(project)
        require_linking(found, gold, documents, read_registry(folder))
        return found

    def gold_sets(self) -> dict[str, GoldSet]:
        """Put documents and released gold together by split: train, validation, test, wire.

        Splits go by storyline, as annotations/registry/splits.json says.
        """
        assignment = self.assignment()
        pairs = list(zip(self.documents("composed"), self.linked_gold("composed"), strict=True))
        sets = {}
        for split in COMPOSED_SPLITS:
            chosen = [pair for pair in pairs if assignment[pair[0].storyline] == split]
            sets[split] = gold_set(
                split,
                [document for document, _ in chosen],
                [gold for _, gold in chosen],
                conflicts=self.linking.conflicts,
            )
        bare = [recipe.document for recipe in self.recipes]
        return {**sets, "wire": gold_set("wire", bare, self.linked_gold("wire"), recipes=self.recipes)}
