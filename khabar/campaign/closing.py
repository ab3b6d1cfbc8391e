"""Close a campaign: the gold, where each span of it comes from, and the decisions that the guidelines keep."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from khabar import jsonl
from khabar.adjudicate import Decision, Item, adjudicate, attributes_of, items_of
from khabar.agreement import AgreementReport, measure
from khabar.campaign.adjudication import Versions, finished_versions, stale_decisions, undecided
from khabar.campaign.config import Campaign
from khabar.campaign.files import by_document, open_findings, read_arms, read_decisions, read_work
from khabar.campaign.opening import stored_predictions
from khabar.errors import Issue, KhabarError
from khabar.types import Annotation, Document
from khabar.validate import check_annotation

GOLD, TRACE, AGREEMENT = "gold.jsonl", "trace.jsonl", "agreement.json"
LOG_HEAD = "## Decision log"


class Origin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where an item of the gold, or a value of an attribute, comes from: who proposed it, and who decided.

    `decided_by` is empty where all annotators agreed.
    """

    doc_id: str
    item: Item
    value: str
    proposed_by: tuple[str, ...] = ()
    decided_by: str = ""
    reason: str = ""


class Closed(msgspec.Struct, frozen=True, kw_only=True):
    """A closed campaign: its gold, where everything comes from, and what the guidelines gained."""

    gold: tuple[Annotation, ...]
    origins: tuple[Origin, ...]
    decisions: int
    logged: int


def exported(campaign: Campaign) -> list[Annotation]:
    """Read everybody's exported work that has no issue.

    Args:
        campaign: the campaign.
    """
    work, _ = read_work(campaign)
    return [annotation for each in work.values() for annotation in each]


def agreement_of(campaign: Campaign, *, gamma: bool = True) -> AgreementReport:
    """Measure the agreement on what was exported, before anything is decided.

    Args:
        campaign: the campaign.
        gamma: whether to compute gamma, which takes longest.
    """
    assisted = campaign.config.preannotation is not None
    return measure(
        exported(campaign),
        campaign.documents,
        rounds=campaign.rounds,
        arms=campaign.arms(read_arms(campaign)) if assisted else None,
        predictions=tuple(stored_predictions(campaign).values()),
        gamma=gamma,
    )


def close(campaign: Campaign) -> Closed:
    """Make the gold of a finished campaign; a second call makes the same bytes.

    Writes gold.jsonl and trace.jsonl beside campaign.toml, and the general decisions into the
    guidelines' log.

    Args:
        campaign: the campaign.

    Raises:
        KhabarError: campaign-unfinished, naming all that is left: documents, findings, differences; whatever
            is wrong with the gold itself. Nothing is written then.
    """
    versions = finished_versions(campaign)
    issues = list(_unfinished(campaign, versions))
    if issues:
        raise KhabarError(issues)
    decisions = by_document(read_decisions(campaign))
    gold, origins = [], []
    for doc_id in campaign.rounds:
        made = adjudicate(versions[doc_id], decisions.get(doc_id, ()))
        issues += check_annotation(made, campaign.documents[doc_id])
        gold.append(made)
        origins += trace(made, versions[doc_id], decisions.get(doc_id, ()))
    if issues:
        raise KhabarError(issues)
    jsonl.write_records(campaign.path(TRACE), origins)
    jsonl.write_records(campaign.path(GOLD), gold)
    given = [decision for each in decisions.values() for decision in each]
    return Closed(
        gold=tuple(gold), origins=tuple(origins), decisions=len(given), logged=_log_decisions(campaign, given)
    )


def _unfinished(campaign: Campaign, versions: Versions) -> list[Issue]:
    needed = campaign.config.per_document
    _, problems = read_work(campaign)
    issues = [
        _left(campaign, f"document {doc_id}", "fewer annotations", f"{needed}", "Finish and synchronise.", doc_id)
        for doc_id in campaign.rounds
        if doc_id not in versions
    ]
    issues += [
        _left(campaign, item.issue.where, f"{item.code}: {item.issue.found}", "nothing, or accepted",
              f"Mend it and synchronise, or `khabar campaign accept {item.id} --reason …`.", item.issue.doc_id)
        for item in open_findings(campaign)
    ]  # fmt: skip
    issues += problems
    issues += [
        _left(campaign, f"document {old.doc_id}, {old.item.kind} {old.item.type} at {old.item.start}–{old.item.end}",
              "a decision about what is no longer a difference", "none",
              "`khabar campaign adjudicate --revise` sets it aside.", old.doc_id)
        for old in stale_decisions(versions, read_decisions(campaign))
    ]  # fmt: skip
    left = undecided(campaign)
    if left.differences:
        found = f"{left.differences} differences without a decision"
        issues.append(_left(campaign, f"campaign {campaign.name!r}", found, "0", "`khabar campaign adjudicate`."))
    return issues


