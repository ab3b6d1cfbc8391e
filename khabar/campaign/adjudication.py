"""Decide what annotators differ on: what is undecided, and the decisions that are taken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from khabar import jsonl
from khabar.adjudicate import Decision, Difference, Item, adjudicate, differences
from khabar.align import sentences
from khabar.campaign.config import Campaign
from khabar.campaign.files import DECISIONS, REPLACED, by_document, read_decisions, read_work
from khabar.campaign.opening import require_texts
from khabar.campaign.queue import Knot, make_queue
from khabar.errors import Issue, KhabarError
from khabar.types import Annotation, Span
from khabar.validate import nearest

Versions = dict[str, list[Annotation]]


class Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A knot as it is put to whoever decides by file: the differences with their words and their sentence."""

    knot: str
    doc_id: str
    lang: str
    sentence: str
    differences: tuple[Difference, ...]
    words: dict[str, str]


class Undecided(msgspec.Struct, frozen=True, kw_only=True):
    """What is left: knots in the queue's order, and how many differences they hold; how many have a decision."""

    queue: tuple[Knot, ...]
    differences: int
    decided: int


def finished_versions(campaign: Campaign) -> Versions:
    """Read the versions of every document that as many annotators have finished as the campaign asks for.

    Args:
        campaign: the campaign.
    """
    work, _ = read_work(campaign)
    found: Versions = {}
    for each in work.values():
        for annotation in each:
            found.setdefault(annotation.doc_id, []).append(annotation)
    return {doc_id: each for doc_id, each in found.items() if len(each) >= campaign.config.per_document}


def undecided(campaign: Campaign) -> Undecided:
    """Make the queue of what has no decision yet.

    Args:
        campaign: the campaign.
    """
    versions = finished_versions(campaign)
    decisions = by_document(read_decisions(campaign))
    decided = {doc_id: [decision.item for decision in given] for doc_id, given in decisions.items()}
    queue = make_queue(versions, decided)
    total = sum(len(differences(*each)) for each in versions.values())
    left = sum(item not in decided.get(knot.doc_id, ()) for knot in queue for item in knot.items)
    return Undecided(queue=tuple(queue), differences=left, decided=total - left)


def questions(campaign: Campaign, queue: Iterable[Knot]) -> Iterator[Question]:
    """Put knots as questions for whoever decides by file.

    Args:
        campaign: the campaign.
        queue: the knots.

    Raises:
        KhabarError: text-missing, where articles are not here.
    """
    queue = list(queue)
    require_texts(campaign, [knot.doc_id for knot in queue])
    for knot in queue:
        document = campaign.documents[knot.doc_id]
        spans = {Span(item.start, item.end) for item in knot.items}
        spans |= {Span(*item.other) for item in knot.items if item.other}
        yield Question(
            knot=knot.id,
            doc_id=knot.doc_id,
            lang=document.lang,
            sentence=_context(document.text, spans),
            differences=knot.differences,
            words={f"{span.start}-{span.end}": document.text[span.start : span.end] for span in sorted(spans)},
        )


def _context(text: str, spans: Iterable[Span]) -> str:
    parts = [part for part in sentences(text) if any(part.overlaps(span) for span in spans)]
    return " … ".join(text[part.start : part.end] for part in parts)


def take_decisions(
    campaign: Campaign,
    given: Sequence[Decision],
    *,
    revise: bool = False,
    versions: Versions | None = None,
    question: str = "",
) -> int:
    """Take decisions; all of them, or none where one is wrong.

    Args:
        campaign: the campaign.
        given: decisions; one that is there already, word for word, is passed over.
        revise: whether a decision may replace an earlier one about the same item, which is kept apart.
        versions: as `finished_versions` gives them, where they were read already.
        question: the question that they answer: what an earlier answer to it said is replaced as a whole.

    Returns:
        How many were new.

    Raises:
        KhabarError: decision-stale and decision-invalid, about each one that cannot be carried out;
            annotator-unknown, where the adjudicator is not of the campaign.
    """
    kept = read_decisions(campaign)
    new = [decision for decision in given if decision not in kept]
    again = {(decision.doc_id, decision.item) for decision in new} if revise else set()
    replaced = [
        decision
        for decision in kept
        if (decision.doc_id, decision.item) in again
        or (question and decision.question == question and decision not in given)
    ]
    if not new and not replaced:
        return 0
    kept = [decision for decision in kept if decision not in replaced]
    there = finished_versions(campaign) if versions is None else versions
    issues = [*_check_adjudicators(campaign, new), *_check_decisions(there, kept, new)]
    if issues:
        raise KhabarError(issues)
    _write_decisions(campaign, [*kept, *new], replaced)
    return len(new)


