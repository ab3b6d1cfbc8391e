"""What should not have happened to a campaign is found in snapshots made by hand."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import msgspec
import pytest
from builders import GOLD, TEXT, annotation, document, event, mention
from campaigns import everybody, load, person

from khabar import jsonl
from khabar.campaign.adjudication import finished_versions, set_stale_aside, take_decisions, undecided
from khabar.campaign.archive import Version, content
from khabar.campaign.asking import decisions_from
from khabar.campaign.audit import Finding, audit, require_same_server
from khabar.campaign.closing import close
from khabar.campaign.config import ASSISTED, BLIND, Campaign, labels_version, project_title
from khabar.campaign.files import (
    ACCOUNTS,
    DECISIONS,
    FINDINGS,
    MANIFEST,
    REPLACED,
    Manifest,
    accept,
    archive_of,
    chosen_versions,
    open_findings,
    read_accepted,
    read_arms,
    read_decisions,
    read_findings,
    read_work,
)
from khabar.campaign.queue import version_in
from khabar.campaign.restoring import restore
from khabar.campaign.status import documents_an_hour
from khabar.campaign.studio import ADJUDICATE, Json, Project, Seat, Snapshot, Studio, read_stamp, write_stamp
from khabar.campaign.sync import synchronise, versions_of
from khabar.errors import KhabarError
from khabar.label_studio import desk
from khabar.label_studio.convert import to_prediction, to_result, to_task
from khabar.types import Annotation

DOCS = [document(TEXT, "d1", lang="en"), document(f"{TEXT} It rained.", "d2", lang="en")]
NUMBERS = {"1": "manager", "2": "amal", "3": "basil", "4": "judge", "5": "stranger"}
ACCOUNTS_NOW = {number: f"{name}@khabar.invalid" for number, name in NUMBERS.items()}
T1, T2, T3, T4 = (f"2026-01-0{day}T10:00:00.000000Z" for day in (1, 2, 3, 4))


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    return load(tmp_path, DOCS)


def work(name: str = "amal", *, at: str = T1, made: Annotation = GOLD, doc: int = 0, **fields: Any) -> Json:
    number = next(number for number, who in NUMBERS.items() if who == name)
    return {
        "id": 1,
        "unique_id": f"{name}-{doc}",
        "completed_by": int(number),
        "updated_by": int(number),
        "updated_at": at,
        "created_at": at,
        "was_cancelled": False,
        "lead_time": None,
        "result": to_result(made, DOCS[doc].text),
        **fields,
    }


def task(doc: int, *annotations: Json, **fields: Any) -> Json:
    return {"id": doc + 1, **to_task(DOCS[doc]), "annotations": list(annotations), "updated_at": T1, **fields}


def project(who: str, *tasks: Json, arm: str = BLIND, config: str = "", part: str = "all") -> Project:
    seat = Seat(round=part, who=who, arm=arm, campaign="c")
    stamp = seat.stamp()
    return Project(number=1, title=seat.title, stamp=stamp, config=config or stamp.config, tasks=tasks)


def snapshot(*projects: Project, accounts: dict[str, str] | None = None) -> Snapshot:
    return Snapshot(projects={item.title: item for item in projects}, accounts=accounts or ACCOUNTS_NOW)


def good(at: str = T1, **fields: Any) -> Snapshot:
    return snapshot(
        project("amal", task(0, work("amal", at=at, **fields)), task(1)),
        project("basil", task(0, work("basil", at=T1)), task(1)),
    )


def seen(*snapshots: Snapshot) -> dict[tuple[str, str, str], Version]:
    """Give the newest versions of what was seen before."""
    found: dict[tuple[str, str, str], Version] = {}
    for each in snapshots:
        for version, _ in versions_of(each, keep_text=True):
            if version.identity not in found or found[version.identity].updated_at <= version.updated_at:
                found[version.identity] = version
    return found


def found_in(campaign: Campaign, now: Snapshot, *before: Snapshot) -> list[Finding]:
    return audit(campaign, now, seen(*before), ACCOUNTS_NOW if before else {})


def codes(campaign: Campaign, now: Snapshot, *before: Snapshot) -> list[str]:
    return [finding.code for finding in found_in(campaign, now, *before)]


# ---------------------------------------------------------------- hands


def test_good_work_has_no_finding(campaign: Campaign) -> None:
    assert found_in(campaign, good()) == []
    assert found_in(campaign, good(), good()) == []
    assert found_in(campaign, good(T2, updated_by=None), good()) == []


def test_a_foreign_edit_is_found_and_the_next_one_is_another_finding(campaign: Campaign) -> None:
    (one,) = found_in(campaign, good(T2, updated_by=3), good())
    assert one.code == "account-foreign"
    assert one.issue.found == f"work of amal@khabar.invalid, changed by basil@khabar.invalid, of {T2}"
    assert (one.project, one.key, one.issue.doc_id) == ("c/all/amal", "amal-0", "d1")
    (again,) = found_in(campaign, good(T2, updated_by=3), good(), good(T2, updated_by=3))
    assert again.id == one.id
    (next_,) = found_in(campaign, good(T3, updated_by=3), good(T2, updated_by=3))
    assert next_.id != one.id


def test_forged_and_unknown_accounts_are_found(campaign: Campaign) -> None:
    assert codes(campaign, good(completed_by=3, updated_by=3)) == ["account-foreign"]
    assert codes(campaign, good(completed_by=5, updated_by=5)) == ["annotator-unknown"]
    assert codes(campaign, good(completed_by=99, updated_by=99)) == ["annotator-unknown"]
    assert codes(campaign, good(completed_by={"id": 2, "email": "amal@khabar.invalid"})) == []
    assert codes(campaign, good(completed_by=1, updated_by=2)) == ["annotator-unknown", "account-foreign"]


def test_an_answer_is_an_adjudicators_own(campaign: Campaign) -> None:
    def asked(who: str, **fields: Any) -> list[str]:
        question = {**task(0, work(who, **fields)), "data": {**task(0)["data"], "knot": "k1"}}
        return codes(campaign, snapshot(project(ADJUDICATE, question)))

    assert asked("judge") == asked("judge", updated_by=None) == []
    assert asked("judge", updated_by=2) == ["account-foreign"]
    assert asked("basil") == ["account-foreign"]
    assert asked("stranger") == ["annotator-unknown"]
    assert asked("stranger", was_cancelled=True) == []


def test_another_server_is_refused() -> None:
    require_same_server({}, ACCOUNTS_NOW)
    require_same_server(ACCOUNTS_NOW, {**ACCOUNTS_NOW, "6": "carol@khabar.invalid"})
    other = {"1": "manager@khabar.invalid", "2": "basil@khabar.invalid", "3": "amal@khabar.invalid"}
    with pytest.raises(KhabarError) as caught:
        require_same_server(ACCOUNTS_NOW, other)
    assert [(i.code, i.where, i.found) for i in caught.value.issues] == [
        ("accounts-changed", "account amal@khabar.invalid", "number 3"),
        ("accounts-changed", "account basil@khabar.invalid", "number 2"),
    ]


def test_an_account_that_is_gone_or_gave_its_number_to_another_is_found(campaign: Campaign) -> None:
    fewer = {number: email for number, email in ACCOUNTS_NOW.items() if number != "4"}
    for now, words in (
        (fewer, "no such account"),
        ({**fewer, "4": "dunya@khabar.invalid"}, "dunya@khabar.invalid under"),
    ):
        (one,) = audit(campaign, msgspec.structs.replace(good(), accounts=now), {}, ACCOUNTS_NOW)
        assert (one.code, one.key) == ("accounts-changed", "judge@khabar.invalid")
        assert one.issue.found.startswith(words)


@pytest.mark.parametrize(("number", "email"), [("9", "basil@khabar.invalid"), ("3", "dunya@khabar.invalid")])
def test_an_account_that_changed_stays_a_finding_until_it_is_accepted(
    campaign: Campaign, number: str, email: str
) -> None:
    def known() -> dict[str, str]:
        return jsonl.read_json(campaign.path(ACCOUNTS), dict[str, str])

    fewer = {number: email for number, email in ACCOUNTS_NOW.items() if number != "3"}
    now = snapshot(project("amal", task(0, work())), accounts={**fewer, number: email})
    synced(campaign, snapshot(project("amal", task(0, work()))))
    for _ in range(2):
        synced(campaign, now)
        (one,) = open_findings(campaign)
        assert (one.code, one.key) == ("accounts-changed", "basil@khabar.invalid")
        assert known() == ACCOUNTS_NOW
    accept(campaign, one.id, reason="It was made again.")
    for _ in range(2):
        synced(campaign, now)
        assert open_findings(campaign) == []
        assert known() == {**ACCOUNTS_NOW, number: email}


# ---------------------------------------------------------------- what is gone


def test_a_deleted_annotation_is_found(campaign: Campaign) -> None:
    before = snapshot(project("amal", task(0, work(at=T1)), task(1, work(doc=1, at=T2))))
    (one,) = found_in(campaign, snapshot(project("amal", task(0), task(1, work(doc=1, at=T2)))), before)
    assert (one.code, one.key, one.issue.doc_id) == ("annotation-deleted", "amal-0", "d1")
    (newest,) = found_in(campaign, snapshot(project("amal", task(0, work(at=T1)), task(1))), before)
    assert newest.code == "annotation-deleted"


def test_a_deleted_task_is_found_with_its_work(campaign: Campaign) -> None:
    before = snapshot(project("amal", task(0, work(at=T1)), task(1, work(doc=1, at=T2))))
    assert codes(campaign, snapshot(project("amal", task(1, work(doc=1, at=T2)))), before) == [
        "task-deleted",
        "annotation-deleted",
    ]


def test_a_deleted_draft_is_no_finding(campaign: Campaign) -> None:
    draft = {"id": 9, "user": "amal@khabar.invalid", "updated_at": T1, "result": []}
    assert found_in(campaign, good(), snapshot(project("amal", task(0, drafts=[draft]), task(1)))) == []


def test_a_question_that_is_gone_is_asked_again_but_an_answer_is_missed(campaign: Campaign) -> None:
    question = {"id": 7, "data": {**to_task(DOCS[0])["data"], "knot": "k1"}, "updated_at": T1}
    asked = snapshot(project(ADJUDICATE, {**question, "annotations": [work("judge")]}), project("amal", task(0)))
    assert codes(campaign, snapshot(project("amal", task(0, work(at=T3)))), asked) == ["annotation-deleted"]


def test_an_older_version_shows_an_old_database(campaign: Campaign) -> None:
    before = snapshot(project("amal", task(0, work(at=T3)), task(1, work(doc=1, at=T2))))
    found = found_in(campaign, snapshot(project("amal", task(0, work(at=T1)), task(1))), before)
    assert [(item.code, item.key) for item in found] == [
        ("database-restored", "amal-0"),
        ("database-restored", "amal-1"),
    ]
    assert f"the version of {T3}" in found[0].issue.expected


def test_everything_newest_missing_shows_an_old_database(campaign: Campaign) -> None:
    full = snapshot(
        project("amal", task(0, work(at=T1)), task(1, work(doc=1, at=T3))),
        project("basil", task(0, work("basil", at=T2))),
    )
    now = snapshot(project("amal", task(0, work(at=T1)), task(1)), project("basil", task(0)))
    assert codes(campaign, now, full) == ["database-restored", "database-restored"]
    # One of the two is older than what is there: that is somebody's doing.
    later = snapshot(project("amal", task(0, work(at=T1)), task(1, work(doc=1, at=T4))), project("basil", task(0)))
    assert codes(campaign, later, full) == ["annotation-deleted"]


def test_one_missing_with_tasks_that_are_missing_too_shows_an_old_database(campaign: Campaign) -> None:
    before = snapshot(project("amal", task(0, work(at=T1)), task(1, work(doc=1, at=T2))))
    assert codes(campaign, snapshot(project("amal", task(0, work(at=T1)))), before) == [
        "database-restored",
        "task-deleted",
    ]


def test_a_database_without_any_work_is_an_old_one(campaign: Campaign) -> None:
    now = snapshot(project("amal", task(0), task(1)), project("basil", task(0), task(1)))
    assert codes(campaign, now, good()) == ["database-restored", "database-restored"]


# ---------------------------------------------------------------- tasks and projects


def test_a_changed_text_or_hash_is_found(campaign: Campaign) -> None:
    for change in ({"text": "Other words."}, {"sha256": "0" * 64}):
        changed = task(0)
        changed["data"] = {**changed["data"], **change}
        assert codes(campaign, snapshot(project("amal", changed))) == ["document-hash"]


def test_a_task_of_no_document_is_found(campaign: Campaign) -> None:
    strange = {**task(0), "data": {"text": "x", "doc_id": "d9"}}
    assert codes(campaign, snapshot(project("amal", strange))) == ["document-unknown"]
    assert codes(campaign, snapshot(project("amal", {**task(0), "data": {}}))) == ["document-unknown"]


def test_copies_of_a_task_are_found(campaign: Campaign) -> None:
    assert codes(campaign, snapshot(project("amal", task(0), {**task(0), "id": 9}))) == ["document-duplicate"]


def test_a_changed_configuration_is_found_under_annotations_only(campaign: Campaign) -> None:
    assert codes(campaign, snapshot(project("amal", task(0, work()), config="other"))) == ["project-changed"]
    assert codes(campaign, snapshot(project("amal", task(0), config="other"))) == []


def test_a_project_of_other_labels_or_another_title_is_found(campaign: Campaign) -> None:
    replace, one = msgspec.structs.replace, project("amal", task(0))
    old = replace(one, stamp=replace(one.stamp, labels="0.9:abc"))
    for changed, words in ((old, "labels 0.9:abc"), (replace(one, shown="Ours"), "renamed to 'Ours'")):
        (found,) = found_in(campaign, snapshot(changed))
        assert found.code == "project-changed"
        assert words in found.issue.found
    synced(campaign, snapshot(old))
    assert jsonl.read_json(campaign.path(MANIFEST), Manifest).labels == "0.9:abc" != labels_version()
    with pytest.raises(KhabarError, match=r"0\.9:abc"):
        read_work(campaign)


def server_with(monkeypatch: pytest.MonkeyPatch, *projects: tuple[str, Project]) -> None:
    """Put projects under titles into a Label Studio that is not there."""
    listed = [
        SimpleNamespace(id=number, title=title, description=write_stamp(item.stamp), label_config="")
        for number, (title, item) in enumerate(projects, 1)
    ]
    monkeypatch.setattr(Studio, "manager", None)
    monkeypatch.setattr(desk, "list_projects", lambda _: listed)
    monkeypatch.setattr(desk, "list_accounts", lambda _: ACCOUNTS_NOW)
    monkeypatch.setattr(desk, "export_tasks", lambda _, number: list(projects[number - 1][1].tasks))


def test_the_work_of_a_renamed_project_is_kept_under_its_own_title(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = project("amal", task(0, work()))
    server_with(monkeypatch, ("c/all/better name", mine))
    studio = Studio(campaign, campaign.folder)
    found = synchronise(studio)
    assert "renamed to 'c/all/better name'" in [item.issue.found for item in found.open]
    assert ("annotation", "c/all/amal", "amal-0") in archive_of(campaign).newest()
    assert len(read_work(campaign)[0]["amal"]) == 1
    server_with(monkeypatch, ("Ours", mine), ("c/all/amal", mine))
    with pytest.raises(KhabarError, match="'Ours' and 'c/all/amal'"):
        studio.stamped()


def test_a_renamed_project_is_not_opened_a_second_time(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = project("amal")
    server_with(monkeypatch, ("Ours", mine))
    client = MagicMock()
    with pytest.raises(KhabarError, match="renamed to 'Ours'"):
        desk.ensure_project(client, mine.title, "<View/>", description=write_stamp(mine.stamp))
    client.projects.create.assert_not_called()


def test_tasks_without_a_key_are_no_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    bare = [{**task(0), "id": number, "data": {"text": "x"}} for number in (7, 8)]
    monkeypatch.setattr(desk, "list_tasks", lambda *_: [*bare, task(0), {**task(0), "id": 9}])
    client = MagicMock()
    assert [item["id"] for item in desk._without_copies(client, 1, "doc_id")] == [7, 8, 1]
    client.tasks.delete.assert_called_once_with(id="9")


def test_predictions_in_a_blind_project_are_found(campaign: Campaign) -> None:
    shown = [to_prediction(GOLD, TEXT, model_version="crf")]
    assert codes(campaign, snapshot(project("amal", task(0, predictions=shown)))) == ["blind-broken"]
    assert codes(campaign, snapshot(project("amal", task(0, predictions=shown), arm=ASSISTED))) == []
    question = {**task(0, predictions=shown), "data": {**task(0)["data"], "knot": "k1"}}
    assert codes(campaign, snapshot(project(ADJUDICATE, question))) == []


# ---------------------------------------------------------------- the work itself


def test_two_annotations_of_one_document_are_found(campaign: Campaign) -> None:
    two = work(unique_id="again")
    assert codes(campaign, snapshot(project("amal", task(0, work(), two)))) == ["annotation-duplicate"]
    assert codes(campaign, snapshot(project("amal", task(0, work(), {**two, "was_cancelled": True})))) == []


def test_unlabelled_relations_foreign_labels_and_spans_outside_are_found(campaign: Campaign) -> None:
    relation = {"type": "relation", "from_id": "e1", "to_id": "m4", "direction": "right", "labels": []}
    result = to_result(GOLD, TEXT)
    assert codes(campaign, good(result=[*result, relation])) == ["relation-unlabelled"]
    strange = annotation(mention("m1", 0, 6, "REBELS"))
    assert codes(campaign, good(made=strange)) == ["label-unknown"]
    outside = annotation(mention("m1", 50, 999, "PERSON"))
    found = found_in(campaign, good(result=to_result(outside, TEXT)))
    assert [item.code for item in found] == ["span-outside"]
    assert found[0].issue.where.startswith("project 'c/all/amal', document d1: ")
    wrong = annotation(mention("m1", 0, 6, "PLACE"), event("e1", 7, 14, "Strike.Shelling", ("Agent", "m1")))
    assert codes(campaign, good(made=wrong)) == ["filler-not-allowed"]


def test_findings_quote_no_words_of_texts_that_may_not_be_shipped(tmp_path: Path) -> None:
    result = to_result(GOLD, TEXT)
    moved = [{**item, "value": {**item["value"], "start": 1}} if item.get("id") == "m1" else item for item in result]
    shown = {"id": "m1", "type": "textarea", "from_name": "referent", "value": {"text": "shelled by rebels"}}
    quoting = good(result=[*moved, shown])
    for origin, quoted in (("wire", False), ("own", True)):
        campaign = load(tmp_path / origin, [msgspec.structs.replace(item, origin=origin) for item in DOCS])
        synced(campaign, quoting)
        assert {"span-text", "region-shape"} <= {item.code for item in open_findings(campaign)}
        kept = campaign.path(FINDINGS).read_text()
        assert ("Rebels" in kept) is ("ebels" in kept) is ("shelled by" in kept) is quoted
        assert "(1–6)" in kept


def test_implausible_speed_is_a_persons_only(tmp_path: Path) -> None:
    words, items = len(TEXT.split()), len(GOLD.items)
    least = words / 100 * 12 + items * 0.8
    campaign = load(tmp_path, DOCS)
    assert codes(campaign, good(lead_time=least - 0.1)) == ["speed-implausible"]
    assert codes(campaign, good(lead_time=least + 0.1)) == []
    assert codes(load(tmp_path, DOCS, speed={"seconds_per_item": 30}), good(lead_time=100)) == ["speed-implausible"]
    models = [person("amal", "en", kind="language model"), *everybody()[1:]]
    assert codes(load(tmp_path, DOCS, models), good(lead_time=0.1)) == []


def test_a_finding_keeps_its_name_as_long_as_the_same_is_found(campaign: Campaign) -> None:
    now = snapshot(project("amal", task(0, work(at=T2, updated_by=3)), task(0)), project("basil", task(0)))
    one, two = found_in(campaign, now), found_in(campaign, now, now)
    assert [item.id for item in one] == [item.id for item in two]
    assert len({item.id for item in one}) == len(one) > 1
    assert all(msgspec.json.decode(msgspec.json.encode(item), type=Finding) == item for item in one)


# ---------------------------------------------------------------- what is accepted


def synced(campaign: Campaign, *snapshots: Snapshot) -> None:
    """Keep snapshots as a synchronisation does, without a server."""
    for each in snapshots:
        synchronise(Studio(campaign, campaign.folder), snapshot=each)


def test_a_finding_is_accepted_with_a_reason_and_stays_so(campaign: Campaign) -> None:
    synced(campaign, good(), good(T2, updated_by=3))
    (one,) = open_findings(campaign)
    with pytest.raises(KhabarError) as caught:
        accept(campaign, "nothing", reason="R")
    assert caught.value.code == "finding-unknown"
    with pytest.raises(KhabarError) as caught:
        accept(campaign, one.id, reason="  ")
    assert caught.value.code == "usage"
    assert read_accepted(campaign) == {}
    assert read_work(campaign)[0]["amal"] == []
    accept(campaign, one.id, reason="A typing error.")
    accept(campaign, one.id, reason="A typing error, corrected by basil.")
    assert [item.reason for item in read_accepted(campaign).values()] == ["A typing error, corrected by basil."]
    assert open_findings(campaign) == []
    assert len(read_work(campaign)[0]["amal"]) == 1
    synced(campaign, good(T3, updated_by=3))
    assert len(open_findings(campaign)) == 1


def test_an_archived_version_can_count_instead(campaign: Campaign) -> None:
    other = annotation(mention("m1", 0, 6, "PERSON"))
    synced(campaign, good(), good(T2, updated_by=3, made=other))
    (one,) = open_findings(campaign)
    own = next(v.object for v in archive_of(campaign).versions() if v.key == "amal-0" and v.updated_at == T1)
    for use in ("ffff", ""):
        if use:
            with pytest.raises(KhabarError) as caught:
                accept(campaign, one.id, reason="R", use=use)
            assert caught.value.code == "finding-unknown"
    assert accept(campaign, one.id, reason="R", use=own[:8]).use == own
    assert set(chosen_versions(campaign)) == {("c/all/amal", "amal-0")}
    synced(campaign, good(T2, updated_by=3, made=other))
    assert open_findings(campaign) == []
    (kept,) = read_work(campaign)[0]["amal"]
    assert len(kept.events) == len(GOLD.events)


def test_too_fast_is_no_reason_to_pass_over_anything_else(campaign: Campaign) -> None:
    synced(campaign, good(lead_time=0.1, updated_by=3))
    fast = next(item for item in open_findings(campaign) if item.code == "speed-implausible")
    accept(campaign, fast.id, reason="R")
    assert read_work(campaign)[0]["amal"] == []


def test_what_lapsed_stays_until_it_is_accepted_and_what_was_mended_ends(campaign: Campaign) -> None:
    shown = [to_prediction(GOLD, TEXT, model_version="crf")]
    relation = {"type": "relation", "from_id": "e1", "to_id": "m4", "direction": "right", "labels": []}
    bad = work(at=T2, updated_by=3, lead_time=0.1, result=[*to_result(GOLD, TEXT), relation])
    synced(campaign, good(), snapshot(project("amal", task(0, bad), task(1, predictions=shown))))
    assert {"account-foreign", "blind-broken", "relation-unlabelled", "speed-implausible"} <= {
        item.code for item in open_findings(campaign)
    }
    before = {item.id for item in open_findings(campaign)}
    for _ in range(2):
        synced(campaign, good(T3))
        left = open_findings(campaign)
        assert sorted((item.code, item.seen) for item in left) == [("account-foreign", False), ("blind-broken", False)]
        assert {item.id for item in left} <= before
        assert all(item.issue.found.count("no longer seen") == 1 for item in left)
    with pytest.raises(KhabarError) as caught:
        close(campaign)
    assert sum("no longer seen" in issue.found for issue in caught.value.issues) == 2
    with pytest.raises(KhabarError, match="--use for blind-broken"):
        accept(campaign, left[0].id, reason="R", use="abc")
    for item in left:
        accept(campaign, item.id, reason="Its author saw it.")
    synced(campaign, good(T3))
    assert open_findings(campaign) == []
    assert len(read_findings(campaign)) == 2
    assert len(read_work(campaign)[0]["amal"]) == 1


def test_no_version_counts_instead_of_work_that_is_gone(campaign: Campaign) -> None:
    synced(
        campaign, good(), snapshot(project("amal", task(0), task(1)), project("basil", task(0, work("basil", at=T2))))
    )
    gone = next(item for item in open_findings(campaign) if item.key == "amal-0")
    with pytest.raises(KhabarError, match="campaign restore"):
        accept(campaign, gone.id, reason="R", use=archive_of(campaign).versions()[1].object)
    assert read_accepted(campaign) == {}


# ---------------------------------------------------------------- brought back


class Saved:
    """A Label Studio that is not there: what was saved in it, and by whom."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, now: Snapshot, *, elsewhere: tuple[str, ...] = ()) -> None:
        self.made: list[tuple[str, int]] = []
        self.elsewhere = elsewhere
        monkeypatch.setattr(Studio, "snapshot", lambda _: now)
        monkeypatch.setattr(Studio, "client", lambda _, email: email)
        monkeypatch.setattr(desk, "create_annotation", self.create)

    def create(self, email: str, task: int, result: list[Json], *, unique_id: str | None) -> bool:
        if unique_id in self.elsewhere:
            return False
        self.made.append((email, len(result)))
        return True


