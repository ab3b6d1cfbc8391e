from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import launch
from builders import GOLD, TEXT, annotation, document, event, mention

from khabar.corpus import load_gold
from khabar.report.show import marked_paragraphs, show_page

COLORS = dict.fromkeys(("ARMED_GROUP", "PLACE", "STATE_FORCES", "Strike.Shelling", "Politics.AccuseDeny"), "#123456")


def test_marks_nest_and_the_text_is_escaped() -> None:
    text = "a <b> & c\n\nd"
    work = annotation(mention("m1", 0, 9, "PLACE"), mention("m2", 2, 5, "ARMED_GROUP"))
    paragraphs = marked_paragraphs(text, work.items, COLORS)
    assert len(paragraphs) == 2
    assert "&lt;b&gt;" in paragraphs[0]
    assert paragraphs[0].count("<mark") == paragraphs[0].count("</mark>") == 2


def test_crossing_spans_still_give_balanced_marks() -> None:
    work = annotation(
        mention("m1", 0, 14, "PLACE"), mention("m2", 7, 22, "PLACE"), event("e1", 7, 14, "Strike.Shelling")
    )
    page = "".join(marked_paragraphs(TEXT, work.items, COLORS))
    assert page.count("<mark") == page.count("</mark>")


def test_the_page_is_self_contained() -> None:
    page = show_page(document(), GOLD)
    assert "http" not in page
    assert "<script" not in page
    assert "src=" not in page


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    yield from launch()


@pytest.mark.slow
@pytest.mark.parametrize(("doc_id", "direction"), [("syria-2-a", "rtl"), ("syria-2-b", "ltr")])
def test_a_browser_shows_it_in_the_right_direction_without_the_network(
    browser: object, tmp_path: Path, doc_id: str, direction: str
) -> None:
    gold = load_gold("test")
    found = next((d, a) for d, a in zip(gold.documents, gold.annotations, strict=True) if d.doc_id == doc_id)
    path = tmp_path / "page.html"
    path.write_text(show_page(*found), encoding="utf-8")
    page = browser.new_page()  # type: ignore[attr-defined]
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(path.as_uri())
    assert requests == [path.as_uri()]
    assert page.locator("article").evaluate("node => getComputedStyle(node).direction") == direction
    shown = page.locator("article").inner_text().split()
    assert shown == found[0].text.split()
    assert page.locator("mark").count() >= len(found[1].items)
    assert page.locator("tbody tr").count() == len(found[1].events)
    page.close()
