import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from khabar import jsonl
from khabar.corpus import load_gold
from khabar.results import Result
from khabar.types import Annotation

ROOT = Path(__file__).resolve().parent.parent
CRF = ROOT / "evaluation" / "baselines" / "crf"
SIZE = len(load_gold("test").documents)


def khabar(*arguments: object, cwd: Path = ROOT, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "khabar", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, env={**os.environ, **env})


def test_version_and_help() -> None:
    assert khabar("--version").stdout.startswith("khabar 0.")
    text = khabar("--help").stdout
    assert all(name in text for name in ("evaluate", "validate", "stats", "show", "wire"))


def test_evaluate_prints_a_table_and_a_signature() -> None:
    done = khabar("evaluate", CRF / "predictions" / "test.jsonl", "--layers", "actors,fillers,triggers", "--types")
    assert done.returncode == 0
    result = jsonl.read_json(CRF / "results" / "test.json", Result)
    assert f"{result.scores['actors'].f1:.3f}" in done.stdout
    assert "IOB2 strict" in done.stdout
    assert "IOB2 default" in done.stdout
    assert "STATE_FORCES" in done.stdout
    assert result.signature in done.stdout.replace("\n", "")
    assert "\x1b[" not in done.stdout


def test_evaluate_as_json_and_to_a_file_are_the_stored_result(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    done = khabar(
        "evaluate",
        CRF / "predictions" / "wire.jsonl",
        "--split",
        "wire",
        "--layers",
        "actors,fillers,triggers",
        "--json",
        "-o",
        path,
    )
    stored = json.loads((CRF / "results" / "wire.json").read_text())
    assert {**json.loads(done.stdout), "name": "crf"} == stored
    assert {**json.loads(path.read_text()), "name": "crf"} == stored


def gold_file(tmp_path: Path, *, drop: int = 0) -> Path:
    path = tmp_path / "pred.jsonl"
    jsonl.write_records(path, load_gold("test").annotations[drop:])
    return path


def test_gold_scores_one_on_every_metric(tmp_path: Path) -> None:
    scores = json.loads(khabar("evaluate", gold_file(tmp_path), "--json").stdout)["scores"]
    assert {score["f1"] for score in scores.values()} == {1.0}


def test_a_missing_document_is_counted_and_listed(tmp_path: Path) -> None:
    done = khabar("evaluate", gold_file(tmp_path, drop=1))
    assert f"{SIZE - 1} of {SIZE} documents predicted" in done.stdout
    assert "missing, counted as empty: syria-2-a" in done.stdout
    checked = json.loads(khabar("validate", gold_file(tmp_path, drop=1), "--json").stdout)
    assert checked["missing"] == ["syria-2-a"]


def test_issues_are_printed_with_their_codes_and_exit_code_one(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    rows = [
        {"doc_id": "syria-2-z"},
        {"doc_id": "syria-2-a", "mentions": [{"id": "m", "start": 5, "end": 99999, "type": "PLACES"}]},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for command in ("validate", "evaluate"):
        done = khabar(command, path)
        assert done.returncode == 1
        assert done.stdout == ""
        assert all(
            code in done.stderr for code in ("[document-unknown]", "[span-outside]", "[label-unknown]", "3 issues")
        )
        assert "Did you mean PLACE?" in done.stderr
    found = json.loads(khabar("validate", path, "--json").stdout)["issues"]
    assert {issue["code"] for issue in found} == {"document-unknown", "span-outside", "label-unknown"}


def test_wrong_calls_end_with_exit_code_two(tmp_path: Path) -> None:
    assert khabar("evaluate").returncode == 2
    done = khabar("evaluate", gold_file(tmp_path), "--layers", "actor")
    assert done.returncode == 2
    assert "Did you mean actors?" in done.stderr.replace("\n", " ")


def test_an_unknown_split_and_a_missing_file_are_errors() -> None:
    done = khabar("evaluate", CRF / "predictions" / "test.jsonl", "--split", "tset")
    assert done.returncode == 1
    assert "[split-unknown]" in done.stderr
    assert "Did you mean test?" in done.stderr
    assert "[file-missing]" in khabar("evaluate", "nowhere.jsonl").stderr


def columns(tmp_path: Path, *, edit: str = "") -> Path:
    gold = load_gold("test")
    lines = []
    for document in gold.documents:
        lines.append(f"# doc_id = {document.doc_id}")
        for sentence in gold.tokens[document.doc_id]:
            lines += [f"{document.text[token.start : token.end]}\tO" for token in sentence]
            lines.append("")
    first = next(number for number, line in enumerate(lines) if line.endswith("\tO"))
    if edit:
        lines[first] = edit
    path = tmp_path / "pred.iob2"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_columns_are_scored_by_layer(tmp_path: Path) -> None:
    gold = load_gold("test")
    first = gold.tokens[gold.documents[0].doc_id][0][0]
    word = gold.documents[0].text[first.start : first.end]
    done = khabar("evaluate", columns(tmp_path, edit=f"{word}\tB-PLACE"), "--layer", "fillers", "--json")
    scores = json.loads(done.stdout)["scores"]
    assert [name for name in scores if name.startswith("fillers")] == list(scores)
    assert scores["fillers"]["predicted"] == 1
    done = khabar("evaluate", columns(tmp_path, edit=f"{word}\tI-PLACE"), "--layer", "fillers")
    assert "1 of " in done.stdout
    assert "break IOB2" in done.stdout


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        ("other\tO", "tokens-differ"),
        ("", "tag-unknown"),
        ("x", "wrong-shape"),
        ("# doc_id = nobody", "document-unknown"),
    ],
)
def test_broken_columns_are_refused(tmp_path: Path, edit: str, code: str) -> None:
    gold = load_gold("test")
    first = gold.tokens[gold.documents[0].doc_id][0][0]
    line = edit or f"{gold.documents[0].text[first.start : first.end]}\tB-ARMY"
    done = khabar("evaluate", columns(tmp_path, edit=line), "--layer", "actors")
    assert done.returncode == 1
    assert f"[{code}]" in done.stderr


def test_an_empty_column_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pred.iob2"
    path.write_text("\n")
    assert "[file-empty]" in khabar("evaluate", path, "--layer", "actors").stderr


def test_stats_count_what_the_splits_hold() -> None:
    rows = json.loads(khabar("stats", "--json").stdout)
    assert [row["name"] for row in rows] == ["train", "validation", "test", "wire"]
    gold = load_gold("train")
    assert (
        rows[0]["events"] == sum(len(item.events) for item in gold.annotations) == sum(rows[0]["event_types"].values())
    )
    assert "Combat.Clash" in khabar("stats").stdout


def test_show_in_the_terminal_and_as_a_page(tmp_path: Path) -> None:
    done = khabar("show", "halzar-1-b")
    assert "Strike.Shelling" in done.stdout or "Effect.Casualty" in done.stdout
    assert "\x1b[" not in done.stdout, "no colour codes where nobody sees them"
    page = tmp_path / "page.html"
    assert khabar("show", "halzar-1-b", "--page", page).returncode == 0
    assert 'dir="rtl"' in page.read_text(encoding="utf-8")
    assert "[document-unknown]" in khabar("show", "halzar-1-z").stderr


def test_show_predictions_instead_of_gold() -> None:
    done = khabar("show", "syria-2-b", "--predictions", CRF / "predictions" / "test.jsonl")
    assert done.returncode == 0
    assert "syria-2-b" in done.stdout


def test_wire_build_without_articles_names_each_and_writes_nothing(tmp_path: Path) -> None:
    output = tmp_path / "full.jsonl"
    done = khabar("wire", "build", "--sources", tmp_path, "-o", output)
    assert done.returncode == 1
    assert done.stderr.count("[source-missing]") == len(load_gold("wire").documents)
    assert not output.exists()
    assert "[source-missing]" in khabar("show", "sf-2020-06-24", "--sources", tmp_path).stderr


def test_wire_build_with_articles(tmp_path: Path, sources: Path) -> None:
    output = tmp_path / "full.jsonl"
    done = khabar("wire", "build", "--sources", sources, "-o", output, "--json")
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["written"]) == len(output.read_text(encoding="utf-8").splitlines())
    row = json.loads(output.read_text(encoding="utf-8").splitlines()[0])
    assert row["text"]
    assert row["events"]
    assert row["sentences"]


