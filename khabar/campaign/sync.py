"""Bring everything home: each version into the archive, the present state into exports, and what is wrong to light."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import msgspec

from khabar import jsonl
from khabar.campaign.archive import Version, content
from khabar.campaign.audit import (
    Finding,
    annotation_key,
    audit,
    known_accounts,
    lasting,
    require_same_server,
    task_key,
)
from khabar.campaign.config import Campaign
from khabar.campaign.files import (
    ACCOUNTS,
    FINDINGS,
    MANIFEST,
    Manifest,
    archive_of,
    chosen_versions,
    read_accepted,
    read_accounts,
    read_findings,
    read_manifest,
)
from khabar.campaign.studio import ADJUDICATE, Json, Project, Snapshot, Studio
from khabar.label_studio import desk
from khabar.label_studio.server import annotator_email

# An age in words, which is another at every look.
VOLATILE = ("created_ago",)


class Synced(msgspec.Struct, frozen=True, kw_only=True):
    """What a synchronisation brought: new versions by kind, annotations that are there, and what is wrong."""

    new: dict[str, int]
    annotations: int
    open: tuple[Finding, ...]
    accepted: tuple[Finding, ...]


def synchronise(studio: Studio, *, snapshot: Snapshot | None = None, now: datetime | None = None) -> Synced:
    """Keep everything that Label Studio holds of a campaign, and list what should not be so.

    Args:
        studio: the running Label Studio.
        snapshot: what it holds, where that was looked at already.
        now: the time, for the archive's log.

    Returns:
        What is new and what is wrong. Everything was kept, whatever is wrong.

    Raises:
        KhabarError: server errors; accounts-changed (another server), campaign-foreign, archive-broken: nothing
            is kept then.
    """
    campaign = studio.campaign
    snapshot = studio.snapshot() if snapshot is None else snapshot
    before = read_accounts(campaign)
    require_same_server(before, snapshot.accounts)
    archive = archive_of(campaign)
    last = read_manifest(campaign)
    if last is not None:
        archive.require_grown(last.archive_lines, last.archive_chain)
    newest = archive.newest()
    seen_at = (now or datetime.now(UTC)).isoformat(timespec="seconds")
    new = archive.put(versions_of(snapshot, keep_text=campaign.shippable), seen_at=seen_at)
    found = audit(campaign, snapshot, newest, before)
    findings = [*found, *lasting(read_findings(campaign), found)]
    jsonl.write_json(campaign.path(FINDINGS), findings)
    accepted = read_accepted(campaign)
    waiting = {item.key for item in found if item.code == "accounts-changed" and item.id not in accepted}
    _write_exports(campaign, snapshot, {**before, **snapshot.accounts})
    jsonl.write_json(campaign.path(ACCOUNTS), known_accounts(before, snapshot.accounts, waiting))
    _write_manifest(campaign, snapshot)
    kinds = ("annotation", "draft", "task")
    return Synced(
        new={kind: sum(version.kind == kind for version in new) for kind in kinds},
        annotations=sum(len(task["annotations"]) for project in snapshot.projects.values() for task in project.tasks),
        open=tuple(item for item in findings if item.id not in accepted),
        accepted=tuple(item for item in findings if item.id in accepted),
    )


def versions_of(snapshot: Snapshot, *, keep_text: bool) -> Iterator[tuple[Version, bytes]]:
    """Yield every task, annotation and draft of a snapshot with its content as it is kept.

    Args:
        snapshot: what Label Studio holds.
        keep_text: False for texts that may not be shipped.
    """
    for project in snapshot.projects.values():
        for task in project.tasks:
            yield _version(project, task, "task", task["data"], keep_text, snapshot.accounts)
            for item in task["annotations"]:
                yield _version(project, task, "annotation", item, keep_text, snapshot.accounts)
            for item in task.get("drafts", ()):
                if isinstance(item, dict):
                    yield _version(project, task, "draft", item, keep_text, snapshot.accounts)


def _version(
    project: Project, task: Json, kind: str, value: Json, keep_text: bool, accounts: Mapping[str, str]
) -> tuple[Version, bytes]:
    doc_id = task_key(task)
    # A question to an adjudicator quotes the text.
    dropped = VOLATILE if keep_text else (*VOLATILE, "question")
    name, data = content(desk.as_kept(value, keep_text=keep_text, dropped=dropped))
    key = {"task": doc_id, "draft": str(value.get("id")), "annotation": annotation_key(value)}[kind]
    owner = value.get("completed_by", value.get("user"))
    version = Version(
        kind=kind,  # type: ignore[arg-type]
        project=project.title,
        key=key,
        doc_id=doc_id,
        account="" if kind == "task" else desk.address(owner, accounts),
        updated_at=str((task if kind == "task" else value).get("updated_at")) if kind != "task" else "",
        object=name,
    )
    return version, data


def _write_exports(campaign: Campaign, snapshot: Snapshot, accounts: dict[str, str]) -> None:
    chosen = chosen_versions(campaign)
    # Whoever left the campaign keeps what was done.
    holders = (project.stamp.who for project in snapshot.projects.values() if project.stamp.who != ADJUDICATE)
    for name in dict.fromkeys((*campaign.config.annotators, *holders)):
        tasks = [
            _with_chosen(task, project.title, chosen)
            for project in snapshot.projects.values()
            if project.stamp.who == name
            for task in project.tasks
        ]
        exported = desk.Export(tasks=tasks, accounts=accounts)
        kept = desk.of_annotator(exported, annotator_email(name), keep_text=campaign.shippable)
        path = campaign.path("exports", f"{name}.json")
        if kept or path.exists() or name in campaign.config.annotators:
            jsonl.write_bytes(path, jsonl.array_bytes(kept))


def _write_manifest(campaign: Campaign, snapshot: Snapshot) -> None:
    # Projects that were opened with different labels are the labels of no khabar, and are refused when read.
    labels = ", ".join(sorted({project.stamp.labels for project in snapshot.projects.values()}))
    lines, chain = archive_of(campaign).end()
    made = Manifest(campaign=campaign.name, labels=labels, archive_lines=lines, archive_chain=chain)
    jsonl.write_json(campaign.path(MANIFEST), made)


def _with_chosen(task: Json, title: str, chosen: Mapping[tuple[str, str], Json]) -> Json:
    items = [chosen.get((title, annotation_key(item)), item) for item in task["annotations"]]
    return {**task, "annotations": items}
