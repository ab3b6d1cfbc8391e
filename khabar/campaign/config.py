"""The one configuration file of a campaign: documents, annotators, how many each, pre-annotation, rounds."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from math import ceil
from pathlib import Path
from typing import Any

import msgspec

from khabar import jsonl
from khabar.errors import Issue, KhabarError
from khabar.ontology import ontology
from khabar.types import Document
from khabar.validate import check_documents, nearest
from khabar.wire import WireRecipe, build
from khabar.workspace import Annotator, Annotators

BLIND, ASSISTED = "blind", "assisted"
HUMAN = "human"
# What the register may call an annotator; the two words for a model mean the same.
MODELS = ("model", "language model")
KINDS = (HUMAN, *MODELS)
TITLE_LIMIT = 50  # of a project in Label Studio
NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
# What an annotator's project, file or address would be taken for.
RESERVED = ("adjudicate", "accounts", "manifest", "manager")


class Round(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the documents, annotated before the next: named ones, the next `count`, or all that are left."""

    name: str
    documents: tuple[str, ...] = ()
    count: int = 0


class Preannotation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What annotators are shown to begin with, and on which share of the documents they are shown nothing.

    `model` is a file with `load()`; `predictions` are JSON lines of annotations that a model made before.
    """

    model: str = ""
    predictions: str = ""
    name: str = ""
    blind_share: float = 0.25


class Speed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is too fast for a person: seconds for a hundred words of text, and for each marked item."""

    seconds_per_100_words: float = 12.0
    seconds_per_item: float = 0.8


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file campaign.toml. Paths are relative to it."""

    name: str
    documents: str
    annotators: tuple[str, ...]
    rounds: tuple[Round, ...] = (Round(name="all"),)
    adjudicators: tuple[str, ...] = ()
    per_document: int = 2
    languages: tuple[str, ...] = ()
    at_most: dict[str, int] = {}
    register: str = "annotators.json"
    guidelines: str = "guidelines.md"
    preannotation: Preannotation | None = None
    speed: Speed = Speed()
    seed: int = 12345


class Campaign(msgspec.Struct, frozen=True, dict=True):
    """A campaign: its configuration, its folder, and where the wire articles are, if they are anywhere."""

    config: Config
    folder: Path
    sources: Path | None = None

    @property
    def name(self) -> str:
        """Give the campaign's name."""
        return self.config.name

    @cached_property
    def known(self) -> dict[str, Annotator]:
        """Read the register: everybody who may annotate or adjudicate, by name.

        Raises:
            KhabarError: file-missing; issues of its shape.
        """
        path = self.folder / self.config.register
        if not path.exists():
            raise KhabarError(_no_register(path))
        found = jsonl.read_json(path, Annotators).annotators
        return {annotator.name: annotator for annotator in found}

    @cached_property
    def documents(self) -> dict[str, Document]:
        """Read the documents of the campaign's languages; wire texts are empty where the articles are not here.

        Raises:
            KhabarError: issues of the documents; with `sources`, every article that is missing or differs.
        """
        found = _read_documents(self.folder / self.config.documents, self.sources)
        wanted = self.config.languages
        return {item.doc_id: item for item in found if not wanted or item.lang in wanted}

    @cached_property
    def shippable(self) -> bool:
        """Tell whether the texts may be kept in files: not where one of them is a wire article."""
        return all(document.origin != "wire" for document in self.documents.values())

    @cached_property
    def rounds(self) -> dict[str, str]:
        """Give the round of each document that has one; those that a round names are nobody else's."""
        named = {doc_id for part in self.config.rounds for doc_id in part.documents}
        left = [doc_id for doc_id in self.documents if doc_id not in named]
        found: dict[str, str] = {}
        for part in self.config.rounds:
            mine = part.documents or tuple(left[: part.count] if part.count else left)
            found.update(dict.fromkeys(mine, part.name))
            left = [doc_id for doc_id in left if doc_id not in found]
        return found

    def arms(self, given: Mapping[str, str]) -> dict[str, str]:
        """Give the arm of each document: blind, or assisted by pre-annotation.

        An arm that was given stays, whatever documents are added. The rest of the blind share is drawn by
        hash within each round and language, so that both arms hold both.

        Args:
            given: arms by document, as the projects hold them.
        """
        settings = self.config.preannotation
        share = 1.0 if settings is None else settings.blind_share
        strata: dict[tuple[str, str], list[str]] = {}
        for doc_id, part in self.rounds.items():
            strata.setdefault((part, self.documents[doc_id].lang), []).append(doc_id)
        blind = {doc_id for stratum in strata.values() for doc_id in self._draw(stratum, share, given)}
        return {doc_id: given.get(doc_id, BLIND if doc_id in blind else ASSISTED) for doc_id in self.rounds}

    def _draw(self, stratum: Sequence[str], share: float, given: Mapping[str, str]) -> list[str]:
        number = ceil(round(len(stratum) * share, 9)) - sum(given.get(doc_id) == BLIND for doc_id in stratum)
        free = [doc_id for doc_id in stratum if doc_id not in given]
        return sorted(free, key=lambda doc_id: lot(self.config.seed, doc_id))[: max(number, 0)]

    def path(self, *parts: str) -> Path:
        """Give the path of a file of the campaign.

        Args:
            parts: below its folder.
        """
        return self.folder.joinpath(*parts)


