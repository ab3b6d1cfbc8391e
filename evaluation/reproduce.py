"""Score every stored system again; fail on a changed number, or write new results with --write."""

from pathlib import Path
from typing import Annotated

import typer

from khabar import jsonl
from khabar.cli import run
from khabar.evaluation import evaluate
from khabar.metrics import TOKEN_LAYERS
from khabar.results import Result, encode_result

HERE = Path(__file__).parent


def main(
    write: Annotated[bool, typer.Option("--write", help="write the results instead of comparing")] = False,
) -> None:
    """Reproduce the results of the baselines and the submissions."""
    failed = False
    for path in sorted(
        (*HERE.glob("baselines/*/predictions/*.jsonl"), *HERE.glob("submissions/*/predictions/*.jsonl"))
    ):
        system, split = path.parent.parent, path.stem
        stored = system / "results" / f"{split}.json"
        layers = jsonl.read_json(stored, Result).layers if stored.exists() else TOKEN_LAYERS
        result = evaluate(gold=split, pred=path, layers=layers, name=system.name)
        if write:
            jsonl.write_bytes(stored, encode_result(result))
        same = write or result == jsonl.read_json(stored, Result)
        failed |= not same
        typer.echo(f"{system.name} on {split}: {'written' if write else 'the same' if same else 'CHANGED'}")
    if failed:
        raise typer.Exit(1)


if __name__ == "__main__":
    run(main)
