"""Projects, tasks, submitted work and exports of a running Label Studio."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

import httpx
import msgspec

from khabar.errors import Issue, KhabarError
from khabar.label_studio.config import labeling_config
from khabar.label_studio.convert import Json, from_result, to_result, to_task
from khabar.label_studio.server import lost
from khabar.types import Annotation, Document, without_texts
from khabar.validate import check_annotation, check_documents, check_set

if TYPE_CHECKING:
    from label_studio_sdk import LabelStudio

BATCH = 100
# An annotation that is sent again after a broken connection has the same unique id, and the server refuses it.
ALREADY_THERE = 409
KHABAR = UUID("6b686162-6172-4000-8000-000000000001")
# Copies of pre-annotations, one of them with an age in words that changes by the minute.
DROPPED = ("prediction", "predictions")


class Export(msgspec.Struct, frozen=True, kw_only=True):
    """A project as exported: its tasks, and whose the account numbers are."""

    tasks: list[Json]
    accounts: dict[str, str]


def connect(url: str, token: str) -> LabelStudio:
    """Open a client for one account.

    Args:
        url: the server's address.
        token: the account's personal access token.

    Raises:
        KhabarError: package-missing, server-lost, server-refused.
    """
    try:
        from label_studio_sdk import LabelStudio
    except ImportError as error:
        raise KhabarError(
            Issue(
                code="package-missing",
                where="label_studio_sdk",
                found="not installed",
                expected="label-studio-sdk",
                fix="Install the extra: pip install 'khabar[annotate]'.",
            )
        ) from error
    with speaking(url):
        client = LabelStudio(base_url=url, api_key=token, httpx_client=httpx.Client(timeout=120, trust_env=False))
        client.users.whoami()
    return client


@contextmanager
def speaking(url: str) -> Iterator[None]:
    """Turn what can go wrong on the line into khabar's errors.

    Args:
        url: the server's address.

    Raises:
        KhabarError: server-lost, server-refused, server-answer.
    """
    from label_studio_sdk.core.api_error import ApiError

    try:
        yield
    except httpx.TransportError as error:
        raise KhabarError(lost(url, f"{type(error).__name__}: {error}")) from error
    except (ApiError, httpx.HTTPStatusError) as error:
        answer = getattr(error, "response", None)
        status = int(getattr(error, "status_code", None) or getattr(answer, "status_code", 0) or 0)
        raise KhabarError(_refusal(url, status, str(getattr(error, "body", error))[:300])) from error


def _refusal(url: str, status: int, body: str) -> Issue:
    if status in (401, 403):
        return Issue(
            code="server-refused",
            where=url,
            found=f"status {status}",
            expected="a live token",
            fix="Remove the account's token from khabar.json in the data folder; the next command makes a new one.",
        )
    return Issue(
        code="server-answer",
        where=url,
        found=f"status {status}: {body}",
        expected="success",
        fix="Mend what it says and run the same command again; it goes on where it stopped.",
    )


def list_projects(client: LabelStudio) -> list[Any]:
    """List all projects.

    Args:
        client: any account's.
    """
    with speaking(_url(client)):
        return list(client.projects.list())


def find_project(client: LabelStudio, title: str) -> Any | None:
    """Find a project by its title.

    Args:
        client: any account's.
        title: the exact title.

    Raises:
        KhabarError: project-changed, where two projects bear it.
    """
    found = [project for project in list_projects(client) if project.title == title]
    if len(found) > 1:
        raise KhabarError(
            _changed(title, f"{len(found)} projects of that title", "one", "Delete or rename the others.")
        )
    return found[0] if found else None


def open_project(
    client: LabelStudio,
    title: str,
    documents: Sequence[Document],
    *,
    instruction: str = "",
    annotators: int = 2,
    description: str = "",
    predictions: Mapping[str, Json] | None = None,
) -> int:
    """Make a project hold exactly these documents; a second call changes nothing.

    Args:
        client: the manager's.
        title: the project's title.
        documents: with their texts; checked before anything is sent.
        instruction: HTML of the guidelines for the instruction panel.
        annotators: how many people get each task.
        description: what the project says of itself.
        predictions: what is shown to begin with, by doc_id.

    Returns:
        The project's number.

    Raises:
        KhabarError: issues of the documents, or project-changed: other configuration or other texts.
    """
    issues = list(check_documents(documents))
    if issues:
        raise KhabarError(issues)
    project = ensure_project(
        client, title, labeling_config(), instruction=instruction, annotators=annotators, description=description
    )
    tasks = [to_task(document) for document in documents]
    for task in tasks:
        shown = (predictions or {}).get(task["data"]["doc_id"])
        if shown is not None:
            task["predictions"] = [shown]
    import_missing(client, project, title, tasks)
    return project


def ensure_project(
    client: LabelStudio, title: str, config: str, *, instruction: str = "", annotators: int = 1, description: str = ""
) -> int:
    """Create a project, or find it with the same configuration.

    Args:
        client: the manager's.
        title: the project's title.
        config: the labelling configuration.
        instruction: HTML for the instruction panel.
        annotators: how many people get each task.
        description: what the project says of itself.

    Returns:
        The project's number.

    Raises:
        KhabarError: project-changed, where it is there with another configuration or under another title.
    """
    project = find_project(client, title)
    if project is None:
        _require_not_renamed(client, title, description)
        with speaking(_url(client)):
            project = client.projects.create(
                title=title,
                description=description,
                label_config=config,
                expert_instruction=instruction,
                show_instruction=bool(instruction),
                maximum_annotations=annotators,
                show_skip_button=False,
                enable_empty_annotation=True,
                show_collab_predictions=True,
            )
        project = _one_of(client, title, description) or project
    elif "".join((project.label_config or "").split()) != "".join(config.split()):
        raise KhabarError(
            _changed(title, "another labelling configuration", "the ontology's", "Open the work under a new title.")
        )
    return int(project.id)


def _require_not_renamed(client: LabelStudio, title: str, description: str) -> None:
    for project in list_projects(client) if description else ():
        if project.description == description:
            found = f"renamed to {str(project.title)!r}"
            raise KhabarError(_changed(title, found, "its title", "Give it its title back in Label Studio."))


def _one_of(client: LabelStudio, title: str, description: str) -> Any | None:
    # The same request of a process that was killed may have reached the server only now.
    same = [item for item in list_projects(client) if (item.title, item.description) == (title, description)]
    remove_spare_projects(client, same)
    return find_project(client, title)


def remove_spare_projects(client: LabelStudio, projects: Iterable[Any]) -> None:
    """Remove second copies of a project that nobody has worked in, which a killed process leaves.

    Args:
        client: the manager's.
        projects: some; only those of one title and description are copies.
    """
    groups: dict[tuple[str, str], list[Any]] = {}
    for project in sorted(projects, key=lambda item: int(item.id)):
        groups.setdefault((str(project.title), str(project.description)), []).append(project)
    for copies in groups.values():
        if len(copies) > 1:
            worked = [project for project in copies if _has_work(client, int(project.id))]
            for project in copies[1:] if not worked else [item for item in copies if item not in worked]:
                with speaking(_url(client)):
                    client.projects.delete(id=int(project.id))


def _has_work(client: LabelStudio, project: int) -> bool:
    return any(task["annotations"] or task.get("drafts") for task in list_tasks(client, project))


def import_missing(
    client: LabelStudio, project: int, title: str, wanted: Sequence[Json], *, key: str = "doc_id"
) -> None:
    """Bring in the tasks that a project does not have yet, with their predictions.

    Copies that an interrupted import left are removed, as long as nobody has worked on them.

    Args:
        client: the manager's.
        project: its number.
        title: its title, for an error.
        wanted: tasks; each is known by its key and the hash of its text.
        key: which field of their data tells tasks apart.

    Raises:
        KhabarError: project-changed, where the project has other tasks or other texts.
    """
    tasks = _without_copies(client, project, key)
    _check_tasks(title, tasks, wanted, key)
    _add_tasks(client, project, tasks, wanted, key)


def _complete_predictions(client: LabelStudio, there: Mapping[object, Json], tasks: Sequence[Json], key: str) -> None:
    """Add the predictions that an interrupted import did not come to."""
    for task in tasks:
        found = there.get(task["data"][key])
        if found is not None:
            known = {str(item.get("model_version")) for item in found.get("predictions") or ()}
            _predict(client, found["id"], [p for p in task.get("predictions", ()) if p["model_version"] not in known])


def _predict(client: LabelStudio, task: int, predictions: Sequence[Json]) -> None:
    for prediction in predictions:
        with speaking(_url(client)):
            client.predictions.create(task=task, **prediction)


def _without_copies(client: LabelStudio, project: int, key: str) -> list[Json]:
    """List the tasks of a project after removing second copies that nobody has worked on."""
    tasks = list_tasks(client, project)
    groups: dict[tuple[object, object], list[Json]] = {}
    # Tasks that lack the key are somebody's own, and no copies of each other.
    keyed = [task for task in tasks if task["data"].get(key) is not None]
    for task in sorted(keyed, key=lambda item: int(item["id"])):
        groups.setdefault((task["data"].get(key), task["data"].get("sha256")), []).append(task)
    spare: set[int] = set()
    for copies in groups.values():
        worked = [task for task in copies if task["annotations"] or task.get("drafts")]
        spare |= {task["id"] for task in (copies[1:] if not worked else copies) if task not in worked}
    for number in spare:
        with speaking(_url(client)):
            client.tasks.delete(id=str(number))
    return [task for task in tasks if task["id"] not in spare]


def _check_tasks(title: str, tasks: Sequence[Json], wanted: Sequence[Json], key: str) -> None:
    counts = Counter(str(task["data"].get(key)) for task in tasks)
    hashes = {str(task["data"][key]): task["data"]["sha256"] for task in wanted}
    issues = [
        _changed(title, f"{count} tasks of {name}", f"{int(name in hashes)}", "Delete the rest in Label Studio.")
        for name, count in counts.items()
        if count > (name in hashes)
    ]
    issues += [
        _changed(
            title,
            f"another text of {task['data'][key]}",
            hashes[str(task["data"][key])][:12],
            "A changed text is a new document: give it a new doc_id.",
        )
        for task in tasks
        if hashes.get(str(task["data"].get(key)), task["data"].get("sha256")) != task["data"].get("sha256")
    ]
    if issues:
        raise KhabarError(issues)


def _changed(title: str, found: str, expected: str, fix: str) -> Issue:
    return Issue(code="project-changed", where=f"project {title!r}", found=found, expected=expected, fix=fix)


def _url(client: LabelStudio) -> str:
    return str(client._client_wrapper.get_base_url())


def list_tasks(client: LabelStudio, project: int) -> list[Json]:
    """List the tasks of a project with their data and annotations.

    Args:
        client: any account's.
        project: the project's number.
    """
    with speaking(_url(client)):
        return [task.model_dump() for task in client.tasks.list(project=project, fields="all", page_size=200)]


def submit(
    client: LabelStudio,
    project: int,
    annotations: Iterable[Annotation],
    documents: Mapping[str, Document],
    *,
    tick: Callable[[str], None] = lambda _: None,
) -> int:
    """Save an annotator's work under the annotator's own account, where it is not there yet.

    Args:
        client: the annotator's.
        project: the project's number.
        annotations: valid; checked before anything is sent.
        documents: by doc_id.
        tick: called after each document with its id.

    Returns:
        How many were new.

    Raises:
        KhabarError: issues of the annotations; project-changed, where a task is missing; server errors.
            What was saved stays saved.
    """
    given = list(annotations)
    work = {annotation.doc_id: annotation for annotation in given}
    issues = list(check_set(given, documents, complete=False))
    issues += [issue for doc_id, item in work.items() for issue in check_annotation(item, documents.get(doc_id))]
    if issues:
        raise KhabarError(issues)
    with speaking(_url(client)):
        me = client.users.whoami().id
    tasks = list_tasks(client, project)
    absent = sorted(work.keys() - {task["data"].get("doc_id") for task in tasks})
    if absent:
        raise KhabarError(
            _changed(f"number {project}", f"no task of {', '.join(absent)}", "a task of each", "Import them first.")
        )
    new = 0
    for task in tasks:
        doc_id = task["data"].get("doc_id")
        mine = [item for item in task["annotations"] if _number(item["completed_by"]) == me]
        if doc_id in work and not mine:
            new += _save(client, project, task["id"], me, work[doc_id], documents[doc_id].text)
            tick(doc_id)
    return new


def _save(client: LabelStudio, project: int, task: int, me: int, annotation: Annotation, text: str) -> bool:
    name = str(uuid5(KHABAR, f"{project}/{annotation.doc_id}/{me}"))
    return create_annotation(client, task, to_result(annotation, text), unique_id=name)


def _number(account: Any) -> int | None:
    found = account.get("id") if isinstance(account, Mapping) else account
    return found if isinstance(found, int) else None


def address(account: Any, accounts: Mapping[str, str]) -> str:
    """Give the address of an account.

    Args:
        account: as Label Studio gives it.
        accounts: account number to address.
    """
    # Label Studio gives an account as its number, or as a record with its number, its address or both.
    if isinstance(account, Mapping) and isinstance(account.get("email"), str):
        return str(account["email"])
    return accounts.get(str(_number(account)), "nobody known")


def export(client: LabelStudio, project: int) -> Export:
    """Export a project with everything in it.

    Args:
        client: the manager's.
        project: the project's number.
    """
    return Export(tasks=export_tasks(client, project), accounts=list_accounts(client))


def export_tasks(client: LabelStudio, project: int) -> list[Json]:
    """Export the tasks of a project, those without annotations too.

    Args:
        client: the manager's.
        project: the project's number.
    """
    with speaking(_url(client)):
        return list(client.projects.exports.as_json(project))


def list_accounts(client: LabelStudio) -> dict[str, str]:
    """List the addresses of all accounts by their number.

    Args:
        client: the manager's.
    """
    with speaking(_url(client)):
        return {str(user.id): str(user.email) for user in client.users.list()}


def of_annotator(exported: Export, email: str, *, keep_text: bool) -> list[Json]:
    """Cut one annotator's part out of an export, as it is kept in the repository.

    Args:
        exported: the whole export.
        email: the annotator's account.
        keep_text: False for texts that may not be shipped: `text` is then dropped everywhere.

    Returns:
        Tasks in the order of their doc_id, verbatim but for the fields in `DROPPED` and other accounts' work.
    """
    kept: list[Json] = []
    for task in sorted(exported.tasks, key=lambda item: str(item["data"].get("doc_id"))):
        own = [item for item in task["annotations"] if address(item.get("completed_by"), exported.accounts) == email]
        if own:
            drafts = [item for item in task.get("drafts", ()) if item.get("user") == email]
            mine = {**task, "annotations": own, "drafts": drafts}
            kept.append(as_kept(mine, keep_text=keep_text))
    return kept


def as_kept(value: Json, *, keep_text: bool, dropped: Sequence[str] = ()) -> Json:
    """Cut out of a record of Label Studio what is not kept.

    Args:
        value: a task, an annotation or a draft.
        keep_text: False for texts that may not be shipped.
        dropped: other fields that are not kept, beside the copies of predictions.
    """
    kept: Json = _without(value, (*DROPPED, *dropped, *(() if keep_text else ("text",))))
    return kept


def _without(value: Any, names: Sequence[str]) -> Any:
    if isinstance(value, dict):
        # The key of an actor or place is `text` too, but a list: it is the annotator's, and stays.
        return {
            key: _without(item, names)
            for key, item in value.items()
            if key not in names or (key == "text" and isinstance(item, list))
        }
    if isinstance(value, list):
        return [_without(item, names) for item in value]
    return value


def read_export(
    tasks: Iterable[Json], accounts: Mapping[str, str], documents: Mapping[str, Document], *, email: str, author: str
) -> tuple[list[Annotation], list[Issue]]:
    """Read one annotator's export, checking whose work it is and that it fits the texts.

    Args:
        tasks: the annotator's tasks, as kept.
        accounts: account number to address, as exported with them.
        documents: by doc_id.
        email: the annotator's account.
        author: the annotator's name.

    Returns:
        Annotations in the order of `documents`, and all issues: unknown, missing, repeated or
        foreign work, unreadable regions, and breaches of the ontology.
    """
    found: dict[str, Annotation] = {}
    issues: list[Issue] = []
    for task in tasks:
        doc_id = str(task["data"].get("doc_id")) if _is_task(task) else ""
        problems = list(_check_task(task, documents))
        if not problems:
            items = [item for item in task["annotations"] if not item.get("was_cancelled")]
            problems += _check_accounts(doc_id, items, accounts, email)
            if len(items) == 1:
                annotation, unread = from_result(items[0]["result"], documents[doc_id], author=author)
                problems += [*unread, *check_annotation(annotation, documents[doc_id])]
                if doc_id in found:
                    problems.append(_task_issue("document-duplicate", doc_id, "two tasks", "one", "Delete one."))
                found[doc_id] = annotation
        issues += problems
    return [found[doc_id] for doc_id in documents if doc_id in found], issues


def _is_task(task: Any) -> bool:
    return isinstance(task, dict) and isinstance(task.get("data"), dict)


def _check_task(task: Any, documents: Mapping[str, Document]) -> Iterator[Issue]:
    if not _is_task(task) or not _are_annotations(task.get("annotations")):
        expected = "an object with data, and annotations that each have a result"
        yield _task_issue("region-shape", "?", f"{str(task)[:60]!r}", expected, "Export again as JSON.")
        return
    doc_id, data = str(task["data"].get("doc_id")), task["data"]
    document = documents.get(doc_id)
    if document is None:
        yield _task_issue(
            "document-unknown", doc_id, "an unknown document", "a doc_id of the corpus", "Remove it or add its text."
        )
    elif data.get("sha256") != document.sha256 or ("text" in data and document.text and data["text"] != document.text):
        fix = "The work belongs to another version of the text."
        yield _task_issue("document-hash", doc_id, "another text in the task", document.sha256[:12], fix)


def _are_annotations(items: Any) -> bool:
    return isinstance(items, list) and all(
        isinstance(item, dict)
        and isinstance(item.get("result"), list)
        and all(isinstance(r, dict) for r in item["result"])
        for item in items
    )


def _check_accounts(doc_id: str, items: Sequence[Json], accounts: Mapping[str, str], email: str) -> Iterator[Issue]:
    if len(items) != 1:
        code = "annotation-duplicate" if items else "annotation-missing"
        yield _task_issue(code, doc_id, f"{len(items)} annotations of {email}", "one", "Keep the one that counts.")
    for item in items:
        author = address(item.get("completed_by"), accounts)
        editor = item.get("updated_by")
        changed_by = author if editor is None else address(editor, accounts)
        if author != email:
            yield _task_issue(
                "account-foreign", doc_id, f"work of {author}", email, "Export it under its own annotator."
            )
        elif changed_by != author:
            yield _task_issue(
                "account-foreign",
                doc_id,
                f"work of {author}, changed by {changed_by}",
                "changes by its author only",
                "Bring back the author's version from an earlier export.",
            )


def _task_issue(code: str, doc_id: str, found: str, expected: str, fix: str) -> Issue:
    return Issue(code=code, doc_id=doc_id, where=f"document {doc_id}", found=found, expected=expected, fix=fix)


def same_work(one: Sequence[Annotation], two: Sequence[Annotation]) -> list[str]:
    """List the documents whose annotations differ, ids and order included, quoted texts not (wire keeps none).

    Args:
        one: an author's annotations.
        two: the same author's from another export.
    """
    left = {item.doc_id: without_texts(item) for item in one}
    right = {item.doc_id: without_texts(item) for item in two}
    return sorted(doc_id for doc_id in left.keys() | right.keys() if left.get(doc_id) != right.get(doc_id))


def add_tasks(client: LabelStudio, project: int, tasks: Sequence[Json], *, key: str) -> int:
    """Bring in the tasks that a project does not have yet; others that it has stay.

    Args:
        client: the manager's.
        project: its number.
        tasks: with their predictions.
        key: which field of their data tells tasks apart.

    Returns:
        How many were new.
    """
    return _add_tasks(client, project, _without_copies(client, project, key), tasks, key)


def _add_tasks(client: LabelStudio, project: int, present: Sequence[Json], tasks: Sequence[Json], key: str) -> int:
    there = {task["data"].get(key): task for task in present}
    missing = [task for task in tasks if task["data"][key] not in there]
    for at in range(0, len(missing), BATCH):
        with speaking(_url(client)):
            client.projects.import_tasks(id=project, request=missing[at : at + BATCH])
    if missing:  # the same request of a process that was killed may have reached the server only now
        _without_copies(client, project, key)
    _complete_predictions(client, there, tasks, key)
    return len(missing)


def remove_unbegun(client: LabelStudio, project: int, wanted: Callable[[Json], bool]) -> None:
    """Remove the tasks that are not wanted any more and that nobody has begun.

    Args:
        client: the manager's.
        project: its number.
        wanted: tells which tasks stay.
    """
    for task in list_tasks(client, project):
        if not (wanted(task) or task["annotations"] or task.get("drafts")):
            with speaking(_url(client)):
                client.tasks.delete(id=str(task["id"]))


def mark_ground_truth(client: LabelStudio, annotation: int) -> None:
    """Mark an annotation as ground truth.

    Args:
        client: of the account whose annotation it is.
        annotation: its number.
    """
    with speaking(_url(client)):
        client.annotations.update(id=annotation, ground_truth=True)


def create_annotation(client: LabelStudio, task: int, result: list[Json], *, unique_id: str | None = None) -> bool:
    """Save an annotation, unless one of the same unique id is there.

    Args:
        client: of the account whose work it is.
        task: the task's number.
        result: the regions and relations.
        unique_id: a UUID that tells it from all others.

    Returns:
        Whether it was new.
    """
    from label_studio_sdk.core.api_error import ApiError

    named = {} if unique_id is None else {"unique_id": unique_id}
    with speaking(_url(client)):
        try:
            client.annotations.create(id=task, result=result, **named)
        except ApiError as error:
            if error.status_code != ALREADY_THERE:
                raise
            return False
    return True


def update_annotation(client: LabelStudio, annotation: int, result: list[Json]) -> None:
    """Replace what an annotation holds.

    Args:
        client: of the account whose work it is.
        annotation: its number.
        result: the regions and relations.
    """
    with speaking(_url(client)):
        client.annotations.update(id=annotation, result=result)
