import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from browser import launch
from builders import GOLD, annotation, document, event, mention

from khabar.corpus import gold_set
from khabar.evaluation import Evaluation, examine
from khabar.inputs import Predictions, Unplaced
from khabar.report.markdown import evaluation_markdown
from khabar.report.page import evaluation_page
from khabar.types import Annotation, Document, text_hash

ROOT = Path(__file__).resolve().parent.parent
CRF = ROOT / "evaluation" / "baselines" / "crf" / "predictions"
HOSTILE = "Rebels </script><img src=x onerror=alert(1)> 😀 e\u0301 \u202eevil\u202c | `code` <b>army</b>"


def crf(split: str = "test") -> Evaluation:
    return examine(gold=split, pred=CRF / f"{split}.jsonl", layers=["actors", "fillers", "triggers"], name="crf")


def hostile() -> Evaluation:
    base = document()
    text = msgspec.structs.replace(base, text=HOSTILE, sha256=text_hash(HOSTILE), outlet="<i>x</i>")
    start = HOSTILE.index("😀")
    gold = annotation(mention("m1", 0, 6, "ARMED_GROUP"), mention("m2", start, start + 1, "PERSON"))
    pred = annotation(mention("m1", 0, start + 1, "ARMED_GROUP"))
    return examine(
        gold=gold_set("</script>", [text], [gold]), pred=[pred], layers=["actors"], name="<script>alert(2)</script>"
    )


def page_of(evaluation: Evaluation) -> str:
    return evaluation_page(evaluation.result, evaluation.reference, evaluation.findings)


def test_the_page_loads_nothing_and_nothing_in_it_can_run() -> None:
    page = page_of(hostile())
    assert "http:" not in page
    assert "https:" not in page
    assert not re.search(r"<(link|img|iframe)\b|<[a-z]+[^>]*\bsrc=|url\(|@import", page)
    assert page.count("<script") == 2
    assert "<i>x</i>" not in page


def test_markdown_is_well_formed_and_escapes_what_is_not_its_own() -> None:
    evaluation = hostile()
    text = evaluation_markdown(evaluation.result, evaluation.findings, evaluation.reference)
    assert "<img" not in text.replace("\\<img", "")
    assert "| `" not in text
    lines = text.splitlines()
    rules = [number for number, line in enumerate(lines) if re.fullmatch(r"\|(-+:?\|)+", line)]
    assert rules
    for number in rules:
        wide = lines[number].count("|")
        following = lines[number - 1 : number] + lines[number + 1 :]
        for line in following:
            if not line.startswith("|"):
                break
            assert len(re.findall(r"(?<!\\)\|", line)) == wide, line
    assert text == evaluation_markdown(evaluation.result, evaluation.findings, evaluation.reference)


def test_markdown_shows_each_kind_of_error_in_its_context() -> None:
    evaluation = crf()
    text = evaluation_markdown(evaluation.result, evaluation.findings, evaluation.reference)
    for kind, number in evaluation.result.errors["actors"].items():
        assert f"### actors: {kind}" in text or kind == "correct", number
    assert evaluation.result.signature in text
    assert "## Examples" not in evaluation_markdown(evaluation.result)
    wire = crf("wire")
    assert "The texts are not here." in evaluation_markdown(wire.result, wire.findings, wire.reference)


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    yield from launch()


class Opened:
    """A page in the browser, with what it asked for and what went wrong in it."""

    def __init__(self, browser: Any, path: Path, html: str, anchor: str = "") -> None:
        path.write_text(html, encoding="utf-8")
        self.tab = browser.new_page(viewport={"width": 1200, "height": 900})
        self.requests: list[str] = []
        self.problems: list[str] = []
        self.tab.on("request", lambda request: self.requests.append(request.url))
        self.tab.on("console", lambda message: self.problems.append(message.text) if message.type == "error" else None)
        self.tab.on("pageerror", lambda error: self.problems.append(str(error)))
        self.tab.on("dialog", lambda dialog: self.problems.append("a dialog") or dialog.dismiss())
        self.tab.goto(path.as_uri() + anchor)

    def count(self) -> tuple[int, int]:
        shown, of = re.findall(r"\d+", self.tab.locator("#count").inner_text())
        return int(shown), int(of)

    def current(self) -> str:
        return str(self.tab.locator("#list [aria-selected=true]").get_attribute("id"))

    def choose(self, name: str, value: str) -> None:
        self.tab.select_option(f"select[name={name}]", value)


@pytest.fixture
def opened(browser: object, tmp_path: Path) -> Iterator[Any]:
    tabs: list[Opened] = []

    def opener(html: str, anchor: str = "") -> Opened:
        tabs.append(Opened(browser, tmp_path / f"page{len(tabs)}.html", html, anchor))
        return tabs[-1]

    yield opener
    for tab in tabs:
        assert tab.problems == []
        assert len(tab.requests) == 1, "the page asks for nothing but itself"
        tab.tab.close()


