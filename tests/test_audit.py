from pathlib import Path

import msgspec
import pytest

from khabar import jsonl
from khabar.adjudicate import Decision, Item
from khabar.audit import KINDS, Concord, Question, Verdict, concord, draw, rates, read_alike
from khabar.corpus import load_gold
from khabar.errors import KhabarError
from khabar.models import load_module
from khabar.types import Annotation, Document, Event, Mention

ROOT = Path(__file__).resolve().parent.parent
AUDIT = ROOT / "annotations" / "audit"
PAGES = load_module(ROOT / "scripts" / "audit_gold.py")
SIZES = dict.fromkeys(KINDS, 6)


PLACED = Question(
    id="q7",
    doc_id="d",
    part="composed",
    kind="mention",
    item=Item("mention", 0, 3, "PLACE"),
    attributes={"kind": "name", "loaded": "no"},
)


def question(name: str, kind: str = "mention", part: str = "composed", present: int = 0) -> Question:
    return Question(id=name, doc_id="d", part=part, kind=kind, item=Item("mention", 0, 3, "PLACE"), present=present)  # type: ignore[arg-type]


def test_the_sample_is_drawn_from_everything_and_the_same_each_time() -> None:
    gold = (load_gold("validation"), load_gold("wire"))
    drawn = draw(gold, SIZES, seed=7)
    assert drawn == draw(gold, SIZES, seed=7)
    assert drawn != draw(gold, SIZES, seed=8)
    assert [item.kind for item in drawn] == [kind for kind in KINDS for _ in range(6)]
    assert len({item.id for item in drawn}) == len(drawn)
    everything = draw(gold, dict.fromkeys(KINDS, 10**6), seed=7)
    counted = sum(len(item.mentions) for part in gold for item in part.annotations)
    assert sum(item.kind == "mention" for item in everything) == counted
    assert {item.part for item in everything} == {"validation", "wire"}


def test_rates_are_counted_by_kind_and_part_with_exact_intervals() -> None:
    questions = [*(question(f"q{n}") for n in range(10)), *(question(f"s{n}", "sentence", "wire") for n in range(2))]
    verdicts = [Verdict(id=f"q{n}", errors=(), note="", alike=n > 5) for n in range(10)]
    verdicts[3] = Verdict(id="q3", errors=("type",), note="E8")
    verdicts += [
        Verdict(id="s0", errors=("missing-event", "missing-mention"), note="T1"),
        Verdict(id="s1", errors=(), note=""),
    ]
    found = rates(questions, verdicts)
    assert (found["mention"].checked, found["mention"].wrong, found["mention"].value) == (10, 1, 0.1)
    # Clopper and Pearson's bounds for 1 of 10, as printed in tables of the binomial.
    assert found["mention"].interval == (0.0025, 0.445)
    assert (found["mention"].errors, found["mention"].alike) == ({"type": 1}, 4)
    # A sentence counts once, whatever is missing in it.
    assert (found["sentence"].checked, found["sentence"].wrong) == (2, 1)
    assert found["sentence"].errors == {"missing-event": 1, "missing-mention": 1}
    assert found["mention, composed"] == found["mention"]
    assert set(found) == {"mention", "mention, composed", "sentence", "sentence, wire"}


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ([], "audit-incomplete"),
        ([Verdict(id="q", errors=(), note="")] * 2, "audit-incomplete"),
        ([Verdict(id="q", errors=("role",), note="R1")], "audit-invalid"),
        ([Verdict(id="q", errors=("type", "span"), note="R1")], "audit-invalid"),
        ([Verdict(id="q", errors=("type",), note=" ")], "audit-invalid"),
        ([Verdict(id="q", errors=(), note=""), Verdict(id="z", errors=(), note="")], "audit-invalid"),
        ([Verdict(id="q", errors=("type",), note="E8", alike=True)], "audit-invalid"),
    ],
)
def test_verdicts_that_do_not_answer_the_sample_are_refused(verdicts: list[Verdict], code: str) -> None:
    with pytest.raises(KhabarError) as caught:
        rates([question("q")], verdicts)
    assert caught.value.code == code


def reading(**changes: object) -> Annotation:
    values = {"id": "m1", "start": 0, "end": 3, "type": "PLACE", "kind": "name"} | changes
    event = Event(id="e1", start=5, end=9, type="Combat.Attack")
    return Annotation(doc_id="d", mentions=(Mention(**values),), events=(event,))  # type: ignore[arg-type]


def test_a_reading_is_alike_only_with_the_same_span_type_and_attributes() -> None:
    assert read_alike(PLACED, reading())
    for change in ({"end": 4}, {"type": "FACILITY"}, {"kind": "nominal"}, {"loaded": True}):
        assert not read_alike(PLACED, reading(**change)), change


def test_a_sentence_is_alike_unless_the_reader_has_more() -> None:
    span = Item("mention", 0, 20, "sentence")
    have = (Item("mention", 0, 3, "PLACE"), Item("event", 5, 9, "Combat.Attack"), Item("mention", 12, 15, "PLACE"))
    asked = Question(id="q", doc_id="d", part="wire", kind="sentence", item=span, present=3, items=have)
    assert read_alike(asked, reading())
    less = Question(id="q", doc_id="d", part="wire", kind="sentence", item=span, present=1, items=have[:1])
    assert not read_alike(less, reading())


