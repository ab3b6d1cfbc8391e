"""Make splits/ from documents and gold: Parquet and the card, or check that they are the same."""

from pathlib import Path
from typing import Annotated

import typer

from khabar import jsonl
from khabar.cli import run
from khabar.release import collect, render_card
from khabar.workspace import Workspace


def main(
    root: Annotated[Path, typer.Option(help="the checkout")] = Path(),
    check: Annotated[bool, typer.Option("--check", help="compare byte for byte; write nothing")] = False,
) -> None:
    """Build splits/."""
    release = collect(root, Workspace(root / "annotations"))
    card = render_card(root, release)
    files = {file.path: file.data for file in release.files} | {"README.md": card.encode()}
    for name, data in files.items():
        same = jsonl.put_bytes(root / "splits" / name, data, check=check)
        typer.echo(f"splits/{name}: {len(data):,} bytes, {'the same' if same else 'written'}")


if __name__ == "__main__":
    run(main)
