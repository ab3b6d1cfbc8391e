from pathlib import Path

import pytest

from khabar.errors import KhabarError
from khabar.linking import (
    NIL,
    Cluster,
    Conflict,
    Linking,
    Referents,
    apply_linking,
    check_linking,
    require_linking,
)
from khabar.registry import Actor, Registry
from khabar.types import Annotation, Document, Event, Mention

REGISTRY = Registry(
    actors=tuple(
        Actor(
            id=name,
            theatre="t",
            type="ARMED_GROUP",
            name_en=name,
            name_ar="اسم",
            aliases=(),
            valid_from=None,
            valid_to=None,
            side="x",
            sponsor=None,
            predecessor=None,
            note="",
        )
        for name in ("t.front", "t.league")
    ),
    places=(),
    storylines=(),
)


def document(doc_id: str, storyline: str = "t-1") -> Document:
    names = ("lang", "origin", "theatre", "genre", "stance", "outlet", "date", "licence", "sha256")
    return Document(**dict.fromkeys(names, "x"), doc_id=doc_id, storyline=storyline, text="Front took it. They did.")


def gold(doc_id: str) -> Annotation:
    return Annotation(
        doc_id=doc_id,
        mentions=(
            Mention(id="m1", start=0, end=5, type="ARMED_GROUP", entity="front"),
            Mention(id="m2", start=15, end=19, type="ARMED_GROUP", kind="pronoun", entity="front"),
            Mention(id="m3", start=11, end=13, type="PLACE", kind="pronoun", entity="it"),
        ),
        events=(Event(id="e1", start=6, end=10, type="Territory.Capture"),),
    )


def keys(doc_id: str, value: str = "t.front") -> Referents:
    return Referents(doc_id=doc_id, keys={"front": value})


DOCUMENTS = (document("a"), document("b"), document("c", "t-2"))
GOLD = tuple(gold(item.doc_id) for item in DOCUMENTS)
WHOLE = Linking(
    referents=(keys("a"), keys("b", "t.front+t.league"), keys("c", NIL)),
    clusters=(Cluster(id="t-1.e1", triggers=(("a", 6, 10), ("b", 6, 10))),),
    conflicts=(Conflict(id="t-1.c1", storyline="t-1", first=("a", 6, 10), second=("b", 6, 10), why="who"),),
)


def codes(linking: Linking) -> list[str]:
    return [issue.code for issue in check_linking(linking, GOLD, DOCUMENTS, REGISTRY)]


def test_ids_and_clusters_are_written_into_the_gold_and_unknown_names_stay_apart() -> None:
    one, two, three = apply_linking(GOLD, WHOLE)
    assert [mention.entity for mention in one.mentions] == ["t.front", "t.front", "it"]
    assert two.mentions[0].entity == "t.front+t.league"
    assert [mention.entity for mention in three.mentions] == ["NIL/front", "front", "it"]
    assert [item.events[0].cluster for item in (one, two, three)] == ["t-1.e1", "t-1.e1", ""]
    assert apply_linking(GOLD, Linking())[0].mentions[0].entity == "NIL/front"


def test_what_fits_is_accepted() -> None:
    assert codes(WHOLE) == []
    require_linking(WHOLE, GOLD, DOCUMENTS, REGISTRY)


BROKEN = {
    "entity-unresolved": {"referents": (keys("a"), keys("b"))},
    "entity-unused": {
        "referents": (*WHOLE.referents[:2], Referents(doc_id="c", keys={"front": NIL, "nobody": "t.front"}))
    },
    "registry-dangling": {"referents": (keys("a", "t.ghost"), *WHOLE.referents[1:])},
    "id-duplicate": {"clusters": (*WHOLE.clusters, Cluster(id="t-1.e2", triggers=(("a", 6, 10),)))},
    "trigger-unknown": {"clusters": (Cluster(id="t-1.e1", triggers=(("a", 0, 5),)),)},
    "cluster-wide": {"clusters": (Cluster(id="t-1.e1", triggers=(("a", 6, 10), ("c", 6, 10))),)},
    "conflict-misplaced": {
        "conflicts": (Conflict(id="x", storyline="t-1", first=("a", 6, 10), second=("a", 6, 10), why="same"),)
    },
}


@pytest.mark.parametrize("code", BROKEN)
def test_breaches_are_found(code: str) -> None:
    import msgspec

    broken = msgspec.structs.replace(WHOLE, **BROKEN[code])
    assert codes(broken) == [code]
    with pytest.raises(KhabarError) as caught:
        require_linking(broken, GOLD, DOCUMENTS, REGISTRY)
    assert caught.value.code == code


def test_the_kept_linking_can_be_read() -> None:
    from khabar.workspace import Workspace

    found = Workspace(Path(__file__).resolve().parent.parent / "annotations").linking
    assert found.referents
    assert found.clusters
    assert found.conflicts
