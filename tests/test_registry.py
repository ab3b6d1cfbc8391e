from pathlib import Path

import msgspec
import pytest

from khabar.registry import Registry, check_registry, read_registry
from khabar.workspace import Workspace

ROOT = Path(__file__).resolve().parent.parent
REGISTRY = read_registry(ROOT / "annotations" / "registry")
WORKSPACE = Workspace(ROOT / "annotations")


def codes(registry: Registry) -> list[str]:
    return [issue.code for issue in check_registry(registry)]


def test_the_registry_holds_together() -> None:
    assert [issue.message for issue in check_registry(REGISTRY)] == []


def test_every_name_has_an_arabic_form() -> None:
    for entry in (*REGISTRY.actors, *REGISTRY.places):
        assert any("\u0600" <= char <= "\u06ff" for char in entry.name_ar), entry.id


def test_storylines_conflict_and_are_told_by_documents() -> None:
    told = {document.storyline for document in WORKSPACE.documents("composed")}
    assert {storyline.id for storyline in REGISTRY.storylines} == told
    assert all(storyline.conflicts and len(storyline.events) >= 6 for storyline in REGISTRY.storylines)


def test_a_group_has_a_former_name() -> None:
    theatres = {actor.theatre for actor in REGISTRY.actors if actor.predecessor}
    assert len(theatres) >= 3


@pytest.mark.parametrize(
    ("field", "edit", "code"),
    [
        ("actors", {"type": "PLACE"}, "label-unknown"),
        ("actors", {"sponsor": "nobody"}, "registry-dangling"),
        ("places", {"within": "nowhere"}, "registry-dangling"),
        ("storylines", {"conflicts": (("e9", "x"),)}, "registry-dangling"),
    ],
)
def test_breaches_are_found(field: str, edit: dict[str, object], code: str) -> None:
    entries = getattr(REGISTRY, field)
    broken = msgspec.structs.replace(entries[0], **edit)
    assert codes(msgspec.structs.replace(REGISTRY, **{field: (broken, *entries[1:])})) == [code]
    assert codes(msgspec.structs.replace(REGISTRY, **{field: (entries[0], *entries)})) == ["id-duplicate"]
