"""Campaigns against a real Label Studio, by the command line: from open to gold, and whatever goes wrong on the way."""

import contextlib
import io
import json
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
import studio
from builders import document
from campaigns import documents, everybody, person, write
from label_studio_sdk import LabelStudio

from khabar import jsonl
from khabar.adjudicate import differences
from khabar.agreement import AgreementReport
from khabar.campaign.adjudication import finished_versions
from khabar.campaign.audit import Finding
from khabar.campaign.closing import Origin
from khabar.campaign.config import ASSISTED, BLIND, load_campaign
from khabar.campaign.files import archive_of, read_decisions, read_work
from khabar.campaign.studio import ADJUDICATE, Project, Snapshot, Studio
from khabar.cli import app, run
from khabar.label_studio import desk, server
from khabar.label_studio.convert import Json, to_result
from khabar.types import Annotation, Argument, Document, Event, Mention, without_texts
from khabar.workspace import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "annotations"
MODELS = ("annotator-a", "annotator-b")
CHOSEN = ("syria-1-b", "syria-2-b", "halzar-1-c")  # the first is Arabic


class Said(msgspec.Struct, frozen=True):
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


class Desk:
    """A running Label Studio, the command line, and what people do in it."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.clients: dict[str, LabelStudio] = {}
        self.numbers: dict[tuple[Path, str], dict[str, int]] = {}

    def khabar(self, folder: Path, command: str, *arguments: object, sources: Path | None = None) -> Said:
        placed = [command, str(folder), *map(str, arguments)]
        if command not in ("close", "agreement", "accept", "trace"):
            placed += ["--data", str(self.data)]
        if sources:
            placed += ["--sources", str(sources)]
        out, err = io.StringIO(), io.StringIO()
        before, sys.argv = sys.argv, ["khabar", "campaign", *placed]
        code: Any = 0
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                run(app)
        except SystemExit as end:
            code = end.code
        finally:
            sys.argv = before
        return Said(int(code or 0), out.getvalue(), err.getvalue())

    def done(self, folder: Path, command: str, *arguments: object, sources: Path | None = None) -> Said:
        said = self.khabar(folder, command, *arguments, sources=sources)
        assert said.code == 0, f"{said.out}\n{said.err}"
        return said

    def findings(self, folder: Path) -> list[Finding]:
        said = self.khabar(folder, "sync", "--json")
        found = msgspec.convert(json.loads(said.out)["open"], list[Finding])
        assert said.code == bool(found)
        return found

    def codes(self, folder: Path) -> list[str]:
        return sorted(finding.code for finding in self.findings(folder))

    def client(self, name: str = "") -> LabelStudio:
        if name not in self.clients:
            account = server.ensure_account(self.data, server.annotator_email(name) if name else server.MANAGER)
            self.clients[name] = desk.connect(server.load_state(self.data).url, account.token)
        return self.clients[name]

    def look(self, folder: Path, *, sources: Path | None = None) -> Snapshot:
        return Studio(load_campaign(folder, sources=sources), self.data).snapshot()

    def tasks(self, folder: Path, who: str) -> dict[str, Json]:
        """Give somebody's tasks, by question or document."""
        return {
            task["data"].get("knot") or task["data"]["doc_id"]: task
            for title, _, tasks in self.state(folder)
            if title.split("/")[2] == who
            for task in tasks
        }

    def state(self, folder: Path) -> list[tuple[str, str, list[Json]]]:
        """Give all that the campaign's projects hold; quicker than an export."""
        mine = f"{load_campaign(folder).name}/"
        found = [item for item in desk.list_projects(self.client()) if item.title.startswith(mine)]
        return [
            (item.title, item.label_config, desk.list_tasks(self.client(), int(item.id)))
            for item in sorted(found, key=lambda item: item.title)
        ]

    def save(self, folder: Path, who: str, key: str, result: list[Json], *, by: str = "", **fields: Any) -> int:
        """Save an annotation in somebody's project, as the page does."""
        known = self.numbers.setdefault((folder, who), {})
        if key not in known:
            known |= {name: task["id"] for name, task in self.tasks(folder, who).items()}
        made = self.client(by or who).annotations.create(id=known[key], result=result, lead_time=60, **fields)
        return int(made.id)