def _write_decisions(campaign: Campaign, decisions: Sequence[Decision], replaced: Sequence[Decision]) -> None:
    canary = jsonl.has_canary(campaign.path(DECISIONS))
    if replaced:
        path = campaign.path(REPLACED)
        before = jsonl.read_list(path, Decision) if path.exists() else []
        jsonl.write_records(
            path, [*before, *(decision for decision in replaced if decision not in before)], canary=canary
        )
    if decisions:
        jsonl.write_records(campaign.path(DECISIONS), decisions, canary=canary)
    else:
        campaign.path(DECISIONS).unlink(missing_ok=True)


def set_stale_aside(campaign: Campaign) -> list[Decision]:
    """Move decisions about what is no longer a difference out of the way, into a file of their own.

    Args:
        campaign: the campaign.

    Returns:
        What was moved.
    """
    kept = read_decisions(campaign)
    stale = stale_decisions(finished_versions(campaign), kept)
    if stale:
        _write_decisions(campaign, [decision for decision in kept if decision not in stale], stale)
    return stale


def stale_decisions(versions: Versions, decisions: Iterable[Decision]) -> list[Decision]:
    """List the decisions about what is no longer a difference, since an annotator changed the work after them.

    Args:
        versions: of each finished document.
        decisions: of any documents.
    """
    return [
        decision
        for doc_id, given in by_document(decisions).items()
        if doc_id in versions and _is_stale(versions[doc_id], given)
        for decision in given
        if _is_stale(versions[doc_id], [other for other in given if other.added or other is decision])
    ]


def _is_stale(versions: Sequence[Annotation], decisions: Sequence[Decision]) -> bool:
    try:
        adjudicate(versions, decisions)
    except KhabarError as error:
        return any(issue.code == "decision-stale" for issue in error.issues)
    return False


def _check_adjudicators(campaign: Campaign, decisions: Iterable[Decision]) -> Iterator[Issue]:
    known = campaign.config.adjudicators
    for name in dict.fromkeys(decision.adjudicator for decision in decisions):
        if name not in known:
            yield Issue(
                code="annotator-unknown",
                where=f"decisions of {name!r}",
                found="somebody who does not adjudicate this campaign",
                expected=", ".join(known) or "adjudicators in campaign.toml",
                fix=f"Add the name to `adjudicators`, or correct it.{nearest(name, known)}",
            )


def _check_decisions(versions: Versions, kept: Sequence[Decision], new: Sequence[Decision]) -> Iterator[Issue]:
    stale = stale_decisions(versions, kept)
    before = by_document(decision for decision in kept if decision not in stale)
    for doc_id, given in by_document(new).items():
        if doc_id not in versions:
            yield _stale(doc_id, given[0].item, "a document that is not finished by its annotators")
            continue
        for decision in given:
            if not decision.reason.strip():
                yield invalid(doc_id, decision.item, "no reason", "a reason", "Say why in `reason`.")
        try:
            adjudicate(versions[doc_id], [*before.get(doc_id, ()), *given])
        except KhabarError as error:
            yield from (issue for issue in error.issues if issue.code != "decision-missing")


def _stale(doc_id: str, item: Item, found: str) -> Issue:
    return Issue(
        code="decision-stale",
        doc_id=doc_id,
        where=f"document {doc_id}, {item.kind} {item.type} at {item.start}–{item.end}",
        found=f"a decision about {found}",
        expected="a difference that exists",
        fix="Synchronise, look at the queue again and decide what is there; the decision was not taken.",
    )


def invalid(doc_id: str, item: Item, found: str, expected: str, fix: str) -> Issue:
    """Say that a decision cannot be carried out.

    Args:
        doc_id: the document.
        item: what it is about.
        found: what is wrong.
        expected: what was expected.
        fix: what to do.
    """
    where = f"document {doc_id}, {item.kind} {item.type} at {item.start}–{item.end}"
    return Issue(code="decision-invalid", doc_id=doc_id, where=where, found=found, expected=expected, fix=fix)
