"""Answers of adjudicators as decisions, in snapshots made by hand: whose hand, corrected answers, files besides."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from builders import GOLD, TEXT, annotation, document
from campaigns import load

from khabar.adjudicate import Decision, adjudicate, items_of
from khabar.campaign.adjudication import finished_versions, take_decisions, undecided
from khabar.campaign.asking import Collected, collect, decisions_from
from khabar.campaign.config import BLIND, Campaign
from khabar.campaign.files import read_decisions
from khabar.campaign.queue import knots_of, version_in
from khabar.campaign.studio import ADJUDICATE, Json, Project, Seat, Snapshot, Studio
from khabar.campaign.sync import synchronise
from khabar.errors import KhabarError
from khabar.label_studio.convert import to_result, to_task
from khabar.types import Annotation, Mention

DOCUMENT = document(TEXT, "d1", lang="en")
NUMBERS = {"manager": 1, "amal": 2, "basil": 3, "judge": 4}
ACCOUNTS = {str(number): f"{name}@khabar.invalid" for name, number in NUMBERS.items()}
LESS = annotation(*GOLD.mentions, GOLD.events[0])
T1 = "2026-01-01T10:00:00.000000Z"


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    made = load(tmp_path, [DOCUMENT])
    synchronise(Studio(made, tmp_path), snapshot=snapshot())
    return made


def saved(who: str, result: list[Json], *, by: str = "", **fields: Any) -> Json:
    hands = {"completed_by": NUMBERS[who], "updated_by": NUMBERS[by or who], "updated_at": T1, "created_at": T1}
    return {"id": 1, "unique_id": f"{who}-1", "ground_truth": True, "result": result, **hands, **fields}


def project(who: str, tasks: list[Json]) -> Project:
    seat = Seat(round="all", who=who, arm=BLIND, campaign="c")
    return Project(number=1, title=seat.title, stamp=seat.stamp(), config=seat.stamp().config, tasks=tuple(tasks))


def task(*items: Json, **data: Any) -> Json:
    made = to_task(DOCUMENT)
    return {"id": 1, **made, "data": {**made["data"], **data}, "annotations": list(items), "updated_at": T1}


def snapshot(*answers: Json, knot: str = "") -> Snapshot:
    projects = [
        project("amal", [task(saved("amal", to_result(GOLD, TEXT)))]),
        project("basil", [task(saved("basil", to_result(LESS, TEXT)))]),
    ]
    if answers:
        projects.append(project(ADJUDICATE, [task(*answers, knot=knot)]))
    return Snapshot(projects={item.title: item for item in projects}, accounts=ACCOUNTS)


def reason(words: str) -> Json:
    return {"from_name": "reason", "to_name": "text", "type": "textarea", "value": {"text": [words]}}


def answer(campaign: Campaign, made: Annotation, *, words: str = "R1", **fields: Any) -> Collected:
    (knot,) = knots_of("d1", finished_versions(campaign)["d1"])
    item = saved("judge", [*to_result(made, TEXT), reason(words)], **fields)
    return collect(Studio(campaign, campaign.folder), snapshot(item, knot=knot.id))


def shown(campaign: Campaign, which: int) -> Annotation:
    versions = finished_versions(campaign)["d1"]
    (knot,) = knots_of("d1", versions)
    return version_in(knot, versions[which])


def test_an_answer_is_taken_with_its_question(campaign: Campaign) -> None:
    done = answer(campaign, shown(campaign, 0))
    assert (done.issues, done.new) == ((), len(read_decisions(campaign)))
    assert undecided(campaign).differences == 0
    assert {decision.question for decision in read_decisions(campaign)} == {
        knots_of("d1", finished_versions(campaign)["d1"])[0].id
    }
    assert answer(campaign, shown(campaign, 0)) == Collected(new=0, issues=())


def test_an_answer_that_somebody_else_changed_is_not_taken(campaign: Campaign) -> None:
    done = answer(campaign, shown(campaign, 0), by="basil")
    assert [issue.code for issue in done.issues] == ["account-foreign"]
    assert read_decisions(campaign) == []


def test_a_corrected_answer_replaces_all_that_the_earlier_one_said(campaign: Campaign) -> None:
    extra = Mention(id="x", start=TEXT.index("denied"), end=TEXT.index("denied") + 2, type="PERSON", kind="nominal")
    first = shown(campaign, 0)
    answer(campaign, msgspec.structs.replace(first, mentions=(*first.mentions, extra)))
    assert any(decision.added for decision in read_decisions(campaign))
    answer(campaign, first, words="R2")
    assert not any(decision.added for decision in read_decisions(campaign))
    assert {decision.reason for decision in read_decisions(campaign)} == {"R2"}


def test_a_decision_by_file_stands_until_the_answer_changes(campaign: Campaign) -> None:
    answer(campaign, shown(campaign, 0))
    otherwise = [
        msgspec.structs.replace(decision, value="drop", reason="By file.", question="")
        for decision in read_decisions(campaign)
        if decision.item.kind == "event"
    ]
    others = [
        msgspec.structs.replace(decision, value="drop", reason="By file.", question="")
        for decision in read_decisions(campaign)
        if decision.item.kind in ("argument", "link")
    ]
    take_decisions(campaign, [*otherwise, *others], revise=True)
    kept = read_decisions(campaign)
    assert answer(campaign, shown(campaign, 0)).new == 0
    assert read_decisions(campaign) == kept
    answer(campaign, shown(campaign, 0), words="Seen again.")
    assert {decision.reason for decision in read_decisions(campaign)} == {"Seen again."}


def test_what_hangs_on_something_dropped_is_dropped_by_decision() -> None:
    one = LESS
    filler = one.events[0].arguments[0].mention
    mention = next(item for item in one.mentions if item.id == filler)
    wider = msgspec.structs.replace(mention, type="PERSON" if mention.type != "PERSON" else "ORG")
    two = msgspec.structs.replace(one, author="basil", mentions=(wider,))
    two = msgspec.structs.replace(two, events=(msgspec.structs.replace(one.events[0], arguments=()),))
    versions = [msgspec.structs.replace(one, author="amal"), two]
    knot = next(k for k in knots_of("d1", versions) if any(i.kind == "mention" for i in k.items))
    nothing = Annotation(doc_id="d1", author="judge")
    made = decisions_from(knot, versions, nothing, reason="R", general=False, adjudicator="judge")
    told = {(decision.item.kind, decision.item.type): decision.value for decision in made}
    assert told[("argument", one.events[0].arguments[0].role)] == "drop"


def test_a_drop_from_before_both_marked_it_is_stale() -> None:
    both = [msgspec.structs.replace(LESS, author=name) for name in ("amal", "basil")]
    item = next(item for item in sorted(items_of(LESS)) if item.kind == "mention")
    old = Decision(doc_id="d1", item=item, value="drop", reason="R", adjudicator="judge", proposed_by=("amal",))
    with pytest.raises(KhabarError, match="decision-stale"):
        adjudicate(both, [old])
    gold = adjudicate(both, [msgspec.structs.replace(old, proposed_by=("amal", "basil"))])
    assert len(gold.mentions) == len(LESS.mentions) - 1