def _no_register(path: Path) -> Issue:
    expected = "the register, which says what each annotator is"
    fix = f"Write {path.name}; annotations/manual/manager.md shows one."
    return _issue(path, "no such file", expected, fix, "file-missing")


def lot(seed: int, *parts: str) -> str:
    """Draw a lot that is the same on every machine.

    Args:
        seed: of the campaign.
        parts: what the lot is for.
    """
    from hashlib import sha256

    return sha256("\0".join((str(seed), *parts)).encode()).hexdigest()


def _read_documents(path: Path, sources: Path | None) -> list[Document]:
    records = [record for _, record in jsonl.read_records(path, dict[str, Any])]
    if records and "ranges" in records[0]:
        recipes = [jsonl.convert(record, WireRecipe, where=str(path)) for record in records]
        if sources is None:
            return [recipe.document for recipe in recipes]
        documents, issues = build(recipes, sources)
    else:
        documents, issues = [jsonl.convert(record, Document, where=str(path)) for record in records], []
    issues += check_documents(documents)
    if issues:
        raise KhabarError(issues)
    return documents


def load_campaign(path: Path, *, sources: Path | None = None) -> Campaign:
    """Read a campaign's configuration and check that it can be carried out.

    Args:
        path: campaign.toml, or the folder that holds it.
        sources: the folder of the wire articles, for a campaign over them.

    Raises:
        KhabarError: issues of the file and of what it names: unknown annotators or documents, a document
            in two rounds, names that do not fit, a kind of annotator that there is not, too few annotators
            of a language.
    """
    file = path / "campaign.toml" if path.is_dir() else path
    text = jsonl.read_text(file)
    try:
        config = msgspec.toml.decode(text, type=Config)
    except (msgspec.ValidationError, msgspec.DecodeError, ValueError) as error:
        raise KhabarError(_issue(file, str(error), "the fields of a campaign", "See annotations/manual.")) from error
    campaign = Campaign(config, file.parent, sources)
    issues = [*_check_numbers(campaign, file), *_check_names(campaign, file)]
    issues += [*_check_people(campaign, file), *_check_kinds(campaign)]
    if issues:
        raise KhabarError(issues)
    issues = list(_check_rounds(campaign, file))
    if issues:
        raise KhabarError(issues)
    issues = list(_check_languages(campaign, file))
    if issues:
        raise KhabarError(issues)
    return campaign


def _issue(file: Path, found: str, expected: str, fix: str, code: str = "campaign-invalid") -> Issue:
    return Issue(code=code, where=str(file), found=found, expected=expected, fix=fix)


def _check_numbers(campaign: Campaign, file: Path) -> Iterator[Issue]:
    config = campaign.config
    if config.per_document < 1:
        yield _issue(file, f"per_document = {config.per_document}", "1 or more", "Two makes agreement measurable.")
    for part in config.rounds:
        if part.count < 0 or (part.count and part.documents):
            found = f"round {part.name!r} with count = {part.count}" + (" and documents" if part.documents else "")
            yield _issue(file, found, "a number of documents, or their names", "Keep one of the two, or neither.")
    settings = config.preannotation
    if settings is not None and not 0 <= settings.blind_share <= 1:
        yield _issue(file, f"blind_share = {settings.blind_share}", "0 to 1", "A quarter is a good share.")
    if settings is not None and bool(settings.model) == bool(settings.predictions):
        found = "both model and predictions" if settings.model else "neither model nor predictions"
        yield _issue(file, f"[preannotation] with {found}", "one of them", "Name a model or its predictions.")