def test_color_is_for_terminals_and_no_color_is_respected() -> None:
    assert "\x1b[" in khabar("show", "syria-2-b", FORCE_COLOR="1", TERM="xterm-256color").stdout
    assert "\x1b[3" not in khabar("show", "syria-2-b", FORCE_COLOR="1", NO_COLOR="1", TERM="xterm-256color").stdout


def test_predictions_of_annotation_type_round_trip(tmp_path: Path) -> None:
    path = gold_file(tmp_path)
    assert jsonl.read_list(path, Annotation) == list(load_gold("test").annotations)


def test_sentences_must_be_cut_as_the_gold_is(tmp_path: Path) -> None:
    path = columns(tmp_path)
    path.write_text(path.read_text(encoding="utf-8").replace("\n\n", "\n"), encoding="utf-8")
    done = khabar("validate", path, "--layer", "actors")
    assert done.returncode == 1
    assert "sentence 1: [tokens-differ]" in done.stderr
    assert done.stderr.count("[tokens-differ]") == SIZE, "every document is named"


def test_columns_validate_and_their_orphans_are_in_the_result(tmp_path: Path) -> None:
    assert f"{SIZE} documents, nothing wrong" in khabar("validate", columns(tmp_path), "--layer", "actors").stdout
    gold = load_gold("test")
    first = gold.tokens[gold.documents[0].doc_id][0][0]
    word = gold.documents[0].text[first.start : first.end]
    done = khabar("evaluate", columns(tmp_path, edit=f"{word}\tI-PLACE"), "--layer", "fillers", "--json")
    assert json.loads(done.stdout)["tags"]["invalid"] == 1
    assert khabar("evaluate", columns(tmp_path), "--layer", "fillers", "--layers", "fillers").returncode == 2


def test_broken_predictions_are_refused_by_show_too(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text('{"doc_id": "syria-2-b", "mentions": [{"id": "m", "start": 0, "end": 5, "type": "FOO"}]}\n')
    done = khabar("show", "syria-2-b", "--predictions", path)
    assert done.returncode == 1
    assert "[label-unknown]" in done.stderr


def test_names_with_markup_are_printed_as_they_are(tmp_path: Path) -> None:
    done = khabar("evaluate", gold_file(tmp_path), "--layers", "arguments", "--name", "[/x] [bold]y")
    assert done.returncode == 0, done.stderr
    assert "[/x] [bold]y on test" in done.stdout


def test_files_that_cannot_be_written_or_read_are_errors(tmp_path: Path) -> None:
    done = khabar("evaluate", gold_file(tmp_path), "--layers", "arguments", "-o", tmp_path)
    assert done.returncode == 1
    assert "[file-unreadable]" in done.stderr
    broken = tmp_path / "release" / "documents"
    broken.mkdir(parents=True)
    (broken / "test-00000-of-00001.parquet").write_bytes(b"no parquet")
    done = khabar("evaluate", gold_file(tmp_path), "--gold-folder", tmp_path / "release")
    assert done.returncode == 1
    assert "[file-unreadable]" in done.stderr
