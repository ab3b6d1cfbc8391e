"""The error audit of the gold: a random sample, read again by somebody who took no part, and the rate of errors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

import msgspec
import numpy as np

from khabar.adjudicate import Item, attributes_of, items_of
from khabar.corpus import GoldSet
from khabar.errors import Issue, KhabarError
from khabar.results import Bounds
from khabar.types import Annotation

Kind = Literal["mention", "event", "argument", "sentence"]
KINDS: tuple[Kind, ...] = ("mention", "event", "argument", "sentence")
ERRORS = {
    "mention": ("not-a-mention", "span", "type", "attribute"),
    "event": ("not-an-event", "span", "type", "attribute"),
    "argument": ("not-an-argument", "role", "filler"),
    "sentence": ("missing-mention", "missing-event", "missing-argument"),
}


class Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One thing to be read again: an item of the gold, or a sentence in which something may be missing.

    `attributes` are those of the item as the gold has them. Of a sentence, start and end of `item` are its span,
    and `present` says how many items the gold has in it.
    """

    id: str
    doc_id: str
    part: str
    kind: Kind
    item: Item
    attributes: dict[str, str] = {}
    present: int = 0


class Verdict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the reader found: nothing (`errors` empty), or errors by kind, each with the rule that is broken.

    Of an item at most one error; of a sentence one for each item that is missing.
    """

    id: str
    errors: tuple[str, ...]
    note: str


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """Errors among what was read, with the exact binomial interval (Clopper and Pearson 1934).

    For sentences `checked` counts the items that are there or should be, `wrong` those that are missing.
    """

    checked: int
    wrong: int
    interval: Bounds
    errors: dict[str, int]

    @property
    def value(self) -> float:
        """Give the share of errors."""
        return self.wrong / self.checked if self.checked else 0.0


def draw(gold: Sequence[GoldSet], sizes: Mapping[str, int], *, seed: int) -> list[Question]:
    """Draw a simple random sample of each kind from all documents.

    Args:
        gold: gold sets; the name of each is the part that its questions belong to.
        sizes: how many mentions, events, arguments and sentences.
        seed: of the draw.
    """
    pool: dict[str, list[Question]] = {kind: [] for kind in KINDS}
    for part in gold:
        for annotation in part.annotations:
            for question in _questions(part, annotation):
                pool[question.kind].append(question)
    rng = np.random.default_rng(seed)
    drawn = []
    for kind in KINDS:
        size = min(sizes.get(kind, 0), len(pool[kind]))
        drawn += [pool[kind][int(at)] for at in sorted(rng.choice(len(pool[kind]), size=size, replace=False))]
    return [msgspec.structs.replace(question, id=f"q{number}") for number, question in enumerate(drawn, 1)]


def _questions(part: GoldSet, annotation: Annotation) -> Iterator[Question]:
    values = attributes_of(annotation)
    items = items_of(annotation)
    for item in sorted(items):
        if item.kind != "link":
            yield Question(
                id="",
                doc_id=annotation.doc_id,
                part=part.name,
                kind=item.kind,  # type: ignore[arg-type]  # attributes are no items of their own
                item=item,
                attributes=_attributes(item, values),
            )
    for row in part.tokens[annotation.doc_id]:
        start, end = row[0].start, row[-1].end
        present = sum(item.kind != "link" and start <= item.start < end for item in items)
        yield Question(
            id="",
            doc_id=annotation.doc_id,
            part=part.name,
            kind="sentence",
            item=Item("mention", start, end, "sentence"),
            present=present,
        )


def _attributes(item: Item, values: Mapping[Item, str]) -> dict[str, str]:
    return {
        key.type: value
        for key, value in values.items()
        if item.kind == key.layer and (key.start, key.end) == (item.start, item.end)
    }


def check_verdicts(questions: Sequence[Question], verdicts: Sequence[Verdict]) -> None:
    """Refuse verdicts that do not answer each question once, with errors of its kind.

    Args:
        questions: the sample.
        verdicts: what the reader found.

    Raises:
        KhabarError: audit-incomplete, audit-invalid.
    """
    known = {question.id: question for question in questions}
    times = Counter(verdict.id for verdict in verdicts)
    issues = [
        _issue("audit-incomplete", name, f"{times[name]} verdicts", "one", "Answer each question once.")
        for name in known
        if times[name] != 1
    ]
    for verdict in verdicts:
        question = known.get(verdict.id)
        allowed = ERRORS[question.kind] if question else ()
        wrong = [error for error in verdict.errors if error not in allowed]
        if question is None or wrong or (question.kind != "sentence" and len(verdict.errors) > 1):
            expected = ", ".join(allowed) or "a question of the sample"
            yours = ", ".join(verdict.errors) or "no error"
            issues.append(_issue("audit-invalid", verdict.id, yours, expected, "Correct the verdict."))
        if verdict.errors and not verdict.note.strip():
            issues.append(_issue("audit-invalid", verdict.id, "no note", "the rule that is broken", "Write it."))
    if issues:
        raise KhabarError(issues)


def _issue(code: str, name: str, found: str, expected: str, fix: str) -> Issue:
    return Issue(code=code, where=f"audit, question {name}", found=found, expected=expected, fix=fix)


def rates(questions: Sequence[Question], verdicts: Sequence[Verdict]) -> dict[str, Rate]:
    """Count errors by kind of item, over everything and for each part.

    Args:
        questions: the sample.
        verdicts: one for each question.

    Returns:
        Rates by "mention", "event", "argument", "spans" (mentions and events), "missing" (sentences), and the same
        by "<kind>, <part>".

    Raises:
        KhabarError: as `check_verdicts`.
    """
    check_verdicts(questions, verdicts)
    found = {verdict.id: verdict for verdict in verdicts}
    groups: dict[str, list[Question]] = {}
    for question in questions:
        names = {"mention": ("mention", "spans"), "event": ("event", "spans"), "sentence": ("missing",)}
        for name in names.get(question.kind, (question.kind,)):
            groups.setdefault(name, []).append(question)
            groups.setdefault(f"{name}, {question.part}", []).append(question)
    return {name: _rate([(each, found[each.id]) for each in group]) for name, group in sorted(groups.items())}


def _rate(pairs: Iterable[tuple[Question, Verdict]]) -> Rate:
    from scipy.stats import binomtest

    checked = wrong = 0
    errors: Counter[str] = Counter()
    for question, verdict in pairs:
        errors.update(verdict.errors)
        wrong += len(verdict.errors)
        checked += question.present + len(verdict.errors) if question.kind == "sentence" else 1
    bounds = binomtest(wrong, max(checked, 1)).proportion_ci(confidence_level=0.95, method="exact")
    interval = (round(float(bounds.low), 4), round(float(bounds.high), 4))
    return Rate(checked=checked, wrong=wrong, interval=interval, errors=dict(sorted(errors.items())))
