import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from builders import GOLD, annotation, document, mention

from khabar import jsonl
from khabar.comparison import compare, differing_figures, recompute
from khabar.corpus import gold_set, load_gold
from khabar.errors import KhabarError
from khabar.evaluation import evaluate
from khabar.results import Result, Settings, encode_result
from khabar.types import Annotation

ROOT = Path(__file__).resolve().parent.parent
BASELINES = ROOT / "evaluation" / "baselines"


def khabar(*arguments: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "khabar", *map(str, arguments)]
    env = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, env=env)


def stored(system: str, split: str = "test") -> Result:
    return jsonl.read_json(BASELINES / system / "results" / f"{split}.json", Result)


@pytest.mark.parametrize(
    "path", sorted(BASELINES.glob("*/results/*.json")), ids=lambda path: f"{path.parts[-3]}-{path.stem}"
)
def test_every_stored_result_follows_from_its_counts(path: Path) -> None:
    result = jsonl.read_json(path, Result)
    assert recompute(result) == result
    assert encode_result(result) == path.read_bytes()


def test_a_changed_figure_is_found() -> None:
    result = stored("crf")
    better = {**result.scores, "actors": msgspec.structs.replace(result.scores["actors"], f1=0.99)}
    forged = msgspec.structs.replace(result, scores=better)
    assert differing_figures(forged, recompute(forged)) == ["scores"]


def test_other_units_intervals_and_slices_follow_from_the_counts() -> None:
    result = stored("crf")
    other = recompute(result, Settings(unit="storyline", interval="bca", slices=("stance",)))
    assert "unit:storyline|ci:bca95" in other.signature
    assert "stance" in other.slices
    assert other.scores["actors"].f1 == result.scores["actors"].f1
    assert other.scores["actors"].interval != result.scores["actors"].interval
    wrong = msgspec.structs.replace(result, signature=result.signature.replace("labels:", "labels:0"))
    with pytest.raises(KhabarError) as caught:
        recompute(wrong)
    assert caught.value.code == "signature-differs"


def many(better: int, documents: int = 40) -> dict[str, Result]:
    names = [f"d{number}" for number in range(documents)]
    gold = gold_set(
        "many",
        [document(doc_id=name) for name in names],
        [msgspec.structs.replace(GOLD, doc_id=name) for name in names],
    )
    wrong = annotation(mention("m1", 1, 3, "ARMED_GROUP"))
    right = annotation(mention("m1", 0, 6, "ARMED_GROUP"))

    def system(hits: int) -> list[Annotation]:
        return [msgspec.structs.replace(right if n < hits else wrong, doc_id=name) for n, name in enumerate(names)]

    return {
        name: evaluate(gold=gold, pred=system(hits), layers=["actors"], name=name)
        for name, hits in (("weak", 10), ("strong", 10 + better))
    }


def test_a_clear_difference_has_a_verdict_and_a_small_one_has_none() -> None:
    clear = compare(list(many(20).values())).contrasts[0]
    assert (clear.metric, clear.verdict) == ("actors", "strong is ahead of weak")
    assert clear.test is not None
    assert clear.test.difference < 0
    assert clear.interval is not None
    assert clear.interval[1] < 0
    small = compare(list(many(2).values())).contrasts[0]
    assert small.verdict == "no difference shown"


def test_with_few_documents_the_verdict_says_that_nothing_can_be_shown() -> None:
    found = compare(list(many(-10 + 3, documents=3).values())).contrasts[0]
    assert "no difference can be shown" in found.verdict
    assert "0.250" in found.verdict


def test_holm_is_over_all_metrics_and_pairs() -> None:
    results = [stored("crf"), stored("dictionary")]
    comparison = compare(results)
    assert len(comparison.contrasts) == 3
    tests = [(contrast.test.p, contrast.p_holm) for contrast in comparison.contrasts if contrast.test]
    # Holm 1979: the k-th smallest of m is multiplied by m - k + 1, and none is below the one before it.
    expected, before = [], 0.0
    for rank, (p, _) in enumerate(sorted(tests)):
        before = max(before, min(1.0, p * (len(tests) - rank)))
        expected.append(before)
    assert [holm for _, holm in sorted(tests)] == pytest.approx(expected)
    smallest = min(comparison.contrasts, key=lambda contrast: contrast.p_holm or 1.0)
    assert smallest.test is not None
    assert smallest.p_holm is not None
    # At a level between the two it would be called a difference alone; among three tests it is none.
    between = (smallest.test.p + smallest.p_holm) / 2
    again = compare(results, alpha=between)
    (same,) = (contrast for contrast in again.contrasts if contrast.metric == smallest.metric)
    assert same.verdict == "no difference shown"
    assert smallest.verdict != same.verdict


def test_runs_of_one_system_are_averaged_and_their_spread_is_said() -> None:
    systems = many(20)
    other = msgspec.structs.replace(many(16)["strong"], run="2")
    comparison = compare([systems["weak"], msgspec.structs.replace(systems["strong"], run="1"), other])
    spread = comparison.systems["strong"]["actors"]
    assert spread.n == 2
    assert spread.sd is not None
    assert spread.sd > 0
    assert len(comparison.contrasts) == 1
    assert comparison.contrasts[0].f1_two == pytest.approx(spread.mean)


def test_results_of_other_data_settings_or_one_system_are_not_compared() -> None:
    one = stored("crf")
    for other, code in (
        (stored("dictionary", "wire"), "signature-differs"),
        (recompute(stored("dictionary"), Settings(resamples=100)), "signature-differs"),
        (one, "usage"),
    ):
        with pytest.raises(KhabarError) as caught:
            compare([one, other])
        assert caught.value.code == code
    with pytest.raises(KhabarError) as caught:
        compare([one, stored("dictionary")], metrics=["actor"])
    assert "Did you mean actors?" in str(caught.value)


