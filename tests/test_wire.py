from pathlib import Path

import msgspec
import pytest
from builders import document

from khabar.corpus import load_gold, sentence_tokens, wire_recipes
from khabar.types import Span
from khabar.wire import WireRecipe, build

SOURCE = "Title here\nBy somebody\nThe army left. \u00a0نفى الجيش.\nShare this!\n"
RANGES = ((0, 10), (23, 50))
CUT = "\n\n".join(SOURCE[start:end] for start, end in RANGES)


def recipe(**edits: object) -> WireRecipe:
    doc = msgspec.structs.replace(document(CUT), text="")
    made = WireRecipe(
        document=doc, byline="", date_basis="", file="a.txt", ranges=RANGES, length=len(CUT), sentences=()
    )
    return msgspec.structs.replace(made, **edits)


def test_the_text_is_cut_from_the_file_and_checked(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(SOURCE.encode())
    documents, issues = build([recipe()], tmp_path)
    assert issues == []
    assert documents[0].text == CUT
    assert documents[0].sha256 == document(CUT).sha256


def test_each_missing_or_different_article_is_named_and_the_rest_is_built(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(SOURCE.encode())
    (tmp_path / "b.txt").write_bytes(SOURCE.replace("army", "Army").encode())
    other = msgspec.structs.replace(recipe().document, doc_id="d2")
    third = msgspec.structs.replace(recipe().document, doc_id="d3")
    documents, issues = build(
        [recipe(), recipe(document=other, file="b.txt"), recipe(document=third, file="c.txt")], tmp_path
    )
    assert [item.doc_id for item in documents] == ["d1"]
    assert [(issue.code, issue.doc_id) for issue in issues] == [("source-differs", "d2"), ("source-missing", "d3")]


def test_translated_line_ends_and_broken_utf8_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(SOURCE.replace("\n", "\r\n").encode())
    assert [issue.code for issue in build([recipe()], tmp_path)[1]] == ["source-differs"]
    (tmp_path / "a.txt").write_bytes(SOURCE.encode() + b"\xff")
    assert [issue.code for issue in build([recipe()], tmp_path)[1]] == ["broken-utf8"]


def test_the_release_holds_no_text_of_the_wire() -> None:
    gold = load_gold("wire")
    assert all(not item.text for item in gold.documents)
    assert all(item.text is None for annotation in gold.annotations for item in annotation.items)
    assert {item.doc_id for item in gold.documents} >= {"sf-2020-06-24", "sf-2020-03-19"}
    assert "ar" in {item.lang for item in gold.documents}


def test_gold_spans_lie_within_the_length_that_is_stated() -> None:
    lengths = {item.document.doc_id: item.length for item in wire_recipes()}
    for annotation in load_gold("wire").annotations:
        assert all(0 <= item.start < item.end <= lengths[annotation.doc_id] for item in annotation.items)


def test_the_real_articles_give_the_texts_and_tokens_that_were_annotated(sources: Path) -> None:
    recipes = wire_recipes()
    documents, issues = build(recipes, sources)
    assert issues == []
    for made, item in zip(documents, recipes, strict=True):
        tokens = tuple(tuple(Span(start, end) for start, end in row) for row in item.sentences)
        assert sentence_tokens(made.text) == tokens
        assert len(made.text) == item.length


def test_gold_triggers_of_the_real_articles_are_words(sources: Path) -> None:
    documents = {item.doc_id: item for item in build(wire_recipes(), sources)[0]}
    for annotation in load_gold("wire").annotations:
        text = documents[annotation.doc_id].text
        for item in annotation.items:
            words = text[item.start : item.end]
            assert words == words.strip(), pytest.fail(f"{annotation.doc_id} {item.id}")


def test_missing_articles_are_reported_one_by_one(tmp_path: Path) -> None:
    issues = build(wire_recipes(), tmp_path)[1]
    assert len(issues) == len(wire_recipes())
    assert {issue.code for issue in issues} == {"source-missing"}
