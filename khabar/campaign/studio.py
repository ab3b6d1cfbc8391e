"""A campaign's projects in Label Studio, one for each annotator, round and arm, and what is in them now."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from khabar.campaign.config import ASSISTED, BLIND, Campaign, config_hash, labels_version, project_title
from khabar.errors import Issue, KhabarError
from khabar.label_studio import desk, server
from khabar.label_studio.config import labeling_config

if TYPE_CHECKING:
    from label_studio_sdk import LabelStudio

ADJUDICATE = "adjudicate"
MARK = "khabar campaign: "
Json = dict[str, Any]


class Stamp(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a project says of itself in its description: whose it is, and with which labels it was opened."""

    campaign: str
    round: str
    who: str
    arm: str
    labels: str
    config: str

    @property
    def seat(self) -> Seat:
        """Give the place that the project was opened for."""
        return Seat(round=self.round, who=self.who, arm=self.arm, campaign=self.campaign)


class Seat(msgspec.Struct, frozen=True, kw_only=True):
    """A place at which somebody works: an annotator, a round and an arm."""

    round: str
    who: str
    arm: str
    campaign: str

    @property
    def title(self) -> str:
        """Give the title of the project."""
        return project_title(self.campaign, self.round, self.who, self.arm)

    def stamp(self) -> Stamp:
        """Give what the project says of itself."""
        config = labeling_config(adjudication=self.who == ADJUDICATE)
        return Stamp(
            campaign=self.campaign,
            round=self.round,
            who=self.who,
            arm=self.arm,
            labels=labels_version(),
            config=config_hash(config),
        )


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """A project as it stands in Label Studio.

    `title` is what its stamp says, by which its work is known; `shown` is the title it bears, where it was renamed.
    """

    number: int
    title: str
    shown: str = ""
    stamp: Stamp
    config: str
    tasks: tuple[Json, ...]


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Everything of one campaign that Label Studio holds at one moment."""

    projects: dict[str, Project]
    accounts: dict[str, str]


class Studio(msgspec.Struct, frozen=True, dict=True):
    """A running Label Studio, by its data folder, as one campaign uses it."""

    campaign: Campaign
    data: Path

    @cached_property
    def manager(self) -> LabelStudio:
        """Open the manager's client."""
        return self.client(server.MANAGER)

    def client(self, email: str) -> LabelStudio:
        """Open the client of an account, making the account where it is missing.

        Args:
            email: its address.
        """
        state = server.stored_state(self.data)
        if state is None:
            raise KhabarError(server.lost(str(self.data), "no Label Studio in this folder"))
        account = server.ensure_account(self.data, email)
        return desk.connect(server.load_state(self.data).url, account.token)

    def seats(self) -> list[Seat]:
        """List every place that the campaign may have, in the order of rounds and annotators."""
        arms = (ASSISTED, BLIND) if self.campaign.config.preannotation else (BLIND,)
        return [
            Seat(round=part.name, who=name, arm=arm, campaign=self.campaign.name)
            for part in self.campaign.config.rounds
            for name in self.campaign.config.annotators
            for arm in arms
        ]

    def stamped(self) -> dict[str, tuple[Any, Stamp]]:
        """Find the campaign's projects by their stamps; a renamed one stands under the title that its stamp says.

        Raises:
            KhabarError: campaign-foreign, where a project bears a title of this campaign and another stamp;
                project-changed, where two bear one stamp.
        """
        found: dict[str, tuple[Any, Stamp]] = {}
        issues: list[Issue] = []
        for project in desk.list_projects(self.manager):
            title, stamp = str(project.title), read_stamp(project.description or "")
            if stamp is not None and stamp.campaign == self.campaign.name:
                own = stamp.seat.title
                if own in found:
                    issues.append(_twice(own, str(found[own][0].title), title))
                found.setdefault(own, (project, stamp))
            elif title.startswith(f"{self.campaign.name}/"):
                issues.append(_foreign(title, stamp))
        if issues:
            raise KhabarError(issues)
        return found

    def remove_copies(self) -> None:
        """Remove second copies of the campaign's projects without work, which a killed process leaves."""
        mine = [
            project
            for project in desk.list_projects(self.manager)
            if (stamp := read_stamp(project.description or ""))
            and stamp.campaign == self.campaign.name
            and stamp.seat.title == project.title
        ]
        desk.remove_spare_projects(self.manager, mine)

    def snapshot(self) -> Snapshot:
        """Export every project of the campaign.

        Raises:
            KhabarError: server errors; campaign-foreign.
        """
        projects = {}
        for title, (project, stamp) in self.stamped().items():
            tasks = desk.export_tasks(self.manager, int(project.id))
            projects[title] = Project(
                number=int(project.id),
                title=title,
                shown="" if project.title == title else str(project.title),
                stamp=stamp,
                config=config_hash(project.label_config or ""),
                tasks=tuple(sorted(tasks, key=lambda task: int(task["id"]))),
            )
        if not projects:
            raise KhabarError(_not_open(self.campaign.name))
        return Snapshot(projects=projects, accounts=desk.list_accounts(self.manager))


def _twice(title: str, one: str, two: str) -> Issue:
    return Issue(
        code="project-changed",
        where=f"project {title!r}",
        found=f"two projects that say so of themselves: {one!r} and {two!r}",
        expected="one",
        fix="Run `khabar campaign open` again, which removes a copy without work; or empty the description of the "
        "one that is not the campaign's.",
    )


def read_stamp(description: str) -> Stamp | None:
    """Read what a project says of itself; None where it says nothing.

    Args:
        description: of the project.
    """
    if not description.startswith(MARK):
        return None
    try:
        return msgspec.json.decode(description.removeprefix(MARK), type=Stamp)
    except msgspec.DecodeError:
        return None


def write_stamp(stamp: Stamp) -> str:
    """Write what a project says of itself.

    Args:
        stamp: of the project.
    """
    return MARK + msgspec.json.encode(stamp).decode()


def _foreign(title: str, stamp: Stamp | None) -> Issue:
    return Issue(
        code="campaign-foreign",
        where=f"project {title!r}",
        found=f"a project of campaign {stamp.campaign!r}" if stamp else "a project that bears no campaign's stamp",
        expected="a project that this campaign opened",
        fix="Rename the project in Label Studio, or give the campaign another name; two campaigns never share one.",
    )


def _not_open(name: str) -> Issue:
    return Issue(
        code="project-changed",
        where=f"campaign {name!r}",
        found="no project of it in this Label Studio",
        expected="the projects that `khabar campaign open` makes",
        fix="Open the campaign first, or name the data folder of the server that holds it.",
    )


@contextmanager
def working_on(campaign: Campaign) -> Iterator[None]:
    """Keep other commands off the campaign's files until this one ends, however it ends.

    Args:
        campaign: the campaign.

    Raises:
        KhabarError: campaign-busy.
    """
    campaign.folder.mkdir(parents=True, exist_ok=True)
    with campaign.path(".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise KhabarError(
                Issue(
                    code="campaign-busy",
                    where=str(campaign.folder),
                    found="another command at work",
                    expected="one at a time",
                    fix="Wait until it has ended, and run this one again.",
                )
            ) from error
        yield
