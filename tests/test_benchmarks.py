import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from khabar.models import load_module

FOLDER = Path(__file__).resolve().parent.parent / "evaluation" / "benchmarks"


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    return load_module(FOLDER / "run.py")


def test_the_page_says_what_was_measured(bench: ModuleType) -> None:
    kept = json.loads((FOLDER / "results.json").read_text())
    assert bench.readme(kept) == (FOLDER / "README.md").read_text()


def test_all_scorers_of_one_mode_agree_on_the_corpus(bench: ModuleType) -> None:
    calls = {name: bench.make_subject(name, 20_000, 20, None) for name in bench.SPEED}
    values = {name: call() for name, call in calls.items()}
    assert values["khabar-strings"] == values["khabar-codes"] == values["seqeval-strict"]
    assert values["nervaluate"] == pytest.approx(values["seqeval-default"])
    assert values["khabar-spans"] == pytest.approx(values["seqeval-strict"])


@pytest.mark.slow
def test_the_benchmark_runs_from_one_end_to_the_other(tmp_path: Path) -> None:
    arguments = ["--tokens", "2000", "--largest", "10000", "--repeat", "1", "--output", str(tmp_path)]
    subprocess.run([sys.executable, FOLDER / "run.py", *arguments], check=True, capture_output=True)
    found = json.loads((tmp_path / "results.json").read_text())
    assert {row["subject"] for row in found["speed"]} >= {"seqeval-default", "nervaluate", "khabar-codes"}
    assert "times the first" in (tmp_path / "README.md").read_text()
