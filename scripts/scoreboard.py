"""Score every system's predictions in a folder and print one board, beside the stored results."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from khabar import jsonl
from khabar.cli import run
from khabar.evaluation import evaluate
from khabar.metrics import TOKEN_LAYERS
from khabar.report.figures import figure, interval
from khabar.results import Result


def main(
    folder: Annotated[Path, typer.Argument(help="<system>/<split>.jsonl")],
    stored: Annotated[Path, typer.Option(help="kept results to compare with")] = Path("evaluation/baselines"),
) -> None:
    """Print the scoreboard; exit code 1 where a score is not the stored one."""
    failed = False
    table = Table(
        "split", "system", title="F1 (95 %) of exact spans; seqeval micro F1 in strict IOB2", title_justify="left"
    )
    for layer in TOKEN_LAYERS:
        table.add_column(layer, justify="right")
        table.add_column("seqeval", justify="right")
    table.add_column("stored result")
    for path in sorted(folder.glob("*/*.jsonl"), key=lambda item: (item.stem, item.parent.name)):
        result = evaluate(gold=path.stem, pred=path, layers=TOKEN_LAYERS, name=path.parent.name)
        cells = [cell for layer in TOKEN_LAYERS for cell in _cells(result, layer)]
        same = _is_same(result, stored / path.parent.name / "results" / f"{path.stem}.json")
        failed |= not same
        table.add_row(path.stem, path.parent.name, *cells, "the same" if same else "DIFFERS")
    Console(width=140).print(table)
    if failed:
        raise typer.Exit(1)


def _cells(result: Result, layer: str) -> tuple[str, str]:
    score = result.scores["triggers.classified" if layer == "triggers" else layer]
    return f"{figure(score.f1)} ({interval(score)})", figure(result.seqeval[layer]["strict"].micro["f1"])


def _is_same(result: Result, path: Path) -> bool:
    return path.exists() and jsonl.read_json(path, Result).scores == result.scores


if __name__ == "__main__":
    run(main)