@pytest.fixture(scope="module")
def running(studio_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with studio.running(studio_template, tmp_path_factory.mktemp("label_studio") / "data") as data:
        yield Desk(data)


@pytest.fixture
def office(running: Desk) -> Iterator[Desk]:
    """Give the server, and remove the test's projects afterwards: every command lists all that are there."""
    yield running
    for project in list(running.client().projects.list()):
        running.client().projects.delete(id=project.id)


@pytest.fixture(autouse=True)
def no_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands have the articles only where a test says so."""
    monkeypatch.delenv("KHABAR_SOURCES", raising=False)


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def still(value: Any) -> Any:
    """Leave ages in words out, which are others at every look."""
    if isinstance(value, dict):
        return {key: still(item) for key, item in value.items() if key != "created_ago"}
    return [still(item) for item in value] if isinstance(value, (list, tuple)) else value


def again(office: Desk, folder: Path, command: str, *arguments: object, online: bool = True) -> Said:
    """Run a command twice; the second time changes nothing, neither in Label Studio nor in the files."""
    office.done(folder, command, *arguments)
    before = files_of(folder), still(office.state(folder)) if online else []
    second = office.done(folder, command, *arguments)
    assert (files_of(folder), still(office.state(folder)) if online else []) == before
    return second


def bare(annotations: Sequence[Annotation]) -> list[Annotation]:
    return [without_texts(item) for item in annotations]


def shelled(item: Document, **fields: Any) -> Annotation:
    """Mark a small document: who shelled what."""
    village = item.text.index("village")
    return Annotation(
        doc_id=item.doc_id,
        sha256=item.sha256,
        mentions=(
            Mention(id="m1", start=0, end=6, type="ARMED_GROUP", kind="nominal"),
            Mention(id="m2", start=village, end=village + 9, type="PLACE"),
        ),
        events=(
            Event(
                id="e1",
                start=7,
                end=14,
                type="Strike.Shelling",
                arguments=(Argument("Agent", "m1"), Argument("Place", "m2")),
                **fields,
            ),
        ),
    )


def regions(item: Document, **fields: Any) -> list[Json]:
    return to_result(shelled(item, **fields), item.text)


def small(folder: Path, name: str, texts: Sequence[Document], **config: Any) -> Path:
    return write(folder, texts, name=name, **config)


SOLO = {"annotators": ["amal"], "per_document": 1}


def issues_of(said: Said) -> list[str]:
    return re.findall(r"\[([a-z-]+)\]", said.err)


# ---------------------------------------------------------------- from open to gold


def stored(
    folder: Path, project: str, chosen: Sequence[str], name: str, sources: Path | None = None, **config: Any
) -> Workspace:
    """Write a campaign over documents of the repository, with its annotators, and their work and decisions by file."""
    workspace = Workspace(KEPT, sources)
    lines = (KEPT / "documents" / f"{project}.jsonl").read_text().splitlines(keepends=True)
    kept = [line for line in lines if json.loads(line).get("doc_id") in chosen] if chosen else lines
    write(folder, [], name=name, annotators=list(MODELS), adjudicators=["adjudicator-1"], **config)
    (folder / "documents.jsonl").write_text("".join(kept))
    shutil.copy(KEPT / "annotators.json", folder / "annotators.json")
    shutil.copy(KEPT / "guidelines.md", folder / "guidelines.md")
    return workspace


def work_file(workspace: Workspace, project: str, name: str, chosen: Sequence[str], path: Path) -> Path:
    made = [item for item in workspace.work(project, name) if not chosen or item.doc_id in chosen]
    jsonl.write_records(path, bare(made))
    return path


def decision_file(workspace: Workspace, project: str, chosen: Sequence[str], path: Path) -> Path:
    given = [d for doc_id, each in workspace.decisions(project).items() if not chosen or doc_id in chosen for d in each]
    jsonl.write_records(path, given)
    return path


def test_a_campaign_over_composed_documents_from_open_to_gold(office: Desk, tmp_path: Path) -> None:
    folder = tmp_path / "campaign"
    workspace = stored(folder, "composed-1", CHOSEN, "small")
    said = again(office, folder, "open")
    assert [re.sub(r"project \d+", "project N", line) for line in said.lines] == [
        f"small/all/{name} (project N, language model): 3 documents (ar, en), 0 new, 0 begun" for name in MODELS
    ]
    handed = tmp_path / "texts"
    office.done(folder, "texts", MODELS[0], "-o", handed)
    assert {path.name for path in handed.iterdir()} == {"guidelines.md", *(f"{doc_id}.txt" for doc_id in CHOSEN)}
    for name in MODELS:
        path = work_file(workspace, "composed-1", name, CHOSEN, tmp_path / f"{name}.jsonl")
        assert office.done(folder, "submit", name, path).out == f"{name}: 3 documents saved, 0 were there\n"
    assert again(office, folder, "submit", name, path).out == f"{name}: 0 documents saved, 3 were there\n"
    assert "0 texts and the guidelines" in office.done(folder, "texts", MODELS[0], "-o", tmp_path / "none").out
    assert json.loads(office.done(folder, "status", "--json").out)["unexported"] == 6
    assert again(office, folder, "sync").out == "new: nothing; 6 annotations are there, all of them kept\n"
    _check_agreement(office, folder)
    _check_decisions(office, folder, workspace, tmp_path)
    _check_gold(office, folder, workspace)


def _check_agreement(office: Desk, folder: Path) -> None:
    report = msgspec.json.decode(office.done(folder, "agreement", "--no-gamma", "--json").out, type=AgreementReport)
    assert report is not None
    assert not (folder / "gold.jsonl").exists()
    said = office.khabar(folder, "close")
    assert said.code == 1
    assert "differences without a decision" in said.err


def _check_decisions(office: Desk, folder: Path, workspace: Workspace, tmp_path: Path) -> None:
    queue = tmp_path / "queue.jsonl"
    left = json.loads(office.done(folder, "adjudicate", "--queue", queue, "--json").out)
    work = [workspace.work("composed-1", name) for name in MODELS]
    expected = sum(len(differences(*pair)) for pair in zip(*work, strict=True) if pair[0].doc_id in CHOSEN)
    assert left == {"questions": len(queue.read_text().splitlines()), "differences": expected, "decided": 0}
    given = decision_file(workspace, "composed-1", CHOSEN, tmp_path / "decisions.jsonl")
    said = again(office, folder, "adjudicate", "--decisions", given, online=False)
    assert said.lines[0] == "decisions taken: 0"
    assert said.lines[1] == f"{expected} differences decided, 0 left in 0 questions"


def _check_gold(office: Desk, folder: Path, workspace: Workspace) -> None:
    again(office, folder, "close", online=False)
    gold = jsonl.read_list(folder / "gold.jsonl", Annotation)
    assert gold == [item for item in workspace.stored_gold("composed-1") if item.doc_id in CHOSEN]
    origins = msgspec.json.decode(office.done(folder, "trace", CHOSEN[0], "--json").out, type=list[Origin])
    assert all(origin.proposed_by or origin.decided_by for origin in origins)
    assert {name for origin in origins for name in origin.proposed_by} == set(MODELS)
    assert "decided by" in office.done(folder, "trace", CHOSEN[0]).out
    assert issues_of(office.khabar(folder, "trace", "syria-1-a")) == ["document-unknown"]


def runs_of_words(text: str, length: int = 8) -> set[str]:
    words = re.findall(r"\w+", text)
    return {" ".join(words[at : at + length]) for at in range(len(words) - length + 1)}


def test_a_campaign_over_the_wire_from_open_to_gold(office: Desk, tmp_path: Path, sources: Path) -> None:
    folder = tmp_path / "campaign"
    predictions = {"predictions": str(ROOT / "evaluation" / "baselines" / "crf" / "predictions" / "wire.jsonl")}
    workspace = stored(folder, "wire-1", (), "news", sources, preannotation={**predictions, "name": "crf"})
    assert issues_of(office.khabar(folder, "open")) == ["text-missing"] * 8
    office.done(folder, "open", sources=sources)
    for name in MODELS:
        path = work_file(workspace, "wire-1", name, (), tmp_path / f"{name}.jsonl")
        assert issues_of(office.khabar(folder, "submit", name, path)) == ["text-missing"] * 8
        assert "8 documents saved" in office.done(folder, "submit", name, path, sources=sources).out
    assert issues_of(office.khabar(folder, "adjudicate"))[0] == "text-missing"
    office.done(folder, "adjudicate", sources=sources)
    given = decision_file(workspace, "wire-1", (), tmp_path / "decisions.jsonl")
    office.done(folder, "adjudicate", "--decisions", given)
    office.done(folder, "close", sources=sources)
    assert jsonl.read_list(folder / "gold.jsonl", Annotation) == workspace.stored_gold("wire-1")
    # The guidelines and the adjudicator's reasons are the repository's own, and hold none of it either.
    articles = set().union(*(runs_of_words(item.text) for item in workspace.documents("wire")))
    for name, content in files_of(folder).items():
        assert not runs_of_words(content.decode()) & articles, name
    assert any(name.startswith("archive/objects") for name in files_of(folder))


# ---------------------------------------------------------------- adjudication in Label Studio


def asked(office: Desk, folder: Path) -> dict[str, Json]:
    """Give the questions with their answers and both versions."""
    title = f"{load_campaign(folder).name}/all/{ADJUDICATE}"
    project = desk.find_project(office.client(), title)
    assert project is not None
    found = {task["data"]["knot"]: task for task in desk.list_tasks(office.client(), int(project.id))}
    office.numbers[folder, ADJUDICATE] = {name: task["id"] for name, task in found.items()}
    return found


def reasoned(result: Sequence[Json], reason: str, *, general: bool = False) -> list[Json]:
    told = [{"id": "r", "from_name": "reason", "to_name": "text", "type": "textarea", "value": {"text": [reason]}}]
    if general:
        choice = {"from_name": "general", "to_name": "text", "type": "choices", "value": {"choices": ["general"]}}
        told.append({"id": "g", **choice})
    return [*result, *told]


@pytest.fixture
def differing(office: Desk, tmp_path: Path) -> Path:
    """Give a synchronised campaign of three documents; on each the annotators differ by one attribute."""
    texts = documents("en", "en", "en")
    folder = small(tmp_path / "campaign", f"d{abs(hash(str(tmp_path))) % 10**6}", texts)
    office.done(folder, "open")
    for item in texts:
        office.save(folder, "amal", item.doc_id, regions(item))
        office.save(folder, "basil", item.doc_id, regions(item, actuality="habitual"))
    assert "6 annotations are there" in office.done(folder, "sync").out
    return folder


def test_answers_are_taken_from_label_studio_and_marked_as_ground_truth(office: Desk, differing: Path) -> None:
    said = office.done(differing, "adjudicate")
    assert said.lines[0] == "decisions taken: 0"
    assert said.lines[-1] == "0 differences decided, 3 left in 3 questions"
    questions = asked(office, differing)
    assert len(questions) == 3
    for task in questions.values():
        assert {p["model_version"] for p in task["predictions"]} == {"version 1", "version 2"}
        assert "amal" not in task["data"]["question"]
        assert "One difference" in task["data"]["question"]
    first, second, _ = questions
    for name, general in ((first, True), (second, False)):
        shown = next(p for p in questions[name]["predictions"] if "habitual" in json.dumps(p["result"]))
        office.save(differing, ADJUDICATE, name, reasoned(shown["result"], "Every week.", general=general), by="judge")
    said = office.done(differing, "adjudicate")
    assert said.lines[0] == "decisions taken: 2"
    assert said.lines[-1] == "2 differences decided, 1 left in 1 questions"
    judge = office.client("judge").users.whoami().id
    for name in (first, second):
        (answer,) = asked(office, differing)[name]["annotations"]
        assert answer["ground_truth"] is True
        assert (answer["completed_by"], answer["updated_by"]) == (judge, judge)
    again(office, differing, "adjudicate")
    taken = read_decisions(load_campaign(differing))
    assert [(d.value, d.reason, d.adjudicator, d.proposed_by) for d in taken] == [
        ("habitual", "Every week.", "judge", ("amal", "basil"))
    ] * 2
    assert sorted(d.general for d in taken) == [False, True]
    office.save(
        differing, ADJUDICATE, next(iter(questions.keys() - {first, second})), reasoned([], "None."), by="judge"
    )
    office.done(differing, "adjudicate")
    assert "1 new in the guidelines' log" in office.done(differing, "close").out
    assert "| Every week. |" in (differing / "guidelines.md").read_text()


def test_answers_that_cannot_be_taken_are_refused_and_nothing_is_lost(office: Desk, differing: Path) -> None:
    office.done(differing, "adjudicate")
    questions = asked(office, differing)
    first, second, third = questions
    shown = {name: task["predictions"][0]["result"] for name, task in questions.items()}
    number = office.save(differing, ADJUDICATE, first, shown[first], by="judge")
    office.save(differing, ADJUDICATE, second, reasoned(shown[second], "I say so."), by="amal")
    for _ in range(2):
        office.save(differing, ADJUDICATE, third, reasoned(shown[third], "Twice."), by="judge")
    before = {name: len(task["annotations"]) for name, task in asked(office, differing).items()}
    said = office.khabar(differing, "adjudicate")
    assert said.code == 1
    assert sorted(issues_of(said)) == ["annotation-duplicate", "annotator-unknown", "decision-invalid"]
    assert "no reason" in said.err
    assert read_decisions(load_campaign(differing)) == []
    assert {name: len(task["annotations"]) for name, task in asked(office, differing).items()} == before
    # With the reason it is taken, whatever is wrong with the others.
    office.client("judge").annotations.update(id=number, result=reasoned(shown[first], "The first version."))
    assert sorted(issues_of(office.khabar(differing, "adjudicate"))) == ["annotation-duplicate", "annotator-unknown"]
    assert [d.reason for d in read_decisions(load_campaign(differing))] == ["The first version."]


def test_an_answer_about_work_that_was_changed_since_is_stale_and_archived(office: Desk, differing: Path) -> None:
    office.done(differing, "adjudicate")
    (name, task), *_ = asked(office, differing).items()
    doc_id = task["data"]["doc_id"]
    campaign = load_campaign(differing)
    (mine,) = office.tasks(differing, "basil")[doc_id]["annotations"]
    new = regions(campaign.documents[doc_id], actuality="future")
    office.client("basil").annotations.update(id=mine["id"], result=new)
    answer = reasoned(task["predictions"][0]["result"], "Too late.")
    office.save(differing, ADJUDICATE, name, answer, by="judge")
    said = office.khabar(differing, "adjudicate")
    assert issues_of(said) == ["decision-stale"]
    assert read_decisions(campaign) == []
    archive = archive_of(campaign)
    kept = [archive.read(version.object) for version in archive.versions() if version.kind == "annotation"]
    assert any("Too late." in json.dumps(item) for item in kept)
    # The new difference is a question of its own; the old one goes when the manager deletes it and says so.
    assert len(asked(office, differing)) == 4
    office.client().tasks.delete(id=str(task["id"]))
    (gone,) = office.findings(differing)
    assert gone.code == "annotation-deleted"
    office.done(differing, "accept", gone.id, "--reason", "Its question is no more.")
    assert office.codes(differing) == []
    assert office.done(differing, "adjudicate").lines[-1] == "0 differences decided, 3 left in 3 questions"


# ---------------------------------------------------------------- bad input


def test_bad_input_is_refused_and_nothing_is_lost(office: Desk, tmp_path: Path) -> None:
    texts = documents("en", "en")
    folder = small(tmp_path / "campaign", "bad", texts, annotators=["amal", "basil"])
    assert issues_of(office.khabar(folder, "status")) == ["project-changed"]
    assert issues_of(office.khabar(folder, "open", "--round", "second")) == ["campaign-invalid"]
    office.done(folder, "open")
    office.save(folder, "amal", "d01", regions(texts[0]))
    before = still(office.state(folder))
    path = tmp_path / "work.jsonl"
    jsonl.write_records(path, [shelled(texts[0])])
    for name, code in (("carol", "annotator-unknown"), ("amal", "annotator-human")):
        assert issues_of(office.khabar(folder, "submit", name, path)) == [code]
        assert issues_of(office.khabar(folder, "texts", name, "-o", tmp_path / "texts")) == [code]
    moved = [{"name": "first", "count": 1}, {"name": "second"}]
    small(folder, "bad", texts, rounds=moved)
    assert issues_of(office.khabar(folder, "open")) == ["round-overlap", "round-overlap"]
    small(folder, "bad", [document("Rebels shelled village 9.", "d01", lang="en"), texts[1]])
    assert set(issues_of(office.khabar(folder, "open"))) == {"project-changed"}
    small(folder, "bad", texts)
    assert still(office.state(folder)) == before
    office.done(folder, "open")


def test_two_campaigns_never_share_a_project(office: Desk, tmp_path: Path) -> None:
    folder = small(tmp_path / "campaign", "shared", documents("en"), **SOLO)
    mine = office.client().projects.create(title="shared/all/amal", description="Our own work")
    for command in ("open", "sync", "status"):
        said = office.khabar(folder, command)
        assert issues_of(said) == ["campaign-foreign"]
        assert "'shared/all/amal'" in said.err
    assert office.client().projects.get(id=mine.id).task_number == 0
    office.client().projects.update(id=mine.id, title="Our own work")
    office.done(folder, "open")


def test_another_server_is_refused_and_nothing_is_kept(office: Desk, tmp_path: Path) -> None:
    folder = small(tmp_path / "campaign", "moved", documents("en"), **SOLO)
    office.done(folder, "open")
    office.done(folder, "sync")
    path = folder / "exports" / "accounts.json"
    numbers = json.loads(path.read_text())
    amal = next(number for number, email in numbers.items() if email.startswith("amal"))
    del numbers[amal]
    path.write_text(json.dumps({**numbers, "999": "amal@khabar.invalid"}))
    office.save(folder, "amal", "d01", regions(documents("en")[0]))
    before = files_of(folder)
    assert issues_of(office.khabar(folder, "sync")) == ["accounts-changed"]
    assert files_of(folder) == before


def test_a_models_work_with_something_wrong_is_refused_document_by_document(office: Desk, tmp_path: Path) -> None:
    texts = documents("en", "en", "en")
    people = [person("amal", "en", kind="language model"), *everybody()[1:]]
    folder = write(
        tmp_path / "campaign", texts, people, name="models", rounds=[{"name": "one", "count": 2}, {"name": "two"}]
    )
    office.done(folder, "open")
    outside = msgspec.structs.replace(shelled(texts[1]), mentions=(Mention(id="m1", start=0, end=99, type="PERSON"),))
    path = tmp_path / "work.jsonl"
    records = [shelled(texts[0]), outside, shelled(texts[2]), msgspec.structs.replace(shelled(texts[0]), doc_id="d9")]
    jsonl.write_records(path, records)
    said = office.khabar(folder, "submit", "amal", path)
    assert said.code == 1
    assert said.out == "amal: 1 documents saved, 0 were there\n"
    assert {"span-outside", "document-unknown"} <= set(issues_of(said))
    assert "work of amal, who was not given it" in said.err
    jsonl.write_records(path, [shelled(texts[0]), shelled(texts[0])])
    assert issues_of(office.khabar(folder, "submit", "amal", path)) == ["document-duplicate"] * 2
    quoted = {"doc_id": "d02", "mentions": [{"id": "m1", "sentence": 1, "quote": "nobody", "type": "PERSON"}]}
    jsonl.write_records(path, [quoted])
    assert office.khabar(folder, "submit", "amal", path).code == 1
    assert len(office.tasks(folder, "amal")["d01"]["annotations"]) == 1
    assert office.tasks(folder, "amal")["d02"]["annotations"] == []


# ---------------------------------------------------------------- what should not have happened


def test_what_is_done_behind_the_campaigns_back_is_found(office: Desk, tmp_path: Path) -> None:
    texts = documents(*["en"] * 6)
    folder = small(tmp_path / "campaign", "audited", texts, **SOLO)
    office.done(folder, "open")
    numbers = {item.doc_id: office.save(folder, "amal", item.doc_id, regions(item)) for item in texts[:4]}
    assert office.codes(folder) == []
    tasks, manager = office.tasks(folder, "amal"), office.client()
    office.client("basil").annotations.update(id=numbers["d01"], result=[])
    manager.annotations.delete(id=numbers["d02"])
    manager.tasks.delete(id=str(tasks["d03"]["id"]))
    manager.tasks.update(id=str(tasks["d04"]["id"]), data={**tasks["d04"]["data"], "text": "Other words."})
    basil = office.client("basil").users.whoami().id
    office.save(folder, "amal", "d05", regions(texts[4]), completed_by=basil)
    office.save(folder, "amal", "d06", regions(texts[5]), by="stranger")
    found = {(item.project, item.issue.doc_id, item.code) for item in office.findings(folder)}
    assert found == {
        ("audited/all/amal", "d01", "account-foreign"),
        ("audited/all/amal", "d02", "annotation-deleted"),
        ("audited/all/amal", "d03", "annotation-deleted"),
        ("audited/all/amal", "d03", "task-deleted"),
        ("audited/all/amal", "d04", "document-hash"),
        ("audited/all/amal", "d05", "account-foreign"),
        ("audited/all/amal", "d06", "annotator-unknown"),
    }
    assert "account-foreign" in office.done(folder, "status").out
    assert [item.doc_id for item in read_work(load_campaign(folder))[0]["amal"]] == []
    _mend(office, folder, texts, tasks)


def _mend(office: Desk, folder: Path, texts: Sequence[Document], tasks: Mapping[str, Json]) -> None:
    office.client().tasks.update(id=str(tasks["d04"]["id"]), data=tasks["d04"]["data"])
    # The task that is gone comes first: what belongs to it cannot come back without it, all else does.
    said = office.khabar(folder, "restore")
    assert issues_of(said) == ["task-deleted"]
    assert said.lines[0].startswith("audited/all/amal, d02: the version of ")
    office.done(folder, "open")
    office.done(folder, "restore")
    left = sorted(office.findings(folder), key=lambda item: item.issue.doc_id)
    assert [(item.issue.doc_id, item.code) for item in left] == [
        ("d01", "account-foreign"),
        ("d04", "document-hash"),
        ("d05", "account-foreign"),
        ("d05", "account-foreign"),
        ("d06", "annotator-unknown"),
    ]
    archive = archive_of(load_campaign(folder))
    own = next(v for v in archive.versions() if v.key == left[0].key)
    assert issues_of(office.khabar(folder, "accept", "0000000000", "--reason", "x")) == ["finding-unknown"]
    said = office.done(folder, "accept", left[0].id, "--reason", "A slip.", "--use", own.object[:10])
    assert f"version {own.object[:12]} counts after the next sync" in said.out
    for item in left[1:]:
        office.done(folder, "accept", item.id, "--reason", "It was agreed.")
    assert office.codes(folder) == []
    kept = {item.doc_id: item for item in read_work(load_campaign(folder))[0]["amal"]}
    assert without_texts(kept["d01"]) == msgspec.structs.replace(shelled(texts[0]), author="amal")


def test_a_changed_configuration_is_found_and_the_page_can_be_brought_back(office: Desk, tmp_path: Path) -> None:
    texts = documents("en")
    folder = small(tmp_path / "campaign", "labels", texts, **SOLO)
    office.done(folder, "open")
    office.save(folder, "amal", "d01", regions(texts[0]))
    project = next(item for item in office.look(folder).projects.values() if item.stamp.who == "amal")
    own = office.client().projects.get(id=project.number).label_config
    assert "</View>" in own
    wider = own.replace(
        "</View>", '<Choices name="mood" toName="text"><Choice value="a"/><Choice value="b"/></Choices></View>', 1
    )
    office.client().projects.update(id=project.number, label_config=wider)
    assert office.codes(folder) == ["project-changed"]
    assert issues_of(office.khabar(folder, "open")) == ["project-changed"]
    office.client().projects.update(id=project.number, label_config=own)
    assert office.codes(folder) == ["project-changed"]
    (lasting,) = office.findings(folder)
    assert not lasting.seen
    office.done(folder, "accept", lasting.id, "--reason", "The configuration is back.")
    assert office.codes(folder) == []
    manifest = folder / "exports" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"labels": "', '"labels": "0.'))
    assert issues_of(office.khabar(folder, "agreement", "--no-gamma")) == ["project-changed"]


# ---------------------------------------------------------------- pre-annotation, people who come and go, the state


def test_the_blind_see_no_prediction_and_the_assisted_do(office: Desk, tmp_path: Path) -> None:
    texts = documents("en", "en", "en", "ar")
    folder = tmp_path / "campaign"
    jsonl.write_records(folder / "made.jsonl", [shelled(item) for item in texts])
    settings = {"predictions": "made.jsonl", "name": "crf-1", "blind_share": 0.3}
    small(folder, "arms", texts, preannotation=settings, **SOLO)
    office.done(folder, "open")
    given = arms_of(office.look(folder).projects.values())
    assert sorted(given.values()) == [ASSISTED, ASSISTED, BLIND, BLIND]
    assert given["d04"] == BLIND
    made = jsonl.read_list(folder / "predictions.jsonl", Annotation)
    assert {item.doc_id: item.author for item in made} == dict.fromkeys(("d01", "d02", "d03", "d04"), "crf-1")
    more = [*texts, *(document(f"Rebels shelled village {n}.", f"x{n}", lang="en") for n in range(1, 8))]
    jsonl.write_records(folder / "made.jsonl", [shelled(item) for item in more])
    small(folder, "arms", more, preannotation=settings, **SOLO)
    office.done(folder, "open")
    after = arms_of(office.look(folder).projects.values())
    assert {doc_id: after[doc_id] for doc_id in given} == given
    assert list(after.values()).count(BLIND) == 4
    assert office.codes(folder) == []


def arms_of(projects: Any) -> dict[str, str]:
    """Give each document's arm, checking that all projects agree and show what their arm says."""
    found: dict[str, str] = {}
    for project in projects:
        for task in project.tasks:
            assert len(task["predictions"]) == (project.stamp.arm == ASSISTED)
            assert found.setdefault(task["data"]["doc_id"], project.stamp.arm) == project.stamp.arm
    return found


def holders(projects: Mapping[str, Project]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for project in projects.values():
        for task in project.tasks:
            found.setdefault(task["data"]["doc_id"], set()).add(project.stamp.who)
    return found


def test_what_one_who_left_had_not_begun_goes_to_others_and_what_was_done_counts(office: Desk, tmp_path: Path) -> None:
    texts = documents("en", "en")
    folder = small(tmp_path / "campaign", "leaving", texts)
    office.done(folder, "open")
    for name in ("amal", "basil"):
        office.save(folder, name, "d01", regions(texts[0]))
    small(folder, "leaving", texts, annotators=["amal", "carol"])
    assert any("leaving/all/carol" in line and "1 documents" in line for line in office.done(folder, "open").lines)
    assert holders(office.look(folder).projects) == {"d01": {"amal", "basil"}, "d02": {"amal", "basil", "carol"}}
    for name in ("amal", "carol"):
        office.save(folder, name, "d02", regions(texts[1]))
    assert office.codes(folder) == []
    versions = finished_versions(load_campaign(folder))
    assert {doc_id: [item.author for item in each] for doc_id, each in versions.items()} == {
        "d01": ["amal", "basil"],
        "d02": ["amal", "carol"],
    }
    office.done(folder, "close")
    assert {item.doc_id for item in jsonl.read_list(folder / "gold.jsonl", Annotation)} == {"d01", "d02"}


def test_the_state_counts_what_is_done_begun_and_not_exported(office: Desk, tmp_path: Path) -> None:
    texts = documents("en", "en", "en")
    folder = small(tmp_path / "campaign", "state", texts, **SOLO)
    office.done(folder, "open")
    office.save(folder, "amal", "d01", regions(texts[0]))
    office.done(folder, "sync")
    office.save(folder, "amal", "d02", regions(texts[1]))
    seen = json.loads(office.done(folder, "status", "--json").out)
    counts = {place["who"]: (place["documents"], place["done"], place["begun"]) for place in seen["places"]}
    assert counts == {"amal": (3, 2, 0)}
    first = office.tasks(folder, "amal")["d02"]["annotations"][0]["updated_at"]
    assert (seen["unexported"], seen["oldest_unexported"], seen["findings"]) == (1, first, 0)
    amal = next(place for place in seen["places"] if place["who"] == "amal")
    assert amal["minutes"] == pytest.approx(1.0)
    assert amal["pace"] > 0
    table = office.done(folder, "status").out
    assert "1 not exported, the oldest of" in table
    assert "remaining" in table
    office.done(folder, "sync")
    assert json.loads(office.done(folder, "status", "--json").out)["unexported"] == 0
    assert "everything is exported" in office.done(folder, "status").out


# ---------------------------------------------------------------- an old database


def test_an_old_database_is_recognised_and_what_it_lost_is_brought_back(office: Desk, tmp_path: Path) -> None:
    texts = documents("en", "en", "en")
    folder = small(tmp_path / "campaign", "restored", texts)
    office.done(folder, "open")
    changed = office.save(folder, "amal", "d01", regions(texts[0]))
    office.save(folder, "basil", "d01", regions(texts[0]))
    office.done(folder, "sync")
    server.stop(office.data)
    shutil.copytree(office.data, tmp_path / "backup")
    server.start(office.data)
    office.client("amal").annotations.update(id=changed, result=regions(texts[0], actuality="future"))
    for name in ("amal", "basil"):
        office.save(folder, name, "d02", regions(texts[1]))
    office.done(folder, "sync")
    work, files = _all_work(folder), archive_of(load_campaign(folder)).versions()
    server.stop(office.data)
    shutil.rmtree(office.data)
    shutil.copytree(tmp_path / "backup", office.data)
    server.start(office.data)
    found = office.findings(folder)
    assert sorted((item.code, item.project, item.issue.doc_id) for item in found) == [
        ("database-restored", "restored/all/amal", "d01"),
        ("database-restored", "restored/all/amal", "d02"),
        ("database-restored", "restored/all/basil", "d02"),
    ]
    assert archive_of(load_campaign(folder)).versions()[: len(files)] == files
    assert issues_of(office.khabar(folder, "close")).count("campaign-unfinished") >= 3
    assert office.done(folder, "restore").lines[-1] == "3 annotations; run sync again"
    assert office.codes(folder) == []
    assert _all_work(folder) == work
    assert office.done(folder, "restore").lines == ["0 annotations; run sync again"]


def _all_work(folder: Path) -> dict[str, list[Annotation]]:
    work, issues = read_work(load_campaign(folder))
    assert issues == []
    return work