def _check_names(campaign: Campaign, file: Path) -> Iterator[Issue]:
    config = campaign.config
    people = [("annotator", name) for name in dict.fromkeys((*config.annotators, *config.adjudicators))]
    for kind, name in (("campaign", config.name), *(("round", part.name) for part in config.rounds), *people):
        if not NAME.fullmatch(name):
            fix = "Names become titles of projects and names of files."
            yield _issue(file, f"{kind} {name!r}", "small letters, digits and hyphens", fix)
        elif kind == "annotator" and name in RESERVED:
            yield _issue(file, f"annotator {name!r}", "another name", f"None may be called {', '.join(RESERVED)}.")
    repeated = [name for name, count in Counter(part.name for part in config.rounds).items() if count > 1]
    for name in repeated:
        yield _issue(file, f"round {name!r} twice", "rounds of different names", "Rename one.")
    longest = max(
        (
            project_title(config.name, part.name, who)
            for part in config.rounds
            for who in (*config.annotators, "adjudicate")
        ),
        key=len,
        default="",
    )
    if len(longest) > TITLE_LIMIT:
        fix = "Shorten the name of the campaign, the round or the annotator."
        yield _issue(file, f"the title {longest!r} ({len(longest)} characters)", f"at most {TITLE_LIMIT}", fix)


def project_title(campaign: str, part: str, who: str, arm: str = ASSISTED) -> str:
    """Give the title of a project in Label Studio: one for each annotator, round and arm.

    Args:
        campaign: its name.
        part: the round.
        who: the annotator, or "adjudicate".
        arm: blind or assisted.
    """
    return f"{campaign}/{part}/{who}" + ("/assisted" if arm == ASSISTED else "")


def _check_people(campaign: Campaign, file: Path) -> Iterator[Issue]:
    config = campaign.config
    for name, count in Counter((*config.annotators, *config.adjudicators)).items():
        if name not in campaign.known:
            fix = f"Add an entry to {config.register} that says what {name} is.{nearest(name, campaign.known)}"
            yield _issue(file, f"annotator {name!r}", f"a name in {config.register}", fix, "annotator-unknown")
        if count > 1:
            fix = "Who annotated a campaign must not decide on it."
            yield _issue(file, f"{name!r} {count} times", "once, as annotator or as adjudicator", fix)
    for name in config.at_most.keys() - set(config.annotators):
        hint = nearest(name, config.annotators)
        yield _issue(file, f"at_most for {name!r}", "annotators of the campaign", f"Correct the name.{hint}")
    if len(config.annotators) < config.per_document:
        found = f"{len(config.annotators)} annotators for {config.per_document} a document"
        yield _issue(file, found, "as many or more", "Add annotators or lower per_document.")


def _check_kinds(campaign: Campaign) -> Iterator[Issue]:
    for name, annotator in campaign.known.items():
        if annotator.kind not in KINDS:
            found = f"annotator {name!r} of kind {annotator.kind!r}"
            fix = f"Say what {name} is: only a model's work is handed in, and only a person's pace is checked."
            yield _issue(campaign.path(campaign.config.register), found, ", ".join(map(repr, KINDS)), fix)


def _check_rounds(campaign: Campaign, file: Path) -> Iterator[Issue]:
    times = Counter(doc_id for part in campaign.config.rounds for doc_id in dict.fromkeys(part.documents))
    for part in campaign.config.rounds:
        for doc_id in part.documents:
            if doc_id not in campaign.documents:
                hint = nearest(doc_id, campaign.documents)
                found = f"document {doc_id!r} in round {part.name}"
                yield _issue(file, found, "a document of the campaign", f"Correct it.{hint}", "document-unknown")
            elif times[doc_id] > 1:
                fix = "A document is annotated once in a campaign; to annotate it again, open another campaign."
                yield _issue(file, f"document {doc_id!r} in {times[doc_id]} rounds", "one round", fix, "round-overlap")
    if not campaign.documents:
        yield _issue(file, "no document", "at least one", "Check `documents` and `languages`.")


def _check_languages(campaign: Campaign, file: Path) -> Iterator[Issue]:
    needed = campaign.config.per_document
    for lang in sorted({campaign.documents[doc_id].lang for doc_id in campaign.rounds}):
        able = readers(campaign, lang)
        if len(able) < needed:
            found = f"{len(able)} annotators who read {lang!r}"
            fix = f"Add annotators of that language, or leave it out with `languages` (register: {campaign.config.register})."
            yield _issue(file, found, f"{needed}, as per_document says", fix)


def readers(campaign: Campaign, lang: str) -> list[str]:
    """List the campaign's annotators who read a language.

    Args:
        campaign: the campaign.
        lang: the language.
    """
    return [name for name in campaign.config.annotators if lang in campaign.known[name].languages]


def is_model(known: Mapping[str, Annotator], name: str) -> bool:
    """Tell whether an annotator is a model, as the register says.

    Args:
        known: the register.
        name: the annotator.
    """
    return known[name].kind in MODELS


def config_hash(config: str) -> str:
    """Give a short hash of a labelling configuration, white space apart.

    Args:
        config: the XML.
    """
    from hashlib import sha256

    return sha256("".join(config.split()).encode()).hexdigest()[:16]


def labels_version() -> str:
    """Name the labels that a campaign is annotated with: the ontology's version and hash."""
    return f"{ontology().version}:{ontology().hash}"
