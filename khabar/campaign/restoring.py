"""Bring archived work back into Label Studio: after an old database was restored, or something was deleted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from uuid import UUID

from khabar.campaign.archive import Archive, Version
from khabar.campaign.audit import LOST, annotation_key, task_key
from khabar.campaign.config import Campaign
from khabar.campaign.files import archive_of, open_findings
from khabar.campaign.studio import ADJUDICATE, Json, Project, Studio
from khabar.errors import Issue, KhabarError
from khabar.label_studio import desk
from khabar.label_studio.server import annotator_email


def restore(studio: Studio) -> Iterator[str]:
    """Save the newest version by its own author of all work that the last synchronisation missed, under that account.

    What was accepted as gone stays gone, and what another hand saved is not brought back.

    Args:
        studio: the running Label Studio.

    Yields:
        A line on each annotation that was brought back.

    Raises:
        KhabarError: when all else is back: task-deleted, project-changed, where the task or project is gone
            (`open` makes it again) or the work is elsewhere; account-foreign, annotator-unknown, where nobody
            of the campaign saved it. Server errors.
    """
    issues: list[Issue] = []
    kept: dict[tuple[str, str, str], list[Version]] = {}
    for version in archive_of(studio.campaign).versions():
        kept.setdefault(version.identity, []).append(version)
    projects = studio.snapshot().projects
    for finding in open_findings(studio.campaign):
        versions = kept.get(("annotation", finding.project, finding.key))
        if finding.code in LOST and versions:
            try:
                yield _restore(studio, projects, versions)
            except KhabarError as error:
                issues += error.issues
    if issues:
        raise KhabarError(issues)


def _restore(studio: Studio, projects: Mapping[str, Project], versions: Sequence[Version]) -> str:
    newest = _newest_first(versions)[0]
    project = projects.get(newest.project)
    if project is None:
        raise KhabarError(_no_project(newest))
    task = _task(project, newest)
    if task is None:
        raise KhabarError(_no_task(newest))
    version, kept = _own_version(archive_of(studio.campaign), versions)
    if version.account not in _accounts(studio.campaign, projects.values()):
        raise KhabarError(_nobodys(version))
    line = _bring_back(studio, task, version, kept)
    foreign = version.updated_at < newest.updated_at
    return f"{line}; that of {newest.updated_at} is newer, but another hand saved it" if foreign else line


def _own_version(archive: Archive, versions: Sequence[Version]) -> tuple[Version, Json]:
    for version in _newest_first(versions):
        kept = archive.read(version.object)
        if kept.get("updated_by") is None or _hand(kept["updated_by"]) == _hand(kept.get("completed_by")):
            return version, kept
    raise KhabarError(_foreign(versions[-1]))


def _newest_first(versions: Sequence[Version]) -> list[Version]:
    return sorted(versions, key=lambda version: version.updated_at)[::-1]


def _hand(account: object) -> object:
    return account.get("id", account.get("email")) if isinstance(account, Mapping) else account


def _accounts(campaign: Campaign, projects: Iterable[Project]) -> set[str]:
    # Whoever left the campaign keeps what was done.
    holders = {project.stamp.who for project in projects} - {ADJUDICATE}
    return {annotator_email(name) for name in (*campaign.config.annotators, *campaign.config.adjudicators, *holders)}


def _bring_back(studio: Studio, task: Json, version: Version, kept: Json) -> str:
    where = f"{version.project}, {version.doc_id}"
    there = [item for item in task["annotations"] if annotation_key(item) == version.key]
    if there and str(there[0]["updated_at"]) >= version.updated_at:
        return f"{where}: is there already"
    client = studio.client(version.account)
    document = studio.campaign.documents.get(str(task["data"].get("doc_id")))
    result = with_texts(kept["result"], document.text if document else "")
    if there:
        desk.update_annotation(client, int(there[0]["id"]), result)
    elif not desk.create_annotation(client, int(task["id"]), result, unique_id=_unique(version.key)):
        raise KhabarError(_elsewhere(version))
    return f"{where}: the version of {version.updated_at} is back, under {version.account}"


def _unique(key: str) -> str | None:
    try:
        return str(UUID(key))
    except ValueError:
        return None


def _task(project: Project, version: Version) -> Json | None:
    return next((task for task in project.tasks if task_key(task) == version.doc_id), None)


def _no_task(version: Version) -> Issue:
    return _lost(
        "task-deleted",
        version,
        "no task",
        "the task that the work belongs to",
        "Run `khabar campaign open` first (`adjudicate` for a question), which makes it again; or accept the loss.",
    )


def _no_project(version: Version) -> Issue:
    return _lost(
        "project-changed",
        version,
        "no such project",
        "the project that the work belongs to",
        "Run `khabar campaign open` first (`adjudicate` for questions), which makes it again; or accept the loss.",
    )


def _elsewhere(version: Version) -> Issue:
    return _lost(
        "project-changed",
        version,
        "the work's unique id in another place of this Label Studio",
        "the work in its own task, or nowhere",
        "Look for it in other projects: move it back or delete it there, and run `khabar campaign restore` again.",
    )


def _foreign(version: Version) -> Issue:
    fix = "Ask the author to do it again; accept the loss with a reason."
    return _lost("account-foreign", version, "no version that its author saved", "one", fix)


def _nobodys(version: Version) -> Issue:
    fix = "Nothing is saved under such an account; accept the loss with a reason."
    return _lost("annotator-unknown", version, f"work of {version.account}", "an account of the campaign", fix)


def _lost(code: str, version: Version, found: str, expected: str, fix: str) -> Issue:
    where = f"project {version.project!r}, document {version.doc_id}"
    return Issue(code=code, doc_id=version.doc_id, where=where, found=found, expected=expected, fix=fix)


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
