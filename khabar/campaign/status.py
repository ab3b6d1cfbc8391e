"""How far a campaign is: done, begun, remaining and pace of each annotator, and what no export has yet."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from statistics import median

import msgspec

from khabar.campaign.audit import annotation_key
from khabar.campaign.files import archive_of, open_findings, read_decisions
from khabar.campaign.studio import ADJUDICATE, Json, Project, Snapshot, Studio

HOUR = 3600.0
# Somebody who saves nothing for so long is away, and the pause is no part of the pace.
PAUSE = 2 * HOUR


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """Progress at one place. Pace: documents an hour of work; `minutes` is the median time spent on one."""

    round: str
    who: str
    kind: str
    arm: str
    documents: int
    done: int
    begun: int
    pace: float | None
    minutes: float | None
    hours_left: float | None

    @property
    def remaining(self) -> int:
        """Give the number of documents without a submitted annotation."""
        return self.documents - self.done


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a campaign at one moment."""

    campaign: str
    at: str
    places: tuple[Progress, ...]
    unexported: int
    oldest_unexported: str | None
    findings: int
    decisions: int


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
        pace=pace,
        minutes=median(spent) / 60 if spent else None,
        hours_left=left / pace if pace else None,
    )


def _kind(studio: Studio, who: str) -> str:
    known = studio.campaign.known
    return known[who].kind if who in known else "left the campaign"


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
