"""Create the projects, bring in the documents, and save each annotator's stored work under its own account."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from khabar.campaign import corpus
from khabar.cli import run
from khabar.workspace import Workspace


def main(
    data: Annotated[Path, typer.Option(help="the data folder of a running server")] = Path(".khabar/label_studio"),
    annotations: Annotated[Path, typer.Option(help="the folder of documents and exports")] = Path("annotations"),
    sources: Annotated[
        Path | None, typer.Option(help="the wire articles; without them there is no wire project")
    ] = None,
    empty: Annotated[bool, typer.Option("--empty", help="bring in no work, only documents")] = False,
) -> None:
    """Create the projects; a second run changes nothing."""
    workspace = Workspace(annotations, sources)
    work = {
        lot: {name: workspace.work(lot, name) for name in workspace.annotators}
        for project in workspace.projects
        for lot in workspace.lots(project)
    }
    total = sum(len(annotations) for mine in work.values() for annotations in mine.values())
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("saving annotations", total=total or None)
        for line in corpus.create_projects(
            data, workspace, work={} if empty else work, tick=lambda _: progress.advance(bar)
        ):
            typer.echo(line)


if __name__ == "__main__":
    run(main)
