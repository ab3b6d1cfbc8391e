from pathlib import Path

import pytest

from khabar import jsonl
from khabar.adjudicate import Item
from khabar.audit import KINDS, Question, Verdict, draw, rates
from khabar.corpus import load_gold
from khabar.errors import KhabarError

ROOT = Path(__file__).resolve().parent.parent
AUDIT = ROOT / "annotations" / "audit"
SIZES = dict.fromkeys(KINDS, 6)


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
    questions = [*(question(f"q{n}") for n in range(10)), question("s", "sentence", present=4)]
    verdicts = [Verdict(id=f"q{n}", errors=(), note="") for n in range(10)]
    verdicts[3] = Verdict(id="q3", errors=("type",), note="E8")
    verdicts.append(Verdict(id="s", errors=("missing-event",), note="T1"))
    found = rates(questions, verdicts)
    assert (found["mention"].checked, found["mention"].wrong, found["mention"].value) == (10, 1, 0.1)
    # Clopper and Pearson's bounds for 1 of 10, as printed in tables of the binomial.
    assert found["mention"].interval == (0.0025, 0.445)
    assert found["spans"].errors == {"type": 1}
    assert (found["missing"].checked, found["missing"].wrong) == (5, 1)
    assert found["mention, composed"] == found["mention"]


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ([], "audit-incomplete"),
        ([Verdict(id="q", errors=(), note="")] * 2, "audit-incomplete"),
        ([Verdict(id="q", errors=("role",), note="R1")], "audit-invalid"),
        ([Verdict(id="q", errors=("type", "span"), note="R1")], "audit-invalid"),
        ([Verdict(id="q", errors=("type",), note=" ")], "audit-invalid"),
        ([Verdict(id="q", errors=(), note=""), Verdict(id="z", errors=(), note="")], "audit-invalid"),
    ],
)
def test_verdicts_that_do_not_answer_the_sample_are_refused(verdicts: list[Verdict], code: str) -> None:
    with pytest.raises(KhabarError) as caught:
        rates([question("q")], verdicts)
    assert caught.value.code == code


def test_the_kept_audit_is_as_large_as_was_asked_and_complete() -> None:
    questions = jsonl.read_list(AUDIT / "sample.jsonl", Question)
    found = rates(questions, jsonl.read_list(AUDIT / "verdicts.jsonl", Verdict))
    assert found["spans"].checked >= 200
    assert found["argument"].checked >= 100
    assert {item.part for item in questions} == {"composed", "wire"}
