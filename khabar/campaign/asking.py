"""Ask adjudicators in Label Studio, both versions side by side, and take their answers as decisions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec

from khabar import jsonl
from khabar.adjudicate import Decision, Item
from khabar.campaign.adjudication import Versions, finished_versions, invalid, take_decisions, undecided
from khabar.campaign.archive import content
from khabar.campaign.audit import annotation_key
from khabar.campaign.config import BLIND, Campaign, lot
from khabar.campaign.files import ANSWERS, read_answers, read_decisions
from khabar.campaign.opening import guidelines_html, require_texts
from khabar.campaign.queue import Knot, everything_in, knots_of, version_in
from khabar.campaign.studio import ADJUDICATE, Json, Project, Seat, Snapshot, Studio, write_stamp
from khabar.errors import Issue, KhabarError
from khabar.label_studio import desk, server
from khabar.label_studio.config import GENERAL, REASON, labeling_config
from khabar.label_studio.convert import from_result, to_prediction, to_task
from khabar.types import Annotation, Document
from khabar.validate import check_annotation


def open_queue(studio: Studio, *, tick: Callable[[str], None] = lambda _: None) -> Iterator[str]:
    """Put every undecided knot before the adjudicators, best first; a second call adds only what is new.

    Args:
        studio: the running Label Studio.
        tick: called with the title of each project that is about to be filled.

    Yields:
        A line on each project.

    Raises:
        KhabarError: campaign-invalid, where nobody adjudicates; text-missing, where articles are not here; server
            errors.
    """
    campaign = studio.campaign
    if not campaign.config.adjudicators:
        raise KhabarError(_nobody(campaign))
    for name in campaign.config.adjudicators:
        server.ensure_account(studio.data, server.annotator_email(name))
    versions = finished_versions(campaign)
    queue = undecided(campaign).queue
    require_texts(campaign, [knot.doc_id for knot in queue])
    for part in campaign.config.rounds:
        knots = [knot for knot in queue if campaign.rounds[knot.doc_id] == part.name]
        seat = Seat(round=part.name, who=ADJUDICATE, arm=BLIND, campaign=campaign.name)
        _take_back(studio, seat, {knot.id for knot in knots})
        if knots:
            tick(seat.title)
            yield _fill(studio, seat, [_task(campaign, knot, versions[knot.doc_id]) for knot in knots])


def _nobody(campaign: Campaign) -> Issue:
    return Issue(
        code="campaign-invalid",
        where=f"campaign {campaign.name!r}",
        found="no adjudicators",
        expected="at least one who did not annotate",
        fix="Name them as `adjudicators` in campaign.toml.",
    )


def _fill(studio: Studio, seat: Seat, tasks: Sequence[Json]) -> str:
    number = desk.ensure_project(
        studio.manager,
        seat.title,
        labeling_config(adjudication=True),
        instruction=guidelines_html(studio.campaign),
        annotators=1,
        description=write_stamp(seat.stamp()),
    )
    new = desk.add_tasks(studio.manager, number, tasks, key="knot")
    return f"{seat.title} (project {number}): {len(tasks)} questions in the queue, {new} new"


def _take_back(studio: Studio, seat: Seat, wanted: set[str]) -> None:
    """Remove the questions that nobody has begun and nobody need answer any more."""
    if seat.title in (there := studio.stamped()):
        desk.remove_unbegun(studio.manager, int(there[seat.title][0].id), lambda task: task["data"]["knot"] in wanted)


def _task(campaign: Campaign, knot: Knot, versions: Sequence[Annotation]) -> Json:
    document = campaign.documents[knot.doc_id]
    # Whose version is whose is not shown, and neither is always the first.
    order = sorted(versions, key=lambda version: lot(campaign.config.seed, knot.id, version.author))
    task = to_task(document)
    names = {version.author: f"version {number}" for number, version in enumerate(order, 1)}
    task["data"] |= {"knot": knot.id, "question": _ask(document, knot, names)}
    task["predictions"] = [
        to_prediction(version_in(knot, version), document.text, model_version=names[version.author])
        for version in order
    ]
    return task


def _ask(document: Document, knot: Knot, names: Mapping[str, str]) -> str:
    lines = [f"{len(knot.differences)} differences" if len(knot.differences) > 1 else "One difference"]
    for difference in knot.differences:
        item = difference.item
        words = document.text[item.start : item.end]
        target = f" → “{document.text[item.other[0] : item.other[1]]}”" if item.other else ""
        told = sorted((names[who], value) for who, value in difference.proposed.items())
        said = ", ".join(f"{who}: {value}" if item.kind == "attribute" else who for who, value in told)
        lines.append(f"{item.kind} {item.type} “{words}”{target} — {said}")
    return "\n".join(lines)


class Collected(msgspec.Struct, frozen=True, kw_only=True):
    """What came back from the adjudicators: new decisions, and what could not be taken."""

    new: int
    issues: tuple[Issue, ...]


def collect(studio: Studio, snapshot: Snapshot) -> Collected:
    """Take the decisions that adjudicators saved in Label Studio, and mark these as ground truth.

    A question about something that has changed since is not taken, and said; the answer stays in Label
    Studio and in the archive.

    Args:
        studio: the running Label Studio.
        snapshot: what it holds.
    """
    campaign = studio.campaign
    versions = finished_versions(campaign)
    knots = {knot.id: knot for doc_id, each in versions.items() for knot in knots_of(doc_id, each)}
    kept = read_decisions(campaign)
    decided = {(decision.doc_id, decision.item) for decision in kept}
    answers = read_answers(campaign)
    new, issues, taken = 0, list[Issue](), list[Json]()
    told: set[tuple[str, Item]] = set()
    for project, task in _answered_tasks(snapshot):
        try:
            item = _only_answer(project, task)
            made = _decisions(campaign, project, task, item, snapshot.accounts, knots, versions)
            # What two questions show alike is decided by the first of them that was asked.
            made = [decision for decision in made if (decision.doc_id, decision.item) not in told]
            # An answer is taken once: what was decided otherwise since, by file, stands until the answer changes.
            same = answers.get(annotation_key(item)) == content(item["result"])[0]
            fresh = [d for d in made if not (same and (d.doc_id, d.item) in decided)]
            question = "" if same else str(task["data"]["knot"])
            new += take_decisions(campaign, fresh, revise=True, versions=versions, question=question)
        except KhabarError as error:
            issues += error.issues
            continue
        told |= {(decision.doc_id, decision.item) for decision in made}
        taken.append(item)
    answers |= {annotation_key(item): content(item["result"])[0] for item in taken}
    if answers:
        jsonl.write_json(campaign.path(ANSWERS), answers)
    _mark_ground_truth(studio, taken, snapshot.accounts)
    return Collected(new=new, issues=tuple(issues))


def _answered_tasks(snapshot: Snapshot) -> Iterator[tuple[Project, Json]]:
    for project in snapshot.projects.values():
        for task in project.tasks if project.stamp.who == ADJUDICATE else ():
            if _answers(task):
                yield project, task


def _answers(task: Json) -> list[Json]:
    return [item for item in task["annotations"] if not item.get("was_cancelled")]


def _only_answer(project: Project, task: Json) -> Json:
    found = _answers(task)
    if len(found) > 1:
        doc_id = str(task["data"].get("doc_id"))
        raise KhabarError(
            Issue(
                code="annotation-duplicate",
                doc_id=doc_id,
                where=f"project {project.title!r}, task {task['id']}, document {doc_id}",
                found=f"{len(found)} answers",
                expected="one",
                fix="Delete all but the one that counts; none was taken.",
            )
        )
    return found[0]


def _mark_ground_truth(studio: Studio, items: Sequence[Json], accounts: Mapping[str, str]) -> None:
    for item in items:
        if not item.get("ground_truth"):
            # Under the adjudicator's own account, so that no other hand shows on it.
            client = studio.client(desk.address(item["completed_by"], accounts))
            desk.mark_ground_truth(client, int(item["id"]))


def _decisions(
    campaign: Campaign,
    project: Project,
    task: Json,
    item: Json,
    accounts: Mapping[str, str],
    knots: Mapping[str, Knot],
    versions: Versions,
) -> list[Decision]:
    doc_id, knot = str(task["data"].get("doc_id")), knots.get(str(task["data"].get("knot")))
    where = f"project {project.title!r}, task {task['id']}, document {doc_id}"
    if knot is None:
        raise KhabarError(_gone(where, doc_id))
    who = _adjudicator(campaign, desk.address(item.get("completed_by"), accounts), where)
    _require_own_hand(item, accounts, where, doc_id)
    reason, general, marked = read_answer(item["result"])
    document = campaign.documents[doc_id]
    annotation, issues = from_result(marked, document, author=who)
    issues += check_annotation(annotation, document)
    if not reason:
        issues.append(invalid(doc_id, knot.items[0], "no reason", "one", "Open the task and write why."))
    if issues:
        raise KhabarError(msgspec.structs.replace(issue, where=f"{where}: {issue.where}") for issue in issues)
    return decisions_from(knot, versions[doc_id], annotation, reason=reason, general=general, adjudicator=who)


def _gone(where: str, doc_id: str) -> Issue:
    return Issue(
        code="decision-stale",
        doc_id=doc_id,
        where=where,
        found="an answer about differences that no longer exist",
        expected="differences of the last synchronisation",
        fix="An annotator changed the work since. Delete the task, run adjudicate again and accept that the answer is "
        "gone; it stays archived.",
    )


def _adjudicator(campaign: Campaign, email: str, where: str) -> str:
    names = {server.annotator_email(name): name for name in campaign.config.adjudicators}
    if email not in names:
        raise KhabarError(
            Issue(
                code="annotator-unknown",
                where=where,
                found=f"an answer of {email}",
                expected=", ".join(names),
                fix="Who decides must be an adjudicator of the campaign; delete the answer.",
            )
        )
    return names[email]


def _require_own_hand(item: Json, accounts: Mapping[str, str], where: str, doc_id: str) -> None:
    author = desk.address(item.get("completed_by"), accounts)
    editor = author if item.get("updated_by") is None else desk.address(item["updated_by"], accounts)
    if editor != author:
        raise KhabarError(
            Issue(
                code="account-foreign",
                doc_id=doc_id,
                where=where,
                found=f"an answer of {author}, changed by {editor}",
                expected="its author's hand only",
                fix="Nothing was taken. The adjudicator opens the task, looks at it and saves it again.",
            )
        )


def read_answer(result: Sequence[Json]) -> tuple[str, bool, list[Json]]:
    """Take an adjudicator's answer apart: the reason, whether it is general, and what was marked.

    Args:
        result: the items as exported.
    """
    reasons = [line for item in result if item.get("from_name") == REASON for line in item["value"]["text"]]
    general = any(item.get("from_name") == GENERAL and item["value"]["choices"] != ["no"] for item in result)
    marked = [item for item in result if item.get("from_name") not in (REASON, GENERAL)]
    return "\n".join(line.strip() for line in reasons).strip(), general, marked


def decisions_from(
    knot: Knot, versions: Sequence[Annotation], answer: Annotation, *, reason: str, general: bool, adjudicator: str
) -> list[Decision]:
    """Tell from what an adjudicator left standing what was decided.

    What stands is kept, what was shown and is gone is dropped, what nobody had proposed is added. An
    attribute of something that is gone keeps the first annotator's value, which then has no effect.

    Args:
        knot: what was asked.
        versions: the annotators' versions of the document.
        answer: what the adjudicator left standing.
        reason: why.
        general: whether it belongs in the guidelines' log.
        adjudicator: who decided.
    """
    shown = [everything_in(version_in(knot, version)) for version in versions]
    proposed = [everything_in(version) for version in versions]
    left = everything_in(answer)
    asked = set(knot.items)

    def decide(item: Item, value: str, *, added: bool = False) -> Decision:
        return Decision(
            doc_id=knot.doc_id,
            item=item,
            value=value,
            reason=reason,
            adjudicator=adjudicator,
            proposed_by=tuple(v.author for v, each in zip(versions, proposed, strict=True) if item in each),
            added=added,
            general=general,
            question=knot.id,
        )

    decisions = [decide(item, _answered(item, left, proposed)) for item in knot.items]
    agreed = set(shown[0]).intersection(*shown) - asked
    decisions += [decide(i, "drop") for i in _in_order(agreed) if i.kind != "attribute" and i not in left]
    for item in _in_order(left.keys() - asked):
        known = [each[item] for each in proposed if item in each]
        if item.kind != "attribute" and not known:
            decisions.append(decide(item, "keep", added=True))
        elif item.kind == "attribute" and _is_changed(item, left[item], known):
            decisions.append(decide(item, left[item]))
    told = {decision.item for decision in decisions}
    hanging = {item for each in proposed for item in each if _hangs_on_nothing(item, told - left.keys(), left)}
    return [*decisions, *(decide(item, "drop") for item in _in_order(hanging - told))]


def _hangs_on_nothing(item: Item, dropped: Iterable[Item], left: Mapping[Item, str]) -> bool:
    """Tell whether an end of an argument or a link was dropped, and nothing else was left in its place."""
    if item.kind not in ("argument", "link") or item.other is None:
        return False
    ends = {("event", item.start, item.end), ("mention" if item.kind == "argument" else "event", *item.other)}
    gone = {(i.kind, i.start, i.end) for i in dropped} - {(i.kind, i.start, i.end) for i in left}
    return bool(ends & gone)


def _answered(item: Item, left: Mapping[Item, str], proposed: Sequence[Mapping[Item, str]]) -> str:
    if item.kind != "attribute":
        return "keep" if item in left else "drop"
    return left.get(item) or next(each[item] for each in proposed if item in each)


def _is_changed(item: Item, value: str, known: Sequence[str]) -> bool:
    defaults = {"kind": "name", "loaded": "no", "attribution": "author", "polarity": "positive", "actuality": "actual"}
    return value not in known if known else value != defaults[item.type]


def _in_order(items: Iterable[Item]) -> list[Item]:
    return sorted(items, key=lambda item: (item.start, item.end, item.kind, item.type, item.other or (0, 0)))
