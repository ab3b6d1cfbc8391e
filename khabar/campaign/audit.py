"""What should not have happened to a campaign: found at every synchronisation, listed, never repaired."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from hashlib import sha256

import msgspec

from khabar.campaign.archive import Version
from khabar.campaign.config import BLIND, Campaign, is_model, labels_version
from khabar.campaign.studio import ADJUDICATE, Json, Project, Snapshot
from khabar.errors import Issue, KhabarError
from khabar.label_studio.convert import from_result
from khabar.label_studio.desk import address
from khabar.label_studio.server import annotator_email
from khabar.types import Annotation, Document
from khabar.validate import check_annotation

Latest = Mapping[tuple[str, str, str], Version]
FAST = "speed-implausible"
LOST = ("database-restored", "annotation-deleted")
# Mended or covered up, these may have done harm: somebody has to say that they have not.
LASTING = ("account-foreign", "annotator-unknown", "blind-broken", "document-hash", "project-changed")
UNSEEN = ", no longer seen"


class Finding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something found: in which project, about which document and annotation, and what it is.

    `id` stays the same as long as the same thing is found, so that it can be accepted by name.
    `seen` is False for what was found before and is not there any more.
    """

    id: str
    project: str
    key: str
    issue: Issue
    seen: bool = True

    @property
    def code(self) -> str:
        """Give the code of the issue."""
        return self.issue.code


def audit(campaign: Campaign, snapshot: Snapshot, latest: Latest, accounts: Mapping[str, str]) -> list[Finding]:
    """Compare what Label Studio holds with what the campaign opened and with what was seen before.

    Args:
        campaign: the campaign.
        snapshot: what is there now.
        latest: the newest version ever seen of everything, before this snapshot.
        accounts: account number to address, as seen before; empty the first time.

    Returns:
        Everything that is wrong, project by project.
    """
    findings = list(_check_accounts(accounts, snapshot.accounts))
    restored = _restored(snapshot, latest)
    findings += _about_restoration(restored)
    for project in snapshot.projects.values():
        findings += _check_project(project)
        findings += _check_tasks(campaign, project)
        if project.stamp.who == ADJUDICATE:
            findings += _check_answers(campaign, project, snapshot.accounts)
        else:
            findings += _check_work(campaign, project, snapshot.accounts)
    findings += _check_gone(snapshot, latest, restored)
    return list({item.id: item for item in findings}.values())


def lasting(before: Sequence[Finding], now: Sequence[Finding]) -> list[Finding]:
    """List what was found before, is not found any more, and must not be passed over.

    A foreign edit that its author saved on top of, or predictions that were shown and deleted, leave no trace
    in what Label Studio holds; they stay listed, marked as no longer seen.

    Args:
        before: what was found, in the order of finding.
        now: what is found.
    """
    there = {item.id for item in now}
    return [_unseen(item) for item in before if item.code in LASTING and item.id not in there]


def _unseen(item: Finding) -> Finding:
    found = item.issue.found.removesuffix(UNSEEN) + UNSEEN
    return msgspec.structs.replace(item, seen=False, issue=msgspec.structs.replace(item.issue, found=found))


def finding(project: str, key: str, issue: Issue) -> Finding:
    """Name something found.

    Args:
        project: the title of the project, or nothing.
        key: of the annotation or task, or nothing.
        issue: what it is.
    """
    name = "\0".join((issue.code, project, key, issue.where, issue.found))
    return Finding(id=sha256(name.encode()).hexdigest()[:10], project=project, key=key, issue=issue)


def _issue(code: str, where: str, found: str, expected: str, fix: str, doc_id: str = "") -> Issue:
    return Issue(code=code, where=where, found=found, expected=expected, fix=fix, doc_id=doc_id)


