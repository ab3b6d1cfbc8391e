"""Run a small campaign from nothing to gold with stored work, as a terminal shows it, and put that into the manual."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from khabar import docs, jsonl
from khabar.cli import run
from khabar.report.figures import markdown_table
from khabar.workspace import Workspace

DOCUMENTS = ("syria-1-a", "orsenia-1-d", "halzar-1-b", "tazerqut-1-b")
NAME = "pilot"
CONFIG = f"""\
name = "{NAME}"
documents = "documents.jsonl"
annotators = ["annotator-a", "annotator-b"]
adjudicators = ["adjudicator-1"]
per_document = 2

[preannotation]
model = "dictionary.py"
blind_share = 0.5

[[rounds]]
name = "trial"
documents = ["{DOCUMENTS[0]}", "{DOCUMENTS[1]}"]

[[rounds]]
name = "main"
"""
STEPS = {
    "open": (f"open {NAME}",),
    "submit": tuple(
        f"submit {NAME} annotator-{letter} {NAME}/handed/annotator-{letter}.trial.jsonl" for letter in "ab"
    ),
    "status": (f"status {NAME}",),
    "sync": (f"sync {NAME}", f"sync {NAME}"),
    "second-round": (
        f"open {NAME} --round main",
        *(f"submit {NAME} annotator-{letter} {NAME}/handed/annotator-{letter}.main.jsonl" for letter in "ab"),
        f"sync {NAME}",
    ),
    "agreement": (f"agreement {NAME} --no-gamma --html {NAME}/agreement.html",),
    "adjudicate": (f"adjudicate {NAME}", f"adjudicate {NAME} --decisions {NAME}/handed/decisions.jsonl"),
    "close": (f"close {NAME}",),
    "trace": (f"trace {NAME} {DOCUMENTS[3]}",),
}
LONGEST = 34  # lines of one command's output that the manual shows


def prepare(folder: Path, annotations: Path, baselines: Path) -> None:
    """Write a campaign's folder: configuration, documents, register, guidelines, a model, and stored work."""
    workspace = Workspace(annotations)
    shutil.rmtree(folder, ignore_errors=True)
    documents = {item.doc_id: item for item in workspace.documents("composed")}
    jsonl.write_records(folder / "documents.jsonl", [documents[name] for name in DOCUMENTS])
    jsonl.write_bytes(folder / "campaign.toml", CONFIG.encode())
    for name in ("annotators.json", "guidelines.md"):
        jsonl.write_bytes(folder / name, (annotations / name).read_bytes())
    jsonl.write_bytes(folder / "dictionary.py", (baselines / "dictionary" / "predict.py").read_bytes())
    rounds = {"trial": DOCUMENTS[:2], "main": DOCUMENTS[2:]}
    for who in workspace.annotators:
        work = {item.doc_id: item for item in workspace.work("composed", who)}
        for part, names in rounds.items():
            jsonl.write_records(folder / "handed" / f"{who}.{part}.jsonl", [work[name] for name in names])
    known = workspace.decisions("composed")
    jsonl.write_records(folder / "handed" / "decisions.jsonl", [item for name in DOCUMENTS for item in known[name]])


def rehearse(data: Path, place: Path) -> dict[str, str]:
    """Run every step; give what the terminal showed, by step."""
    shown = {"config": f"```toml\n{CONFIG}```\n"}
    env = {**os.environ, "KHABAR_DATA": str(data.resolve()), "NO_COLOR": "1"}
    for name, commands in STEPS.items():
        parts = []
        for words in commands:
            command = [sys.executable, "-m", "khabar", "campaign", *words.split()]
            done = subprocess.run(  # noqa: S603
                command, cwd=place, env=env, capture_output=True, text=True, check=False
            )
            if done.returncode:
                typer.echo(done.stdout + done.stderr, err=True)
                raise typer.Exit(1)
            parts.append(f"$ khabar campaign {words}\n{_cut(done.stdout)}")
            typer.echo(parts[-1])
        shown[name] = "```\n" + "\n".join(parts) + "```\n"
    return shown


def _cut(output: str) -> str:
    lines = [line.rstrip() for line in output.splitlines()]
    more = [f"… {len(lines) - LONGEST} more lines"] if len(lines) > LONGEST else []
    return "\n".join([*lines[:LONGEST], *more]) + "\n"


def load_table(folder: Path) -> str:
    """Show the stored figures of the load (evaluation/benchmarks/load.py), a column for each database."""
    stored = [jsonl.read_json(path, dict[str, Any]) for path in sorted(folder.glob("*.json"))]
    rows: list[tuple[str, ...]] = [
        (
            "seconds, annotators, documents",
            *(f"{r['seconds']:.0f}, {r['annotators']}, {r['documents']}" for r in stored),
        ),
        ("annotations and drafts saved a second", *(f"{r['saves_per_second']:.1f}" for r in stored)),
        *(
            (
                f"{kind}: median, 95 %, longest (s)",
                *(
                    ", ".join(f"{r['latency'][kind][name]:.2f}" for name in ("median", "p95", "max"))
                    if kind in r["latency"]
                    else "–"
                    for r in stored
                ),
            )
            for kind in dict.fromkeys(kind for r in stored for kind in r["latency"])
        ),
        ("answers", *(", ".join(f"{status}: {count:,}" for status, count in r["answers"].items()) for r in stored)),
        ("syncs meanwhile", *(str(r["syncs"]) for r in stored)),
        ("acknowledged and not in the archive", *(str(len(r["lost"])) for r in stored)),
    ]
    return markdown_table(("", *(r["database"] for r in stored)), rows)


def without_times(text: str) -> str:
    """Leave out what is another at every run: times, and rates that follow from them."""
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.+Z]+", "TIME", text)
    return re.sub(r" +(?:\d+\.\d|–) │ +(?:\d+\.\d|–) │ +(?:\d+\.\d|–) │", " RATES", text)


def main(
    data: Annotated[Path, typer.Option(help="the data folder of a running server")] = Path(".khabar/label_studio"),
    place: Annotated[Path, typer.Option(help="where to make the campaign's folder")] = Path(".khabar/rehearsal"),
    annotations: Annotated[Path, typer.Option(help="the folder of documents and exports")] = Path("annotations"),
    baselines: Annotated[Path, typer.Option(help="the folder of the baselines")] = Path("evaluation/baselines"),
    benchmarks: Annotated[Path, typer.Option(help="the stored figures of the load")] = Path(
        "evaluation/benchmarks/load"
    ),
    check: Annotated[bool, typer.Option("--check", help="compare with the manual, times apart; write nothing")] = False,
) -> None:
    """Rehearse, and put what the terminal showed into annotations/manual/manager.md."""
    prepare(place / NAME, annotations, baselines)
    path = annotations / "manual" / "manager.md"
    text = jsonl.read_text(path)
    blocks = {**rehearse(data, place), "load": load_table(benchmarks)}
    filled = docs.fill(text, blocks, where=str(path))
    if check and without_times(filled) != without_times(text):
        typer.echo(f"{path}: the terminal shows something else than the manual", err=True)
        raise typer.Exit(1)
    if not check:
        jsonl.write_bytes(path, filled.encode())
    typer.echo(f"{path}: {'the same' if check else 'written'}")


if __name__ == "__main__":
    run(main)