def test_compare_on_the_command_line() -> None:
    paths = [BASELINES / name / "results" / "test.json" for name in ("crf", "dictionary")]
    done = khabar("compare", *paths)
    assert done.returncode == 0
    assert "Holm over 3 tests" in done.stdout
    assert "crf − dictionary" in done.stdout
    found = json.loads(khabar("compare", *paths, "--json", "--metric", "actors", "--metric", "fillers").stdout)
    assert [contrast["metric"] for contrast in found["contrasts"]] == ["actors", "fillers"]
    assert khabar("compare", paths[0]).returncode == 1


def test_recompute_on_the_command_line_refuses_an_edited_figure(tmp_path: Path) -> None:
    path = BASELINES / "crf" / "results" / "test.json"
    done = khabar("recompute", path)
    assert done.returncode == 0
    assert "the same as stored" in done.stdout
    other = tmp_path / "other.json"
    done = khabar("recompute", path, "--unit", "storyline", "--slice", "stance", "-o", other)
    assert done.returncode == 0
    assert "slice: stance" in done.stdout
    assert jsonl.read_json(other, Result).settings.unit == "storyline"
    forged = tmp_path / "forged.json"
    forged.write_text(path.read_text().replace('"f1":0.', '"f1":0.9', 1))
    done = khabar("recompute", forged)
    assert done.returncode == 1
    assert "[result-differs]" in done.stderr


def test_the_leaderboard_ranks_what_can_be_computed_again(tmp_path: Path) -> None:
    done = khabar("leaderboard", "evaluation")
    assert done.returncode == 0
    rows = json.loads(khabar("leaderboard", "evaluation", "--json").stdout)
    assert [row["system"] for row in rows if row["split"] == "test"] == ["crf", "dictionary"]
    assert khabar("leaderboard", "evaluation", "--markdown").stdout.startswith("| split |")
    assert "[file-missing]" in khabar("leaderboard", tmp_path).stderr
    folder = tmp_path / "x" / "results"
    folder.mkdir(parents=True)
    text = (BASELINES / "crf" / "results" / "test.json").read_text()
    (folder / "test.json").write_text(text.replace('"f1":0.', '"f1":0.9', 1))
    assert "[result-differs]" in khabar("leaderboard", tmp_path).stderr


def test_reports_are_written_beside_the_table_and_seqeval_agrees(tmp_path: Path) -> None:
    names = {flag: tmp_path / name for flag, name in (("-o", "r.json"), ("--html", "r.html"), ("--markdown", "r.md"))}
    flags = [item for pair in names.items() for item in pair]
    options = ("--layers", "actors,fillers,triggers", "--slices", "--errors", "--check-seqeval", *flags)
    done = khabar("evaluate", BASELINES / "crf" / "predictions" / "test.jsonl", *options)
    assert done.returncode == 0, done.stderr
    assert "seqeval itself gives the same figures" in done.stderr
    assert "slice: seen (recall)" in done.stdout
    assert "most frequent confusions" in done.stdout
    assert all(path.stat().st_size > 1000 for path in names.values())


def test_other_peoples_gold_on_the_command_line(tmp_path: Path) -> None:
    gold, pred = tmp_path / "gold.iob2", tmp_path / "pred.iob2"
    gold.write_text("a B-X\nb I-X\n\nc O\n")
    pred.write_text("a B-X\nb O\n\nc B-X\n")
    found = json.loads(khabar("evaluate", "--gold", gold, "--pred", pred, "--json").stdout)
    assert found["scores"]["mentions"]["f1"] == 0.0
    assert found["scores"]["mentions.partial"]["partial"] == 1
    assert "unit:sequence" in found["signature"]
    assert khabar("evaluate", pred, "--gold", gold, "--pred", pred).returncode == 2
    assert khabar("evaluate", "--gold", gold, "--pred", pred, "--layers", "actors").returncode == 2


def test_gold_triggers_and_runs_on_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "gold.jsonl"
    jsonl.write_records(path, load_gold("test").annotations)
    found = json.loads(khabar("evaluate", path, "--triggers", "gold", "--run", "7", "--json").stdout)
    assert found["run"] == "7"
    assert found["scores"]["arguments.attached.classified"]["f1"] == 1.0
    assert "triggers:gold" in found["signature"]


def test_seqeval_agrees_where_a_layer_has_no_entity_at_all(tmp_path: Path) -> None:
    gold, pred = tmp_path / "gold.iob2", tmp_path / "pred.iob2"
    gold.write_text("a B-X\n\nc O\n")
    pred.write_text("a I-X\n\nc O\n")
    done = khabar("evaluate", "--gold", gold, "--pred", pred, "--check-seqeval")
    assert done.returncode == 0, done.stderr
    empty = tmp_path / "empty.jsonl"
    jsonl.write_records(empty, [Annotation(doc_id=item.doc_id) for item in load_gold("test").annotations])
    assert khabar("evaluate", empty, "--check-seqeval").returncode == 0


@pytest.mark.parametrize("wrong", [Settings(interval="BCA"), Settings(resamples=0)])
def test_settings_that_mean_nothing_are_refused(wrong: Settings) -> None:
    with pytest.raises(KhabarError) as caught:
        recompute(stored("crf"), wrong)
    assert caught.value.code == "usage"