def _left(campaign: Campaign, where: str, found: str, expected: str, fix: str, doc_id: str = "") -> Issue:
    return Issue(code="campaign-unfinished", where=where, found=found, expected=expected, fix=fix, doc_id=doc_id)


def trace(gold: Annotation, versions: Sequence[Annotation], decisions: Iterable[Decision]) -> list[Origin]:
    """Tell of everything in the gold who proposed it and who decided.

    Args:
        gold: of one document.
        versions: the annotators' versions of it.
        decisions: about it.

    Returns:
        One entry for each mention, event, argument and link ("keep"), and for each attribute (its value), in
        the order of the text.
    """
    decided = {decision.item: decision for decision in decisions}
    sides = [{**dict.fromkeys(items_of(v), "keep"), **attributes_of(v)} for v in versions]
    held = {**dict.fromkeys(items_of(gold), "keep"), **attributes_of(gold)}
    ordered = sorted(held, key=lambda i: (i.start, i.end, i.kind, i.type, i.other or (0, 0)))
    return [_origin(gold.doc_id, item, held[item], versions, sides, decided.get(item)) for item in ordered]


def _origin(
    doc_id: str,
    item: Item,
    value: str,
    versions: Sequence[Annotation],
    sides: Sequence[Mapping[Item, str]],
    decision: Decision | None,
) -> Origin:
    return Origin(
        doc_id=doc_id,
        item=item,
        value=value,
        proposed_by=tuple(v.author for v, side in zip(versions, sides, strict=True) if side.get(item) == value),
        decided_by=decision.adjudicator if decision else "",
        reason=decision.reason if decision else "",
    )


# ---------------------------------------------------------------- the guidelines' decision log

Cell = Literal["question", "decision", "example"]


def _log_decisions(campaign: Campaign, decisions: Sequence[Decision]) -> int:
    path = campaign.path(campaign.config.guidelines)
    text = jsonl.read_text(path)
    rows = log_rows(campaign.documents, [decision for decision in decisions if decision.general])
    filled, new = add_to_log(text, rows)
    if new:
        jsonl.write_bytes(path, filled.encode())
    return new


def log_rows(documents: Mapping[str, Document], decisions: Sequence[Decision]) -> list[dict[Cell, str]]:
    """Write general decisions as rows of the guidelines' log: one for each reason, with its examples.

    Args:
        documents: by doc_id. Of texts that may not be shipped only single words are quoted.
        decisions: those marked as general.
    """
    by_reason: dict[str, list[Decision]] = {}
    for decision in decisions:
        by_reason.setdefault(decision.reason, []).append(decision)
    rows: list[dict[Cell, str]] = []
    for reason, same in by_reason.items():
        asked = dict.fromkeys(f"{d.item.kind} {d.item.type}" for d in same if d.item.kind != "argument")
        asked = asked or dict.fromkeys(f"{d.item.kind} {d.item.type}" for d in same)
        shown = dict.fromkeys(_example(documents[d.doc_id], d.item) for d in same)
        rows.append({"question": f"{', '.join(asked)}?", "decision": reason, "example": "; ".join(list(shown)[:3])})
    return rows


def _example(document: Document, item: Item) -> str:
    words = document.text[item.start : item.end]
    may_be_told = words and (document.origin != "wire" or len(words.split()) == 1)
    return f"[{words}] ({document.doc_id})" if may_be_told else f"{item.start}–{item.end} ({document.doc_id})"


def add_to_log(text: str, rows: Sequence[Mapping[Cell, str]]) -> tuple[str, int]:
    """Add rows to the table of decisions in the guidelines; what stands there already is not added again.

    Args:
        text: the guidelines.
        rows: as `log_rows` gives them.

    Returns:
        The guidelines, and how many rows were added.
    """
    if LOG_HEAD not in text:
        text = f"{text.rstrip()}\n\n{LOG_HEAD}\n\n| no. | question | decision | example |\n|---|---|---|---|\n"
    head, _, tail = text.partition(LOG_HEAD)
    tail, following, rest = tail.partition("\n## ")
    lines = tail.rstrip("\n").split("\n")
    last = max((number for number, line in enumerate(lines) if line.startswith("|")), default=len(lines) - 1)
    numbers = [int(cell) for line in lines if (cell := line.split("|")[1].strip() if "|" in line else "").isdigit()]
    new = [row for row in rows if f"| {_cell(row['decision'])} |" not in tail]
    made = [
        f"| {number} | {_cell(row['question'])} | {_cell(row['decision'])} | {_cell(row['example'])} |"
        for number, row in enumerate(new, max(numbers, default=0) + 1)
    ]
    filled = head + LOG_HEAD + "\n".join([*lines[: last + 1], *made, *lines[last + 1 :]]) + "\n"
    return filled + following + rest, len(new)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "/").split())