@pytest.mark.slow
def test_errors_are_found_by_mouse_and_shown_side_by_side_in_the_right_direction(opened: Any) -> None:
    evaluation = crf()
    page = opened(page_of(evaluation))
    errors = sum(finding.kind != "correct" for finding in evaluation.findings)
    assert page.count() == (errors, len(evaluation.findings))
    for lang, direction in (("ar", "rtl"), ("en", "ltr")):
        page.choose("lang", lang)
        page.choose("kind", "boundary")
        numbers = [n for n, item in enumerate(evaluation.reference.documents) if item.lang == lang]
        assert page.count()[0] == sum(f.kind == "boundary" and f.unit in numbers for f in evaluation.findings)
        page.tab.locator("#list li").nth(1).click()
        for pane in ("gold", "pred"):
            node = page.tab.locator(f"#{pane}")
            assert node.evaluate("node => getComputedStyle(node).direction") == direction
            shown = node.evaluate("node => node.textContent")
            assert shown in {evaluation.reference.documents[n].text for n in numbers}
            assert node.locator(".now").count() >= 1


@pytest.mark.slow
def test_everything_works_by_keyboard(opened: Any) -> None:
    page = opened(page_of(crf()))
    keys = page.tab.keyboard
    first = page.current()
    keys.press("j")
    keys.press("j")
    assert page.current() == "item2"
    keys.press("k")
    assert page.current() == "item1" != first
    page.tab.locator("#list").focus()
    keys.press("ArrowDown")
    assert page.current() == "item2"
    keys.press("End")
    assert page.current() == f"item{page.count()[0] - 1}"
    keys.press("/")
    keys.type("army")
    found = page.count()[0]
    assert 0 < found < page.count()[1]
    assert "army" in page.tab.locator("#list li .words").first.inner_text().lower()
    keys.press("Escape")
    assert page.count()[0] == page.count()[1]
    keys.press("?")
    assert page.tab.locator("#keys").evaluate("node => node.open")
    keys.press("Escape")
    assert not page.tab.locator("#keys").evaluate("node => node.open")
    cell = page.tab.locator(".matrix[data-layer=actors] button[data-gold=ARMED_GROUP][data-pred='']")
    wanted = int(cell.inner_text())
    cell.focus()
    keys.press("Enter")
    assert page.count()[0] == wanted


@pytest.mark.slow
def test_a_link_restores_a_filter_and_columns_sort(opened: Any) -> None:
    html = page_of(crf())
    page = opened(html)
    page.choose("layer", "triggers")
    page.choose("kind", "type")
    address = page.tab.url
    again = opened(html, address[address.index("#") :])
    assert again.count() == page.count()
    assert again.tab.locator("select[name=layer]").input_value() == "triggers"
    table = page.tab.locator(".sortable").first
    table.locator("th button").nth(3).click()
    values = [
        float(cell.split()[0]) for cell in table.locator("tbody td:nth-child(4)").all_inner_texts() if cell[0].isdigit()
    ]
    assert values == sorted(values, reverse=True)
    assert table.locator("th").nth(3).get_attribute("aria-sort") == "descending"


@pytest.mark.slow
def test_a_hostile_text_is_shown_as_it_is_and_nothing_runs(opened: Any) -> None:
    page = opened(page_of(hostile()))
    assert page.tab.locator("#gold").evaluate("node => node.textContent") == HOSTILE
    assert page.tab.locator("h1").inner_text().startswith("<script>alert(2)</script>")
    page.tab.wait_for_timeout(200)
    assert page.problems == []


@pytest.mark.slow
def test_arguments_discontinuous_spans_and_what_has_no_place(opened: Any) -> None:
    split = mention("m2", 15, 34, "PLACE", pieces=((15, 22), (27, 34)))
    shelled = event("e1", 7, 14, "Strike.Shelling", ("Place", "m2"))
    pred = Predictions(
        annotations=(annotation(split, shelled),),
        unplaced=(Unplaced(doc_id="d1", layer="mentions", type="PERSON", quote="nobody", reason="not there"),),
    )
    page = opened(page_of(examine(gold=gold_set("case", [document()], [GOLD]), pred=pred)))
    page.choose("layer", "arguments")
    page.choose("kind", "boundary")
    assert page.count()[0] == 1
    assert page.tab.locator("#pred .now").all_inner_texts() == ["Derbekh", "Lishwan"]
    assert "Place of Strike.Shelling" in page.tab.locator("#about").inner_text()
    page.tab.keyboard.press("Escape")
    page.choose("kind", "spurious")
    assert "(no place in the text)" in page.tab.locator("#list").inner_text()


@pytest.mark.slow
def test_without_the_texts_items_are_listed_and_the_page_says_how_to_get_them(opened: Any) -> None:
    page = opened(page_of(crf("wire")))
    assert page.count()[0] > 0
    assert "--sources" in page.tab.locator("#gold").inner_text()


@pytest.mark.slow
def test_five_thousand_items_stay_usable(opened: Any) -> None:
    words = "word " * 5000
    text: Document = document(words)
    gold = Annotation(
        doc_id="d1",
        mentions=tuple(mention(f"m{n}", 5 * n, 5 * n + 4, "PERSON") for n in range(5000)),
    )
    page = opened(page_of(examine(gold=gold_set("big", [text], [gold]), pred=[], layers=["actors"])))
    assert page.count() == (5000, 5000)
    assert page.tab.locator("#list li").count() < 1000
    page.tab.locator("#list").focus()
    page.tab.keyboard.press("End")
    assert page.current() == "item4999"
