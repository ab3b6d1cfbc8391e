"""The corpus as campaigns: its documents and the annotators' kept work on a local Label Studio, and back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from khabar import jsonl
from khabar.campaign.config import Campaign, load_campaign
from khabar.campaign.files import ACCOUNTS, read_work
from khabar.campaign.models import hand_in
from khabar.campaign.opening import open_campaign
from khabar.campaign.studio import Studio, working_on
from khabar.campaign.sync import synchronise
from khabar.errors import Issue, KhabarError
from khabar.label_studio import desk
from khabar.types import Annotation
from khabar.validate import check_set
from khabar.workspace import Workspace

Work = Mapping[str, Sequence[Annotation]]


def lots_of(workspace: Workspace) -> list[str]:
    """Name the lots whose texts are here.

    Args:
        workspace: the corpus.
    """
    return [lot for project in workspace.projects for lot in workspace.lots(project)]


def corpus_campaign(data: Path, workspace: Workspace, lot: str) -> Campaign:
    """Write the campaign of a lot of the corpus into Label Studio's data folder.

    Args:
        data: the data folder.
        workspace: the corpus.
        lot: one of its lots.
    """
    folder = data / "campaigns" / lot
    source = workspace.folder.resolve()
    lines = (
        f"name = {json.dumps(lot)}",
        f"documents = {json.dumps(str(source / 'documents' / f'{lot}.jsonl'))}",
        f"register = {json.dumps(str(source / 'annotators.json'))}",
        f"annotators = {json.dumps(workspace.annotators)}",
        f"adjudicators = {json.dumps(workspace.adjudicators)}",
        f"per_document = {len(workspace.annotators)}",
        'rounds = [{ name = "corpus" }]',
    )
    jsonl.write_bytes(folder / "campaign.toml", ("\n".join(lines) + "\n").encode())
    # A copy: closing adds to the log, and the repository's guidelines are the maintainers' to change.
    if not (folder / "guidelines.md").exists():
        jsonl.write_bytes(folder / "guidelines.md", jsonl.read_text(workspace.folder / "guidelines.md").encode())
    return load_campaign(folder, sources=workspace.sources)


def create_projects(
    data: Path,
    workspace: Workspace,
    *,
    work: Mapping[str, Work] | None = None,
    tick: Callable[[str], None] = lambda _: None,
) -> Iterator[str]:
    """Open the corpus's campaigns, and save work under its annotator's account.

    Args:
        data: the data folder of a running server.
        workspace: the corpus.
        work: annotations by lot and annotator; what is there already stays.
        tick: called after each saved annotation with its document's id.

    Yields:
        A line on each step.
    """
    for lot in lots_of(workspace):
        studio = Studio(corpus_campaign(data, workspace, lot), data)
        with working_on(studio.campaign):
            yield from open_campaign(studio)
            for name, mine in (work or {}).get(lot, {}).items():
                handed = hand_in(studio, name, mine, tick=tick)
                yield f"  {name}: {handed.saved} annotations saved, {handed.there} were there"


def _exported(data: Path, workspace: Workspace, lot: str, *, partial: bool = False) -> tuple[Campaign, Work]:
    campaign = corpus_campaign(data, workspace, lot)
    with working_on(campaign):
        findings = synchronise(Studio(campaign, data)).open
    work, issues = read_work(campaign)
    issues += [item.issue for item in findings]
    for mine in work.values():
        issues += check_set(mine, campaign.documents, complete=not partial)
    if issues:
        raise KhabarError(dict.fromkeys(issues))
    return campaign, work


def write_exports(
    data: Path, workspace: Workspace, output: Path, *, replace: bool = False, partial: bool = False
) -> Iterator[str]:
    """Export every annotator's work and write it as it is kept; nothing is written unless all of it is valid.

    Args:
        data: the data folder of a running server.
        workspace: the corpus.
        output: the folder for <lot>/exports/<annotator>.json.
        replace: whether a kept export may be replaced by another; one that an archive belongs to never is.
        partial: whether documents without work are allowed, while a campaign is under way.

    Yields:
        A line on each file.

    Raises:
        KhabarError: all issues of the exports; export-kept, where a file would be replaced.
    """
    files: dict[Path, bytes] = {}
    for lot in lots_of(workspace):
        campaign, work = _exported(data, workspace, lot, partial=partial)
        for path in [campaign.path(ACCOUNTS), *(campaign.path("exports", f"{name}.json") for name in work)]:
            files[output / lot / "exports" / path.name] = path.read_bytes()
    kept = [path for path, content in files.items() if path.exists() and path.read_bytes() != content]
    refused = [path for path in kept if not replace or _is_archived(path)]
    if refused:
        raise KhabarError(_kept(path) for path in refused)
    for path, content in files.items():
        jsonl.write_bytes(path, content)
        yield f"{path}: {len(content):,} bytes"


def _is_archived(path: Path) -> bool:
    """Tell whether an export belongs to a campaign with an archive, which only `khabar campaign sync` may change."""
    return (path.parent.parent / "archive").is_dir()


def _kept(path: Path) -> Issue:
    return Issue(
        code="export-kept",
        where=str(path),
        found="another export",
        expected="no file, or the same content",
        fix="Export into another folder and compare; --replace if the new one shall stand and no archive goes with it.",
    )


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
    for lot in lots_of(workspace):
        campaign, work = _exported(data, workspace, lot)
        for name, exported in work.items():
            differing = desk.same_work(workspace.work(lot, name), exported)
            if differing:
                raise KhabarError(_differs(campaign, name, differing))
            yield f"{lot}, {name}: {len(exported)} documents, equal to the repository"


def _differs(campaign: Campaign, name: str, differing: Sequence[str]) -> Issue:
    return Issue(
        code="project-changed",
        where=f"campaign {campaign.name!r}, {name}",
        found=f"other work on {', '.join(differing)}",
        expected=f"what the repository keeps of {name} in this lot",
        fix="Export into another folder (scripts/export_annotations.py --output FOLDER) and compare.",
    )
