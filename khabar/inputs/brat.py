"""brat's stand-off: a folder of `.txt` with `.ann` beside each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from khabar import jsonl
from khabar.corpus import GoldSet
from khabar.errors import Issue, KhabarError
from khabar.inputs.jsonlines import make_document, make_gold
from khabar.inputs.records import Predictions
from khabar.ontology import ontology
from khabar.types import Annotation, Argument, Event, Mention, Pieces

TEXT_BOUND = re.compile(r"(T\S+)\t(\S+) (\d+ \d+(?:;\d+ \d+)*)\t(.*)")
EVENT = re.compile(r"(E\S+)\t(\S+):(T\S+)((?: \S+:\S+)*) *")
ATTRIBUTE = re.compile(r"[AM]\S+\t(\S+) (\S+)(?: (\S+))?")
PASSED_OVER = {"R": "relations", "*": "equivalences", "#": "notes", "N": "normalisations"}
ATTRIBUTES = ("attribution", "polarity", "actuality", "loaded", "kind")
LONGEST = 18


class _Bound(msgspec.Struct, frozen=True):
    line: int
    type: str
    pieces: Pieces
    text: str


class _Lines(msgspec.Struct, frozen=True, kw_only=True):
    """What a file says, by the ids that it uses."""

    path: str
    bounds: dict[str, _Bound]
    events: dict[str, tuple[int, str, str, list[tuple[str, str]]]]
    attributes: dict[str, dict[str, str]]
    passed: Counter[str]


def read_brat(folder: Path, reference: GoldSet) -> Predictions:
    """Read a system's output from a folder; a document without `.ann` is one without prediction.

    Args:
        folder: with the files; a document's name is the path of its file in it.
        reference: the gold set.

    Raises:
        KhabarError: file-missing, wrong-shape, span-text, and as `khabar.jsonl.read_lines`.
    """
    texts = {document.doc_id: document.text for document in reference.documents}
    types = _known_types(reference)
    read = [_read(path, folder, types, texts.get(_name(path, folder), "")) for path in _files(folder, ".ann")]
    return Predictions(annotations=tuple(annotation for annotation, _ in read), notes=_notes(read))


def read_brat_gold(folder: Path) -> GoldSet:
    """Read other people's gold from a folder; each `.txt` is a document, each has an `.ann`.

    Args:
        folder: with the files.

    Raises:
        KhabarError: as `read_brat`, and document-missing.
    """
    texts = {_name(path, folder): _text(path) for path in _files(folder, ".txt")}
    missing = [_missing(folder, name) for name in texts if not (folder / f"{name}.ann").is_file()]
    if missing:
        raise KhabarError(missing)
    read = [_read(folder / f"{name}.ann", folder, {}, text) for name, text in texts.items()]
    documents = [make_document(name, text) for name, text in texts.items()]
    return make_gold(folder.name, documents, [annotation for annotation, _ in read])


def _files(folder: Path, suffix: str) -> list[Path]:
    found = sorted(path for path in folder.rglob(f"*{suffix}") if path.is_file())
    if not found:
        fix = "Name the folder that holds the .txt and .ann files."
        raise KhabarError(_issue("file-missing", str(folder), f"no {suffix} file", "brat's files", fix))
    return found


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).with_suffix("").as_posix()


def _text(path: Path) -> str:
    return jsonl.read_text(path)


def _missing(folder: Path, name: str) -> Issue:
    fix = "Add the file, empty where nothing is marked."
    return _issue("document-missing", str(folder / f"{name}.ann"), "no such file", "one for each .txt", fix)


def _known_types(reference: GoldSet) -> dict[str, str]:
    """Map labels as brat can write them (no dots) to the types that they stand for."""
    labels = ontology()
    inventory = reference.inventory or {"mentions": labels.entity_types, "triggers": labels.event_types}
    names = [name for layer in ("mentions", "triggers") for name in inventory.get(layer, ())]
    return {**{name.replace(".", "_"): name for name in names}, **{name: name for name in names}}


Read = tuple[Annotation, Counter[str]]


def _read(path: Path, folder: Path, types: Mapping[str, str], text: str) -> Read:
    lines, issues = _parse(path)
    issues += _check_texts(lines, text)
    triggers = {trigger for _, _, trigger, _ in lines.events.values()}
    issues += _check_pointers(lines)
    if issues:
        raise KhabarError(issues)
    mentions = [_mention(name, bound, lines, types) for name, bound in lines.bounds.items() if name not in triggers]
    known = {mention.id for mention in mentions}
    events = [_event(name, lines, types, known) for name in lines.events]
    return Annotation(doc_id=_name(path, folder), mentions=tuple(mentions), events=tuple(events)), lines.passed


def _parse(path: Path) -> tuple[_Lines, list[Issue]]:
    found = _Lines(path=str(path), bounds={}, events={}, attributes={}, passed=Counter())
    issues: list[Issue] = []
    for number, raw in jsonl.read_lines(path):
        line = raw.rstrip("\r")
        if not line.strip():
            continue
        if line[0] in PASSED_OVER:
            found.passed[PASSED_OVER[line[0]]] += 1
        elif not _take(line, number, found):
            expected = "a T, E, A, M, R, N, * or # line of brat's stand-off"
            issues.append(_issue("wrong-shape", f"{path}:{number}", repr(line[:60]), expected, "Mend or remove it."))
    return found, issues


def _take(line: str, number: int, found: _Lines) -> bool:
    """Take what a line says; False where it says nothing that brat could mean, or an id a second time."""
    if match := TEXT_BOUND.fullmatch(line):
        name, label, offsets, text = match.groups()
        pieces = _pieces(offsets)
        if name in found.bounds or pieces is None:
            return False
        found.bounds[name] = _Bound(number, label, pieces, text)
    elif match := EVENT.fullmatch(line):
        name, label, trigger, arguments = match.groups()
        if name in found.events:
            return False
        pairs = [(part.partition(":")[0], part.partition(":")[2]) for part in arguments.split()]
        found.events[name] = number, label, trigger, pairs
    elif match := ATTRIBUTE.fullmatch(line):
        key, target, value = match.groups()
        if key.casefold() not in ATTRIBUTES:
            return False
        found.attributes.setdefault(target, {})[key.casefold()] = value or "true"
    else:
        return False
    return True


def _pieces(offsets: str) -> Pieces | None:
    pairs = [part.split() for part in offsets.split(";")]
    if any(len(number) > LONGEST for pair in pairs for number in pair):
        return None
    return tuple((int(start), int(end)) for start, end in pairs)


def _check_texts(lines: _Lines, text: str) -> Iterator[Issue]:
    for name, bound in lines.bounds.items():
        stands = " ".join(text[start:end] for start, end in bound.pieces)
        if text and stands != bound.text and stands.replace("\n", " ") != bound.text:
            where = f"{lines.path}:{bound.line}, {name}"
            fix = "Offsets count code points of the .txt as it is; line ends must not have been changed."
            yield _issue("span-text", where, repr(bound.text), repr(stands), fix)


def _check_pointers(lines: _Lines) -> Iterator[Issue]:
    for name, (number, _, trigger, arguments) in lines.events.items():
        for target in (trigger, *(target for _, target in arguments)):
            if target not in lines.bounds and target not in lines.events:
                where = f"{lines.path}:{number}, {name}"
                yield _issue(
                    "argument-dangling", where, target, "the id of a T or E line", "Add it, or remove it here."
                )
            elif target == trigger and target not in lines.bounds:
                yield _issue("wrong-shape", f"{lines.path}:{number}", target, "a T line as trigger", "Mend it.")


def _placed(bound: _Bound) -> dict[str, Any]:
    whole = {"start": bound.pieces[0][0], "end": bound.pieces[-1][1]}
    return {**whole, "pieces": bound.pieces} if len(bound.pieces) > 1 else whole


def _mention(name: str, bound: _Bound, lines: _Lines, types: Mapping[str, str]) -> Mention:
    kind = lines.attributes.get(name, {}).get("kind", "name")
    return Mention(id=name, type=types.get(bound.type, bound.type), kind=kind, **_placed(bound))


def _event(name: str, lines: _Lines, types: Mapping[str, str], known: set[str]) -> Event:
    _, label, trigger, arguments = lines.events[name]
    given = lines.attributes.get(name, {})
    dropped = sum(target not in known for _, target in arguments)
    if dropped:
        lines.passed["arguments that are events"] += dropped
    return Event(
        id=name,
        type=types.get(label, label),
        attribution=given.get("attribution", "author"),
        polarity=given.get("polarity", "positive"),
        actuality=given.get("actuality", "actual"),
        loaded=given.get("loaded", "false") == "true",
        arguments=tuple(
            dict.fromkeys(Argument(role.rstrip("0123456789"), target) for role, target in arguments if target in known)
        ),
        **_placed(lines.bounds[trigger]),
    )


def _notes(read: list[Read]) -> tuple[str, ...]:
    passed: Counter[str] = Counter()
    for _, counts in read:
        passed.update(counts)
    return tuple(f"brat: {number} {what} passed over" for what, number in sorted(passed.items()))


def _issue(code: str, where: str, found: str, expected: str, fix: str) -> Issue:
    return Issue(code=code, where=where, found=found, expected=expected, fix=fix)
