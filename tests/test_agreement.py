import io
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import krippendorff
import msgspec
import numpy as np
import pytest
from browser import launch
from builders import annotation, document, event, mention
from typer.testing import CliRunner

from khabar import jsonl
from khabar.agreement import FEW, AgreementReport, gamma, make_pairings, measure
from khabar.agreement.measuring import natural_order
from khabar.agreement.spans import FIGURES
from khabar.agreement.values import mark_values, nominal_alphas, rate
from khabar.cli import app
from khabar.errors import KhabarError
from khabar.report.agreement import agreement_markdown, agreement_tables
from khabar.report.agreement_page import agreement_page
from khabar.results import Settings
from khabar.types import Annotation, Document, Link
from khabar.workspace import Workspace

ROOT = Path(__file__).resolve().parent.parent
QUICK = Settings(resamples=200)
ONE = annotation(
    mention("a1", 0, 6, "ARMED_GROUP"),
    mention("a2", 15, 22, "PLACE"),
    event("x1", 7, 14, "Strike.Shelling", ("Agent", "a1"), ("Place", "a2")),
    author="a",
)
TWO = annotation(
    mention("b9", 15, 22, "PLACE"),
    mention("b8", 0, 6, "ARMED_GROUP"),
    mention("b7", 40, 44, "STATE_FORCES", kind="nominal"),
    event("y1", 7, 14, "Strike.Shelling", ("Agent", "b8"), actuality="habitual"),
    author="b",
)
TEXT = "word " * 60


def marked(doc_id: str, author: str, labels: Sequence[str], **fields: object) -> Annotation:
    """An annotation with one mention a word; an empty label is a word that is not marked."""
    items = [mention(f"m{n}", 5 * n, 5 * n + 4, label) for n, label in enumerate(labels) if label]
    return annotation(*items, doc_id=doc_id, author=author, **fields)


def documents(work: Sequence[Annotation], **fields: str) -> dict[str, Document]:
    return {item.doc_id: document(TEXT, item.doc_id, **fields) for item in work}


def report_on(work: Sequence[Annotation], **options: Any) -> AgreementReport:
    known = options.pop("documents", None) or documents(work)
    return measure(work, known, **{"gamma": False, "settings": QUICK, **options})


@pytest.fixture(scope="module")
def composed() -> tuple[list[Annotation], dict[str, Document]]:
    workspace = Workspace(ROOT / "annotations")
    known = {document.doc_id: document for document in workspace.documents("composed")}
    return [item for name in workspace.annotators for item in workspace.work("composed", name)], known


def test_counts_are_shown_where_a_figure_is_refused() -> None:
    found = report_on([ONE, TWO]).overall
    actors = found.spans["actors"]
    assert (actors.matched, actors.one, actors.two, actors.items) == (1, 1, 2, 1.5)
    assert actors.value is None
    assert actors.reason == f"too few: 1.5 items, {FEW} needed"
    assert found.spans["links"].reason == "nothing marked"
    actuality = found.values["actuality"]
    assert (actuality.items, actuality.same, actuality.observed) == (1, 0, None)
    assert actuality.counts == {"actual": 1, "habitual": 1}


def test_f1_strict_and_overlapping_by_hand() -> None:
    # Twelve words on both sides: nine alike, one of another type, one cut otherwise, one on each side alone.
    one = marked("d1", "a", ["PERSON"] * 9 + ["ORG", "PERSON", "PERSON", ""])
    other = marked("d1", "b", ["PERSON"] * 9 + ["PERSON", "", "", "PERSON"])
    two = msgspec.structs.replace(other, mentions=(*other.mentions, mention("m", 50, 53, "PERSON")))
    report = report_on([one, two])
    strict, overlap, boundary = (report.overall.spans[f"actors{part}"] for part in ("", ".overlap", ".boundary"))
    assert strict.value == pytest.approx(9 / 12)
    assert overlap.value == pytest.approx(10 / 12)
    assert boundary.value == pytest.approx(10 / 12)
    confused = [(cell.one, cell.two, cell.number, cell.same_span) for cell in report.confusion["actors"]]
    assert confused == [("PERSON", "", 2, 0), ("ORG", "PERSON", 1, 1)]
    assert report.kinds["actors"] == {"correct": 9, "alone": 2, "boundary": 1, "type": 1}
    assert strict.interval is None, "one document gives no interval"


