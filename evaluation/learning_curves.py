"""Train the CRF on more and more documents: what would more documents bring?

Nested subsets: in each order (a seed) the storylines of train are shuffled once, and a smaller subset is the
beginning of a larger one, so that more documents bring new storylines, as they would if the corpus grew. Figures are
exact F1, without intervals: the spread over the orders is shown instead.
"""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
import typer
from rich.progress import Progress

from khabar import docs, jsonl
from khabar.cli import run
from khabar.corpus import GoldSet, gold_set
from khabar.evaluation import evaluate
from khabar.metrics import TOKEN_LAYERS
from khabar.models import load_module
from khabar.report.figures import markdown_table
from khabar.results import Settings
from khabar.tagging import predict, with_texts

HERE = Path(__file__).parent
SIZES = (4, 8, 16, 32, 64)
SEEDS = (1, 2, 3)
METRICS = {"actors": "actors", "fillers": "fillers", "triggers": "triggers.classified"}


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """F1 by layer of one training: on how many documents, in which order, on which part of the data."""

    documents: int
    tokens: int
    seed: int
    part: str
    f1: dict[str, float]


def part_of(gold: GoldSet, name: str, chosen: Sequence[int]) -> GoldSet:
    """Take some documents of a gold set.

    Args:
        gold: a gold set with its texts.
        name: of the part.
        chosen: which, by their places.
    """
    return gold_set(name, [gold.documents[at] for at in chosen], [gold.annotations[at] for at in chosen])


def order(train: GoldSet, seed: int) -> list[int]:
    """Put documents in an order in which those of a storyline stand together.

    Args:
        train: the whole of train.
        seed: of the order of storylines; 0 leaves them as they are.
    """
    names = list(dict.fromkeys(document.storyline for document in train.documents))
    if seed:
        names = [names[int(at)] for at in np.random.default_rng(seed).permutation(len(names))]
    return [at for name in names for at, document in enumerate(train.documents) if document.storyline == name]


def parts(train: GoldSet, sources: Path | None) -> dict[str, GoldSet]:
    """List what the curves are measured on: unseen theatres apart from the rest of test, languages apart.

    Args:
        train: the whole of train.
        sources: the wire articles, to measure on wire too.
    """
    test, validation = with_texts("test"), with_texts("validation")
    known = {document.theatre for gold in (train, validation) for document in gold.documents}
    where = {
        name: [at for at, d in enumerate(test.documents) if (d.theatre not in known) == unseen]
        for name, unseen in (("test, unseen theatre", True), ("test, other", False))
    }
    found = {"validation": validation, "test": test}
    found |= {name: part_of(test, name, chosen) for name, chosen in where.items()}
    for lang in ("en", "ar"):
        chosen = [at for at, document in enumerate(test.documents) if document.lang == lang]
        found[f"test, {lang}"] = part_of(test, f"test, {lang}", chosen)
    if sources:
        found["wire"] = with_texts("wire", sources)
    return found


def plan(full: int) -> list[tuple[int, int]]:
    """List the trainings by size and order; the whole of train is one, the same for every order (0).

    Args:
        full: how many documents train has.
    """
    return [(size, seed) for seed in SEEDS for size in SIZES if size < full] + [(full, 0)]


def curves(
    train: GoldSet, trainings: Sequence[tuple[int, int]], layers: Sequence[str], sources: Path | None
) -> Iterator[Point]:
    """Train and score.

    Args:
        train: the whole of train.
        trainings: how many documents, and the order they are taken in (0: as they are).
        layers: what is trained.
        sources: the wire articles, to measure on wire too.
    """
    crf = load_module(HERE / "baselines" / "crf" / "predict.py")
    measured = parts(train, sources)
    with Progress(transient=True) as progress:
        bar = progress.add_task("training", total=len(trainings))
        for size, seed in trainings:
            subset = part_of(train, "train", order(train, seed)[:size])
            with tempfile.TemporaryDirectory() as folder:
                taggers = {layer: crf.train(layer, Path(folder), subset) for layer in layers}
            tokens = sum(len(row) for rows in subset.tokens.values() for row in rows)
            for name, gold in measured.items():
                found = evaluate(
                    gold=gold,
                    pred=predict(gold, taggers, author="crf"),
                    layers=layers,
                    settings=Settings(resamples=1, slices=()),
                )
                f1 = {layer: _rounded(found.scores[METRICS[layer]].f1) for layer in layers}
                yield Point(documents=size, tokens=tokens, seed=seed, part=name, f1=f1)
            progress.advance(bar)


def _rounded(f1: float | None) -> float:
    if f1 is None:
        raise ValueError("a part without gold has no F1")
    return round(f1, 4)


def table(points: Sequence[Point]) -> str:
    """Write the curves as a table: mean over the orders, and the least and the greatest.

    Args:
        points: the curves.
    """
    sizes = sorted({point.documents for point in points})
    rows = []
    for layer in METRICS:
        for part in dict.fromkeys(point.part for point in points):
            cells = []
            for size in sizes:
                values = [p.f1[layer] for p in points if p.part == part and p.documents == size]
                spread = f" ({min(values):.2f}–{max(values):.2f})" if len(values) > 1 else ""
                cells.append(f"{np.mean(values):.3f}{spread}")
            rows.append((f"{layer}, {part}", *cells))
    return markdown_table(("F1 on", *(f"{size} documents" for size in sizes)), rows)


def plot(points: Sequence[Point], path: Path) -> None:
    """Draw a panel for each layer, a line for each part.

    Args:
        points: the curves.
        path: where the picture goes, as SVG.
    """
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "khabar"
    from matplotlib import pyplot as plt

    shown = ["validation", "test, other", "test, unseen theatre", "wire"]
    figure, axes = plt.subplots(1, len(METRICS), figsize=(11, 3.6), sharey=True)
    for axis, layer in zip(axes, METRICS, strict=True):
        for part, mark in zip(shown, "osD^", strict=True):
            sizes = sorted({p.documents for p in points if p.part == part})
            means = [np.mean([p.f1[layer] for p in points if p.part == part and p.documents == size]) for size in sizes]
            axis.plot(sizes, means, marker=mark, label=part)
        axis.set(title=layer, xscale="log", xlabel="training documents", ylim=(0, 1))
        ticks = [size for size in sizes if size == sizes[-1] or 1.2 * size < sizes[-1]]
        axis.set_xticks(ticks, [str(size) for size in ticks])
        axis.minorticks_off()
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("F1, exact")
    axes[-1].legend(fontsize=8, loc="upper left")
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def render(points: Sequence[Point], folder: Path) -> str:
    """Put the table into the page of the curves.

    Args:
        points: the curves.
        folder: where README.md is.
    """
    path = folder / "README.md"
    return docs.fill(jsonl.read_text(path), {"curves": table(points)}, where=str(path))


def main(
    output: Annotated[Path, typer.Option("--output", "-o", help="where curves.json and curves.svg go")] = HERE
    / "learning",
    sources: Annotated[Path | None, typer.Option(help="the wire articles, to measure on wire too")] = None,
) -> None:
    """Compute the learning curves of the CRF."""
    train = with_texts("train")
    points = list(curves(train, plan(len(train.documents)), TOKEN_LAYERS, sources))
    jsonl.write_bytes(output / "curves.json", jsonl.array_bytes(points))
    plot(points, output / "curves.svg")
    jsonl.write_bytes(output / "README.md", render(points, output).encode())
    typer.echo(table(points))


if __name__ == "__main__":
    run(main)
