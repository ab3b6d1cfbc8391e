from xml.etree import ElementTree

import pytest

from khabar.label_studio.config import attribute_keys, labeling_config
from khabar.ontology import ontology

LABELS = ontology()


def test_the_inventory_is_that_of_the_schema() -> None:
    assert (len(LABELS.actors), len(LABELS.fillers), len(LABELS.event_types), len(LABELS.role_names)) == (9, 5, 27, 13)
    assert [family.name for family in LABELS.families] == list(dict.fromkeys(event.family for event in LABELS.events))
    assert len({family.color for family in LABELS.families}) == len(LABELS.families) == 9
    assert LABELS.link_names == ("CONTENT", "CAUSES", "PART_OF", "COREF", "CONFLICTS")


def test_names_and_hotkeys_are_unique() -> None:
    items = [*LABELS.entities, *LABELS.events]
    assert len({item.name for item in items}) == len(items)
    assert len({item.hotkey for item in items}) == len(items)
    assert len({entity.color for entity in LABELS.entities}) == len(LABELS.entities)


@pytest.mark.parametrize("item", [*LABELS.entities, *LABELS.events], ids=lambda item: item.name)
def test_every_type_has_two_examples_a_language_with_one_marked_span(item: object) -> None:
    for examples in (item.en, item.ar):  # type: ignore[attr-defined]
        assert len(examples) == 2
        assert len(set(examples)) == 2
        assert all(example.count("[") >= 1 and example.count("[") == example.count("]") for example in examples)
    assert any("\u0600" <= char <= "\u06ff" for char in "".join(item.ar))  # type: ignore[attr-defined]


def test_roles_of_events_exist_and_a_target_is_never_a_place() -> None:
    for event in LABELS.events:
        assert set(event.roles) <= set(LABELS.role_names)
    assert "PLACE" not in LABELS.allowed_fillers["Target"]
    assert LABELS.allowed_fillers["Agent"] == set(LABELS.actors)


ACLED = {
    "Battles": {"Armed clash", "Government regains territory", "Non-state actor overtakes territory"},
    "Protests": {"Peaceful protest", "Protest with intervention", "Excessive force against protesters"},
    "Riots": {"Violent demonstration", "Mob violence"},
    "Explosions/Remote violence": {
        "Chemical weapon",
        "Air/drone strike",
        "Suicide bomb",
        "Shelling/artillery/missile attack",
        "Remote explosive/landmine/IED",
        "Grenade",
    },
    "Violence against civilians": {"Sexual violence", "Attack", "Abduction/forced disappearance"},
    "Strategic developments": {
        "Agreement",
        "Arrests",
        "Change to group/activity",
        "Disrupted weapons use",
        "Headquarters or base established",
        "Looting/property destruction",
        "Non-violent transfer of territory",
        "Other",
    },
}
PLOVER = {
    "AGREE",
    "CONSULT",
    "SUPPORT",
    "CONCEDE",
    "COOPERATE",
    "AID",
    "RETREAT",
    "REQUEST",
    "ACCUSE",
    "REJECT",
    "THREATEN",
    "PROTEST",
    "SANCTION",
    "MOBILIZE",
    "COERCE",
    "ASSAULT",
}


@pytest.mark.parametrize("event", LABELS.events, ids=lambda event: event.name)
def test_the_crosswalk_names_only_what_the_codebooks_have(event: object) -> None:
    for row in event.acled:  # type: ignore[attr-defined]
        kind, _, sub = row.partition(" · ")
        assert sub in ACLED[kind]
    assert {row.split()[0] for row in event.plover} <= PLOVER  # type: ignore[attr-defined]


def test_tags_are_o_then_b_and_i_of_each_type_in_order() -> None:
    assert LABELS.tags("actors")[:3] == ("O", "B-STATE_FORCES", "I-STATE_FORCES")
    assert len(LABELS.tags("triggers")) == 1 + 2 * 27


def test_the_labelling_configuration_holds_every_label_once() -> None:
    view = ElementTree.fromstring(labeling_config())
    values = {
        control.get("name"): [item.get("value") for item in control.iter("Label")] for control in view.iter("Labels")
    }
    assert values == {"entity": list(LABELS.entity_types), "event": list(LABELS.event_types)}
    relations = [item.get("value") for item in view.iter("Relation")]
    assert relations == [*LABELS.role_names, *LABELS.link_names]
    text = view.find(".//Text")
    assert text is not None
    assert text.get("granularity") == "symbol"
    choices = {control.get("name"): [child.get("value") for child in control] for control in view.iter("Choices")}
    assert choices["attribution"] == ["author", "attributed", "denied"]
    assert all(control.get("perRegion") == "true" for control in view.iter("Choices"))
    assert text.get("showLabels") == "true"
    hotkeys = [label.get("hotkey") for label in view.iter("Label")]
    assert None not in hotkeys
    assert len(set(hotkeys)) == 41


# What Label Studio 1.23 binds on a page with a text, and in its list of tasks (Account settings, Hotkeys).
SHORTCUTS = (
    *("ctrl+enter", "ctrl+space", "ctrl+z", "ctrl+shift+z", "ctrl+backspace", "ctrl+h", "ctrl+d"),
    *("enter", "escape", "backspace", "delete", "u", "alt+r", "alt+h", "alt+l", "alt+m", "alt+."),
    *("shift+up", "shift+down", "shift+left", "shift+right", "shift+."),
)


def test_keys_are_free_of_label_studios_own_and_of_the_browsers() -> None:
    attributes = [
        key for owner in ("entity", "event") for keys in attribute_keys(LABELS, owner).values() for key in keys.values()
    ]
    keys = [*(item.hotkey for item in (*LABELS.entities, *LABELS.events)), *attributes]
    assert len(keys) == 41 + 16 == len(set(keys))
    assert not set(keys) & set(SHORTCUTS)
    # Browsers keep ctrl and alt (alt+d is the address bar, alt and a digit a tab): only shift is left.
    assert {key.rpartition("+")[0] for key in keys} == {"", "shift"}


def test_each_family_stands_in_a_group_with_its_name() -> None:
    view = ElementTree.fromstring(labeling_config())
    groups = {
        group.find("Header").get("value"): [label.get("value") for label in group.iter("Label")]  # type: ignore[union-attr]
        for group in view.iter("View")
        if "khabar-entity" in group.get("className", "") or "khabar-event" in group.get("className", "")
    }
    assert groups == {
        "actors": list(LABELS.actors),
        "fillers": list(LABELS.fillers),
        **{
            family.name: [event.name for event in LABELS.events if event.family == family.name]
            for family in LABELS.families
        },
    }


def test_the_adjudicators_page_asks_for_a_reason_and_is_otherwise_the_same() -> None:
    view = ElementTree.fromstring(labeling_config(adjudication=True))
    panel = view.find(".//View[@className='khabar-decision']")
    assert panel is not None
    assert [(item.tag, item.get("name") or item.get("value")) for item in panel] == [
        ("Header", "$question"),
        ("TextArea", "reason"),
        ("Choices", "general"),
    ]
    assert panel[1].get("required") == "true"
    assert all(item.get("perRegion") is None for item in panel)
    bar = view.find(".//View[@className='khabar-bar']")
    assert bar is not None
    bar.remove(panel)
    plain = "".join(labeling_config().split())
    assert "".join(ElementTree.tostring(view, encoding="unicode").split()) == plain
