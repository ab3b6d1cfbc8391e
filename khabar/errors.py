"""What can be wrong with an input, said so that it can be mended."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

CODES: dict[str, str] = {
    "file-missing": "a file that is needed is not there",
    "file-unreadable": "a file or folder cannot be read or written",
    "file-empty": "a file has no records",
    "broken-utf8": "a file is not UTF-8",
    "line-too-long": "a line of a file is longer than any record can be",
    "broken-json": "a line or a file is not JSON",
    "wrong-shape": "a record has a missing, unknown or wrongly typed field",
    "document-duplicate": "a document occurs twice",
    "document-missing": "a document has no annotation",
    "document-unknown": "an annotation of a document that is not in the set",
    "document-hash": "a text is not the one that was annotated",
    "document-newline": "a text has a carriage return",
    "span-outside": "a span ends past the end of its text",
    "span-empty": "a span has start ≥ end, or a negative start",
    "span-text": "the text of a span is not what the record says",
    "span-pieces": "the pieces of a discontinuous span are out of order or not what start and end say",
    "span-crossing": "two mentions overlap and neither holds the other",
    "span-duplicate": "two items of one layer have the same span and type",
    "id-duplicate": "an id is used twice in a document",
    "label-unknown": "a type, role, attribute value or link type that the ontology does not have",
    "role-not-allowed": "a role that this event type does not take",
    "filler-not-allowed": "an entity type that may not fill this role",
    "argument-duplicate": "an event has the same argument twice",
    "argument-dangling": "an argument points at no mention of its document",
    "link-duplicate": "the same link twice",
    "link-self": "a link from an event to itself",
    "link-dangling": "a link points at no event of its document",
    "registry-dangling": "a registry entry refers to one that does not exist",
    "entity-unresolved": "a named mention stands for no entry of the registry, and does not say NIL",
    "entity-unused": "a key that no mention of its document has",
    "trigger-unknown": "a cluster or conflict names a span that is no trigger of the gold",
    "entity-kind": "a place that stands for an actor, or an actor for a place",
    "cluster-wide": "one event told in two storylines",
    "cluster-coref": "coreferent triggers that are not in one cluster",
    "conflict-misplaced": "a conflict that is not between two documents of its storyline",
    "audit-incomplete": "a question of the error audit without a verdict, or with several",
    "audit-invalid": "a verdict of the error audit that does not fit its question",
    "relation-unlabelled": "a relation of a Label Studio export has no label",
    "relation-forbidden": "a relation between regions that no role and no link may join",
    "account-foreign": "an annotation was saved or changed under another account",
    "export-kept": "a kept export would be replaced by another",
    "annotation-duplicate": "an account has two annotations of one document",
    "annotation-missing": "an annotation is missing from an export",
    "region-shape": "a region of a Label Studio export cannot be read",
    "server-lost": "Label Studio does not answer",
    "server-refused": "Label Studio refused the token",
    "server-answer": "Label Studio answered with an error",
    "database-refused": "PostgreSQL does not answer, or refuses the account",
    "database-changed": "a data folder that belongs to another database",
    "model-broken": "a model that cannot be loaded, or fails on a document",
    "project-changed": "a project in Label Studio has another configuration or other texts",
    "campaign-invalid": "a campaign's configuration cannot be carried out",
    "campaign-foreign": "a project or a file belongs to another campaign",
    "campaign-busy": "another command is working on the campaign",
    "campaign-unfinished": "a campaign that is not ready to be closed",
    "annotator-unknown": "an account that is not of the campaign",
    "annotator-human": "work that only its person may save",
    "round-overlap": "a document in two rounds of a campaign",
    "assignment-impossible": "a document for which too few annotators are left",
    "accounts-changed": "an address has another account number than before: another server",
    "database-restored": "the server holds older versions than were seen: an old database was brought back",
    "annotation-deleted": "an annotation that was seen is gone",
    "task-deleted": "a task that was seen is gone",
    "blind-broken": "a task that should be blind shows predictions",
    "speed-implausible": "an annotation was made faster than the text can be read",
    "archive-broken": "the archive of versions was changed",
    "finding-unknown": "no such finding, or no such version for it",
    "quote-missing": "a quote does not stand in its sentence",
    "quote-ambiguous": "a quote stands more than once in its sentence",
    "tokens-differ": "tokens of a prediction are not those of the gold",
    "tag-unknown": "a tag that is not of the named scheme, or of a type that the layer does not have",
    "score-invalid": "a score that is not a number from 0 to 1",
    "text-missing": "quotes or tokens cannot be placed in a text that is not here",
    "offsets-broken": "character offsets that do not index their own text",
    "format-unknown": "an input format that does not exist, or that a file's name does not tell",
    "source-missing": "a wire article's file is not in the folder",
    "source-differs": "a wire article's text is not the one that was annotated",
    "decision-missing": "a difference between annotators has no decision",
    "decision-invalid": "a decision that cannot be carried out",
    "decision-stale": "a decision about an item that no annotator has",
    "trigger-not-gold": "predictions that should have the gold's triggers have another one",
    "unit-unknown": "documents have no such field to be grouped by",
    "field-unknown": "documents have no such field to be sliced by",
    "result-differs": "a stored result is not what its counts give, or what is computed again",
    "seqeval-differs": "a figure that seqeval itself counts otherwise",
    "signature-differs": "results that were not made on the same data in the same way",
    "split-unknown": "a split or configuration that does not exist",
    "derived-differs": "a derived file is not what its sources give",
    "usage": "the call's arguments do not fit",
    "package-missing": "an optional package is not installed",
}


class Issue(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong: where it is, what was found, what was expected, what to do."""

    code: str
    where: str
    found: str
    expected: str
    fix: str
    doc_id: str = ""

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise ValueError(f"unknown error code {self.code!r}")

    @property
    def message(self) -> str:
        """Say it in one line."""
        return f"{self.where}: [{self.code}] found {self.found}; expected {self.expected}. {self.fix}"


class KhabarError(Exception):
    """Raised with every issue that stopped the work, or that was met on the way.

    Args:
        issues: one issue or several.
    """

    def __init__(self, issues: Issue | Iterable[Issue]) -> None:
        self.issues: tuple[Issue, ...] = (issues,) if isinstance(issues, Issue) else tuple(issues)
        super().__init__("\n".join(issue.message for issue in self.issues))

    @property
    def code(self) -> str:
        """Give the code of the first issue."""
        return self.issues[0].code
