"""Let many annotators save at once and synchronise meanwhile; then look for every acknowledged save in the archive."""

import math
import random
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import httpx
import msgspec
import typer

from khabar import jsonl
from khabar.campaign.archive import Archive
from khabar.campaign.config import Campaign, load_campaign
from khabar.campaign.files import archive_of, read_findings, read_work
from khabar.campaign.opening import open_campaign
from khabar.campaign.studio import Studio
from khabar.cli import run
from khabar.console import show_json, show_table, working
from khabar.label_studio import desk, server
from khabar.label_studio.convert import to_result
from khabar.types import Annotation, Document, Mention

Json = dict[str, Any]
Key = tuple[str, str]
ROOT = Path(__file__).resolve().parent.parent.parent
COMPOSED = ROOT / "annotations" / "documents" / "composed-1.jsonl"
ROUND, LOST = "all", "no answer"
AGAIN = 0.2  # seconds until somebody who was refused clicks again


class Save(msgspec.Struct, frozen=True, kw_only=True):
    """A save that the server acknowledged: of which annotation or draft, which content, and when it was answered.

    `key` is the number that the server gave, since it does not tell the unique id by which the archive knows it.
    """

    kind: str
    key: str
    doc_id: str
    updated_at: str
    content: str
    at: float

    @property
    def identity(self) -> Key:
        """Give what stays the same while the content changes."""
        return self.kind, self.key


class Request(msgspec.Struct, frozen=True):
    """A request that was made: what for, how it was answered, and after how many seconds."""

    what: str
    answer: str
    seconds: float


