import msgspec
import pytest
from builders import GOLD, TEXT, annotation, document, event, mention

from khabar.types import Argument, Link
from khabar.validate import check_annotation, check_documents, check_set, nearest


def codes(issues: object) -> list[str]:
    return [issue.code for issue in issues]  # type: ignore[attr-defined]


def test_the_gold_example_has_no_issue() -> None:
    assert codes(check_annotation(GOLD, document())) == []


BROKEN = {
    "span-outside": annotation(mention("m1", 50, len(TEXT) + 1, "PLACE")),
    "span-empty": annotation(mention("m1", 9, 7, "PLACE")),
    "span-text": annotation(mention("m1", 0, 6, "ARMED_GROUP", text="rebels")),
    "span-crossing": annotation(mention("m1", 0, 14, "PLACE"), mention("m2", 7, 22, "PLACE")),
    "span-duplicate": annotation(mention("m1", 0, 6, "PLACE"), mention("m2", 0, 6, "PLACE")),
    "id-duplicate": annotation(mention("m1", 0, 6, "ARMED_GROUP"), event("m1", 7, 14, "Combat.Clash")),
    "label-unknown": annotation(mention("m1", 0, 6, "ARMED_GRUOP")),
    "argument-dangling": annotation(event("e1", 7, 14, "Combat.Clash", ("Party", "m1"))),
    "link-dangling": annotation(event("e1", 7, 14, "Combat.Clash"), links=(Link("CAUSES", "e1", "e9"),)),
    "role-not-allowed": annotation(
        mention("m1", 0, 6, "ARMED_GROUP"), event("e1", 7, 14, "Combat.Clash", ("Victim", "m1"))
    ),
    "filler-not-allowed": annotation(
        mention("m1", 15, 22, "PLACE"), event("e1", 7, 14, "Strike.Shelling", ("Target", "m1"))
    ),
    "document-hash": annotation(sha256="0" * 64),
    "argument-duplicate": annotation(
        mention("m1", 15, 22, "PLACE"), event("e1", 7, 14, "Combat.Clash", ("Place", "m1"), ("Place", "m1"))
    ),
    "link-duplicate": annotation(
        event("e1", 0, 6, "Combat.Clash"), event("e2", 7, 14, "Combat.Clash"), links=(Link("COREF", "e2", "e1"),) * 2
    ),
    "link-self": annotation(event("e1", 7, 14, "Combat.Clash"), links=(Link("CAUSES", "e1", "e1"),)),
}


@pytest.mark.parametrize("code", BROKEN)
def test_each_breach_has_its_code_and_says_what_to_do(code: str) -> None:
    issues = list(check_annotation(BROKEN[code], document()))
    assert codes(issues) == [code]
    assert all((issues[0].found, issues[0].expected, issues[0].fix))
    assert "d1" in issues[0].message


@pytest.mark.parametrize("code", ["span-crossing", "role-not-allowed", "filler-not-allowed"])
def test_a_systems_breach_of_a_constraint_is_no_broken_file(code: str) -> None:
    assert codes(check_annotation(BROKEN[code], document(), constraints=False)) == []


@pytest.mark.parametrize(
    ("field", "value"), [("attribution", "maybe"), ("polarity", "no"), ("actuality", "past"), ("type", "Strike.Air")]
)
def test_unknown_values_of_an_event_are_refused(field: str, value: str) -> None:
    broken = msgspec.structs.replace(GOLD.events[1], **{field: value})
    gold = msgspec.structs.replace(GOLD, events=(GOLD.events[0], broken))
    assert codes(check_annotation(gold, document())) == ["label-unknown"]


def test_an_unknown_role_is_refused_with_a_suggestion() -> None:
    broken = msgspec.structs.replace(GOLD.events[1], arguments=(Argument("Agnet", "m4"),))
    issues = list(check_annotation(msgspec.structs.replace(GOLD, events=(broken,)), document()))
    assert codes(issues) == ["label-unknown"]
    assert "Did you mean Agent?" in issues[0].fix


def test_nested_mentions_are_allowed() -> None:
    nested = annotation(mention("m1", 0, 22, "ARMED_GROUP"), mention("m2", 15, 22, "PLACE"))
    assert codes(check_annotation(nested, document())) == []


def test_without_a_text_only_what_needs_none_is_checked() -> None:
    wire = msgspec.structs.replace(document(), text="")
    assert codes(check_annotation(annotation(mention("m1", 0, 9999, "PLACE", text="x")), wire)) == []
    assert codes(check_annotation(BROKEN["span-empty"], wire)) == ["span-empty"]


def test_documents_are_checked() -> None:
    good, other = document(), document("Other.", "d2")
    assert codes(check_documents([good, other])) == []
    assert codes(check_documents([good, good])) == ["document-duplicate"]
    assert codes(check_documents([msgspec.structs.replace(good, text="changed")])) == ["document-hash"]
    assert codes(check_documents([document("one\r\ntwo")])) == ["document-newline"]


def test_sets_are_checked() -> None:
    documents = {"d1": document(), "d2": document("Other.", "d2")}
    assert codes(check_set([GOLD], documents)) == ["document-missing"]
    assert codes(check_set([GOLD], documents, complete=False)) == []
    assert codes(check_set([GOLD, GOLD], documents, complete=False)) == ["document-duplicate"]
    unknown = list(check_set([annotation(doc_id="d11")], documents, complete=False))
    assert codes(unknown) == ["document-unknown"]
    assert "Did you mean" in unknown[0].fix


def test_nearest_is_silent_where_nothing_is_near() -> None:
    assert nearest("zzz", ["Agent"]) == ""


def test_one_span_has_one_type_in_peoples_work() -> None:
    both = annotation(event("e1", 7, 14, "Strike.Shelling"), event("e2", 7, 14, "Effect.Casualty"))
    assert codes(check_annotation(both, document())) == ["span-duplicate"]
    assert codes(check_annotation(both, document(), constraints=False)) == []


def test_a_composed_document_without_text_is_no_wire_document() -> None:
    empty = msgspec.structs.replace(document(), text="")
    assert codes(check_documents([empty])) == ["document-hash"]
    assert codes(check_documents([msgspec.structs.replace(empty, origin="wire")])) == []
