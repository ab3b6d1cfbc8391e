"""Measure scorers on the same synthetic corpus, each in a process of its own, and write a table.

Seconds are the least of several runs in one process, peak memory what scoring adds to the process
after the data are there. Ratios are to seqeval's default report, measured in the same call.
"""

import json
import os
import random
import subprocess
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from khabar import __version__, jsonl
from khabar.cli import run
from khabar.metrics.columns import make_sides
from khabar.metrics.counting import compare_sides, count_metrics
from khabar.metrics.tag_report import report, seqeval_report
from khabar.metrics.tags import count_codes, count_tags
from khabar.models import load_module
from khabar.report.figures import markdown_table
from khabar.statistics import make_intervals, make_resampler, permutation_test
from khabar.types import Annotation, Argument, Event, Mention

HERE = Path(__file__).parent
NAMES = tuple(f"T{number}" for number in range(10))
SEQUENCE, DOCUMENT = 20, 20
ROLES = ("Agent", "Place", "Target")
Rows = list[list[str]]
Measured = dict[str, Any]


def corpus(tokens: int, length: int = SEQUENCE, seed: int = 1) -> tuple[Rows, Rows]:
    """Make gold and predicted tags: a span every fifteen tokens or so, one in ten of them disturbed."""
    rng = random.Random(seed)  # noqa: S311
    tags = {name: (f"B-{name}", f"I-{name}") for name in NAMES}
    sides: tuple[Rows, Rows] = ([], [])
    for _ in range(max(1, tokens // length)):
        rows = ["O"] * length, ["O"] * length
        at = rng.randint(0, 9)
        while at < length:
            size = min(rng.randint(1, 3), length - at)
            first, inside = tags[rng.choice(NAMES)]
            span = [first, *[inside] * (size - 1)]
            rows[0][at : at + size] = span
            disturbed = rng.random() < 0.1
            rows[1][at : at + size] = [tags[rng.choice(NAMES)][0], *span[1:]] if disturbed else span
            at += size + rng.randint(5, 20)
        sides[0].append(rows[0])
        sides[1].append(rows[1])
    return sides


def units(rows: Rows) -> list[int]:
    """Number the document of each sequence."""
    return [number // DOCUMENT for number in range(len(rows))]


def encode(rows: Rows, vocabulary: dict[str, int]) -> Any:
    """Turn tags into numbers of one byte."""
    return np.fromiter((vocabulary.setdefault(tag, len(vocabulary)) for row in rows for tag in row), dtype=np.int8)


def annotations(rows: Rows) -> list[Annotation]:
    """Turn tags into mentions, document by document."""
    found: list[list[Mention]] = [[] for _ in range(len(rows) // DOCUMENT + 1)]
    for number, row in enumerate(rows):
        document, base = number // DOCUMENT, number % DOCUMENT * 2 * SEQUENCE
        mentions = found[document]
        for at, tag in enumerate(row):
            if tag[0] == "B":
                end = at + 1
                while end < len(row) and row[end] == f"I-{tag[2:]}":
                    end += 1
                mentions.append(Mention(id=f"m{len(mentions)}", start=base + 2 * at, end=base + 2 * end, type=tag[2:]))
    return [Annotation(doc_id=f"d{number}", mentions=tuple(mentions)) for number, mentions in enumerate(found)]


def events(windows: int, seed: int) -> list[Annotation]:
    """Make windows with three events every two windows and two arguments an event; a tenth is disturbed by seed."""
    base, noise = random.Random(1), random.Random(seed)  # noqa: S311
    found = []
    for number in range(windows):
        mentions = [Mention(id=f"m{n}", start=10 * n, end=10 * n + 4, type="PLACE") for n in range(6)]
        items = []
        for at in range(1 + number % 2):
            name = f"Combat.{base.choice(NAMES)}"
            fillers = base.sample(range(6), 2)
            if seed and noise.random() < 0.1:
                name = "Combat.Other"
            pairs = tuple(Argument(base.choice(ROLES), f"m{filler}") for filler in fillers)
            items.append(Event(id=f"e{at}", start=100 + 10 * at, end=104 + 10 * at, type=name, arguments=pairs))
        found.append(Annotation(doc_id=f"w{number}", mentions=tuple(mentions), events=tuple(items)))
    return found


def textee_form(found: list[Annotation]) -> list[dict[str, Any]]:
    """Write events as TextEE's scorer reads them."""
    records = []
    for item in found:
        spans = {mention.id: (mention.start, mention.end) for mention in item.mentions}
        records.append(
            {
                "doc_id": item.doc_id,
                "wnd_id": item.doc_id,
                "events": [
                    {
                        "trigger": (event.start, event.end, event.type, ""),
                        "arguments": [(*spans[a.mention], a.role, "") for a in event.arguments],
                    }
                    for event in item.events
                ],
            }
        )
    return records


def load_textee(path: Path) -> Any:
    """Load TextEE's scorer.py from a checkout; it imports a debugger that scoring does not need."""
    sys.modules.setdefault("ipdb", types.ModuleType("ipdb"))
    return load_module(path)


def memory(field: str) -> float:
    """Read the process's memory (VmRSS now, VmHWM at its peak) in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    return float("nan")


def measure(call: Callable[[], Any], repeat: int) -> Measured:
    """Time a call several times, and see what it adds to the process's memory."""
    warm_up()
    Path("/proc/self/clear_refs").write_text("5")
    before = memory("VmRSS")
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        value = call()
        times.append(time.perf_counter() - start)
    return {"seconds": min(times), "peak_mb": max(0.0, memory("VmHWM") - before), "f1": value}


def warm_up() -> None:
    """Import what scorers import when they are first called."""
    for call in tag_subjects([["B-T1"]], [["B-T1"]]).values():
        call()


def f1(result: Any) -> float:
    """Read the micro F1 off a tag report."""
    return float(result.micro["f1"])


def tag_subjects(gold: Rows, pred: Rows) -> dict[str, Callable[[], Any]]:
    """Name the scorers of tags."""

    def nervaluate() -> float:
        from nervaluate import Evaluator

        found = Evaluator(gold, pred, tags=list(NAMES), loader="list").evaluate()
        return float(found["overall"]["strict"].f1)

    numbers = units(gold)
    return {
        "seqeval-default": lambda: f1(seqeval_report(gold=gold, pred=pred, mode="default")),
        "seqeval-strict": lambda: f1(seqeval_report(gold=gold, pred=pred, mode="strict")),
        "nervaluate": nervaluate,
        "khabar-strings": lambda: f1(report(count_tags(gold=gold, pred=pred, units=numbers))),
    }


def khabar_counts(gold: Rows, pred: Rows) -> Any:
    """Count a corpus once, for what is computed from counts."""
    return count_tags(gold=gold, pred=pred, units=units(gold)).table.astype(float)


def make_subject(name: str, tokens: int, length: int, textee: Path | None) -> Callable[[], Any]:
    """Make the data that a subject scores, and give the call that is measured."""
    if name.startswith(("events", "textee")):
        return _event_subject(name, tokens // 20, textee)
    gold, pred = corpus(tokens, length)
    if name == "khabar-codes":
        vocabulary: dict[str, int] = {}
        codes = encode(gold, vocabulary), encode(pred, vocabulary)
        lengths, numbers = np.array([len(row) for row in gold]), np.array(units(gold), dtype=np.int32)
        del gold, pred
        return lambda: f1(
            report(
                count_codes(gold=codes[0], pred=codes[1], lengths=lengths, vocabulary=list(vocabulary), units=numbers)
            )
        )
    if name == "khabar-spans":
        sides = annotations(gold), annotations(pred)
        inventory = {"mentions": NAMES}

        def spans() -> float | None:
            comparison = compare_sides(gold=sides[0], pred=sides[1], layers=("mentions",), inventory=inventory)
            return count_metrics(comparison, ("mentions",))["mentions"].total().f1

        return spans
    if name == "khabar-intervals":
        table = khabar_counts(gold, pred)
        return lambda: make_intervals(table, make_resampler.__wrapped__(len(table))).micro[2]
    if name == "khabar-permutations":
        table = khabar_counts(gold, pred).sum(axis=1)
        other = table - np.minimum(table, [[1.0, 0.0, 0.0]]) * (np.arange(len(table)) % 50 == 0)[:, None]
        return lambda: getattr(permutation_test(table, other), "p", None)
    return tag_subjects(gold, pred)[name]


def _event_subject(name: str, windows: int, textee: Path | None) -> Callable[[], Any]:
    gold, pred = events(windows, 0), events(windows, 7)
    wanted = ("triggers", "arguments")
    arguments = ("identified", "classified", "attached.identified", "attached.classified")
    chosen = ("triggers.identified", "triggers.classified", *(f"arguments.{part}" for part in arguments))

    def count(sides: Any = None) -> float | None:
        from khabar.metrics.counting import Comparison, LayerRows, count_metric
        from khabar.metrics.declared import BY_NAME

        made = sides or make_sides(gold=gold, pred=pred)
        tables = {"triggers": "events", "arguments": "arguments"}
        rows = {layer: LayerRows(made.gold[tables[layer]], made.pred[tables[layer]], None) for layer in wanted}
        comparison = Comparison(sides=made, inventory={}, layers=rows, given={})
        found = {metric: count_metric(comparison, BY_NAME[metric]).total() for metric in chosen}
        return found["arguments.attached.classified"].f1

    if name == "events-annotations":
        return count
    if name == "events-columns":
        made = make_sides(gold=gold, pred=pred)
        return lambda: count(made)
    if textee is None:
        raise typer.BadParameter("--textee is needed for TextEE's scorer")
    module, forms = load_textee(textee), (textee_form(gold), textee_form(pred))
    return lambda: module.compute_scores(forms[1], forms[0], "E2E")["argument_attached_cls"]["f1"] / 100


def subject(name: str, tokens: int, *, length: int = SEQUENCE, repeat: int = 3, textee: Path | None = None) -> Measured:
    """Measure one subject in a process of its own."""
    command = [sys.executable, __file__, "--one", name, "--tokens", str(tokens), "--length", str(length)]
    command += ["--repeat", str(repeat), *(["--textee", str(textee)] if textee else [])]
    typer.echo(f"{name}, {tokens:,} tokens", err=True)
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    found: Measured = {"subject": name, "tokens": tokens, "length": length, **json.loads(done.stdout)}
    return found


def startup(repeat: int) -> Measured:
    """Time the command on khabar's own test split against Python's own start, in turn."""
    root = HERE.parent.parent
    predictions = root / "evaluation" / "baselines" / "crf" / "predictions" / "test.jsonl"
    calls = {
        "python": [sys.executable, "-c", "pass"],
        "khabar": [sys.executable, "-m", "khabar", "evaluate", str(predictions), "--layers", "actors,fillers,triggers"],
    }
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeat):
        for name, command in calls.items():
            start = time.perf_counter()
            subprocess.run(command, capture_output=True, check=True, cwd=root)  # noqa: S603
            times[name].append(time.perf_counter() - start)
    middle = {name: sorted(values)[len(values) // 2] for name, values in times.items()}
    return {**middle, "beyond": middle["khabar"] - middle["python"], "runs": repeat}


SPEED = ("seqeval-default", "seqeval-strict", "nervaluate", "khabar-strings", "khabar-codes", "khabar-spans")
DERIVED = ("khabar-intervals", "khabar-permutations")
GROWTH = (10_000, 100_000, 1_000_000, 10_000_000, 100_000_000)


def measure_all(tokens: int, largest: int, repeat: int, textee: Path | None) -> dict[str, Any]:
    """Measure everything, one process after another."""
    event_names = ("events-annotations", "events-columns", *(("textee",) if textee else ()))
    sizes = [size for size in GROWTH if size <= largest]
    return {
        "machine": {"cores": os.cpu_count(), "python": sys.version.split()[0], "khabar": __version__},
        "speed": [subject(name, tokens, repeat=repeat) for name in (*SPEED, *DERIVED)],
        "events": [subject(name, tokens, repeat=repeat, textee=textee) for name in event_names],
        "growth": [
            *(subject("khabar-codes", size, repeat=repeat) for size in sizes),
            *(subject("khabar-strings", size, repeat=repeat) for size in sizes if size <= 10_000_000),
        ],
        "one_sequence": [
            *(subject("khabar-codes", size, length=size, repeat=repeat) for size in sizes if size <= 1_000_000),
            *(subject("seqeval-strict", size, length=size, repeat=1) for size in (5_000, 10_000, 20_000)),
        ],
        "startup": startup(3 * repeat),
    }


def readme(found: dict[str, Any]) -> str:
    """Write what was measured as Markdown."""
    base = next(row["seconds"] for row in found["speed"] if row["subject"] == "seqeval-default")
    textee = next((row["seconds"] for row in found["events"] if row["subject"] == "textee"), None)
    tokens = found["speed"][0]["tokens"]
    machine = found["machine"]
    start = found["startup"]
    return "\n".join(
        [
            "# Benchmarks",
            "",
            "Written by `python evaluation/benchmarks/run.py` (`make bench`); kept figures in `results.json`. Each scorer runs in a process of its own, all in one call; seconds are the least of several runs, memory is what scoring adds to the process. Ratios carry over to other machines, seconds do not.",
            "",
            f"Measured with {machine['cores']} cores, Python {machine['python']}, khabar {machine['khabar']}.",
            "",
            f"## Tags and spans, {tokens:,} tokens",
            "",
            _table(found["speed"][:6], base),
            "seqeval gives one report; nervaluate four ways to match; `khabar-strings` and `khabar-codes` seqeval's strict report with counts by document and type, from lists of strings and from numbers; `khabar-spans` exact, boundary, overlap, partial and intersection over union from annotations, optimally assigned.",
            "",
            "From counts by document and type: " + _derived(found["speed"][6:]) + ".",
            "",
            f"## Events, {tokens // 20:,} windows",
            "",
            _table(found["events"], textee) if textee else _table(found["events"], None),
            "The six scores of TextEE. Ratios are to TextEE's scorer, where a checkout was given.",
            "",
            "## How cost grows",
            "",
            _growth(found["growth"]),
            "## One sequence",
            "",
            _growth(found["one_sequence"]),
            "## Starting the command",
            "",
            f"`khabar evaluate` on khabar's test split: {start['khabar']:.2f} s, Python's own start {start['python']:.2f} s: {start['beyond']:.2f} s beyond it (medians of {start['runs']} runs, in turn).",
            "",
        ]
    )


def _table(rows: list[Measured], base: float | None) -> str:
    head = ("scorer", "seconds", "peak MB", "F1", "times the first" if base is None else "ratio")
    reference = base or rows[0]["seconds"]
    cells = [
        (
            row["subject"],
            f"{row['seconds']:.4f}",
            f"{row['peak_mb']:.0f}",
            f"{row['f1']:.6f}",
            f"{reference / row['seconds']:,.1f}",
        )
        for row in rows
    ]
    return markdown_table(head, cells)


def _derived(rows: list[Measured]) -> str:
    what = {
        "khabar-intervals": "intervals of every figure, 1,000 resamples",
        "khabar-permutations": "10,000 permutations",
    }
    return ", ".join(f"{what[row['subject']]}, {row['seconds']:.3f} s and {row['peak_mb']:.0f} MB" for row in rows)


def _growth(rows: list[Measured]) -> str:
    cells = [
        (
            row["subject"],
            f"{row['tokens']:,}",
            f"{row['seconds']:.4f}",
            f"{1e9 * row['seconds'] / row['tokens']:.1f}",
            f"{row['peak_mb']:.0f}",
        )
        for row in rows
    ]
    return markdown_table(("scorer", "tokens", "seconds", "ns a token", "peak MB"), cells)


def main(
    one: Annotated[str, typer.Option(help="measure this subject in this process and print JSON")] = "",
    tokens: Annotated[int, typer.Option(help="size of the corpus that scorers are compared on")] = 1_000_000,
    length: Annotated[int, typer.Option(help="tokens of a sequence")] = SEQUENCE,
    largest: Annotated[int, typer.Option(help="largest corpus in the table of growth")] = 100_000_000,
    repeat: Annotated[int, typer.Option(help="runs of each call")] = 3,
    textee: Annotated[Path | None, typer.Option(help="scorer.py of a checkout of TextEE")] = None,
    output: Annotated[Path, typer.Option(help="folder for results.json and README.md")] = HERE,
) -> None:
    """Measure scorers side by side and write the table."""
    if one:
        typer.echo(json.dumps(measure(make_subject(one, tokens, length, textee), repeat)))
        return
    found = measure_all(tokens, largest, repeat, textee)
    jsonl.write_json(output / "results.json", found)
    jsonl.write_bytes(output / "README.md", readme(found).encode())
    typer.echo(readme(found))


if __name__ == "__main__":
    run(main)
