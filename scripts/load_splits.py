"""Load every configuration with `datasets.load_dataset`, as a user would, from splits/."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from khabar.cli import run


def main(folder: Annotated[Path, typer.Option(help="the released splits")] = Path("splits")) -> None:
    """Load each configuration and say what is in it."""
    from datasets import disable_progress_bars, get_dataset_config_names, load_dataset

    disable_progress_bars()
    with tempfile.TemporaryDirectory() as cache:
        for name in get_dataset_config_names(str(folder)):
            loaded = load_dataset(str(folder), name, cache_dir=cache)
            typer.echo(f"{name}: " + ", ".join(f"{split} {len(rows)}" for split, rows in loaded.items()))


if __name__ == "__main__":
    run(main)
