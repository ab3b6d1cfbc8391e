"""The page that annotators see, driven by mouse and keyboard in a browser, in both languages.

With KHABAR_SCREENSHOTS=DIR the same run writes the pictures of the manual into that folder (annotations/manual).
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
import studio
from browser import launch
from markdown_it import MarkdownIt

from khabar import jsonl
from khabar.label_studio import desk, server
from khabar.label_studio.config import GENERAL, QUESTION, REASON, attribute_keys, labeling_config
from khabar.label_studio.convert import to_task
from khabar.ontology import ontology
from khabar.types import Annotation, Argument, Document, Event, Mention

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning:label_studio_sdk")]

ROOT = Path(__file__).resolve().parent.parent
ANNOTATOR = "annotator-a"
LABELS = ontology()
LAPTOP = {"width": 1366, "height": 768}
QUESTION_TEXT = "One difference\nattribute attribution “killed” — version 1: attributed, version 2: author"
# Where a stretch of a line stands on the screen: a line is one element, and its text nodes are cut by the spans in it.
BOXES = """([line, start, end]) => {
    const root = document.querySelectorAll('.lsf-richtext__line')[line]
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT)
    const range = document.createRange()
    for (let at = 0, node; (node = walker.nextNode()); at += node.data.length) {
        const length = node.data.length
        if (start >= at && start < at + length) range.setStart(node, start - at)
        if (end > at && end <= at + length) { range.setEnd(node, end - at); break }
    }
    range.startContainer.parentElement.scrollIntoViewIfNeeded()
    const boxes = [...range.getClientRects()].filter(box => box.width > 0)
    return [range.toString(), boxes.map(box => [box.left, box.top, box.right, box.bottom])]
}"""


def documents() -> dict[str, Document]:
    found = jsonl.read_list(ROOT / "annotations" / "documents" / "composed-1.jsonl", Document)
    return {item.lang: item for item in found if item.doc_id in ("halzar-1-a", "halzar-1-b")}


DOCUMENTS = documents()


class Office:
    """A running server, and projects on it."""

    def __init__(self, data: Path) -> None:
        self.data, self.state = data, server.load_state(data)
        self.manager = desk.connect(self.state.url, server.ensure_account(data, server.MANAGER).token)

    def project(self, title: str, instruction: str = "") -> int:
        return desk.open_project(self.manager, title, list(DOCUMENTS.values()), instruction=instruction)

    def adjudication(self) -> int:
        config = labeling_config(adjudication=True)
        project = int(self.manager.projects.create(title="adjudication", label_config=config).id)
        task = to_task(DOCUMENTS["en"])
        task["data"][QUESTION] = QUESTION_TEXT
        self.manager.projects.import_tasks(id=project, request=[task])
        return project

    def address(self, project: int, lang: str) -> str:
        tasks = desk.list_tasks(self.manager, project)
        task = next(task["id"] for task in tasks if task["data"]["lang"] == lang)
        return f"{self.state.url}/projects/{project}/data?task={task}"

    def results(self, project: int) -> list[list[dict[str, Any]]]:
        return [work["result"] for task in desk.export(self.manager, project).tasks for work in task["annotations"]]


class Page:
    """The browser's tab, logged in as an annotator; what it asked for and what went wrong in it."""

    def __init__(self, browser: Any, office: Office) -> None:
        self.tab = browser.new_page(viewport=LAPTOP)
        self.keys = self.tab.keyboard
        self.requests: list[str] = []
        self.problems: list[str] = []
        self.tab.on("request", lambda request: self.requests.append(request.url))
        self.tab.on("pageerror", lambda error: self.problems.append(str(error)))
        self.tab.goto(f"{office.state.url}/user/login/")
        email = server.annotator_email(ANNOTATOR)
        self.tab.fill("input[name=email]", email)
        self.tab.fill("input[name=password]", server.load_state(office.data).accounts[email].password)
        self.tab.click("button[type=submit]")
        self.tab.wait_for_url(lambda url: "login" not in url)

    def open(self, office: Office, project: int, lang: str) -> None:
        self.tab.goto(office.address(project, lang))
        self.await_text(lang)

    def label_all(self, office: Office, project: int) -> None:
        self.tab.goto(f"{office.state.url}/projects/{project}/data")
        self.tab.get_by_role("button", name="Label All Tasks").first.click()

    def await_text(self, lang: str) -> None:
        self.document = DOCUMENTS[lang]
        self.tab.locator(".lsf-richtext__line").get_by_text(self.document.text.partition("\n")[0]).wait_for()
        self.tab.wait_for_timeout(500)  # the page binds its keys after it has drawn the text

    def submit(self, way: Callable[[], None]) -> None:
        with self.tab.expect_response(lambda answer: "/annotations" in answer.url and answer.request.method == "POST"):
            way()

    def boxes(self, quote: str, nth: int = 1) -> list[list[float]]:
        text = self.document.text
        start = -1
        for _ in range(nth):
            start = text.index(quote, start + 1)
        begin = text.rfind("\n", 0, start) + 1
        before = len(text[begin:start].encode("utf-16-le")) // 2
        place = [text.count("\n", 0, start), before, before + len(quote.encode("utf-16-le")) // 2]
        found, boxes = self.tab.evaluate(BOXES, place)
        assert found == quote
        return boxes  # type: ignore[no-any-return]

    def drag(self, quote: str) -> None:
        boxes = self.boxes(quote)
        (left, top, right, bottom), last = boxes[0], boxes[-1]
        begin, end = (left + 0.5, last[2] - 0.5) if self.document.lang == "en" else (right - 0.5, last[0] + 0.5)
        spans = self.tab.locator(".htx-highlight").count()
        self.tab.mouse.move(begin, (top + bottom) / 2)
        self.tab.mouse.down()
        self.tab.mouse.move(end, (last[1] + last[3]) / 2, steps=4)
        self.tab.mouse.up()
        self.tab.wait_for_function("n => document.querySelectorAll('.htx-highlight').length > n", arg=spans)

    def click(self, quote: str) -> None:
        left, top, right, bottom = self.boxes(quote)[0]
        self.tab.mouse.click((left + right) / 2, (top + bottom) / 2)
        self.tab.wait_for_timeout(150)

    def press(self, key: str) -> None:
        self.keys.press("+".join(part.capitalize() if len(part) > 1 else part for part in key.split("+")))
        self.tab.wait_for_timeout(60)

    def chosen(self) -> list[str]:
        titles = "nodes => nodes.map(node => node.title)"
        return list(self.tab.locator(".khabar-bar .lsf-label_selected div[title]").evaluate_all(titles))

    def ticked(self) -> list[str]:
        names = "nodes => nodes.map(node => node.name)"
        return list(self.tab.locator(".khabar-attributes input:checked").evaluate_all(names))

    def relate(self, source: str, target: str, role: str) -> None:
        self.press("escape")
        self.click(source)
        self.press("alt+r")
        self.click(target)
        self.tab.locator("#Relations-draggable").click()
        relation = self.tab.locator(".lsf-relations__item").last
        relation.hover()
        relation.get_by_label("Show Relation Labels").click()
        relation.get_by_test_id("select-trigger-").click()
        self.tab.get_by_test_id(f"select-option-{role}").click()
        self.keys.press("Escape")
        self.tab.get_by_test_id("select-popup").wait_for(state="detached")
        self.tab.mouse.move(400, 740)

    def bar(self) -> dict[str, float]:
        box = self.tab.locator(".khabar-bar").bounding_box()
        assert box is not None
        return dict(box)

    def picture(self, name: str, part: str = "body") -> None:
        folder = os.environ.get("KHABAR_SCREENSHOTS", "")
        if folder:
            from PIL import Image

            file = Path(folder) / f"{name}.png"
            box = self.tab.locator(part).bounding_box()
            assert box is not None
            self.tab.mouse.move(0, 0)  # where it hides no label behind a tooltip
            self.tab.wait_for_timeout(400)
            clip = {**box, "height": min(box["height"], LAPTOP["height"] - box["y"])}
            self.tab.screenshot(path=file, clip=clip)
            Image.open(file).convert("RGB").save(file, optimize=True)


@pytest.fixture(scope="module")
def office(studio_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with studio.running(studio_template, tmp_path_factory.mktemp("page") / "data") as data:
        yield Office(data)


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    yield from launch()


@pytest.fixture(scope="module")
def page(browser: object, office: Office) -> Iterator[Page]:
    opened = Page(browser, office)
    yield opened
    opened.tab.close()


@pytest.fixture(autouse=True)
def _asks_for_nothing_off_the_machine(page: Page) -> Iterator[None]:
    yield
    assert {urlsplit(url).hostname for url in page.requests if not url.startswith(("data:", "blob:"))} == {"127.0.0.1"}
    assert page.problems == []


def test_the_server_reads_every_label_out_of_its_group(office: Office) -> None:
    project = office.manager.projects.get(office.project("keys"))
    read = {name: control["labels"] for name, control in project.parsed_label_config.items()}
    assert (read["entity"], read["event"]) == (list(LABELS.entity_types), list(LABELS.event_types))


def test_every_key_chooses_its_own_label(page: Page, office: Office) -> None:
    page.open(office, office.project("keys"), "en")
    for label in (*LABELS.entities, *LABELS.events):
        page.press(label.hotkey)
        assert page.chosen() == [label.name], label.hotkey
        page.press("escape")
        assert page.chosen() == []


def test_keys_are_the_same_on_an_arabic_keyboard(page: Page, office: Office) -> None:
    page.open(office, office.project("keys"), "ar")
    chromium = page.tab.context.new_cdp_session(page.tab)
    for letter, code, number, label in (
        ("ش", "KeyA", 65, "Combat.Attack"),
        ("ض", "KeyQ", 81, "PLACE"),
        ("١", "Digit1", 49, "STATE_FORCES"),
    ):
        key = {"key": letter, "text": letter, "code": code, "windowsVirtualKeyCode": number}
        for kind in ("keyDown", "keyUp"):
            chromium.send("Input.dispatchKeyEvent", {"type": kind, **key})
        page.tab.wait_for_timeout(60)
        assert page.chosen() == [label]
        page.press("escape")


def test_two_labels_on_one_span_are_warned_of_and_mended_by_a_key(page: Page, office: Office) -> None:
    page.open(office, office.project("two labels"), "en")
    warning = "node => getComputedStyle(node, '::after').content"
    page.press("5")
    page.press("d")
    assert page.chosen() == ["PERSON", "Effect.Casualty"], "Label Studio lets both stand"
    page.drag("killed")
    page.click("killed")
    assert page.tab.locator(".khabar-bar").evaluate(warning).startswith('"Two labels are chosen')
    page.press("5")
    assert page.chosen() == ["Effect.Casualty"]
    assert page.tab.locator(".khabar-bar").evaluate(warning) == "none"


def test_the_bar_stays_in_sight_and_leaves_the_text_room(page: Page, office: Office) -> None:
    page.open(office, office.project("bar"), "en")
    titles = page.tab.locator(".khabar-bar .lsf-labels h4").all_inner_texts()
    assert titles == ["actors", "fillers", *(family.name for family in LABELS.families)]
    before = page.bar()
    assert before["height"] < 0.3 * LAPTOP["height"]
    page.tab.mouse.move(before["x"] + 200, 600)
    page.tab.mouse.wheel(0, 3000)
    page.tab.wait_for_timeout(300)
    first = page.tab.locator(".lsf-richtext__line").first.bounding_box()
    assert first is not None
    assert first["y"] < before["y"], "the text has been scrolled"
    after = page.bar()
    assert after["height"] == before["height"]
    assert 0 < after["y"] <= before["y"], "the bar has not"


WORK = {
    "en": Annotation(
        doc_id="halzar-1-a",
        author=ANNOTATOR,
        sha256=DOCUMENTS["en"].sha256,
        mentions=(Mention(id="m", start=208, end=225, type="GOVERNMENT", entity="moi", text="Interior Ministry"),),
        events=(
            Event(
                id="e",
                start=130,
                end=136,
                type="Effect.Casualty",
                attribution="attributed",
                arguments=(Argument("Source", "m"),),
                text="killed",
            ),
        ),
    ),
    "ar": Annotation(
        doc_id="halzar-1-b",
        author=ANNOTATOR,
        sha256=DOCUMENTS["ar"].sha256,
        mentions=(Mention(id="m", start=132, end=138, type="CIVILIANS", kind="nominal", text="مدنيين"),),
        events=(
            Event(
                id="e",
                start=127,
                end=131,
                type="Effect.Casualty",
                attribution="denied",
                arguments=(Argument("Victim", "m"),),
                text="مقتل",
            ),
        ),
    ),
}


def exported(office: Office, project: int, lang: str) -> Annotation:
    """Read what Label Studio exports of one document, with the ids of WORK for those that Label Studio has drawn."""
    email, document = server.annotator_email(ANNOTATOR), DOCUMENTS[lang]
    whole = desk.export(office.manager, project)
    mine = [
        task for task in desk.of_annotator(whole, email, keep_text=True) if task["data"]["doc_id"] == document.doc_id
    ]
    (found,), issues = desk.read_export(
        mine, whole.accounts, {document.doc_id: document}, email=email, author=ANNOTATOR
    )
    assert issues == []
    (mention,), (event,) = found.mentions, found.events
    assert [argument.mention for argument in event.arguments] == [mention.id]
    filled = tuple(Argument(argument.role, "m") for argument in event.arguments)
    return msgspec.structs.replace(
        found,
        mentions=(msgspec.structs.replace(mention, id="m"),),
        events=(msgspec.structs.replace(event, id="e", arguments=filled),),
    )


def open_guidelines(page: Page) -> None:
    from playwright.sync_api import expect

    heading = page.tab.get_by_role("heading", name="Annotation guidelines")
    heading.wait_for()  # shown at the beginning of a sitting
    page.keys.press("Escape")
    heading.wait_for(state="detached")
    page.tab.get_by_role("button", name="Instructions").click()
    heading.wait_for()
    page.picture("guidelines", ".lsf-modal-ls__content")
    arabic = page.tab.get_by_role("cell", name="قصف [الجيش السوري] التلة.").first
    # The style sheet comes with the labelling configuration, on a busy machine a moment after the guidelines.
    expect(arabic).to_have_css("unicode-bidi", "plaintext")
    page.keys.press("Escape")
    heading.wait_for(state="detached")


def annotate_english(page: Page) -> None:
    page.tab.get_by_title("GOVERNMENT", exact=True).click()
    page.drag("Interior Ministry")
    page.press("d")
    page.drag("killed")
    page.click("Interior Ministry")
    page.tab.fill("input[name=referent]", "moi")
    page.press("enter")
    page.press("escape")
    page.click("killed")
    page.press("shift+2")
    assert page.ticked() == ["attributed"]
    page.picture("page-en")
    page.relate("killed", "Interior Ministry", "Source")
    page.picture("relation")


def annotate_arabic(page: Page) -> None:
    page.tab.get_by_title("CIVILIANS", exact=True).click()
    page.drag("مدنيين")
    page.press("d")
    page.drag("مقتل")
    page.click("مدنيين")
    page.tab.locator(".khabar-attributes input[name=nominal]").check()
    page.press("escape")
    page.click("مقتل")
    page.press("shift+3")
    assert page.ticked() == ["denied"]
    page.picture("page-ar")
    page.relate("مقتل", "مدنيين", "Victim")


def test_what_is_marked_in_both_languages_is_what_is_exported(page: Page, office: Office) -> None:
    guidelines = (ROOT / "annotations" / "guidelines.md").read_text(encoding="utf-8")
    project = office.project("both languages", MarkdownIt("commonmark").enable("table").render(guidelines))
    page.label_all(office, project)
    open_guidelines(page)
    page.await_text("en")
    annotate_english(page)
    page.submit(lambda: page.press("control+enter"))
    page.await_text("ar")
    assert page.tab.get_by_role("heading", name="Annotation guidelines").count() == 0, "not before each task"
    annotate_arabic(page)
    page.submit(lambda: page.tab.get_by_test_id("bottombar-submit-button").click())
    assert {lang: exported(office, project, lang) for lang in WORK} == WORK


def test_arabic_runs_right_to_left_with_labels_in_it(page: Page, office: Office) -> None:
    page.open(office, office.project("right to left"), "ar")
    page.press("d")
    page.drag("مقتل")
    page.press("6")
    page.drag("مدنيين")
    line = page.tab.locator(".lsf-richtext__line").nth(2).bounding_box()
    assert line is not None
    assert page.boxes("تنفي")[0][2] == pytest.approx(line["x"] + line["width"], abs=2), "it begins at the right"
    spans = [page.tab.locator(".htx-highlight").nth(number).bounding_box() for number in (0, 1)]
    for quote, span in zip(("مقتل", "مدنيين"), spans, strict=True):
        word = page.boxes(quote)[0]
        assert span["x"] + span["width"] == pytest.approx(word[2], abs=2), "the word comes first"
        assert span["x"] < word[0] - 20, "and its label after it, at the left"
    order = [page.boxes(word)[0] for word in ("عن مقتل", "مقتل", "مدنيين", "في قرية")]
    rows = [(round(box[1] / 30), -box[2]) for box in order]
    assert rows == sorted(rows), "each word is at the left of the one before, or on a later row"


def test_every_attribute_has_its_key(page: Page, office: Office) -> None:
    page.open(office, office.project("attributes"), "en")
    page.press("4")
    page.drag("Interior Ministry")
    page.press("d")
    page.drag("killed")
    for quote, owner in (("killed", "event"), ("Interior Ministry", "entity")):
        page.click(quote)
        for name, keys in attribute_keys(LABELS, owner).items():
            for value, key in keys.items():
                page.press(key)
                assert page.ticked() == [value], (name, key)
                page.press(key)
                assert page.ticked() == [], "the same key takes it back"
        page.press("escape")
    assert page.ticked() == []


def test_a_decision_needs_its_reason(page: Page, office: Office) -> None:
    project = office.adjudication()
    page.label_all(office, project)
    page.await_text("en")
    question = page.tab.locator(".khabar-decision h4")
    assert question.inner_text() == QUESTION_TEXT
    page.press("d")
    page.drag("killed")
    page.press("control+enter")
    warning = page.tab.get_by_text("Give a reason for the decision.")
    warning.wait_for()
    assert office.results(project) == []
    page.tab.locator(".ant-modal-confirm-btns button").click()
    warning.wait_for(state="hidden")
    page.tab.fill(f"input[name={REASON}]", "The ministry's word is the only ground.")
    page.press("enter")
    page.press("0")
    page.picture("adjudication")
    page.submit(lambda: page.tab.get_by_test_id("bottombar-submit-button").click())
    (result,) = office.results(project)
    whole = {item["from_name"]: item["value"] for item in result if item["from_name"] in (REASON, GENERAL)}
    assert whole == {REASON: {"text": ["The ministry's word is the only ground."]}, GENERAL: {"choices": [GENERAL]}}
    assert [item["value"]["labels"] for item in result if item["type"] == "labels"] == [["Effect.Casualty"]]
