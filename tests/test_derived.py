import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from khabar import docs, jsonl, release
from khabar.errors import KhabarError
from khabar.models import load_module
from khabar.tagging import with_texts
from khabar.workspace import Workspace

ROOT = Path(__file__).resolve().parent.parent


def script(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "arguments",
    [
        ("scripts/build_gold.py", "--check"),
        ("scripts/build_splits.py", "--check"),
        ("scripts/build_release.py", "--check"),
        ("evaluation/reproduce.py",),
    ],
    ids=lambda arguments: arguments[0],
)
def test_what_is_derived_is_the_same_byte_for_byte(arguments: tuple[str, ...]) -> None:
    done = script(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the same" in done.stdout


def test_the_page_of_the_learning_curves_is_that_of_their_points() -> None:
    curves = load_module(ROOT / "evaluation" / "learning_curves.py")
    folder = ROOT / "evaluation" / "learning"
    points = jsonl.read_json(folder / "curves.json", list[curves.Point])
    page = (folder / "README.md").read_text(encoding="utf-8")
    assert page == curves.render(points, folder)
    assert {(point.documents, point.seed) for point in points} == set(curves.plan(len(with_texts("train").documents)))
    assert {"wire", "test, unseen theatre", "test, ar"} <= {point.part for point in points}


def test_a_learning_curve_can_be_computed_again() -> None:
    curves = load_module(ROOT / "evaluation" / "learning_curves.py")
    points = jsonl.read_json(ROOT / "evaluation" / "learning" / "curves.json", list[curves.Point])
    kept = {point.part: point for point in points if (point.documents, point.seed) == (8, 1)}
    again = list(curves.curves(with_texts("train"), [(8, 1)], ("actors",), None))
    assert len(again) == len(kept) - 1
    for point in again:
        assert point.f1["actors"] == kept[point.part].f1["actors"], point.part


def test_a_hand_edited_derived_file_is_noticed(tmp_path: Path) -> None:
    for name in ("annotations", "splits", "evaluation"):
        shutil.copytree(ROOT / name, tmp_path / name)
    path = tmp_path / "annotations" / "gold" / "composed-1.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace("ARMED_GROUP", "STATE_FORCES", 1), encoding="utf-8")
    done = script(str(ROOT / "scripts" / "build_gold.py"), "--check", cwd=tmp_path)
    assert done.returncode == 1
    assert "derived-differs" in done.stderr


def test_a_changed_result_is_noticed(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "evaluation", tmp_path / "evaluation")
    path = tmp_path / "evaluation" / "baselines" / "crf" / "results" / "test.json"
    path.write_text(path.read_text().replace('"matched":', '"matched":1', 1))
    done = script(str(tmp_path / "evaluation" / "reproduce.py"))
    assert done.returncode == 1
    assert "crf on test: CHANGED" in done.stdout


def test_gold_without_a_decision_is_refused(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "annotations", tmp_path / "annotations")
    path = tmp_path / "annotations" / "campaigns" / "wire-1" / "decisions.jsonl"
    path.write_text("".join(path.read_text(encoding="utf-8").splitlines(keepends=True)[2:]), encoding="utf-8")
    with pytest.raises(KhabarError) as caught:
        Workspace(tmp_path / "annotations").gold("wire")
    assert caught.value.code == "decision-missing"


def test_an_export_saved_under_another_account_makes_no_gold(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "annotations", tmp_path / "annotations")
    folder = tmp_path / "annotations" / "campaigns" / "wire-1" / "exports"
    shutil.copy(folder / "annotator-a.json", folder / "annotator-b.json")
    with pytest.raises(KhabarError) as caught:
        Workspace(tmp_path / "annotations").gold("wire")
    assert caught.value.code == "account-foreign"


def test_blocks_are_filled_between_their_markers_and_unknown_ones_are_refused() -> None:
    text = "a\n<!-- generated: x -->\nold\n<!-- end generated -->\nb\n"
    assert docs.fill(text, {"x": "new\n"}, where="t") == "a\n<!-- generated: x -->\nnew\n<!-- end generated -->\nb\n"
    with pytest.raises(KhabarError, match="generated block 'x'"):
        docs.fill(text, {"y": ""}, where="t")


def test_every_fact_block_is_used_in_some_document() -> None:
    collected = release.collect(ROOT, Workspace(ROOT / "annotations"))
    names = {**docs.ontology_blocks(), **docs.fact_blocks(collected.facts)}
    texts = "".join((ROOT / name).read_text(encoding="utf-8") for name in (*release.FILLED, "dataset_card.md"))
    assert [name for name in names if f"<!-- generated: {name} -->" not in texts] == []


def test_the_card_says_in_its_first_paragraph_how_the_text_was_made() -> None:
    card = (ROOT / "dataset_card.md").read_text(encoding="utf-8").split("---\n", 2)[2]
    paragraphs = [part.strip() for part in card.split("\n\n") if part.strip() and not part.lstrip().startswith("#")]
    assert "written by a language model" in paragraphs[0]
    assert "no human annotated" in paragraphs[0]


EDITS = {
    "campaigns/composed-1/exports/annotator-a.json": (
        "document-missing",
        lambda text: text.replace("\n", "", 1).split(",\n", 1)[1].join(("[\n", "")),
    ),
    "campaigns/composed-1/exports/annotator-b.json": (
        "document-missing",
        lambda text: text.replace("\n", "", 1).split(",\n", 1)[1].join(("[\n", "")),
    ),
    "gold/composed-1.jsonl": ("document-missing", lambda text: text.split("\n", 2)[2]),
    "registry/splits.json": ("split-unknown", lambda text: text.replace('"train"', '"tset"', 1)),
    "campaigns/composed-1/decisions.jsonl": (
        "decision-stale",
        lambda text: text.replace('"syria-1-a"', '"syria-9-z"', 1),
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_what_is_missing_or_misspelt_in_the_folder_is_an_error(tmp_path: Path, name: str) -> None:
    shutil.copytree(ROOT / "annotations", tmp_path / "annotations")
    code, edit = EDITS[name]
    path = tmp_path / "annotations" / name
    path.write_text(edit(path.read_text(encoding="utf-8")), encoding="utf-8")
    workspace = Workspace(tmp_path / "annotations")
    read = workspace.gold_sets if name.startswith(("gold", "registry")) else partial(workspace.gold, "composed")
    with pytest.raises(KhabarError) as caught:
        read()
    assert code in {issue.code for issue in caught.value.issues}


@pytest.mark.slow
@pytest.mark.parametrize("system", ["dictionary", "crf"])
def test_the_baselines_predict_again_what_is_stored(tmp_path: Path, system: str) -> None:
    folder = ROOT / "evaluation" / "baselines" / system
    done = script(str(folder / "predict.py"), "--split", "validation", "--split", "test", "--output", str(tmp_path))
    assert done.returncode == 0, done.stderr
    for split in ("validation", "test"):
        assert (tmp_path / f"{split}.jsonl").read_bytes() == (folder / "predictions" / f"{split}.jsonl").read_bytes()
