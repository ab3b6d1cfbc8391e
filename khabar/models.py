"""khabar models: a Python file whose `load()` gives what annotates a document."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import TypeVar

import msgspec

from khabar import __version__
from khabar.corpus import load_gold
from khabar.errors import Issue, KhabarError
from khabar.ontology import Ontology, ontology
from khabar.types import Annotation, Argument, Document, Event, Mention
from khabar.validate import check_annotation

Annotate = Callable[[Document], Annotation]
Item = TypeVar("Item", bound=Mention | Event)
GENERIC = ("predict", "model", "__init__")


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A model that is ready to annotate. `version` is the same as long as its file, khabar and the data are."""

    name: str
    version: str
    annotate: Annotate

    @property
    def label(self) -> str:
        """Name the model and its version, as Label Studio's `model_version`."""
        return f"{self.name}-{self.version}"

    def propose(self, document: Document) -> tuple[Annotation, list[Issue]]:
        """Annotate a document and check the result.

        Args:
            document: with its text.

        Returns:
            What the model marked and the ontology's constraints allow, and every breach of them for which
            something was left out: an event's argument, or the shorter of two mentions that cross.

        Raises:
            KhabarError: model-broken, where the model fails; the issues of a result that is no valid annotation.
        """
        made = self._run(document)
        broken = list(check_annotation(made, document, constraints=False))
        if broken:
            raise KhabarError(broken)
        breaches = list(check_annotation(made, document))
        return (_within_constraints(made, ontology()) if breaches else made), breaches

    def _run(self, document: Document) -> Annotation:
        where = f"model {self.name}, document {document.doc_id}"
        try:
            made = self.annotate(document)
        except Exception as error:
            raise KhabarError(_broken(where, f"{type(error).__name__}: {error}", "an annotation")) from error
        if not isinstance(made, Annotation):
            raise KhabarError(_broken(where, f"a {type(made).__name__}", "a khabar.types.Annotation"))
        if made.doc_id != document.doc_id:
            raise KhabarError(_broken(where, f"an annotation of {made.doc_id!r}", "one of the document it was given"))
        return msgspec.structs.replace(made, author=self.name, sha256=made.sha256 or document.sha256)


def load_model(source: Path | str) -> Model:
    """Load a model, which may train it.

    Args:
        source: a Python file, or the name of a module, with `load()`. NAME and VERSION in it go before the
            file's name and are added to the version: for a model that reads other files.

    Raises:
        KhabarError: file-missing; model-broken, where there is no `load`, or it fails.
    """
    module = load_module(source)
    path = Path(str(module.__file__))
    load = getattr(module, "load", None)
    if not callable(load):
        raise KhabarError(_broken(str(source), "no function load", "load() -> Callable[[Document], Annotation]"))
    try:
        annotate = load()
    except Exception as error:
        raise KhabarError(_broken(f"{source}, load()", f"{type(error).__name__}: {error}", "a model")) from error
    if not callable(annotate):
        raise KhabarError(_broken(f"{source}, load()", f"a {type(annotate).__name__}", "a function of a document"))
    return Model(name=_name(module, path), version=_version(module, path), annotate=annotate)


def load_module(source: Path | str) -> ModuleType:
    """Load a module from a Python file, or by its name.

    Args:
        source: the path of a file, or the name of a module that can be imported.

    Raises:
        KhabarError: file-missing; model-broken, where it is no Python or fails.
    """
    path = Path(source)
    if path.suffix != ".py" and not path.exists():
        return _imported(str(source))
    if not path.is_file():
        raise KhabarError(
            Issue(
                code="file-missing",
                where=str(path),
                found="no such file",
                expected="a Python file",
                fix="Check the path.",
            )
        )
    name = f"khabar_model_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise KhabarError(_broken(str(path), "no Python file", "a file that ends in .py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickles look their module up
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise KhabarError(_broken(str(path), f"{type(error).__name__}: {error}", "a file that can be run")) from error
    return module


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:
        expected = "a Python file, or a module that can be imported"
        raise KhabarError(_broken(name, f"{type(error).__name__}: {error}", expected)) from error


def _broken(where: str, found: str, expected: str) -> Issue:
    fix = "Mend it; README.md tells what a khabar model is."
    return Issue(code="model-broken", where=where, found=found, expected=expected, fix=fix)


def _name(module: ModuleType, path: Path) -> str:
    full = path.resolve()
    return str(getattr(module, "NAME", full.parent.name if path.stem in GENERIC else path.stem))


def _version(module: ModuleType, path: Path) -> str:
    parts = (path.read_bytes(), __version__, load_gold("train").hash, str(getattr(module, "VERSION", "")))
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part if isinstance(part, bytes) else part.encode()).digest())
    return digest.hexdigest()[:12]


def preannotate(
    model: Model, documents: Iterable[Document], *, report: Callable[[Issue], None] | None = None
) -> list[Annotation]:
    """Annotate documents with a model, so that people start from its work.

    Args:
        model: loaded.
        documents: with their texts.
        report: called with every breach of the ontology's constraints for which something was left out.
            Without it a breach is an error: nothing is left out silently.

    Returns:
        Valid annotations, in the order of the documents.

    Raises:
        KhabarError: model-broken, and every issue of what the model marked.
    """
    annotations = []
    issues: list[Issue] = []
    for document in documents:
        try:
            annotation, breaches = model.propose(document)
        except KhabarError as error:
            issues += error.issues
            continue
        annotations.append(annotation)
        for issue in breaches:
            (report or issues.append)(issue)
    if issues:
        raise KhabarError(issues)
    return annotations


def _within_constraints(annotation: Annotation, known: Ontology) -> Annotation:
    mentions = _longest_first(annotation.mentions, lambda one, two: one.span == two.span or one.span.crosses(two.span))
    fillers = {mention.id: mention.type for mention in mentions}
    events = tuple(
        msgspec.structs.replace(event, arguments=_allowed(event, fillers, known))
        for event in _longest_first(annotation.events, lambda one, two: one.span == two.span)
    )
    ids = {event.id for event in events}
    links = tuple(link for link in annotation.links if {link.source, link.target} <= ids)
    return msgspec.structs.replace(annotation, mentions=mentions, events=events, links=links)


def _longest_first(items: Sequence[Item], clash: Callable[[Item, Item], bool]) -> tuple[Item, ...]:
    kept: list[Item] = []
    for item in sorted(items, key=lambda item: (-len(item.span), item.span)):
        if not any(clash(item, other) for other in kept):
            kept.append(item)
    chosen = {item.id for item in kept}
    return tuple(item for item in items if item.id in chosen)


def _allowed(event: Event, fillers: dict[str, str], known: Ontology) -> tuple[Argument, ...]:
    return tuple(
        argument
        for argument in event.arguments
        if argument.role in known.allowed_roles[event.type]
        and fillers.get(argument.mention) in known.allowed_fillers[argument.role]
    )
