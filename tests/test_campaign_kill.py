"""Commands and servers that are killed at the worst moments: run again, they end where an undisturbed run ends."""

import json
import multiprocessing
import os
import re
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest
import studio
from builders import document

from khabar import jsonl
from khabar.campaign import archive
from khabar.campaign.config import Campaign, load_campaign
from khabar.campaign.files import DECISIONS, archive_of, read_findings, read_work
from khabar.campaign.studio import ADJUDICATE, Studio
from khabar.campaign.sync import versions_of
from khabar.label_studio import desk, server
from khabar.label_studio.config import REASON
from khabar.types import Annotation, Argument, Document, Event, Mention

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
Json = dict[str, Any]

# Python and the packages are loaded once; each command is a process of its own that is split off from there.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["khabar.cli", "label_studio_sdk.client", "markdown_it", "test_campaign_kill"])
DOCUMENTS = 2
HALF = "killed in the middle of a file"


# ---------------------------------------------------------------- the line between client and server, which can be cut


CHANGES = {
    # What changes a campaign, by its place in the address, and how it is disturbed, in turn.
    "/import": ("server", "late", "after"),
    "/annotations/": ("server", "late", "after", "after"),
    "/api/annotations/": ("after",),
    "/api/projects/": ("late", "after", "late"),
    "/user/signup": ("after",),
    "/api/token/": ("after",),
    "DELETE": ("after",),
}


def kind_of(method: str, path: str) -> str:
    """Tell what a request changes; logging in changes nothing."""
    if method == "GET" or path.startswith("/api/token/refresh"):
        return ""
    return (
        "DELETE" if method == "DELETE" else next((kind for kind in ("/api/annotations/", *CHANGES) if kind in path), "")
    )


class Line:
    """A proxy on loopback that kills the client or the server at each change, once.

    `after`: the server has answered, the client never hears of it. `late`: the client is gone before the server
    hears of the request, which arrives together with that of the next process. `server`: the server dies while
    it is at it. `hold`: the request waits until it is let go.
    """

    def __init__(self, port: int) -> None:
        self.port, self.victim = port, 0
        self.disturbed, self.hold = False, False
        self.kill_server: Callable[[], None] = lambda: None
        self.seen: set[object] = set()
        self.late: dict[object, threading.Event] = {}
        self.deaths: Counter[tuple[str, str]] = Counter()
        self.held, self.let_go = threading.Event(), threading.Event()
        self.proxy = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.proxy.daemon_threads = True
        threading.Thread(target=self.proxy.serve_forever, daemon=True).start()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        line = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except (OSError, ValueError):  # the client was killed, or the server
                    self.close_connection = True

            def pass_on(self) -> None:
                line.pass_on(self, self.rfile.read(int(self.headers.get("Content-Length") or 0)))

            def log_message(self, *_: object) -> None:
                pass

        for method in ("GET", "POST", "PATCH", "PUT", "DELETE"):
            setattr(Handler, f"do_{method}", Handler.pass_on)
        return Handler

    @property
    def address(self) -> int:
        return int(self.proxy.server_address[1])

    def pass_on(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        cut = self._judge(handler.command, handler.path, body)
        handler.close_connection = bool(cut)
        status, headers, data = self._forward(handler, body, cut)
        if cut == "after":
            self._kill_client()
        if cut:
            return
        handler.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    def _forward(
        self, handler: BaseHTTPRequestHandler, body: bytes, cut: str
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=60)) as there:
            there.request(handler.command, handler.path, body or None, dict(handler.headers))
            if cut == "server":
                time.sleep(0.01)
                self.kill_server()
            answer = there.getresponse()
            return answer.status, answer.getheaders(), answer.read()

    def _judge(self, method: str, path: str, body: bytes) -> str:
        if self.hold:
            self.held.set()
            self.let_go.wait(30)
        kind = kind_of(method, path)
        # A token is another each time, and would be taken for another change for ever.
        key = (method, path, b"" if path.startswith("/api/token") else body)
        if key in self.late:
            self.late.pop(key).set()
        if not (self.disturbed and kind and self.victim) or key in self.seen:
            return ""
        self.seen.add(key)
        turn = sum(count for (other, _), count in self.deaths.items() if other == kind)
        mode = CHANGES[kind][turn % len(CHANGES[kind])]
        self.deaths[kind, mode] += 1
        if mode == "late":
            self.late[key] = threading.Event()
            self._kill_client()
            self.late[key].wait(10)
        return mode

    def _kill_client(self) -> None:
        victim, self.victim = self.victim, 0
        os.kill(victim, signal.SIGKILL)


def command(arguments: Sequence[str], output: str, death: tuple[str, int]) -> None:
    """Run khabar in a process of its own, which may be killed while it writes the n-th file of a name."""
    from khabar.cli import main

    die_while_writing(*death)
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.argv = ["khabar", *arguments]
    main()


