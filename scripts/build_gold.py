"""Make the gold from the annotators' exports and the adjudicator's decisions, or check that it is the same."""

from pathlib import Path
from typing import Annotated

import typer

from khabar import jsonl
from khabar.cli import run
from khabar.workspace import PROJECTS, Workspace


def main(
    annotations: Annotated[Path, typer.Option(help="the folder of exports and decisions")] = Path("annotations"),
    sources: Annotated[
        Path | None, typer.Option(help="the wire articles, to check their spans against the texts")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="compare byte for byte; write nothing")] = False,
) -> None:
    """Build annotations/gold."""
    workspace = Workspace(annotations, sources)
    for lot in (lot for project in PROJECTS for lot in workspace.lots(project)):
        path = annotations / "gold" / f"{lot}.jsonl"
        gold = workspace.gold(lot)
        same = jsonl.put_records(path, gold, check=check, canary=True)
        typer.echo(f"{path}: {len(gold)} documents, {'the same' if same else 'written'}")


if __name__ == "__main__":
    run(main)
