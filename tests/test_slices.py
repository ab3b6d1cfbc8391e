import msgspec
import pytest
from builders import TEXT, annotation, document, event, mention

from khabar.corpus import Marks, gold_set
from khabar.evaluation import evaluate
from khabar.metrics.counting import compare_sides
from khabar.results import Result
from khabar.slices import learn, slice_items, surface
from khabar.types import Annotation

ACTORS = ("ARMED_GROUP", "STATE_FORCES", "PERSON")


def score(gold: Annotation, pred: Annotation, layer: str) -> Result:
    return evaluate(gold=gold_set("case", [document()], [gold]), pred=[pred], layers=[layer])


def test_mucs_error_measures_as_worked_in_the_protocol() -> None:
    gold = annotation(mention("m1", 0, 6, "ARMED_GROUP"), mention("m2", 15, 22, "ARMED_GROUP"))
    result = score(gold, annotation(mention("m1", 0, 14, "ARMED_GROUP")), "actors")
    partial = result.scores["actors.partial"]
    assert (partial.precision, partial.recall) == (0.5, 0.25)
    muc = result.muc["actors"]
    assert (muc.und, muc.ovg, muc.sub, muc.err) == (0.5, 0.0, 0.5, 0.75)


def test_mucs_measures_tell_missed_spurious_and_wrong_apart() -> None:
    gold = annotation(*(mention(f"m{n}", 10 * n, 10 * n + 5, "PERSON") for n in range(4)))
    pred = annotation(
        mention("a", 0, 5, "PERSON"),
        mention("b", 10, 15, "ORG"),
        mention("c", 50, 52, "PERSON"),
        mention("d", 52, 54, "PERSON"),
        mention("e", 54, 55, "PERSON"),
    )
    muc = score(gold, pred, "actors").muc["actors"]
    assert (muc.und, muc.ovg, muc.sub) == (2 / 4, 3 / 5, 1 / 2)
    assert muc.err == pytest.approx((1 + 2 + 3) / (2 + 2 + 3))


def test_attributes_as_worked_in_the_protocol() -> None:
    spans = ((0, 6), (7, 14))
    gold, pred = (
        annotation(*(event(f"e{n}", s, e, "Combat.Clash", attribution=said[n]) for n, (s, e) in enumerate(spans)))
        for said in (("attributed", "author"), ("author", "author"))
    )
    result = score(gold, pred, "attributes")
    assert result.scores["attributes.attribution"].f1 == 0.5
    assert result.macro["attributes.attribution"].value == pytest.approx(1 / 3)
    assert result.macro["attributes.attribution"].of == 3


def sliced(gold: Annotation, pred: Annotation, layer: str, known: object = None) -> dict[str, dict[str, list[int]]]:
    comparison = compare_sides(gold=[gold], pred=[pred], layers=(layer,))
    reference = gold_set("case", [document()], [gold])
    found: dict[str, dict[str, list[int]]] = {}
    for part in slice_items(comparison, reference, known):  # type: ignore[arg-type]
        found.setdefault(part.slice, {})[part.value] = list(msgspec.structs.astuple(part.table.total())[:3])
    return found


def test_names_are_told_by_whether_train_has_them_and_only_names() -> None:
    known = learn([Marks("The  REBELS won", ((4, 11, "ARMED_GROUP"), (12, 15, "PLACE")), ("Combat.Clash",))], ACTORS)
    assert known.names == {"rebels"}
    gold = annotation(
        mention("m1", 0, 6, "ARMED_GROUP"),
        mention("m2", 15, 22, "PERSON"),
        mention("m3", 40, 44, "STATE_FORCES", kind="nominal"),
    )
    pred = annotation(mention("x", 0, 6, "ARMED_GROUP"), mention("y", 27, 34, "PERSON"))
    assert sliced(gold, pred, "actors", known)["seen"] == {"seen in train": [1, 0, 1], "not seen in train": [0, 0, 1]}
    assert "seen" not in sliced(gold, pred, "actors")


def test_rare_types_are_those_with_fewer_than_ten_items_in_train() -> None:
    marks = Marks("x" * 50, tuple((n, n + 1, "PERSON") for n in range(10)), ())
    gold = annotation(mention("m1", 0, 6, "PERSON"), mention("m2", 15, 22, "ORG"))
    found = sliced(gold, gold, "actors", learn([marks], ACTORS))["rare"]
    assert found == {"10 and more": [1, 1, 1], "under 10": [1, 1, 1]}
    nine = learn([msgspec.structs.replace(marks, mentions=marks.mentions[:9])], ACTORS)
    assert sliced(gold, gold, "actors", nine)["rare"] == {"under 10": [2, 2, 2]}


def test_nesting_and_length_partition_the_gold() -> None:
    gold = annotation(
        mention("m1", 0, 22, "PERSON"),
        mention("m2", 0, 6, "ARMED_GROUP"),
        mention("m3", 27, 34, "PERSON"),
        mention("m4", 45, 54, "PERSON"),
    )
    found = sliced(gold, annotation(mention("x", 0, 6, "ARMED_GROUP")), "actors")
    assert found["nested"] == {"flat": [0, 0, 2], "inner": [1, 0, 1], "outer": [0, 0, 1]}
    assert found["length"] == {"1 token": [1, 1, 2], "2 tokens": [0, 0, 1], "3 tokens": [0, 0, 1]}
    assert TEXT[45:54] == "denied it"


def test_stance_belongs_to_the_gold_for_triggers_and_for_arguments() -> None:
    people = (mention("m1", 0, 6, "ARMED_GROUP"),)
    denied = event("e1", 7, 14, "Strike.Shelling", ("Agent", "m1"), attribution="denied", polarity="negative")
    gold = annotation(*people, denied, event("e2", 45, 51, "Politics.AccuseDeny"))
    pred = annotation(*people, event("e1", 7, 14, "Strike.Shelling", ("Agent", "m1")))
    triggers = sliced(gold, pred, "triggers")
    assert triggers["attribution"] == {"author": [0, 0, 1], "denied": [1, 0, 1]}
    assert triggers["polarity"] == {"negative": [1, 0, 1], "positive": [0, 0, 1]}
    assert sliced(gold, pred, "arguments")["attribution"] == {"denied": [1, 0, 1]}


def test_words_are_compared_folded() -> None:
    assert surface("ﬁrst  Army", ((0, 10),)) == "first army"
    assert surface("a b c", ((0, 1), (4, 5))) == "a c"
