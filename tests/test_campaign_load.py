"""Twenty annotators at once: everything that the server acknowledged is in the archive and in the exports."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
import studio

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "evaluation" / "benchmarks"))
import load  # noqa: E402

from khabar.campaign.archive import Archive, Version, content  # noqa: E402

# The script runs for as long as one likes. Opening twenty accounts and projects takes as long again.
SECONDS, EVERY, ANNOTATORS = 30, 6, 20


def save(key: str, updated_at: str, result: list[Any], kind: str = "annotation") -> load.Save:
    return load.Save(kind=kind, key=key, doc_id="d", updated_at=updated_at, content=load.content_hash(result), at=0.0)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """Give an archive that holds one annotation in two versions, and a draft."""
    kept = []
    for kind, number, when, result in (
        ("annotation", 7, "2020-01-01T01", ["a"]),
        ("annotation", 7, "2020-01-01T02", ["b"]),
        ("draft", 7, "2020-01-01T01", ["c"]),
    ):
        name, data = content({"id": number, "result": result})
        fields = {"project": "p", "doc_id": "d", "account": "x", "updated_at": when, "object": name}
        kept.append((Version(kind=kind, key=f"unique-{kind}", **fields), data))
    made = Archive(tmp_path / "archive")
    for item in kept:
        made.put([item], seen_at="2020-01-01")
    return made


def test_what_is_kept_is_not_called_lost(archive: Archive) -> None:
    saves = [save("7", "2020-01-01T01", ["a"]), save("7", "2020-01-01T02", ["b"])]
    draft = save("7", "2020-01-01T01", ["c"], kind="draft")
    assert load.lost_saves(archive, [*saves, draft], [draft]) == []
    assert load.not_seen(saves, load.kept_saves(archive)) == []
    # What was replaced between two synchronisations need not be kept.
    assert load.lost_saves(archive, [save("7", "2020-01-01T00", ["z"]), *saves], []) == []


@pytest.mark.parametrize(
    "late",
    [
        save("7", "2020-01-01T03", ["b"]),  # a later save
        save("8", "2020-01-01T01", ["a"]),  # another annotation
    ],
)
def test_a_save_that_is_not_kept_is_found(archive: Archive, late: load.Save) -> None:
    saves = [save("7", "2020-01-01T02", ["b"]), late]
    assert load.not_seen(saves, load.kept_saves(archive)) == [late]
    (said,) = load.lost_saves(archive, saves, [])
    assert late.updated_at in said


def test_other_content_and_lost_drafts_are_found(archive: Archive) -> None:
    (said,) = load.lost_saves(archive, [save("7", "2020-01-01T02", ["other"])], [])
    assert "other content" in said
    (said,) = load.lost_saves(archive, [], [save("9", "2020-01-01T01", ["c"], kind="draft")])
    assert said.startswith("draft 9")


@pytest.mark.slow
def test_twenty_annotators_at_once_lose_nothing(studio_template: Path, tmp_path: Path) -> None:
    data = studio.copy(studio_template, tmp_path / "data")
    command = [sys.executable, str(ROOT / "evaluation" / "benchmarks" / "load.py"), "--data", str(data), "--json"]
    options = ["--annotators", str(ANNOTATORS), "--seconds", str(SECONDS), "--every", str(EVERY)]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    result = msgspec.convert(json.loads(done.stdout), load.Result)
    assert (result.lost, result.failed, done.returncode) == ((), (), 0), load.told(result)
    assert result.annotators == ANNOTATORS
    assert result.syncs >= 2
    assert result.annotations >= ANNOTATORS
    assert min(result.saves[what] for what in ("draft", "create", "update")) >= ANNOTATORS
    # Nothing is refused: writers wait for one another.
    assert set(result.answers) <= {"200", "201", "404"}
    assert result.findings == {}
