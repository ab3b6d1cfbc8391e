"""The projects of the corpus on a local Label Studio: created, filled, exported, compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from khabar import jsonl
from khabar.errors import Issue, KhabarError
from khabar.label_studio import desk, server
from khabar.types import Annotation
from khabar.validate import check_set
from khabar.workspace import Workspace

if TYPE_CHECKING:
    from label_studio_sdk import LabelStudio


def project_title(project: str) -> str:
    """Give the title of a project in Label Studio.

    Args:
        project: composed or wire.
    """
    return f"khabar {project}"


def create_projects(
    data: Path,
    workspace: Workspace,
    *,
    work: dict[str, dict[str, list[Annotation]]] | None = None,
    tick: Callable[[str], None] = lambda _: None,
) -> Iterator[str]:
    """Create the projects, their documents and accounts, and save work under its annotator's account.

    Args:
        data: the data folder of a running server.
        workspace: the corpus.
        work: annotations by project and annotator; what is there already stays.
        tick: called after each saved annotation with its document's id.

    Yields:
        A line on each step.
    """
    manager = _client(data, server.MANAGER)
    instruction = guidelines_html(workspace.folder / "guidelines.md")
    for project in workspace.projects:
        documents = workspace.documents(project)
        number = desk.open_project(manager, project_title(project), documents, instruction=instruction)
        yield f"project {project_title(project)!r}: {len(documents)} documents"
        for annotator in workspace.annotators:
            client = _client(data, server.annotator_email(annotator))
            mine = (work or {}).get(project, {}).get(annotator, [])
            new = desk.submit(client, number, mine, {document.doc_id: document for document in documents}, tick=tick)
            yield f"  {annotator}: {new} annotations saved, {len(mine) - new} were there"


def _client(data: Path, email: str) -> LabelStudio:
    account = server.ensure_account(data, email)
    return desk.connect(server.load_state(data).url, account.token)


def guidelines_html(path: Path) -> str:
    """Write the guidelines as HTML for the instruction panel.

    Args:
        path: guidelines.md.
    """
    from markdown_it import MarkdownIt

    return str(MarkdownIt("commonmark").enable("table").render(jsonl.read_text(path)))


def export_projects(data: Path, workspace: Workspace) -> dict[str, desk.Export]:
    """Export every project of the corpus.

    Args:
        data: the data folder of a running server.
        workspace: the corpus.

    Raises:
        KhabarError: server errors; project-changed where a project is not there.
    """
    manager = _client(data, server.MANAGER)
    exports = {}
    for project in workspace.projects:
        found = desk.find_project(manager, project_title(project))
        if found is None:
            raise KhabarError(
                Issue(
                    code="project-changed",
                    where=f"project {project_title(project)!r}",
                    found="no such project",
                    expected="the project that create_projects makes",
                    fix="Run scripts/create_projects.py first.",
                )
            )
        exports[project] = desk.export(manager, found.id)
    return exports


def write_exports(
    data: Path, workspace: Workspace, output: Path, *, replace: bool = False, partial: bool = False
) -> Iterator[str]:
    """Export every annotator's work and write it as it is kept; nothing is written unless all of it is valid.

    Args:
        data: the data folder of a running server.
        workspace: the corpus.
        output: the folder for <project>/<annotator>.json.
        replace: whether a kept export may be replaced by another.
        partial: whether documents without work are allowed, while a campaign is under way.

    Yields:
        A line on each file.

    Raises:
        KhabarError: all issues of the exports; export-kept, where a file would be replaced.
    """
    files: dict[Path, bytes] = {}
    for project, exported in export_projects(data, workspace).items():
        _read_all(workspace, project, exported, partial=partial)
        files[output / project / "accounts.json"] = jsonl.json_bytes(exported.accounts)
        for annotator in workspace.annotators:
            email = server.annotator_email(annotator)
            tasks = desk.of_annotator(exported, email, keep_text=project != "wire")
            files[output / project / f"{annotator}.json"] = jsonl.array_bytes(tasks)
    kept = [path for path, content in files.items() if path.exists() and path.read_bytes() != content]
    if kept and not replace:
        raise KhabarError(_kept(path) for path in kept)
    for path, content in files.items():
        jsonl.write_bytes(path, content)
        yield f"{path}: {len(content):,} bytes"


def _kept(path: Path) -> Issue:
    return Issue(
        code="export-kept",
        where=str(path),
        found="another export",
        expected="no file, or the same content",
        fix="Export into another folder and compare; --replace if the new one shall stand.",
    )


def _read_all(
    workspace: Workspace, project: str, exported: desk.Export, *, partial: bool = False
) -> dict[str, list[Annotation]]:
    documents = {document.doc_id: document for document in workspace.documents(project)}
    found: dict[str, list[Annotation]] = {}
    issues: list[Issue] = []
    for annotator in workspace.annotators:
        email = server.annotator_email(annotator)
        tasks = desk.of_annotator(exported, email, keep_text=True)
        found[annotator], problems = desk.read_export(
            tasks, exported.accounts, documents, email=email, author=annotator
        )
        issues += [*problems, *check_set(found[annotator], documents, complete=not partial)]
    if issues:
        raise KhabarError(issues)
    return found


def check_exports(data: Path, workspace: Workspace) -> Iterator[str]:
    """Compare what Label Studio exports with what the repository keeps.

    Args:
        data: the data folder of a running server.
        workspace: the corpus.

    Yields:
        A line on each annotator.

    Raises:
        KhabarError: project-changed, naming each document that differs.
    """
    for project, exported in export_projects(data, workspace).items():
        for annotator, exported_work in _read_all(workspace, project, exported).items():
            differing = desk.same_work(workspace.work(project, annotator), exported_work)
            if differing:
                raise KhabarError(
                    Issue(
                        code="project-changed",
                        where=f"project {project_title(project)!r}, {annotator}",
                        found=f"other work on {', '.join(differing)}",
                        expected=f"what annotations/exports/{project}/{annotator}.json holds",
                        fix="Keep the new export if it is meant: scripts/export_annotations.py --output.",
                    )
                )
            yield f"{project}, {annotator}: {len(exported_work)} documents, equal to the repository"
