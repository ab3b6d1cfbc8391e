"""Make every generated document, and the configuration for Label Studio, or check that they are the same."""

from pathlib import Path
from typing import Annotated

import typer

from khabar import jsonl
from khabar.cli import run
from khabar.release import collect, render_documents
from khabar.workspace import Workspace


def main(
    root: Annotated[Path, typer.Option(help="the checkout")] = Path(),
    check: Annotated[bool, typer.Option("--check", help="compare byte for byte; write nothing")] = False,
) -> None:
    """Build the documents."""
    typer.echo("measuring agreement: half a minute", err=True)
    release = collect(root, Workspace(root / "annotations"), gamma=True)
    for name, text in render_documents(root, release).items():
        same = jsonl.put_bytes(root / name, text.encode(), check=check)
        typer.echo(f"{name}: {'the same' if same else 'written'}")


if __name__ == "__main__":
    run(main)