def die() -> None:
    os.write(1, HALF.encode())
    os.kill(os.getpid(), signal.SIGKILL)


def die_while_writing(name: str, nth: int) -> None:
    """Let this process be killed halfway through a file: an object of the archive, its log, or any other by name."""
    replace, append, files = jsonl._replace, archive._append, list[Path]()

    def half_a_file(path: Path, data: bytes, mode: int) -> None:
        if name == ("objects" if "objects" in path.parts else path.name):
            files.append(path)
            if len(files) == nth:
                path.parent.mkdir(parents=True, exist_ok=True)
                (path.parent / f".{path.name}.half").write_bytes(data[: len(data) // 2])
                die()
        replace(path, data, mode)

    def half_a_line(path: Path, versions: Sequence[archive.Version], seen_at: str) -> None:
        if name == path.name and versions:
            append(path, versions[: len(versions) // 2], seen_at)
            with path.open("ab") as file:
                file.write(b'{"seen_at":"20')
            die()
        append(path, versions, seen_at)

    jsonl._replace, archive._append = half_a_file, half_a_line


class Desk:
    """A running Label Studio, and the line to it."""

    def __init__(self, real: Path, folder: Path) -> None:
        self.real, self.folder, self.data = real, folder, folder / "line"
        self.line = Line(server.load_state(real).port)
        self.line.kill_server = self.kill_server
        state = server.load_state(real)
        server.save_state(self.data, msgspec.structs.replace(state, port=self.line.address))
        self.dead = False

    def run(self, *arguments: str, death: tuple[str, int] = ("", 0), output: str = "output.txt") -> tuple[int, str]:
        """Run a command to its end, or to its death."""
        said = self.folder / output
        process = PROCESSES.Process(target=command, args=(arguments, str(said), death))
        process.start()
        assert process.pid is not None
        self.line.victim = process.pid
        process.join(60)
        self.line.victim = 0
        process.kill()  # where it hangs
        assert process.exitcode is not None
        return process.exitcode, said.read_text() if said.exists() else ""

    def kill_server(self) -> None:
        pid = server.load_state(self.real).pid
        os.killpg(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)
        self.dead = True

    def studio(self, campaign: Campaign) -> Studio:
        return Studio(campaign, self.data)


@pytest.fixture(scope="module")
def desk_(studio_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("kill")
    with studio.running(studio_template, folder / "data") as data:
        yield Desk(data, folder)


# ---------------------------------------------------------------- a small campaign


def texts() -> list[Document]:
    return [document(f"Rebels shelled village {n}. The army denied it.", f"doc-{n}") for n in range(1, DOCUMENTS + 1)]


def work(item: Document, label: str) -> Annotation:
    end = item.text.index(".")
    mentions = (
        Mention(id="m1", start=0, end=6, type=label, kind="nominal"),
        Mention(id="m2", start=15, end=end, type="PLACE"),
    )
    shelling = Event(id="e1", start=7, end=14, type="Strike.Shelling", arguments=(Argument("Place", "m2"),))
    return Annotation(doc_id=item.doc_id, author="x", sha256=item.sha256, mentions=mentions, events=(shelling,))


def make(folder: Path, name: str) -> Campaign:
    """Write a campaign of two models, half of it with pre-annotation, in which they differ on each document."""
    who = {role: f"{name}-{role}" for role in "abj"}
    entry = {"kind": "model", "role": "annotator", "languages": ["en"], "note": ""}
    folder.mkdir()
    jsonl.write_records(folder / "documents.jsonl", texts())
    jsonl.write_json(folder / "annotators.json", {"annotators": [{"name": each, **entry} for each in who.values()]})
    for role, label in (("a", "ARMED_GROUP"), ("b", "STATE_FORCES"), ("shown", "ARMED_GROUP")):
        jsonl.write_records(folder / f"{role}.jsonl", [work(item, label) for item in texts()])
    (folder / "guidelines.md").write_text("# Guidelines\n\nMark *actors*.\n")
    (folder / "campaign.toml").write_text(
        f'name = "{name}"\ndocuments = "documents.jsonl"\nannotators = ["{who["a"]}", "{who["b"]}"]\n'
        f'adjudicators = ["{who["j"]}"]\n[preannotation]\npredictions = "shown.jsonl"\nblind_share = 0\n'
    )
    return load_campaign(folder)


def answer(desk_: Desk, campaign: Campaign) -> None:
    """Answer every question as an adjudicator does on the page: the first version, with a reason."""
    running = desk_.studio(campaign)
    client = running.client(server.annotator_email(campaign.config.adjudicators[0]))
    reason = {"from_name": REASON, "to_name": "text", "type": "textarea", "id": "r", "value": {"text": ["so be it"]}}
    for project, stamp in running.stamped().values():
        for task in desk.list_tasks(running.manager, int(project.id)) if stamp.who == ADJUDICATE else ():
            shown = next(p["result"] for p in task["predictions"] if "ARMED_GROUP" in json.dumps(p["result"]))
            desk.create_annotation(client, int(task["id"]), [*shown, reason])


class Life:
    """A campaign from its opening to its decisions, by commands."""

    def __init__(self, desk_: Desk, name: str) -> None:
        self.desk, self.name = desk_, name
        self.campaign = make(desk_.folder / name, name)
        self.codes: list[int] = []

    def command(self, name: str, *arguments: str) -> list[str]:
        return ["campaign", name, str(self.campaign.folder), *arguments, "--data", str(self.desk.data)]

    def commands(self) -> Iterator[list[str]]:
        yield self.command("open")
        for role in "ab":
            yield self.command("submit", f"{self.name}-{role}", str(self.campaign.path(f"{role}.jsonl")))
        yield self.command("sync")
        yield self.command("adjudicate")
        answer(self.desk, self.campaign)
        yield self.command("adjudicate")
        yield self.command("sync")

    def live(self, run: Callable[[list[str]], int]) -> Json:
        """Run all commands and give what there is in the end."""
        for arguments in self.commands():
            self.codes.append(run(arguments))
        return self.state()

    def state(self) -> Json:
        """Give everything that a campaign consists of, without the numbers and times that differ between two."""
        snapshot = self.desk.studio(self.campaign).snapshot()
        keeper = archive_of(self.campaign)
        # Nothing that the server holds is missing in the archive, and each object is what its name says.
        latest = keeper.latest()
        assert all(latest[version.identity] == version for version, _ in versions_of(snapshot, keep_text=True))
        kept = [(version, keeper.read(version.object)) for version in keeper.versions()]
        found = {
            "codes": self.codes,
            "projects": {title: self._tasks(project.number) for title, project in snapshot.projects.items()},
            "accounts": sorted(email for email in snapshot.accounts.values() if email.startswith(f"{self.name}-")),
            "archive": sorted(plain([v.kind, v.project, v.doc_id, v.account, shape(value)]) for v, value in kept),
            "findings": sorted(plain([f.code, f.project, f.issue.found]) for f in read_findings(self.campaign)),
            # A question is named by what is asked, and so by who proposed it.
            "decisions": re.sub(r'"question":"\w+"', '"question":""', self.campaign.path(DECISIONS).read_text()),
            "work": plain(msgspec.to_builtins(read_work(self.campaign))),
            "files": sorted(path.name for path in self.campaign.folder.glob("**/*") if "objects" not in path.parts),
        }
        return json.loads(json.dumps(found).replace(self.name, "NAME"))  # type: ignore[no-any-return]

    def _tasks(self, project: int) -> list[str]:
        listed = desk.list_tasks(self.desk.studio(self.campaign).manager, project)
        return sorted(
            plain(
                [
                    shape(task["data"]),
                    sorted(prediction(item) for item in task["predictions"]),
                    sorted(plain(shape(item)) for item in task["annotations"]),
                ]
            )
            for task in listed
        )


def plain(value: object) -> str:
    # The name of a question, and the prefix of the regions of a version, come from the annotators' names.
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return re.sub(r"\b[0-9a-f]{16}\b", "knot", re.sub(r"\b[0-9a-f]{10}-(?=[me]\d)", "", text))


def shape(value: Json) -> Json:
    """Give what is the same in two campaigns; in a question, the order of the versions is not."""
    names = ("doc_id", "text", "sha256", "result", "ground_truth", "was_cancelled")
    found = {name: value[name] for name in names if name in value}
    return {**found, "question": value["question"].split("\n")[0]} if "question" in value else found


def prediction(value: Json) -> str:
    return plain([re.sub(r"version [12]", "version", value["model_version"]), value["result"]])


def undisturbed(desk_: Desk) -> Callable[[list[str]], int]:
    def run(arguments: list[str]) -> int:
        code, said = desk_.run(*arguments)
        assert code == 0, said
        return code

    return run


@pytest.fixture(scope="module")
def whole(desk_: Desk) -> Json:
    """Give what an undisturbed campaign ends with."""
    return Life(desk_, "k-whole").live(undisturbed(desk_))


def test_an_undisturbed_campaign_is_what_it_should_be(whole: Json) -> None:
    counts = {title: len(tasks) for title, tasks in whole["projects"].items()}
    seats = {f"NAME/all/NAME-{role}/assisted": DOCUMENTS for role in "ab"}
    assert counts == {**seats, "NAME/all/adjudicate": DOCUMENTS}
    assert all(len(json.loads(task)[1]) == 1 for title in seats for task in whole["projects"][title])
    assert all(len(json.loads(task)[1]) == 2 for task in whole["projects"]["NAME/all/adjudicate"])
    assert whole["accounts"] == [f"NAME-{role}@khabar.invalid" for role in "abj"]
    assert len(whole["decisions"].splitlines()) >= DOCUMENTS
    kinds = Counter(json.loads(line)[0] for line in whole["archive"])
    # Each question is answered once, and then marked as ground truth.
    assert kinds == {"task": 3 * DOCUMENTS, "annotation": 2 * DOCUMENTS + 2 * DOCUMENTS}
    assert whole["findings"] == []


# ---------------------------------------------------------------- client and server die


def deaths_in_files(name: str) -> dict[str, list[tuple[str, int]]]:
    """Name the files in the middle of which a command dies."""
    exports = (f"{name}-b.json", "accounts.json")
    return {
        "open": [("predictions.jsonl", 1), ("khabar.json", 1)],
        "sync": [("objects", 2), ("log.jsonl", 1), ("findings.json", 1), *((each, 1) for each in exports)],
        "adjudicate": [("decisions.jsonl", 1)],
    }


def test_killed_at_every_change_and_in_every_file_it_ends_where_it_would_have(desk_: Desk, whole: Json) -> None:
    """Each process dies at the first change that none before it has died at, or in the middle of a file; or the server."""
    line, name = desk_.line, "k-killed"
    files = deaths_in_files(name)
    died: list[tuple[str, int]] = []

    def run(arguments: list[str]) -> int:
        line.disturbed, code, said = True, 1, ""
        left = files.get(arguments[1], [])
        while code:
            death = left[0] if left else ("", 0)
            code, said = desk_.run(*arguments, death=death)
            if desk_.dead:
                assert "server-lost" in said, said
                server.start(desk_.real)
                desk_.dead = False
            elif code:
                assert code == -signal.SIGKILL, said
            if HALF in said:
                died.append(left.pop(0))
        line.disturbed = False
        return code

    life = Life(desk_, name)
    found = life.live(run)
    halves = list(life.campaign.folder.glob("**/.*.half"))
    found["files"] = [name for name in found["files"] if not name.endswith(".half")]
    assert found == whole
    # A project, and a project's tasks, that came twice: the copies were removed, and that was disturbed too.
    assert line.deaths.pop(("DELETE", "after")) >= 2 + DOCUMENTS
    assert line.deaths == {
        ("/user/signup", "after"): 3,
        ("/api/token/", "after"): 2,  # made for an account, and made anew because nobody knew the first
        ("/api/projects/", "late"): 2,
        ("/api/projects/", "after"): 1,
        ("/import", "server"): 1,
        ("/import", "late"): 1,
        ("/import", "after"): 1,
        ("/annotations/", "server"): 1,
        ("/annotations/", "late"): 1,
        ("/annotations/", "after"): 2 * DOCUMENTS - 2,
        ("/api/annotations/", "after"): DOCUMENTS,
    }
    assert died == [death for each in deaths_in_files(name).values() for death in each]
    assert len(halves) == len(died) - 2  # the log is none, and khabar.json is elsewhere


def test_a_log_cut_at_any_byte_goes_on(tmp_path: Path) -> None:
    """Whatever part of the last lines reached the disk: run again, each version is there once."""

    def keep(folder: Path, cut: int | None = None) -> list[archive.Version]:
        keeper = archive.Archive(folder)
        if cut is not None:
            keeper.log.write_bytes(keeper.log.read_bytes()[:cut])
        keeper.put(items, seen_at="2020-01-01T00:00:00+00:00")
        return keeper.versions()

    items = []
    for number in range(3):
        name, data = archive.content({"result": [number]})
        fields = {"project": "p", "doc_id": "d", "account": "a", "updated_at": "t"}
        items.append((archive.Version(kind="annotation", key=str(number), object=name, **fields), data))
    whole = keep(tmp_path / "a")
    log = (tmp_path / "a" / "log.jsonl").read_bytes()
    for cut in range(len(log)):
        assert keep(tmp_path / "a", cut) == whole
        assert (tmp_path / "a" / "log.jsonl").read_bytes() == log


# ---------------------------------------------------------------- two at once


def test_two_commands_at_once_do_not_meet_and_a_dead_one_does_not_block(desk_: Desk) -> None:
    life, line = Life(desk_, "k-two"), desk_.line
    arguments = life.command("open")
    line.hold = True
    first: list[tuple[int, str]] = []
    thread = threading.Thread(target=lambda: first.append(desk_.run(*arguments)))
    try:
        thread.start()
        assert line.held.wait(30)
        for each in (arguments, life.command("sync"), life.command("adjudicate")):
            code, said = desk_.run(*each, output="second.txt")
            assert (code, "campaign-busy" in said) == (1, True), said
    finally:
        line.hold = False
        line.let_go.set()
        thread.join(60)
    assert first[0][0] == 0
