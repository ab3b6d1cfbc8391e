"""Export every annotator's work from Label Studio; write it, or check that it equals what is kept."""

from pathlib import Path
from typing import Annotated

import typer

from khabar.campaign import corpus
from khabar.cli import run
from khabar.workspace import Workspace


def main(
    data: Annotated[Path, typer.Option(help="the data folder of a running server")] = Path(".khabar/label_studio"),
    annotations: Annotated[Path, typer.Option(help="the folder of documents and exports")] = Path("annotations"),
    sources: Annotated[
        Path | None, typer.Option(help="the wire articles; without them the wire project is left out")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="write <lot>/exports/ into this folder")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="replace kept exports that differ")] = False,
    partial: Annotated[bool, typer.Option("--partial", help="allow documents that are not annotated yet")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="compare with annotations/campaigns; write nothing there")
    ] = False,
) -> None:
    """Export from Label Studio."""
    if check == bool(output):
        raise typer.BadParameter("give either --output FOLDER or --check")
    workspace = Workspace(annotations, sources)
    lines = (
        corpus.check_exports(data, workspace)
        if output is None
        else corpus.write_exports(data, workspace, output, replace=replace, partial=partial)
    )
    for line in lines:
        typer.echo(line)


if __name__ == "__main__":
    run(main)