def brought_back(campaign: Campaign) -> tuple[list[str], list[str]]:
    """Restore, and give the lines and the codes of what was left."""
    lines: list[str] = []
    try:
        lines.extend(restore(Studio(campaign, campaign.folder)))
    except KhabarError as error:
        return lines, [issue.code for issue in error.issues]
    return lines, []


def test_the_authors_own_version_is_brought_back_and_no_other(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    less = annotation(mention("m1", 0, 6, "PERSON"))
    empty = snapshot(project("amal", task(0), task(1)), project("basil", task(0, work("basil", at=T4)), task(1)))
    synced(campaign, good(), good(T2, updated_by=3, made=less), empty)
    desk_ = Saved(monkeypatch, empty)
    ((line,), left) = brought_back(campaign)
    assert left == []
    assert desk_.made == [("amal@khabar.invalid", len(to_result(GOLD, TEXT)))]
    assert line.startswith(f"c/all/amal, d1: the version of {T1} is back")
    assert line.endswith(f"that of {T2} is newer, but another hand saved it")


def test_restoring_goes_on_and_tells_what_could_not_be_brought_back(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = "6b686162-6172-4000-8000-000000000009"
    lost = [
        work("stranger", at=T1),
        work("amal", at=T1, unique_id=taken),
        work("amal", at=T1, unique_id="changed", updated_by=3),
        work("amal", at=T1, unique_id="own"),
    ]
    there = project("basil", task(1, work("basil", at=T4, doc=1)))
    synced(
        campaign,
        snapshot(project("amal", task(0, *lost)), project("basil", task(0, work("basil")), part="gone"), there),
        snapshot(project("amal", task(0)), there),
    )
    desk_ = Saved(monkeypatch, snapshot(project("amal", task(0)), there), elsewhere=(taken,))
    lines, left = brought_back(campaign)
    assert [line[:40] for line in lines] == ["c/all/amal, d1: the version of 2026-01-0"]
    assert sorted(left) == ["account-foreign", "annotator-unknown", "project-changed", "project-changed"]
    assert [email for email, _ in desk_.made] == ["amal@khabar.invalid"]


# ---------------------------------------------------------------- exports


def test_a_log_that_was_cut_by_whole_lines_is_found(campaign: Campaign) -> None:
    synced(campaign, good())
    log = archive_of(campaign).log
    whole = log.read_bytes()
    log.write_bytes(b"".join(whole.splitlines(keepends=True)[:-2]))
    with pytest.raises(KhabarError) as caught:
        synced(campaign, good())
    assert caught.value.code == "archive-broken"
    log.write_bytes(whole)
    synced(campaign, good(T2), good(T2))


def test_exports_of_another_campaign_or_other_labels_are_refused(campaign: Campaign) -> None:
    with pytest.raises(KhabarError) as caught:
        read_work(campaign)
    assert caught.value.code == "file-missing"
    synced(campaign, good())
    path = campaign.path(MANIFEST)
    kept = jsonl.read_json(path, Manifest)
    for change, code in (({"campaign": "other"}, "campaign-foreign"), ({"labels": "0.9:abc"}, "project-changed")):
        jsonl.write_json(path, msgspec.structs.replace(kept, **change))
        with pytest.raises(KhabarError) as caught:
            read_work(campaign)
        assert caught.value.code == code


def test_an_export_with_regions_of_another_configuration_is_no_finished_work(campaign: Campaign) -> None:
    synced(campaign, good())
    path = campaign.path("exports", "amal.json")
    path.write_text(path.read_text().replace('"from_name":"entity"', '"from_name":"person"'))
    work_, issues = read_work(campaign)
    assert work_["amal"] == []
    assert {issue.code for issue in issues} >= {"region-shape"}
    assert finished_versions(campaign) == {}


def test_work_of_one_who_left_is_kept_and_counts(tmp_path: Path) -> None:
    campaign = load(tmp_path, DOCS, annotators=["carol", "basil"])
    synced(campaign, good())
    assert len(read_work(campaign)[0]["amal"]) == 1
    assert [item.author for item in finished_versions(campaign)["d1"]] == ["basil", "amal"]


def test_arms_are_read_from_the_archive(campaign: Campaign) -> None:
    synced(campaign, snapshot(project("amal", task(0), arm=ASSISTED), project("amal", task(1))))
    assert read_arms(campaign) == {"d1": ASSISTED, "d2": BLIND}


def test_a_stamp_says_whose_a_project_is() -> None:
    stamp = project("amal").stamp
    assert read_stamp(write_stamp(stamp)) == stamp
    assert read_stamp("Our own project") is None
    assert read_stamp("khabar campaign: {}") is None
    assert project_title("c", "all", "amal", BLIND) == project("amal").title


# ---------------------------------------------------------------- decisions by file, and the end


def finished(**fields: Any) -> Snapshot:
    less = annotation(*GOLD.mentions, GOLD.events[0])
    return snapshot(
        project("amal", task(0, work("amal")), task(1, work("amal", doc=1, made=less))),
        project("basil", task(0, work("basil", made=less)), task(1, work("basil", doc=1, made=less, **fields))),
    )


def test_a_campaign_is_closed_once_everything_is_decided_and_closing_repeats_byte_for_byte(campaign: Campaign) -> None:
    synced(campaign, good())
    with pytest.raises(KhabarError) as caught:
        close(campaign)
    assert {issue.code for issue in caught.value.issues} == {"campaign-unfinished"}
    synced(campaign, finished())
    (knot,) = undecided(campaign).queue
    versions = finished_versions(campaign)["d1"]
    with pytest.raises(KhabarError, match="2 differences without a decision"):
        close(campaign)
    assert not campaign.path("gold.jsonl").exists()
    given = decisions_from(
        knot, versions, version_in(knot, versions[0]), reason="A denial is an event.", general=True, adjudicator="judge"
    )
    assert take_decisions(campaign, given) == len(given)
    assert take_decisions(campaign, given) == 0
    closed = close(campaign)
    assert closed.logged == 1
    files = ("gold.jsonl", "trace.jsonl", "guidelines.md", DECISIONS)
    before = [campaign.path(name).read_bytes() for name in files]
    assert close(campaign).logged == 0
    assert [campaign.path(name).read_bytes() for name in files] == before
    assert {origin.doc_id for origin in closed.origins} == {"d1", "d2"}
    assert sum(bool(origin.decided_by) for origin in closed.origins) == len(given)


def test_bad_decisions_are_refused_and_none_of_them_is_taken(campaign: Campaign) -> None:
    synced(campaign, finished())
    (knot,) = undecided(campaign).queue
    versions = finished_versions(campaign)["d1"]
    good_ones = decisions_from(
        knot, versions, version_in(knot, versions[0]), reason="R", general=False, adjudicator="judge"
    )
    replace = msgspec.structs.replace
    item = replace(good_ones[0].item, start=20, end=22)
    for change, code in (
        ({"adjudicator": "basil"}, "annotator-unknown"),
        ({"reason": " "}, "decision-invalid"),
        ({"value": "perhaps"}, "decision-invalid"),
        ({"item": item}, "decision-stale"),
        ({"doc_id": "d9"}, "decision-stale"),
    ):
        with pytest.raises(KhabarError) as caught:
            take_decisions(campaign, [*good_ones[1:], replace(good_ones[0], **change)])
        assert code in {issue.code for issue in caught.value.issues}
        assert read_decisions(campaign) == []
    take_decisions(campaign, good_ones)
    with pytest.raises(KhabarError, match="two decisions"):
        take_decisions(campaign, [replace(good_ones[0], value="drop", reason="Other")])
    assert read_decisions(campaign) == good_ones


def test_what_is_revised_or_has_become_stale_is_set_aside_and_kept(campaign: Campaign) -> None:
    synced(campaign, finished())
    (knot,) = undecided(campaign).queue
    versions = finished_versions(campaign)["d1"]
    given = decisions_from(
        knot, versions, version_in(knot, versions[0]), reason="R", general=False, adjudicator="judge"
    )
    take_decisions(campaign, given)
    other = [msgspec.structs.replace(decision, reason="Better") for decision in given]
    assert take_decisions(campaign, other, revise=True) == len(other)
    assert read_decisions(campaign) == other
    assert jsonl.read_list(campaign.path(REPLACED), type(given[0])) == given
    # basil marks the same as amal now: what was decided is no longer a difference.
    both = snapshot(
        project("amal", task(0, work("amal")), task(1, work("amal", doc=1))),
        project("basil", task(0, work("basil", at=T2)), task(1, work("basil", doc=1, at=T2))),
    )
    synced(campaign, both)
    with pytest.raises(KhabarError, match="adjudicate --revise"):
        close(campaign)
    assert set_stale_aside(campaign) == [d for d in other if d.item.kind != "attribute"]
    assert set_stale_aside(campaign) == []
    assert len(jsonl.read_list(campaign.path(REPLACED), type(given[0]))) == len(given) + len(other)
    assert len(close(campaign).gold) == 2


def test_old_stale_decisions_do_not_keep_new_ones_out(campaign: Campaign) -> None:
    synced(campaign, finished())
    (knot,) = undecided(campaign).queue
    versions = finished_versions(campaign)["d1"]
    take_decisions(
        campaign,
        decisions_from(knot, versions, version_in(knot, versions[0]), reason="R", general=False, adjudicator="judge"),
    )
    less = annotation(*GOLD.mentions[:3], GOLD.events[0])
    synced(
        campaign,
        snapshot(
            project("amal", task(0, work("amal", at=T2, made=less)), task(1, work("amal", doc=1))),
            project("basil", task(0, work("basil", made=annotation(*GOLD.mentions, GOLD.events[0]))), task(1)),
        ),
    )
    (knot,) = undecided(campaign).queue
    versions = finished_versions(campaign)["d1"]
    new = decisions_from(knot, versions, version_in(knot, versions[1]), reason="R", general=False, adjudicator="judge")
    assert take_decisions(campaign, new) == len(new)


# ---------------------------------------------------------------- what is kept, and the pace


def test_ages_in_words_and_copies_of_predictions_are_no_change() -> None:
    shown = to_prediction(GOLD, TEXT, model_version="crf")
    one = snapshot(project("amal", task(0, work(created_ago="1 minute", prediction=shown))))
    two = snapshot(project("amal", task(0, work(created_ago="2 minutes"), predictions=[shown])))
    assert list(versions_of(one, keep_text=True)) == list(versions_of(two, keep_text=True))


def test_of_texts_that_may_not_be_shipped_none_is_kept() -> None:
    question = {**task(0, work("judge")), "data": {**task(0)["data"], "knot": "k", "question": TEXT}}
    draft = {"id": 9, "user": "amal@khabar.invalid", "updated_at": T1, "result": to_result(GOLD, TEXT)}
    now = snapshot(project(ADJUDICATE, question), project("amal", task(0, work(), drafts=[draft])))
    kept = b"".join(data for _, data in versions_of(now, keep_text=False))
    assert b"shelled" not in kept
    assert b"Strike.Shelling" in kept
    assert content({"a": 1})[1] == b'{"a":1}'


def test_pauses_are_no_part_of_the_pace() -> None:
    from datetime import datetime

    at = [datetime.fromisoformat(f"2026-01-01T{time}:00Z") for time in ("10:00", "10:30", "11:00", "18:00", "18:30")]
    assert documents_an_hour(at) == documents_an_hour(at[::-1]) == pytest.approx(2.0)
    assert documents_an_hour(at[:1]) is documents_an_hour([]) is documents_an_hour([at[0], at[3]]) is None


def test_accounts_and_exports_are_written_for_every_annotator(campaign: Campaign) -> None:
    synced(campaign, snapshot(project("amal", task(0, work()))))
    assert jsonl.read_json(campaign.path(ACCOUNTS), dict[str, str]) == ACCOUNTS_NOW
    assert jsonl.read_json(campaign.path("exports", "basil.json"), list) == []
