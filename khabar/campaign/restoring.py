"""Bring archived work back into Label Studio: after an old database was restored, or something was deleted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from uuid import UUID

from khabar.campaign.archive import Version
from khabar.campaign.audit import annotation_key, task_key
from khabar.campaign.files import archive_of, open_findings
from khabar.campaign.studio import Json, Project, Studio
from khabar.errors import Issue, KhabarError
from khabar.label_studio import desk

LOST = ("database-restored", "annotation-deleted")


def restore(studio: Studio) -> Iterator[str]:
    """Save the newest archived version of all work that the last synchronisation missed, under its own account.

    What was accepted as gone stays gone.

    Args:
        studio: the running Label Studio.

    Yields:
        A line on each annotation that was brought back.

    Raises:
        KhabarError: task-deleted, where the task is gone too: `open` makes it again; all else is back then.
            Server errors.
    """
    issues: list[Issue] = []
    archive = archive_of(studio.campaign)
    newest = archive.newest()
    projects = studio.snapshot().projects
    for finding in open_findings(studio.campaign):
        version = newest.get(("annotation", finding.project, finding.key))
        if finding.code in LOST and version is not None and version.project in projects:
            task = _task(projects[version.project], version)
            if task is None:
                issues.append(_no_task(version))
            else:
                yield _bring_back(studio, task, version, archive.read(version.object))
    if issues:
        raise KhabarError(issues)


def _bring_back(studio: Studio, task: Json, version: Version, kept: Json) -> str:
    client = studio.client(version.account)
    result = with_texts(kept["result"], studio.campaign.documents[str(task["data"]["doc_id"])].text)
    there = [item for item in task["annotations"] if annotation_key(item) == version.key]
    if there and str(there[0]["updated_at"]) >= version.updated_at:
        return f"{version.project}, {version.doc_id}: is there already"
    if there:
        desk.update_annotation(client, int(there[0]["id"]), result)
    else:
        desk.create_annotation(client, int(task["id"]), result, unique_id=_unique(version.key))
    return f"{version.project}, {version.doc_id}: the version of {version.updated_at} is back, under {version.account}"


def _unique(key: str) -> str | None:
    try:
        return str(UUID(key))
    except ValueError:
        return None


def _task(project: Project, version: Version) -> Json | None:
    return next((task for task in project.tasks if task_key(task) == version.doc_id), None)


def _no_task(version: Version) -> Issue:
    return Issue(
        code="task-deleted",
        doc_id=version.doc_id,
        where=f"project {version.project!r}, document {version.doc_id}",
        found="no task",
        expected="the task that the work belongs to",
        fix="Run `khabar campaign open` first (`adjudicate` for a question), which makes it again; or accept the loss.",
    )


def with_texts(result: list[Json], text: str) -> list[Json]:
    """Put the words of each region back, which are not kept for texts that may not be shipped.

    Args:
        result: as kept.
        text: the document's text, or nothing.
    """
    return [_with_text(item, text) for item in result]


def _with_text(item: Json, text: str) -> Json:
    value = item.get("value")
    bare = isinstance(value, Mapping) and "start" in value and "text" not in value
    if not (bare and text and isinstance(value, Mapping)):
        return item
    return {**item, "value": {**value, "text": text[value["start"] : value["end"]]}}
