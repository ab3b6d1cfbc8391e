import msgspec
import pytest
from builders import annotation, document, event, mention

from khabar.adjudicate import Decision, Item, adjudicate, differences
from khabar.errors import KhabarError
from khabar.types import Link
from khabar.validate import check_annotation

ONE = annotation(
    mention("a1", 0, 6, "ARMED_GROUP", entity="rebels"),
    mention("a2", 15, 22, "PLACE", entity="derbekh"),
    event("x1", 7, 14, "Strike.Shelling", ("Agent", "a1"), ("Place", "a2")),
    author="annotator-a",
)
TWO = annotation(
    mention("b9", 15, 22, "PLACE", entity="town"),
    mention("b8", 0, 6, "ARMED_GROUP", entity="group"),
    mention("b7", 40, 44, "STATE_FORCES", kind="nominal", entity="group"),
    event("y1", 7, 14, "Strike.Shelling", ("Agent", "b8"), actuality="habitual"),
    author="annotator-b",
)
ARMY = Item("mention", 40, 44, "STATE_FORCES")
PLACE = Item("argument", 7, 14, "Place", (15, 22))
ACTUALITY = Item("attribute", 7, 14, "actuality", layer="event")


def decide(item: Item, value: str, **fields: object) -> Decision:
    return Decision(doc_id="d1", item=item, value=value, reason="T1", adjudicator="adjudicator-1", **fields)  # type: ignore[arg-type]


DECISIONS = [decide(ARMY, "keep"), decide(PLACE, "drop"), decide(ACTUALITY, "actual")]


def test_only_differences_are_listed_whatever_the_ids() -> None:
    found = {difference.item: difference.proposed for difference in differences(ONE, TWO)}
    assert found == {
        ARMY: {"annotator-b": "keep"},
        PLACE: {"annotator-a": "keep"},
        ACTUALITY: {"annotator-a": "actual", "annotator-b": "habitual"},
    }


def test_gold_is_the_agreed_and_the_decided() -> None:
    gold = adjudicate((ONE, TWO), DECISIONS)
    assert [(m.id, m.start, m.type, m.kind) for m in gold.mentions] == [
        ("m1", 0, "ARMED_GROUP", "name"),
        ("m2", 15, "PLACE", "name"),
        ("m3", 40, "STATE_FORCES", "nominal"),
    ]
    assert [(a.role, a.mention) for a in gold.events[0].arguments] == [("Agent", "m1")]
    assert gold.events[0].actuality == "actual"
    assert list(check_annotation(gold, document())) == []


def test_the_order_of_annotators_items_and_decisions_does_not_matter() -> None:
    gold = adjudicate((ONE, TWO), DECISIONS)
    turned = msgspec.structs.replace(TWO, mentions=TWO.mentions[::-1])
    assert adjudicate((ONE, turned), DECISIONS[::-1]) == gold


def test_actor_keys_come_from_the_first_annotator_and_the_seconds_are_mapped() -> None:
    assert [mention.entity for mention in adjudicate((ONE, TWO), DECISIONS).mentions] == ["rebels", "derbekh", "rebels"]


def test_without_differences_nothing_needs_a_decision() -> None:
    gold = adjudicate((ONE, ONE), [])
    assert [item.span for item in gold.items] == [item.span for item in ONE.items]


def test_a_difference_without_decision_is_an_error() -> None:
    with pytest.raises(KhabarError) as caught:
        adjudicate((ONE, TWO), DECISIONS[1:])
    assert caught.value.code == "decision-missing"
    assert "40–44" in str(caught.value)


def test_a_decision_about_nothing_is_an_error_unless_it_adds() -> None:
    stale = decide(Item("mention", 27, 34, "PLACE"), "keep")
    with pytest.raises(KhabarError) as caught:
        adjudicate((ONE, TWO), [*DECISIONS, stale])
    assert caught.value.code == "decision-stale"
    added = adjudicate((ONE, TWO), [*DECISIONS, msgspec.structs.replace(stale, added=True)])
    assert (27, 34) in {(mention.start, mention.end) for mention in added.mentions}


def test_dropping_a_mention_takes_its_arguments_with_it() -> None:
    gold = adjudicate((ONE, TWO), [*DECISIONS, decide(Item("mention", 0, 6, "ARMED_GROUP"), "drop")])
    assert gold.events[0].arguments == ()


INVALID = {
    "a misspelt value": [decide(ARMY, "kepe"), *DECISIONS[1:]],
    "two decisions on one item": [*DECISIONS, decide(ARMY, "drop")],
    "a value that the attribute does not have": [*DECISIONS[:2], decide(ACTUALITY, "past")],
    "an attribute that does not exist": [*DECISIONS, decide(Item("attribute", 7, 14, "tense", layer="event"), "past")],
    "an argument whose mention is dropped": [
        decide(ARMY, "keep"),
        decide(PLACE, "keep"),
        DECISIONS[2],
        decide(Item("mention", 15, 22, "PLACE"), "drop"),
    ],
}


@pytest.mark.parametrize("name", INVALID)
def test_a_decision_that_cannot_be_carried_out_is_an_error(name: str) -> None:
    with pytest.raises(KhabarError) as caught:
        adjudicate((ONE, TWO), INVALID[name])
    assert caught.value.code == "decision-invalid"


def test_an_attribute_of_nothing_is_stale() -> None:
    with pytest.raises(KhabarError) as caught:
        adjudicate((ONE, TWO), [*DECISIONS, decide(Item("attribute", 50, 53, "actuality", layer="event"), "actual")])
    assert caught.value.code == "decision-stale"


def test_a_symmetric_link_has_no_direction() -> None:
    events = (event("e1", 0, 6, "Effect.Casualty"), event("e2", 7, 14, "Effect.Casualty"))
    one = annotation(*events, author="a", links=(Link("CONFLICTS", "e1", "e2"),))
    two = annotation(*events, author="b", links=(Link("CONFLICTS", "e2", "e1"),))
    assert differences(one, two) == []
    assert adjudicate((one, two), []).links == (Link("CONFLICTS", "e2", "e1"),)
    caused = annotation(*events, author="b", links=(Link("CAUSES", "e2", "e1"),))
    assert len(differences(msgspec.structs.replace(one, links=(Link("CAUSES", "e1", "e2"),)), caused)) == 2
