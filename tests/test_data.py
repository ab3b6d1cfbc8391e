import json
import re
from pathlib import Path

import msgspec
import pytest
from tree import files

from khabar import jsonl
from khabar.corpus import load_gold
from khabar.types import Document
from khabar.validate import check_annotation
from khabar.workspace import PROJECTS, Workspace

ROOT = Path(__file__).resolve().parent.parent
WORKSPACE = Workspace(ROOT / "annotations")
RUN = 8
COMPOSED = WORKSPACE.documents("composed")


def shingles(text: str, run: int = RUN) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.casefold())
    return {tuple(words[at : at + run]) for at in range(len(words) - run + 1)}


def test_every_document_has_two_annotators_and_gold() -> None:
    for project in PROJECTS:
        ids = [document.doc_id for document in WORKSPACE.documents(project)]
        for annotator in WORKSPACE.annotators:
            assert [item.doc_id for item in WORKSPACE.work(project, annotator)] == ids
        assert [item.doc_id for item in WORKSPACE.stored_gold(project)] == ids


def test_every_decision_has_a_reason_and_an_adjudicator() -> None:
    for project in PROJECTS:
        for decisions in WORKSPACE.decisions(project).values():
            assert all(decision.reason.strip() for decision in decisions)
            assert {decision.adjudicator for decision in decisions} <= set(WORKSPACE.adjudicators)
            loose = [decision.reason for decision in decisions if re.search(r"\bd\d+\b", decision.reason)]
            assert loose == [], "a reason refers to a number that stands nowhere"


def test_annotators_say_what_they_are() -> None:
    known = jsonl.read_json(ROOT / "annotations" / "annotators.json", dict[str, list[dict[str, object]]])
    assert {item["kind"] for item in known["annotators"]} == {"language model"}


@pytest.mark.parametrize("split", ["train", "validation", "test", "wire"])
def test_gold_breaks_no_rule_of_the_ontology(split: str) -> None:
    gold = load_gold(split)
    issues = [
        issue.message
        for document, item in zip(gold.documents, gold.annotations, strict=True)
        for issue in check_annotation(item, document)
    ]
    assert issues == []


def test_texts_are_clean_unicode_with_line_feeds() -> None:
    for document in COMPOSED:
        assert not re.search(r"[\r\t\ufeff\ufffd]", document.text)
        assert document.text == document.text.strip()
        assert 80 <= len(document.text.split()) <= 1400


TEXT_SUFFIXES = {
    ".py",
    ".md",
    ".json",
    ".jsonl",
    ".toml",
    ".xml",
    ".txt",
    ".html",
    ".yaml",
    ".yml",
    ".cff",
    ".csv",
    ".sh",
    "",
}


def strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for item in value.values() for text in strings(item)]
    return [text for item in value for text in strings(item)] if isinstance(value, list) else []


def file_text(path: Path) -> str:
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        return "\n".join(strings(pq.read_table(path).to_pylist()))
    if path.suffix in TEXT_SUFFIXES:
        return path.read_text(encoding="utf-8").replace("\\n", " ")
    return ""


def test_no_run_of_eight_words_of_an_article_stands_in_the_repository(sources: Path) -> None:
    wire = {run for path in sources.glob("*.txt") for run in shingles(path.read_text(encoding="utf-8"))}
    assert len(wire) > 10_000
    leaks = {
        str(path.relative_to(ROOT)): " ".join(next(iter(shared)))
        for path in files()
        if (shared := shingles(file_text(path)) & wire)
    }
    assert leaks == {}


def test_the_check_for_shared_runs_would_find_one(sources: Path) -> None:
    text = next(iter(sorted(sources.glob("*.txt")))).read_text(encoding="utf-8")
    assert shingles("x " + " ".join(text.split()[50:80])) & shingles(text)


def test_reasons_and_notes_quote_no_more_than_five_words_of_an_article(sources: Path) -> None:
    wire = {run for path in sources.glob("*.txt") for run in shingles(path.read_text(encoding="utf-8"), 6)}
    said = [
        json.loads(line)
        for pattern in ("audit/**/*.jsonl", "campaigns/*/decisions.jsonl", "registry/*.jsonl")
        for path in sorted((ROOT / "annotations").glob(pattern))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    notes = [note for row in said for key in ("reason", "note", "why") if (note := row.get(key))]
    assert len(notes) > 5_000
    assert [note for note in notes if shingles(note, 6) & wire] == []


def test_document_records_are_whole() -> None:
    for document in COMPOSED:
        empty = [name for name, value in msgspec.structs.asdict(document).items() if value == ""]
        assert empty == []
        assert isinstance(document, Document)