def test_adjudicators_are_compared_on_what_both_decided() -> None:
    def decided(*values: str) -> list[Decision]:
        return [
            Decision(doc_id="d", item=Item("mention", at, at + 1, "PLACE"), value=value, reason="E1", adjudicator="x")
            for at, value in enumerate(values)
            if value
        ]

    found = concord(decided("keep", "keep", "drop", "keep"), decided("keep", "drop", "keep"), decided("", "drop"))
    # By hand: 1 of 3 alike; by chance (2/3 * 2/3 + 1/3 * 1/3) = 5/9; (1/3 - 5/9) / (1 - 5/9) = -1/2.
    assert found["mention"] == Concord(decided=3, alike=1, kappa=-0.5, with_first=0, with_second=1)
    assert found["all"] == found["mention"]
    assert concord(decided("keep"), decided("keep"), [])["all"].kappa is None


NAMES = ("lang", "origin", "theatre", "storyline", "genre", "stance", "outlet", "date", "licence", "sha256")
TEXT = "Orm fell today. Nobody came. The gate stayed open."


def page_document() -> Document:
    return Document(**dict.fromkeys(NAMES, "x"), doc_id="d", text=TEXT)


def test_the_blind_page_has_the_text_and_the_wanted_sentences_and_nothing_of_the_gold() -> None:
    last = Question(
        id="q8", doc_id="d", part="wire", kind="sentence", item=Item("mention", 29, 50, "sentence"), present=4
    )
    page = PAGES.blind_page(page_document(), [PLACED, last])
    assert "Annotate completely: 1, 3\n" in page
    assert "[2] Nobody came." in page
    assert "PLACE" not in page
    assert "q7" not in page


def test_the_judging_page_does_not_say_which_of_two_versions_is_the_gold() -> None:
    gold, reader = "mention [Orm] PLACE (kind name, loaded no)", "mention [Orm] FACILITY (kind name, loaded no)"
    orders = set()
    for number in range(20):
        question = msgspec.structs.replace(PLACED, id=f"q{number}")
        page = PAGES.judging_page(page_document(), [question], reading(type="FACILITY"))
        first = PAGES.gold_first(question)
        one, two = (gold, reader) if first else (reader, gold)
        assert f"    A: {one}\n    B: {two}\n" in page
        orders.add(first)
    assert orders == {True, False}
    assert PAGES.judging_page(page_document(), [PLACED], reading()) == ""


BLIND = [AUDIT / "second", AUDIT / "third"]


def kept(folder: Path) -> tuple[list[Question], list[Verdict]]:
    verdicts = jsonl.read_list(folder / "verdicts.jsonl", Verdict)
    return jsonl.read_list(folder / "sample.jsonl", Question), verdicts


@pytest.mark.parametrize("folder", [*BLIND, AUDIT / "first"], ids=lambda folder: folder.name)
def test_a_kept_audit_is_as_large_as_was_asked_and_complete(folder: Path) -> None:
    questions, verdicts = kept(folder)
    found = rates(questions, verdicts)
    assert found["mention"].checked + found["event"].checked >= 200
    assert found["argument"].checked >= 100
    assert {item.part for item in questions} == {"composed", "wire"}


@pytest.mark.parametrize("folder", BLIND, ids=lambda folder: folder.name)
def test_what_was_judged_is_what_the_blind_readers_have_otherwise(folder: Path) -> None:
    readings = {item.doc_id: item for item in jsonl.read_list(folder / "readings.jsonl", Annotation)}
    assert all(item.author.startswith("auditor-") for item in readings.values())
    questions, verdicts = kept(folder)
    given = {verdict.id: verdict for verdict in verdicts}
    for question in questions:
        verdict = given[question.id]
        assert verdict.alike == read_alike(question, readings[question.doc_id]), question.id
        assert verdict.alike or verdict.note, question.id


def decided(group: str, name: str) -> dict[tuple[str, Item], Decision]:
    read = jsonl.read_list(AUDIT / "adjudicators" / group / f"{name}.jsonl", Decision)
    return {(item.doc_id, item.item): item for item in read}


@pytest.mark.parametrize("group", ["quick", "thorough"])
def test_a_third_decided_exactly_what_two_had_decided_otherwise(group: str) -> None:
    first, second, third = (decided(group, name) for name in ("first", "second", "third"))
    assert first.keys() == second.keys()
    assert {key for key in first if first[key].value != second[key].value} == third.keys()


def test_the_gold_follows_the_third_adjudicator_and_what_two_decided_alike() -> None:
    kept = {
        (item.doc_id, item.item): item
        for lot in ("composed-2", "wire-2")
        for item in jsonl.read_list(ROOT / "annotations" / "campaigns" / lot / "decisions.jsonl", Decision)
    }
    otherwise = set()
    for group in ("quick", "thorough"):
        first, third = decided(group, "first"), decided(group, "third")
        for key, decision in {**first, **third}.items():
            if key in kept and kept[key].value != decision.value:
                otherwise.add((key[0], key[1].kind))
            elif key in third:
                assert kept[key].adjudicator == "adjudicator-3"
    # What the audits found wrong afterwards.
    assert otherwise == {
        ("halzar-4-c", "argument"),
        ("halzar-8-c", "argument"),
        ("orsenia-7-b", "argument"),
        ("orsenia-7-b", "event"),
        ("orsenia-7-b", "link"),
        ("orsenia-7-b", "mention"),
        ("syria-3-d", "argument"),
        ("tazerqut-2-d", "argument"),
        ("tazerqut-5-c", "mention"),
        ("tazerqut-6-d", "argument"),
    }
