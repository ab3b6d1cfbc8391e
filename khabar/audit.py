"""The audit of the gold: a random sample, read again by somebody who took no part, and how adjudicators agree.

The reading is blind: whoever reads marks the sampled sentences without the gold. What they mark alike stands; each
difference is then judged by the rules, and what breaks one is an error of the gold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

import msgspec
import numpy as np

from khabar.adjudicate import Decision, Item, attributes_of, items_of
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

    `attributes` are those of the item as the gold had them. Of a sentence, start and end of `item` are its span,
    `present` says how many items the gold had in it, and `items` which.
    """

    id: str
    doc_id: str
    part: str
    kind: Kind
    item: Item
    attributes: dict[str, str] = {}
    present: int = 0
    items: tuple[Item, ...] = ()


class Verdict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What was found: nothing (`errors` empty), or errors by kind, each with the rule that is broken.

    Of an item at most one error; of a sentence one for each item that is missing. `alike`: the blind reader marked
    the same, so that there was nothing to judge.
    """

    id: str
    errors: tuple[str, ...]
    note: str
    alike: bool = False


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """Errors among what was read, with the exact binomial interval (Clopper and Pearson 1934).

    What is checked are items, or sentences: one in which anything is missing is wrong, and `errors` counts all that
    is missing. `alike` of them were marked the same by the blind reader.
    """

    checked: int
    wrong: int
    interval: Bounds
    errors: dict[str, int]
    alike: int

    @property
    def value(self) -> float:
        """Give the share of errors."""
        return self.wrong / self.checked


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
                attributes=attributes_at(item, values),
            )
    for row in part.tokens[annotation.doc_id]:
        start, end = row[0].start, row[-1].end
        present = within(items, start, end)
        yield Question(
            id="",
            doc_id=annotation.doc_id,
            part=part.name,
            kind="sentence",
            item=Item("mention", start, end, "sentence"),
            present=len(present),
            items=tuple(sorted(present)),
        )


def within(items: Iterable[Item], start: int, end: int) -> set[Item]:
    """Give the mentions, events and arguments that begin in a stretch of text.

    Args:
        items: of one document.
        start: of the stretch.
        end: of the stretch, exclusive.
    """
    return {item for item in items if item.kind != "link" and start <= item.start < end}


def attributes_at(item: Item, values: Mapping[Item, str]) -> dict[str, str]:
    """Give the attributes of an item by name.

    Args:
        item: a mention or an event; anything else has none.
        values: what `khabar.adjudicate.attributes_of` gave for its document.
    """
    return {
        key.type: value
        for key, value in values.items()
        if item.kind == key.layer and (key.start, key.end) == (item.start, item.end)
    }


def read_alike(question: Question, reading: Annotation) -> bool:
    """Tell whether a blind reading has what the gold had.

    Args:
        question: one of the sample. An item must be marked with the same span, type, role and filler, and with the
            same attributes; in a sentence there must be nothing that the gold did not have.
        reading: what the reader marked in the question's document.
    """
    items = items_of(reading)
    if question.kind == "sentence":
        return not within(items, question.item.start, question.item.end) - set(question.items)
    given = attributes_at(question.item, attributes_of(reading))
    return question.item in items and given == question.attributes


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
        if verdict.errors and verdict.alike:
            fix = "What was marked alike is not judged."
            issues.append(_issue("audit-invalid", verdict.id, "an error of what was marked alike", "none", fix))
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
        Rates by kind ("mention", "event", "argument", "sentence"), and the same by "<kind>, <part>"; of what was
        not asked there is none. Mentions and events are drawn each for themselves and therefore not pooled.

    Raises:
        KhabarError: as `check_verdicts`.
    """
    check_verdicts(questions, verdicts)
    found = {verdict.id: verdict for verdict in verdicts}
    groups: dict[str, list[Verdict]] = {}
    for question in questions:
        for name in (question.kind, f"{question.kind}, {question.part}"):
            groups.setdefault(name, []).append(found[question.id])
    return {name: _rate(group) for name, group in sorted(groups.items())}


def _rate(verdicts: Sequence[Verdict]) -> Rate:
    from scipy.stats import binomtest

    wrong = sum(bool(verdict.errors) for verdict in verdicts)
    bounds = binomtest(wrong, len(verdicts)).proportion_ci(confidence_level=0.95, method="exact")
    return Rate(
        checked=len(verdicts),
        wrong=wrong,
        interval=(round(float(bounds.low), 4), round(float(bounds.high), 4)),
        errors=dict(sorted(Counter(error for verdict in verdicts for error in verdict.errors).items())),
        alike=sum(verdict.alike for verdict in verdicts),
    )


class Concord(msgspec.Struct, frozen=True, kw_only=True):
    """How two adjudicators decided the same differences, each alone; of those decided otherwise, how a third did.

    `kappa` is Cohen's (1960), over the values decided; None where chance alone would make them agree.
    """

    decided: int
    alike: int
    kappa: float | None
    with_first: int
    with_second: int


def concord(first: Iterable[Decision], second: Iterable[Decision], third: Iterable[Decision]) -> dict[str, Concord]:
    """Compare adjudicators by kind of item, and over all ("all").

    Args:
        first: decisions of one adjudicator.
        second: those of another; only items that both decided are compared.
        third: decisions on the items that these two decided otherwise; may be empty.
    """
    sides = [{(each.doc_id, each.item): each.value for each in side} for side in (first, second, third)]
    one, other, deciding = sides
    groups: dict[str, list[tuple[str, str, str | None]]] = {"all": []}
    for key in one.keys() & other.keys():
        values = (one[key], other[key], deciding.get(key))
        groups["all"].append(values)
        groups.setdefault(key[1].kind, []).append(values)
    return {
        name: Concord(
            decided=len(group),
            alike=sum(a == b for a, b, _ in group),
            kappa=_kappa([(a, b) for a, b, _ in group]),
            with_first=sum(a != b and c == a for a, b, c in group),
            with_second=sum(a != b and c == b for a, b, c in group),
        )
        for name, group in sorted(groups.items())
    }


def _kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    one, two = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    chance = sum(one[value] * two[value] for value in one) / len(pairs) ** 2
    observed = sum(a == b for a, b in pairs) / len(pairs)
    return None if chance == 1 else round((observed - chance) / (1 - chance), 4)
