"""How far a campaign is: done, begun, remaining and pace of each annotator, and what no export has yet."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from statistics import median

import msgspec

from khabar import jsonl
from khabar.campaign.adjudication import finished_versions
from khabar.campaign.audit import annotation_key
from khabar.campaign.config import Campaign
from khabar.campaign.files import archive_of, open_findings, read_decisions, read_work
from khabar.campaign.studio import ADJUDICATE, Json, Project, Snapshot, Studio
from khabar.errors import Issue

HOUR = 3600.0
# Somebody who saves nothing for so long is away, and the pause is no part of the pace.
PAUSE = 2 * HOUR


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """Progress at one place: documents, how many are submitted (done), have a draft only (begun), or are not done.

    Pace: documents an hour of work; `minutes` is the median time spent on one.
    """

    round: str
    who: str
    kind: str
    arm: str
    documents: int
    done: int
    begun: int
    remaining: int
    pace: float | None
    minutes: float | None
    hours_left: float | None


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a campaign at one moment."""

    campaign: str
    at: str
    places: tuple[Progress, ...]
    unexported: int
    oldest_unexported: str | None
    findings: int
    decisions: int


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """A document with submitted annotations that do not count: whose they are, and the codes of what is wrong."""

    doc_id: str
    annotators: tuple[str, ...]
    codes: tuple[str, ...]


class Gaps(msgspec.Struct, frozen=True, kw_only=True):
    """What a measurement of the exports leaves out, and the opened documents that not everybody has finished."""

    left_out: tuple[LeftOut, ...]
    unfinished: tuple[str, ...]


def look(studio: Studio, *, now: datetime | None = None) -> Status:
    """See how far the campaign is.

    Args:
        studio: the running Label Studio.
        now: the time.
    """
    snapshot, moment = studio.snapshot(), now or datetime.now(UTC)
    waiting = _unexported(studio, snapshot)
    return Status(
        campaign=studio.campaign.name,
        at=moment.isoformat(timespec="seconds"),
        places=tuple(_progress(studio, project) for project in _in_order(studio, snapshot)),
        unexported=len(waiting),
        oldest_unexported=min(waiting, default=None),
        findings=len(open_findings(studio.campaign)),
        decisions=len(read_decisions(studio.campaign)),
    )


def _in_order(studio: Studio, snapshot: Snapshot) -> list[Project]:
    titles = [seat.title for seat in studio.seats()]
    known = [snapshot.projects[title] for title in titles if title in snapshot.projects]
    return [*known, *(project for title, project in snapshot.projects.items() if title not in titles)]


def _unexported(studio: Studio, snapshot: Snapshot) -> list[str]:
    kept = {(version.project, version.key, version.updated_at) for version in archive_of(studio.campaign).versions()}
    return [
        str(item["updated_at"])
        for project in snapshot.projects.values()
        for task in project.tasks
        for item in task["annotations"]
        if (project.title, annotation_key(item), str(item.get("updated_at"))) not in kept
    ]


def _progress(studio: Studio, project: Project) -> Progress:
    done = [task for task in project.tasks if _submitted(task)]
    begun = [task for task in project.tasks if not _submitted(task) and task.get("drafts")]
    pace = documents_an_hour([_moment(item["created_at"]) for task in done for item in _submitted(task)[:1]])
    spent = [float(item["lead_time"]) for task in done for item in _submitted(task) if item.get("lead_time")]
    left = len(project.tasks) - len(done)
    who = project.stamp.who
    return Progress(
        round=project.stamp.round,
        who=who,
        kind="adjudicator" if who == ADJUDICATE else _kind(studio, who),
        arm="" if who == ADJUDICATE else project.stamp.arm,
        documents=len(project.tasks),
        done=len(done),
        begun=len(begun),
        remaining=left,
        pace=pace,
        minutes=median(spent) / 60 if spent else None,
        hours_left=left / pace if pace else None,
    )


def _kind(studio: Studio, who: str) -> str:
    known = studio.campaign.known
    return known[who].kind if who in known else "left the campaign"


def gaps_of(campaign: Campaign) -> Gaps:
    """Say what the exports hold that counts for nothing yet, and why.

    Args:
        campaign: the campaign, synchronised before.
    """
    work, issues = read_work(campaign)
    counted = {(name, item.doc_id) for name, each in work.items() for item in each}
    given: dict[str, list[str]] = {}
    for name in work:
        for task in _exported_tasks(campaign, name):
            submitted = given.setdefault(str(task["data"].get("doc_id")), [])
            submitted += [name] if _submitted(task) else []
    lost = {doc_id: [name for name in names if (name, doc_id) not in counted] for doc_id, names in given.items()}
    finished = finished_versions(campaign)
    return Gaps(
        left_out=tuple(
            LeftOut(doc_id=doc_id, annotators=tuple(names), codes=_codes(issues, doc_id))
            for doc_id, names in lost.items()
            if names
        ),
        unfinished=tuple(doc_id for doc_id in campaign.rounds if doc_id in given and doc_id not in finished),
    )


def _codes(issues: Sequence[Issue], doc_id: str) -> tuple[str, ...]:
    # That somebody else has not begun the document is nothing wrong with what is there.
    found = [issue.code for issue in issues if issue.doc_id == doc_id and issue.code != "annotation-missing"]
    return tuple(dict.fromkeys(found))


def _exported_tasks(campaign: Campaign, name: str) -> list[Json]:
    path = campaign.path("exports", f"{name}.json")
    tasks = jsonl.read_json(path, list[Json]) if path.exists() else []
    # Whatever is no task is an issue of its own.
    return [task for task in tasks if isinstance(task.get("data"), dict) and isinstance(task.get("annotations"), list)]


def _submitted(task: Json) -> list[Json]:
    return [item for item in task["annotations"] if not item.get("was_cancelled")]


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def documents_an_hour(saved: Sequence[datetime]) -> float | None:
    """Tell the pace of somebody's work from the times at which documents were saved; pauses do not count.

    Args:
        saved: when each was saved, in any order.

    Returns:
        Documents an hour; None with fewer than two that follow each other without a pause.
    """
    ordered = sorted(saved)
    gaps = [(two - one).total_seconds() for one, two in pairwise(ordered)]
    worked = [gap for gap in gaps if gap <= PAUSE]
    total = sum(worked)
    return len(worked) * HOUR / total if total else None