class Sync(msgspec.Struct, frozen=True, kw_only=True):
    """A synchronisation while people work: when it began, how long it took, and what it should have seen and did not."""

    begun: float
    seconds: float
    failed: str
    unseen: tuple[Save, ...]


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. `lost` is what was acknowledged and is not in the archive or the exports: it must be empty."""

    database: str
    annotators: int
    documents: int
    seconds: float
    requests: int
    saves: dict[str, int]
    saves_per_second: float
    latency: dict[str, dict[str, float]]
    answers: dict[str, int]
    retries: int
    syncs: int
    sync_seconds: dict[str, float]
    failed: tuple[str, ...]
    versions: int
    annotations: int
    memory: dict[str, int]
    findings: dict[str, int]
    lost: tuple[str, ...]


# ---------------------------------------------------------------- the campaign


def make_campaign(folder: Path, *, name: str, annotators: int, documents: int, per_document: int) -> Campaign:
    """Write a campaign over copies of the composed documents.

    Args:
        folder: where to.
        name: of the campaign.
        annotators: how many.
        documents: how many.
        per_document: how many annotators each document gets.
    """
    texts = jsonl.read_list(COMPOSED, Document)
    copies = [
        msgspec.structs.replace(texts[n % len(texts)], doc_id=f"{name}-{n + 1}", lang="en") for n in range(documents)
    ]
    names = [f"{name}-{n + 1}" for n in range(annotators)]
    entry = {"kind": "human", "role": "annotator", "languages": ["en"], "note": "A program that saves as people do."}
    jsonl.write_records(folder / "documents.jsonl", copies)
    jsonl.write_json(folder / "annotators.json", {"annotators": [{"name": who, **entry} for who in names]})
    jsonl.write_bytes(folder / "guidelines.md", b"Mark places.\n")
    settings = {"name": name, "documents": "documents.jsonl", "annotators": names, "per_document": per_document}
    lines = [f"{key} = {msgspec.json.encode(value).decode()}\n" for key, value in settings.items()]
    jsonl.write_bytes(folder / "campaign.toml", "".join(lines).encode())
    return load_campaign(folder)


# ---------------------------------------------------------------- one annotator


class Worker:
    """An annotator who saves without a pause, as the page does: drafts, a submission, corrections."""

    def __init__(self, studio: Studio, name: str, project: int, until: float) -> None:
        account = server.ensure_account(studio.data, server.annotator_email(name))
        self.http = httpx.Client(base_url=server.load_state(studio.data).url, timeout=120, trust_env=False)
        self.refresh, self.project, self.until = account.token, project, until
        self.documents = studio.campaign.documents
        self.chance = random.Random(name)  # noqa: S311
        self.saves: list[Save] = []
        self.requests: list[Request] = []
        self.standing: dict[int, Save] = {}
        self.mine: dict[int, tuple[int, str]] = {}
        self.last: dict[str, Annotation] = {}
        self.retries = 0

    def work(self) -> "Worker":
        """Work until the time is over."""
        with self.http:
            while time.time() < self.until:
                task = self._next()
                if task is not None:
                    self._annotate(task["id"], str(task["data"]["doc_id"]))
                elif self.mine:
                    self._correct()
                else:
                    time.sleep(AGAIN)
        return self

    def _next(self) -> Json | None:
        answer = self._send("next", "GET", f"/api/projects/{self.project}/next/", {})
        return None if answer is None or "data" not in answer else answer

    def _annotate(self, task: int, doc_id: str) -> None:
        draft = self._save("draft", "POST", f"/api/tasks/{task}/drafts?project={self.project}", doc_id)
        if draft is None:
            return
        self._save("draft", "PATCH", f"/api/drafts/{draft['id']}", doc_id)
        made = self._save(
            "create", "POST", f"/api/tasks/{task}/annotations/?project={self.project}", doc_id, draft_id=draft["id"]
        )
        if made is not None:
            self.standing.pop(draft["id"], None)
            self.mine[int(made["id"])] = task, doc_id
            for _ in range(3):
                self._update(int(made["id"]), doc_id)

    def _correct(self) -> None:
        """Open finished work again: change it twice, and begin a draft that is submitted or left."""
        number = self.chance.choice(list(self.mine))
        task, doc_id = self.mine[number]
        for _ in range(2):
            self._update(number, doc_id)
        path = f"/api/tasks/{task}/annotations/{number}/drafts?project={self.project}"
        draft = self._save("draft", "POST", path, doc_id)
        if draft is not None and self.chance.random() < 0.8:
            self._update(number, doc_id, draft_id=draft["id"])

    def _update(self, number: int, doc_id: str, **fields: object) -> Json | None:
        made = self._save("update", "PATCH", f"/api/annotations/{number}/?project={self.project}", doc_id, **fields)
        if made is not None:  # Label Studio deletes every draft of an annotation that is saved
            self.standing = {draft: save for draft, save in self.standing.items() if save.doc_id != doc_id}
        return made

    def _save(self, what: str, method: str, path: str, doc_id: str, **fields: object) -> Json | None:
        annotation = self._mark(doc_id)
        result = to_result(annotation, self.documents[doc_id].text)
        answer = self._send(what, method, path, {"result": result, "lead_time": 600.0, **fields})
        if answer is None:
            return None
        kind = "draft" if what == "draft" else "annotation"
        save = Save(
            kind=kind,
            key=str(answer["id"]),
            doc_id=doc_id,
            updated_at=str(answer["updated_at"]),
            content=content_hash(result),
            at=time.time(),
        )
        self.saves.append(save)
        if kind == "draft":
            self.standing[int(answer["id"])] = save
        else:
            self.last[doc_id] = annotation
        return answer

    def _mark(self, doc_id: str) -> Annotation:
        document = self.documents[doc_id]
        text, at, mentions = document.text, self.chance.randrange(20), list[Mention]()
        words = [word for word in text.split() if len(word) > 3 and text.count(word) == 1]
        for number, word in enumerate(words[at : at + self.chance.randint(1, 30)], 1):
            start = text.index(word)
            mentions.append(Mention(id=f"m{number}", start=start, end=start + len(word), type="PLACE", text=word))
        return Annotation(doc_id=doc_id, sha256=document.sha256, mentions=tuple(mentions))

    def _send(self, what: str, method: str, path: str, body: Json) -> Json | None:
        """Send, and send again what was refused, as somebody does who sees an error; None where nothing is there."""
        while True:
            status, answer = self._once(what, method, path, body)
            if status in ("200", "201"):
                return answer
            if status == "404" or time.time() > self.until:
                return None
            self.retries += 1
            if status == "401":
                self._renew()
            else:
                time.sleep(AGAIN)

    def _once(self, what: str, method: str, path: str, body: Json) -> tuple[str, Json]:
        if "Authorization" not in self.http.headers:
            self._renew()
        begun = time.perf_counter()
        try:
            got = self.http.request(method, path, json=body or None)
            status, answer = str(got.status_code), got.json() if got.status_code in (200, 201) else {}
        except httpx.TransportError:
            status, answer = LOST, {}
        self.requests.append(Request(what, status, time.perf_counter() - begun))
        return status, answer

    def _renew(self) -> None:
        got = self.http.post("/api/token/refresh/", json={"refresh": self.refresh})
        self.http.headers["Authorization"] = f"Bearer {got.raise_for_status().json()['access']}"


def content_hash(result: Sequence[Json]) -> str:
    """Give the hash of what was marked.

    Args:
        result: as sent, or as kept.
    """
    return sha256(msgspec.json.encode(result, order="sorted")).hexdigest()


# ---------------------------------------------------------------- looking for what was acknowledged


def last_saves(saves: Iterable[Save]) -> dict[Key, Save]:
    """Give the last acknowledged save of each annotation and draft.

    Args:
        saves: in any order.
    """
    found: dict[Key, Save] = {}
    for save in saves:
        known = found.get(save.identity)
        if known is None or known.updated_at < save.updated_at:
            found[save.identity] = save
    return found


def kept_saves(archive: Archive) -> dict[tuple[Key, str], str]:
    """Give the object of every version of an annotation or draft, by kind, number and time.

    Args:
        archive: of the campaign.
    """
    found: dict[tuple[Key, str], str] = {}
    numbers: dict[Key, str] = {}
    for version in archive.versions():
        if version.kind != "task":
            name = (version.kind, version.key)
            if name not in numbers:
                numbers[name] = str(archive.read(version.object)["id"])
            found[(version.kind, numbers[name]), version.updated_at] = version.object
    return found


def not_seen(saves: Iterable[Save], kept: Iterable[tuple[Key, str]]) -> list[Save]:
    """List the annotations of which no version as new as the last acknowledged is among those kept.

    Args:
        saves: what was acknowledged before a synchronisation began.
        kept: what was kept when it had ended: kind and number, and the time of the version.
    """
    newest: dict[Key, str] = {}
    for key, updated_at in kept:
        newest[key] = max(newest.get(key, ""), updated_at)
    return [save for key, save in last_saves(saves).items() if newest.get(key, "") < save.updated_at]


def lost_saves(archive: Archive, saves: Iterable[Save], standing: Iterable[Save]) -> list[str]:
    """List what was acknowledged last, of each annotation and each draft that stands, and is not kept as it was sent.

    Versions that a later save replaced may be kept or not; what is kept must be what was acknowledged.

    Args:
        archive: after the last synchronisation.
        saves: everything that was acknowledged.
        standing: drafts that no submission has replaced.
    """
    every = list(saves)
    kept = kept_saves(archive)
    last = [*last_saves(save for save in every if save.kind == "annotation").values(), *standing]
    missing = [save for save in last if (save.identity, save.updated_at) not in kept]
    found = [f"{save.kind} {save.key} of {save.doc_id}: no version of {save.updated_at}" for save in missing]
    for save in every:
        name = kept.get((save.identity, save.updated_at))
        if name is not None and content_hash(archive.read(name)["result"]) != save.content:
            found.append(
                f"{save.kind} {save.key} of {save.doc_id}: at {save.updated_at} other content than acknowledged"
            )
    return found


def wrong_exports(campaign: Campaign, last: Mapping[str, Mapping[str, Annotation]]) -> list[str]:
    """List the documents whose exported work is not what its annotator saved last.

    Args:
        campaign: after the last synchronisation.
        last: by annotator and document.
    """
    work, issues = read_work(campaign)
    found = [issue.message for issue in issues]
    for name, each in last.items():
        wanted = [msgspec.structs.replace(item, author=name) for item in each.values()]
        found += [f"{name}, {doc_id}: other work in the exports" for doc_id in desk.same_work(wanted, work[name])]
    return found


# ---------------------------------------------------------------- the run


def sync_until(studio: Studio, workers: Sequence[Worker], until: float, every: float) -> list[Sync]:
    """Synchronise again and again while people work.

    Args:
        studio: the running Label Studio.
        workers: whose saves are looked for.
        until: when to end.
        every: seconds between the beginning of two.
    """
    done: list[Sync] = []
    while time.time() + every < until:
        time.sleep(every)
        done.append(sync_once(studio, workers))
    return done


def sync_once(studio: Studio, workers: Sequence[Worker]) -> Sync:
    """Run `khabar campaign sync`, and look for everything that was acknowledged before it began.

    Args:
        studio: the running Label Studio.
        workers: whose saves are looked for.
    """
    begun = time.time()
    before = [s for worker in workers for s in list(worker.saves) if s.kind == "annotation"]
    command = [str(Path(sys.executable).with_name("khabar")), "campaign", "sync", str(studio.campaign.folder)]
    got = subprocess.run(  # noqa: S603
        [*command, "--data", str(studio.data), "--json"], capture_output=True, text=True, check=False
    )
    seconds = time.time() - begun
    # Exit code 1 is given for findings too, which a later look at findings.json counts.
    failed = "" if '"annotations"' in got.stdout else (got.stderr or got.stdout)[-2000:]
    unseen = [] if failed else not_seen(before, kept_saves(archive_of(studio.campaign)))
    return Sync(begun=begun, seconds=seconds, failed=failed, unseen=tuple(unseen))


def load(studio: Studio, *, seconds: float, every: float) -> Result:
    """Let all annotators of a campaign work at once, and look for what they saved.

    Args:
        studio: the running Label Studio, with the campaign opened.
        seconds: for how long.
        every: seconds between two synchronisations.
    """
    projects = {stamp.who: int(project.id) for project, stamp in studio.stamped().values()}
    begun = time.time()
    until = begun + seconds
    workers = [Worker(studio, name, number, until) for name, number in projects.items()]
    memory = {"before_mb": resident(studio.data)}
    syncs: list[Sync] = []
    background = threading.Thread(target=lambda: syncs.extend(sync_until(studio, workers, until, every)))
    background.start()
    with ThreadPoolExecutor(len(workers)) as pool:
        list(pool.map(Worker.work, workers))
    taken = time.time() - begun
    background.join()
    syncs.append(sync_once(studio, workers))
    memory["after_mb"] = resident(studio.data)
    return summarise(studio, workers, syncs, taken, memory, dict(zip(projects, workers, strict=True)))


def summarise(
    studio: Studio,
    workers: Sequence[Worker],
    syncs: Sequence[Sync],
    taken: float,
    memory: dict[str, int],
    by_name: Mapping[str, Worker],
) -> Result:
    """Put the figures together.

    Args:
        studio: the running Label Studio.
        workers: what they did.
        syncs: what was synchronised.
        taken: seconds.
        memory: of the server.
        by_name: the workers by annotator.
    """
    campaign = studio.campaign
    requests = [request for worker in workers for request in worker.requests]
    saves = [save for worker in workers for save in worker.saves]
    good = [request for request in requests if request.what != "next" and request.answer in ("200", "201")]
    annotations = [save for save in saves if save.kind == "annotation"]
    lost = [f"a sync did not see {save.kind} {save.key}" for sync in syncs for save in sync.unseen]
    standing = [save for worker in workers for save in worker.standing.values()]
    lost += lost_saves(archive_of(campaign), saves, standing)
    lost += wrong_exports(campaign, {name: worker.last for name, worker in by_name.items()})
    state = server.load_state(studio.data)
    return Result(
        database=state.database.address.split("://")[0] if state.database else "sqlite",
        annotators=len(workers),
        documents=len(campaign.documents),
        seconds=round(taken, 1),
        requests=len(requests),
        saves=dict(Counter(request.what for request in good)),
        saves_per_second=round(len(good) / taken, 1),
        latency={what: latency(requests, what) for what in ("next", "draft", "create", "update")},
        answers=dict(sorted(Counter(request.answer for request in requests).items())),
        retries=sum(worker.retries for worker in workers),
        syncs=len(syncs),
        sync_seconds=spread([sync.seconds for sync in syncs]),
        failed=tuple(sync.failed for sync in syncs if sync.failed),
        versions=len(archive_of(campaign).versions()),
        annotations=len(last_saves(annotations)),
        memory=memory,
        findings=dict(Counter(item.code for item in read_findings(campaign))),
        lost=tuple(lost),
    )


def latency(requests: Iterable[Request], what: str) -> dict[str, float]:
    """Give median, 95th percentile and maximum of the seconds that requests took.

    Args:
        requests: of all kinds.
        what: of which kind.
    """
    return spread([request.seconds for request in requests if request.what == what])


def spread(values: Sequence[float]) -> dict[str, float]:
    """Give median, 95th percentile and maximum.

    Args:
        values: any.
    """
    if not values:
        return {}
    ordered = sorted(values)
    found = {
        "median": statistics.median(ordered),
        "p95": ordered[math.ceil(0.95 * len(ordered)) - 1],
        "max": ordered[-1],
    }
    return {name: round(value, 3) for name, value in found.items()}


def resident(data: Path) -> int:
    """Give the memory of the server in megabytes.

    Args:
        data: its data folder.
    """
    command = ["ps", "-o", "rss=", "-p", str(server.load_state(data).pid)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout) // 1024  # noqa: S603


def told(result: Result) -> dict[str, str]:
    """Give the figures in words.

    Args:
        result: what came of it.
    """
    return {
        name.replace("_", " "): ", ".join(f"{key}: {each}" for key, each in value.items())
        if isinstance(value, dict)
        else "; ".join(value) or "none"
        if isinstance(value, (tuple, list))
        else str(value)
        for name, value in msgspec.to_builtins(result).items()
    }


def tell(result: Result) -> None:
    """Show the figures as a table.

    Args:
        result: what came of it.
    """
    from rich.table import Table

    table = Table("figure", "value", title=f"{result.annotators} annotators for {result.seconds:.0f} s")
    for name, said in told(result).items():
        table.add_row(name, said)
    show_table(table)


def main(
    data: Annotated[Path, typer.Option(help="the data folder of a Label Studio; it is started where it is not")],
    annotators: Annotated[int, typer.Option(min=1, help="how many work at once")] = 20,
    documents: Annotated[int, typer.Option(min=1, help="how many documents they have")] = 40,
    per_document: Annotated[int, typer.Option(min=1, help="how many annotators each document gets")] = 5,
    seconds: Annotated[float, typer.Option(min=1, help="for how long")] = 180,
    every: Annotated[float, typer.Option(min=0.1, help="seconds between two synchronisations")] = 10,
    name: Annotated[str, typer.Option(help="of the campaign; a new one for each run")] = "load",
    database: Annotated[str, typer.Option(help="as in scripts/serve_label_studio.py")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="print JSON for programs")] = False,
) -> None:
    """Load a Label Studio; exit code 1 where something that was acknowledged is not in the archive."""
    import os

    state = server.stored_state(data)
    running = state is not None and bool(state.pid) and server.answers(state.url)
    address = server.read_database(database, os.environ.get("PGPASSWORD", "")) if database else None
    with working("starting Label Studio") as say, TemporaryDirectory() as folder:
        server.start(data, database=address)
        try:
            campaign = make_campaign(
                Path(folder), name=name, annotators=annotators, documents=documents, per_document=per_document
            )
            studio = Studio(campaign, data)
            for _ in open_campaign(studio, tick=lambda title: say(f"filling {title}")):
                pass
            say(f"{annotators} annotators work for {seconds:.0f} s")
            result = load(studio, seconds=seconds, every=every)
        finally:
            if not running:
                server.stop(data)
    show_json(result) if as_json else tell(result)
    if result.lost or result.failed:
        raise typer.Exit(1)


if __name__ == "__main__":
    run(main)