def test_swapping_the_annotators_changes_no_figure(composed: tuple[list[Annotation], dict[str, Document]]) -> None:
    work, known = composed
    half = len(work) // 2
    one = report_on(work, documents=known)
    two = report_on(work[half:] + work[:half], documents=known)
    assert one.confusion == two.confusion
    assert one.kinds == two.kinds
    for name in FIGURES:
        before, after = one.overall.spans[name], two.overall.spans[name]
        assert before.value == pytest.approx(after.value)
        assert (before.matched, before.one, before.two) == (after.matched, after.two, after.one)
    assert {k: v.alpha for k, v in one.overall.values.items()} == {k: v.alpha for k, v in two.overall.values.items()}


def test_somebody_against_himself_is_perfect_and_counts_add_over_parts(
    composed: tuple[list[Annotation], dict[str, Document]],
) -> None:
    work, known = composed
    half = work[: len(work) // 2]
    twin = report_on([*half, *(msgspec.structs.replace(item, author="twin") for item in half)], documents=known)
    assert {found.value for found in twin.overall.spans.values()} == {1.0}
    assert {found.alpha for found in twin.overall.values.values()} == {1.0}
    assert not any(cells for cells in twin.confusion.values())
    report = report_on(work, documents=known)
    for name, found in report.overall.spans.items():
        for parts in (report.slices["language"], report.slices["genre"]):
            assert sum(part.spans[name].matched for part in parts.values()) == found.matched
            assert sum(part.spans[name].two for part in parts.values()) == found.two


def test_every_two_of_three_annotators_are_a_pair_and_one_document_is_one_unit() -> None:
    labels = ["PERSON"] * 10
    work = [marked(f"d{n}", author, labels) for n in range(5) for author in "abc"]
    work += [marked("d9", "c", labels), marked("d8", "a", [*labels, "ORG"]), marked("d8", "c", labels)]
    report = report_on(work)
    assert (report.documents, report.alone, report.overall.pairs) == (6, 1, 16)
    assert {name: part.pairs for name, part in report.slices["pair"].items()} == {"a × b": 5, "a × c": 6, "b × c": 5}
    assert report.overall.spans["actors"].matched == 160
    assert report.overall.values["entity_type"].items == 160, "pairs of values"
    assert report.overall.values["entity_type"].units == 60, "things that two or three marked"


def test_alpha_is_krippendorffs_own_with_missing_values_and_three_annotators() -> None:
    # Krippendorff (2011), the example with four observers; here A to E stand for 1 to 5.
    rows = ["122", "233", "333", "333", "222", "1234"]
    values = [["ABCDE"[int(value) - 1] for value in row] for row in rows]
    kinds = {"A": "PERSON", "B": "ORG", "C": "MEDIA", "D": "GOVERNMENT"}
    work = [
        marked("d1", f"n{author}", [kinds[row[author]] if author < len(row) else "" for row in values * 3])
        for author in range(4)
    ]
    found = report_on(work).overall.values["entity_type"]
    table = [[row.count(value) for value in "ABCD"] for row in values * 3]
    assert found.alpha == pytest.approx(krippendorff.alpha(value_counts=table, level_of_measurement="nominal"))
    assert found.units == 18
    assert found.items == 3 * (5 * 3 + 6)


def test_alpha_by_hand() -> None:
    # Ten items, eight equal; 13 PERSON and 7 ORG of 20 values: 1 − 19 · 4 / (400 − 169 − 49).
    one = marked("d1", "a", ["PERSON"] * 6 + ["ORG"] * 4)
    two = marked("d1", "b", ["PERSON"] * 6 + ["PERSON", "ORG", "ORG", "ORG"])
    assert report_on([one, two]).overall.values["entity_type"].alpha is None, "four items decide it"
    work = [
        *(marked(f"d{n}", "a", ["PERSON"] * 6 + ["ORG"] * 4) for n in range(5)),
        *(marked(f"d{n}", "b", ["PERSON"] * 5 + ["ORG", "PERSON", "ORG", "ORG", "ORG"]) for n in range(5)),
    ]
    found = report_on(work).overall.values["entity_type"]
    assert found.observed == pytest.approx(0.8)
    assert found.alpha == pytest.approx(1 - 99 * 20 / (100**2 - 60**2 - 40**2))
    assert found.alpha_interval == pytest.approx((found.alpha, found.alpha), abs=0.02)


def test_the_alpha_that_is_resampled_is_the_packages() -> None:
    generator = np.random.default_rng(1)
    for _ in range(20):
        table = generator.integers(0, 3, size=(30, 4))
        table = table[table.sum(axis=1) > 1]
        pairable = (table.sum(axis=1) - 1)[:, None, None]
        found = ((table[:, :, None] * table[:, None, :] - table[:, :, None] * np.eye(4)) / pairable).sum(axis=0)
        expected = krippendorff.alpha(value_counts=table, level_of_measurement="nominal")
        assert nominal_alphas(found[None])[0] == pytest.approx(expected)


def test_an_alpha_that_hangs_on_a_few_items_is_refused() -> None:
    work = [marked("d1", author, ["PERSON"] * 30 + ["ORG"] * 3) for author in "ab"]
    found = report_on(work).overall.values["entity_type"]
    assert found.observed == 1.0
    assert found.alpha is None
    assert found.alpha_reason == "too few: 3 of 33 items have another value than PERSON"


def test_types_on_one_span_and_roles_and_links_are_values() -> None:
    marks = mark_values(msgspec.structs.replace(TWO, mentions=(*TWO.mentions, mention("b6", 0, 6, "ORG"))))
    assert marks["entity_type"][((0, 6),)] == "ARMED_GROUP + ORG"
    assert list(marks["role"].values()) == ["Agent"]
    rated = rate("role", {"d1": [mark_values(ONE), mark_values(TWO)]}, {"d1": "d1"})
    assert rated.units == [["Agent", "Agent"]]


def test_links_are_compared_with_and_without_type_and_between_shared_triggers() -> None:
    spans = [event(f"e{n}", 5 * n, 5 * n + 4, "Effect.Casualty") for n in range(14)]
    chain = [Link("CAUSES", f"e{n}", f"e{n + 1}") for n in range(13)]
    one = annotation(*spans, author="a", links=tuple(chain))
    turned = [Link("CAUSES", link.target, link.source) for link in chain[:2]]
    two = annotation(*spans[:13], author="b", links=(*turned, Link("PART_OF", "e2", "e3"), *chain[3:12]))
    found = report_on([one, two]).overall.spans
    assert [(found[name].matched, found[name].one, found[name].two) for name in FIGURES[-3:]] == [
        (9, 13, 12),
        (12, 13, 12),
        (9, 12, 12),
    ]
    assert report_on([one, two]).per_type["links"]["PART_OF"].reason == f"too few: 0.5 items, {FEW} needed"


def drifting() -> tuple[list[Annotation], dict[str, str]]:
    rounds = {f"d{n}": str(2 if n < 6 else 10) for n in range(12)}
    work = []
    for doc_id, number in rounds.items():
        work.append(marked(doc_id, "a", ["PERSON"] * 20))
        work.append(
            marked(doc_id, "b", ["PERSON"] * (10 if number == "2" else 18) + ["ORG"] * (10 if number == "2" else 2))
        )
    return work, rounds


def test_drift_is_the_last_round_minus_the_first_in_the_order_of_numbers() -> None:
    work, rounds = drifting()
    report = report_on(work, rounds=rounds)
    assert list(report.slices["round"]) == ["2", "10"]
    drift = report.drift["actors"]
    assert (drift.of, drift.minus) == ("10", "2")
    assert drift.difference == pytest.approx(0.9 - 0.5)
    assert drift.interval == pytest.approx((0.4, 0.4))
    assert report.drift["links"].difference is None
    assert report.drift["links"].reason == "10: nothing marked"
    assert sorted(["round 10", "round 9", "pilot"], key=natural_order) == ["pilot", "round 9", "round 10"]


def test_bias_is_how_much_nearer_to_the_model_annotators_are_who_saw_its_answer() -> None:
    arms = {f"d{n}": "assisted" if n % 2 else "blind" for n in range(12)}
    model = [marked(doc_id, "model", ["ORG"] * 10) for doc_id in arms]
    seen, unseen = ["ORG"] * 9 + ["PERSON"], ["ORG"] * 4 + ["PERSON"] * 6
    work = [marked(d, author, seen if arm == "assisted" else unseen) for d, arm in arms.items() for author in "ab"]
    report = report_on(work, arms=arms, predictions=model)
    assert report.bias["actors"].first.value == pytest.approx(0.9)
    assert report.bias["actors"].difference == pytest.approx(0.5)
    assert report.bias["actors"].interval == pytest.approx((0.5, 0.5))
    assert report.bias["actors"].first.documents == 6
    assert report.arms["actors"].difference == pytest.approx(0.0)
    assert report_on(work, arms=arms).bias == {}
    assert report_on(work, predictions=model).bias == {}


def test_few_documents_give_no_interval_and_clusters_are_fewer_than_documents() -> None:
    work = [marked(f"d{n}", author, ["PERSON"] * 10) for n in range(8) for author in "ab"]
    assert report_on(work).overall.spans["actors"].interval == (1.0, 1.0)
    assert report_on(work[:8]).overall.spans["actors"].interval is None
    known = {name: document(TEXT, name, storyline=f"s{int(name[1:]) % 4}") for name in documents(work)}
    by_story = report_on(work, documents=known, settings=Settings(unit="storyline", resamples=50))
    assert by_story.overall.spans["actors"].interval is None
    with pytest.raises(KhabarError) as caught:
        report_on(work, settings=Settings(unit="storyline"))
    assert caught.value.code == "unit-unknown"


def test_one_annotator_gives_a_report_that_says_so_and_broken_work_is_refused() -> None:
    report = report_on([ONE])
    assert report.notes == ("no document has two annotators",)
    assert (report.documents, report.alone) == (0, 1)
    assert "no document has two annotators" in agreement_page(report)
    assert report_on([], documents={"d1": document()}).authors == ()
    with pytest.raises(KhabarError) as caught:
        make_pairings([ONE, ONE, marked("d7", "a", [])], {"d1": document()})
    assert {issue.code for issue in caught.value.issues} == {"annotation-duplicate", "document-unknown"}


@pytest.mark.slow
def test_gamma_is_one_for_twins_lower_for_others_and_the_same_each_time(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = ["PERSON", "ORG", "", "MEDIA", "PERSON", "", "", "ORG", "GOVERNMENT", "PERSON"] * 3
    alike = [marked("d1", author, labels) for author in "ab"]
    shifted = marked("d2", "b", ["", *labels[:-1]])
    work = [*alike, marked("d2", "a", labels), shifted, marked("d3", "a", []), marked("d3", "b", labels[:1])]
    state = np.random.get_state()[1].tolist()  # type: ignore[union-attr]
    monkeypatch.setattr(gamma, "SAMPLES", 30)
    report = report_on(work, gamma=True)
    assert np.random.get_state()[1].tolist() == state  # type: ignore[union-attr]
    assert report.overall.gamma == report_on(work, gamma=True).overall.gamma
    twins = report_on(alike, gamma=True).overall.gamma["actors"]
    assert (twins.value, twins.units, twins.samples) == (1.0, 21.0, 30)
    found = report.overall.gamma["actors"]
    assert found.value is not None
    assert 0 < found.value < 1
    assert (found.documents, found.interval) == (3, None)
    assert report.overall.gamma["triggers"].reason == "nothing marked"
    assert capfd.readouterr() == ("", ""), "the package and its solver are silent"


@pytest.mark.slow
def test_a_document_more_does_not_change_the_gamma_of_another() -> None:
    work = [marked("d1", "a", ["PERSON"] * 12), marked("d1", "b", ["PERSON"] * 6 + ["ORG"] * 7)]
    cells = [
        gamma.compute_cells(make_pairings(some, documents(some)), Settings()).layers["actors"][0].observed
        for some in (work, [*work, *(marked("d2", author, ["ORG"] * 3) for author in "ab")])
    ]
    assert cells[0] == cells[1]


@pytest.mark.slow
def test_many_documents_are_sampled_by_hash_and_large_ones_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    work = [marked(f"d{n}", author, ["PERSON"] * (6 + n)) for n in range(4) for author in "ab"]
    monkeypatch.setattr(gamma, "PAIRS", 3)
    monkeypatch.setattr(gamma, "SPANS", 7)
    report = report_on(work, gamma=True)
    assert report.overall.gamma["actors"].documents < 4
    assert report.notes[0] == "gamma: over 3 of 4 pairs of annotations, chosen by a hash of the document"
    assert "without documents of more than 7 spans: d" in report.notes[1]


def test_without_the_packages_everything_else_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "krippendorff", None)
    monkeypatch.setitem(sys.modules, "pygamma_agreement", None)
    work = [marked("d1", author, ["PERSON", "ORG"] * 12) for author in "ab"]
    found = report_on(work, gamma=True).overall
    assert found.spans["actors"].value == 1.0
    assert found.values["entity_type"].observed == 1.0
    assert found.values["entity_type"].alpha_reason == "the package krippendorff is not installed"
    assert found.gamma["actors"].reason == "the package pygamma-agreement is not installed"


def test_importing_agreement_loads_neither_package() -> None:
    code = (
        "import sys, khabar.agreement; print({'krippendorff', 'pygamma_agreement', 'cvxpy', 'numba'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_report_survives_its_json(composed: tuple[list[Annotation], dict[str, Document]]) -> None:
    report = report_on(composed[0], documents=composed[1])
    assert msgspec.json.decode(jsonl.json_bytes(report), type=AgreementReport) == report
    kept = jsonl.read_json(ROOT / "annotations" / "agreement.json", dict[str, AgreementReport])
    published = kept["composed"].overall.spans
    assert {name: found.value for name, found in published.items()} == {
        name: found.value for name, found in report.overall.spans.items()
    }
    actors = published["actors"]
    assert actors.value == pytest.approx(2 * actors.matched / (actors.one + actors.two))
    assert actors.documents == len(composed[1])
    assert all(found.value is not None for found in kept["composed"].overall.gamma.values())


def contrasting() -> AgreementReport:
    work, rounds = drifting()
    arms = {name: "assisted" if int(name[1:]) % 2 else "blind" for name in rounds}
    model = [marked(name, "model", ["PERSON"] * 15) for name in rounds]
    return report_on(work, rounds=rounds, arms=arms, predictions=model)


def test_terminal_and_markdown_show_every_part_and_refuse_what_is_too_few() -> None:
    from rich.console import Console

    report = contrasting()
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(agreement_tables(report))
    terminal, markdown = console.export_text(), agreement_markdown(report)
    for text in (terminal, markdown):
        for part in ("round 10", "Drift", "Bias", "by pair", "a × b", "too few", "not asked for", "+0.400"):
            assert part in text, part
    assert "nan" not in terminal.lower().replace("annot", "")
    for number, line in enumerate(markdown.splitlines()):
        if line.startswith("|---"):
            assert line.count("|") == markdown.splitlines()[number - 1].replace("\\|", "").count("|")


HOSTILE = "x</script><img src=y>"


def hostile_page() -> str:
    work = [marked("d1", author, ["PERSON"] * 12) for author in (HOSTILE, "b")]
    known = {"d1": document("word </script><i>e</i> " * 20, "d1", genre="<b>g</b>", lang="ar")}
    return agreement_page(report_on(work, documents=known), work=work, documents=known)


def test_the_page_loads_nothing_and_nothing_in_it_can_run() -> None:
    page = hostile_page()
    assert "http:" not in page
    assert "https:" not in page
    assert page.count("<script") == 2
    assert "<img" not in page
    assert "<b>g" not in page
    assert "Differences in the texts" not in agreement_page(contrasting())


def test_the_command_reads_several_files_and_writes_every_report(tmp_path: Path) -> None:
    known = documents([ONE])
    jsonl.write_records(tmp_path / "documents.jsonl", known.values())
    files = [tmp_path / "anna.jsonl", tmp_path / "bert.jsonl"]
    for file, labels in zip(files, (["PERSON"] * 12, ["PERSON"] * 11 + ["ORG"]), strict=True):
        jsonl.write_records(file, [marked("d1", "", labels)])
    outputs = [tmp_path / name for name in ("report.json", "report.md", "report.html")]
    options = ["--documents", str(tmp_path / "documents.jsonl"), "--no-gamma"]
    written = ["-o", str(outputs[0]), "--markdown", str(outputs[1]), "--html", str(outputs[2])]
    done = CliRunner().invoke(app, ["agreement", *map(str, files), *options, *written])
    assert done.exit_code == 0, done.output
    assert "anna, bert" in done.output
    report = jsonl.read_json(outputs[0], AgreementReport)
    assert report.overall.spans["actors"].value == pytest.approx(11 / 12)
    assert "anna × bert" in outputs[1].read_text(encoding="utf-8")
    assert "anna × bert" in outputs[2].read_text(encoding="utf-8")
    printed = CliRunner().invoke(app, ["agreement", *map(str, files), *options, "--json"])
    assert msgspec.json.decode(printed.output, type=AgreementReport) == report
    broken = CliRunner().invoke(app, ["agreement", str(files[0]), "--no-gamma"])
    assert isinstance(broken.exception, KhabarError)
    assert broken.exception.code == "document-unknown"


@pytest.mark.slow
def test_a_pairs_differences_open_in_their_text_in_the_right_direction(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(hostile_page(), encoding="utf-8")
    for browser in launch():
        tab = browser.new_page()  # type: ignore[attr-defined]
        problems: list[object] = []
        tab.on("pageerror", lambda error, kept=problems: kept.append(error))
        tab.goto(path.as_uri())
        tab.locator("details.pair summary").click()
        frame = tab.frame_locator("details.pair iframe")
        frame.locator("#clear").click()
        assert frame.locator("#count").inner_text() == "12 of 12 items"
        assert frame.locator("#gold").evaluate("node => getComputedStyle(node).direction") == "rtl"
        assert frame.locator(".pane h3").all_inner_texts() == [HOSTILE, "b"]
        assert not frame.locator("#scores").is_visible()
        assert problems == []