def require_same_server(before: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Refuse a server on which the accounts that were seen before have other numbers.

    An account that was removed and made again has a later number, and its own is nobody's: that is a finding.

    Args:
        before: account number to address, as seen before.
        now: the same, of this server.

    Raises:
        KhabarError: accounts-changed.
    """
    numbers = {email: number for number, email in now.items()}
    changed = [
        _issue(
            "accounts-changed",
            f"account {email}",
            f"number {numbers[email]}",
            f"number {number}, as seen before",
            "This is another server: name the data folder of the campaign's own.",
        )
        for number, email in before.items()
        if numbers.get(email, number) != number and not _made_again(number, numbers[email], before, now)
    ]
    if changed:
        raise KhabarError(changed)


def _made_again(old: str, new: str, before: Mapping[str, str], now: Mapping[str, str]) -> bool:
    return old not in now and int(new) > int(old) and before.get(new) in (None, now[new])


def known_accounts(before: Mapping[str, str], now: Mapping[str, str], waiting: Collection[str]) -> dict[str, str]:
    """Tell whose the account numbers are, leaving out what changed until that is accepted.

    Args:
        before: account number to address, as known before.
        now: the same, of the server.
        waiting: the addresses of accounts whose change (accounts-changed) nobody has accepted.
    """
    new = {n: email for n, email in now.items() if email not in waiting and before.get(n) not in waiting}
    return {**before, **new}


def _check_accounts(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[Finding]:
    numbers = {email: number for number, email in now.items()}
    for number, email in before.items():
        if now.get(number) != email:
            found, fix = _account_change(number, email, now, numbers)
            yield finding("", email, _issue("accounts-changed", f"account {email}", found, f"number {number}", fix))


def _account_change(number: str, email: str, now: Mapping[str, str], numbers: Mapping[str, str]) -> tuple[str, str]:
    accept = "`khabar campaign accept` with a reason lets the new number count after the next sync."
    if number in now:
        return f"{now[number]} under its number", f"Its number was given away; {accept}"
    if email in numbers:
        return f"number {numbers[email]}, made again", f"Its work under the old number has no account; {accept}"
    return "no such account", "An older database was brought back: `khabar campaign open` makes the account again."


def annotation_key(item: Json) -> str:
    """Give what an annotation is known by, in every database.

    Args:
        item: the annotation.
    """
    return str(item.get("unique_id") or item.get("id"))


def task_key(task: Json) -> str:
    """Give what a task is known by in its project: its question, where it is one, or its document.

    Args:
        task: as exported.
    """
    return str(task["data"].get("knot") or task["data"].get("doc_id"))


def _present(snapshot: Snapshot) -> dict[tuple[str, str, str], str]:
    found: dict[tuple[str, str, str], str] = {}
    for title, project in snapshot.projects.items():
        for task in project.tasks:
            found["task", title, task_key(task)] = str(task.get("updated_at"))
            for item in task["annotations"]:
                found["annotation", title, annotation_key(item)] = str(item.get("updated_at"))
    return found


def _restored(snapshot: Snapshot, latest: Latest) -> list[Version]:
    """List the annotations that show that an old database was brought back.

    These are versions seen that are newer than anything the server has of them; where they are only
    missing, all that is missing must be newer than all that is there, for else somebody deleted it.
    """
    present = _present(snapshot)
    seen = {identity: version for identity, version in latest.items() if identity[0] == "annotation"}
    older = [v for identity, v in seen.items() if identity in present and present[identity] < v.updated_at]
    missing = [version for identity, version in seen.items() if identity not in present]
    if older:
        return [*older, *missing]
    tasks = {identity for identity, version in latest.items() if identity[0] == "task" and not _is_question(version)}
    newest = max((when for identity, when in present.items() if identity[0] == "annotation"), default="")
    lost_all = bool(missing) and all(version.updated_at > newest for version in missing)
    # One deletion of the newest annotation looks the same; a database that lost tasks or several does not.
    return missing if lost_all and (len(missing) > 1 or tasks - present.keys()) else []


def _about_restoration(restored: Sequence[Version]) -> Iterator[Finding]:
    for version in restored:
        yield finding(
            version.project,
            version.key,
            _issue(
                "database-restored",
                f"project {version.project!r}, document {version.doc_id}",
                "an older database than was seen",
                f"the version of {version.updated_at}",
                f"The archive has it ({version.object[:12]}); `khabar campaign restore` brings it back.",
                version.doc_id,
            ),
        )


def _check_gone(snapshot: Snapshot, latest: Latest, restored: Sequence[Version]) -> Iterator[Finding]:
    present = _present(snapshot)
    explained = {version.identity for version in restored}
    for identity, version in latest.items():
        if version.kind == "draft" or identity in present or identity in explained or _is_question(version):
            continue
        what, code = ("task", "task-deleted") if version.kind == "task" else ("annotation", "annotation-deleted")
        yield finding(
            version.project,
            version.key,
            _issue(
                code,
                f"project {version.project!r}, document {version.doc_id}",
                f"no {what}",
                f"the {what} that was seen, of {version.account or 'the campaign'}",
                f"The archive has it ({version.object[:12]}); `khabar campaign restore` brings it back."
                if version.kind == "annotation"
                else "`khabar campaign open` makes the task again.",
                version.doc_id,
            ),
        )


def _is_question(version: Version) -> bool:
    # `khabar campaign adjudicate` asks again what is still to be decided; an answer that is gone is another matter.
    return version.kind == "task" and version.project.split("/")[2:3] == [ADJUDICATE]


def _check_project(project: Project) -> Iterator[Finding]:
    for found, expected, fix in _changes(project):
        issue = _issue("project-changed", f"project {project.title!r}", found, expected, fix)
        yield finding(project.title, "", issue)


def _changes(project: Project) -> Iterator[tuple[str, str, str]]:
    stamp, labels = project.stamp, labels_version()
    if project.shown:
        yield f"renamed to {project.shown!r}", "its own title", "Give it its title back; its work is kept under it."
    if stamp.labels != labels:
        fix = "Use the khabar that it was opened with; new labels want a new campaign."
        yield f"opened with labels {stamp.labels}", f"{labels}, those of this khabar", fix
    if project.config != stamp.config and any(task["annotations"] for task in project.tasks):
        found = f"labelling configuration {project.config}, under annotations that are there"
        fix = "Bring the configuration back in the project's settings; new labels want a new campaign."
        yield found, f"{stamp.config}, with which it was opened", fix


def _check_tasks(campaign: Campaign, project: Project) -> Iterator[Finding]:
    for name, count in Counter(task_key(task) for task in project.tasks).items():
        if count > 1:
            where = f"project {project.title!r}, {name}"
            yield finding(
                project.title, name, _issue("document-duplicate", where, f"{count} tasks", "one", "Delete the others.")
            )
    for task in project.tasks:
        doc_id = str(task["data"].get("doc_id"))
        problem = _check_data(campaign.documents.get(doc_id), task["data"], f"project {project.title!r}, {doc_id}")
        if problem:
            yield finding(project.title, doc_id, problem)
        blind = project.stamp.arm == BLIND and project.stamp.who != ADJUDICATE
        if blind and task.get("predictions"):
            where = f"project {project.title!r}, document {doc_id}"
            fix = "Delete the predictions; what was annotated after them is not blind."
            yield finding(project.title, doc_id, _issue("blind-broken", where, "predictions", "none", fix, doc_id))


def _check_data(document: Document | None, data: Json, where: str) -> Issue | None:
    if document is None:
        return _issue("document-unknown", where, "a task of no document of the campaign", "none", "Delete the task.")
    same = data.get("sha256") == document.sha256 and (not document.text or data.get("text") == document.text)
    if same:
        return None
    fix = "Bring the text back; what was marked on another text cannot be trusted."
    return _issue("document-hash", where, "another text", document.sha256[:12], fix, document.doc_id)


def _check_work(campaign: Campaign, project: Project, accounts: Mapping[str, str]) -> Iterator[Finding]:
    for task in project.tasks:
        doc_id = str(task["data"].get("doc_id"))
        document = campaign.documents.get(doc_id)
        items = [item for item in task["annotations"] if not item.get("was_cancelled")]
        if len(items) > 1:
            where = f"project {project.title!r}, document {doc_id}"
            fix = "Ask the annotator which one counts, and delete the others."
            yield finding(
                project.title,
                doc_id,
                _issue("annotation-duplicate", where, f"{len(items)} annotations", "one", fix, doc_id),
            )
        for item in items:
            for issue in _check_item(campaign, project, document, item, accounts):
                yield finding(project.title, annotation_key(item), issue)


def _check_answers(campaign: Campaign, project: Project, accounts: Mapping[str, str]) -> Iterator[Finding]:
    owners = tuple(annotator_email(name) for name in campaign.config.adjudicators)
    for task in project.tasks:
        where = f"project {project.title!r}, document {task['data'].get('doc_id')}"
        for item in task["annotations"]:
            if not item.get("was_cancelled"):
                for issue in _check_hands(campaign, owners, item, where, accounts):
                    yield finding(project.title, annotation_key(item), issue)


def _check_item(
    campaign: Campaign, project: Project, document: Document | None, item: Json, accounts: Mapping[str, str]
) -> Iterator[Issue]:
    where = f"project {project.title!r}, document {document.doc_id if document else '?'}"
    yield from _check_hands(campaign, (annotator_email(project.stamp.who),), item, where, accounts)
    if document is None:
        return
    annotation, unread = from_result(item["result"], document, author=project.stamp.who)
    for issue in (*unread, *check_annotation(annotation, document)):
        told = issue if campaign.shippable else _without_words(issue)
        yield msgspec.structs.replace(told, where=f"{where}: {issue.where}")
    if project.stamp.who in campaign.known and not is_model(campaign.known, project.stamp.who):
        yield from _check_speed(campaign, where, document, annotation, item.get("lead_time"))


def _without_words(issue: Issue) -> Issue:
    # Findings are kept in files, and the words of a text that may not be shipped are in none.
    if issue.code == "span-text":
        found, expected = "other words in the record", "the words that stand at these offsets"
    elif issue.code == "region-shape" and issue.found.startswith("text "):
        found, expected = "text of another shape", issue.expected
    else:
        return issue
    return msgspec.structs.replace(issue, found=found, expected=expected)


def _check_hands(
    campaign: Campaign, owners: Sequence[str], item: Json, where: str, accounts: Mapping[str, str]
) -> Iterator[Issue]:
    author = address(item.get("completed_by"), accounts)
    editor = author if item.get("updated_by") is None else address(item["updated_by"], accounts)
    doc_id = where.rpartition(" ")[2]
    # With the time, for a word that accepts one change says nothing of the next.
    when = f", of {item.get('updated_at')}"
    known = {annotator_email(name) for name in campaign.known}
    if author not in owners:
        code = "account-foreign" if author in known else "annotator-unknown"
        fix = "Delete it, or accept it with a reason; it does not count as its annotator's."
        yield _issue(code, where, f"work under the account {author}{when}", ", ".join(owners) or "nobody", fix, doc_id)
    if editor != author:
        fix = "Choose the author's own version: `khabar campaign accept FINDING --use VERSION`."
        found = f"work of {author}, changed by {editor}{when}"
        yield _issue("account-foreign", where, found, "its author", fix, doc_id)


def _check_speed(
    campaign: Campaign, where: str, document: Document, annotation: Annotation, seconds: object
) -> Iterator[Issue]:
    if not isinstance(seconds, (int, float)) or not document.text:
        return
    speed = campaign.config.speed
    words = len(document.text.split())
    least = words / 100 * speed.seconds_per_100_words + len(annotation.items) * speed.seconds_per_item
    if seconds < least:
        found = f"{seconds:.0f} s for {words} words and {len(annotation.items)} items"
        fix = "Talk with the annotator; accept it with a reason if it is honest work."
        yield _issue(FAST, where, found, f"at least {least:.0f} s", fix, document.doc_id)
