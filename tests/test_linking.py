from pathlib import Path

import msgspec
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
from khabar.registry import Actor, Place, Registry
from khabar.types import Annotation, Document, Event, Link, Mention

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
    places=(Place(id="t.land", theatre="t", kind="country", name_en="land", name_ar="أرض", variants=(), within=None),),
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
    assert [mention.entity for mention in one.mentions] == ["t.front", "t.front", "a/it"]
    assert two.mentions[0].entity == "t.front+t.league"
    assert [mention.entity for mention in three.mentions] == ["NIL/c/front", "c/front", "c/it"]
    assert [item.events[0].cluster for item in (one, two, three)] == ["t-1.e1", "t-1.e1", ""]
    assert apply_linking(GOLD, Linking())[0].mentions[0].entity == "NIL/a/front"


def test_a_state_and_its_land_may_have_one_key() -> None:
    state = msgspec.structs.replace(
        GOLD[0], mentions=(*GOLD[0].mentions, Mention(id="m4", start=6, end=10, type="PLACE", entity="front"))
    )
    both = Referents(doc_id="a", keys={"front": "t.front"}, places={"front": "t.land"})
    (written,) = apply_linking([state], Linking(referents=(both,)))
    assert [mention.entity for mention in written.mentions] == ["t.front", "t.front", "a/it", "t.land"]
    linking = Linking(referents=(keys("a"),))
    found = [issue.code for issue in check_linking(linking, [state], DOCUMENTS, REGISTRY)]
    assert found == ["entity-kind"]
    linking = Linking(referents=(both,))
    assert list(check_linking(linking, [state], DOCUMENTS, REGISTRY)) == []


def test_what_fits_is_accepted() -> None:
    assert codes(WHOLE) == []
    require_linking(WHOLE, GOLD, DOCUMENTS, REGISTRY)


TWICE = (keys("a"), *WHOLE.referents)
SAME = (*WHOLE.conflicts, msgspec.structs.replace(WHOLE.conflicts[0], id="t-1.c2"))
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
    broken = msgspec.structs.replace(WHOLE, **BROKEN[code])
    assert codes(broken) == [code]
    with pytest.raises(KhabarError) as caught:
        require_linking(broken, GOLD, DOCUMENTS, REGISTRY)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "twice",
    [
        {"referents": TWICE},
        {"clusters": (*WHOLE.clusters, Cluster(id="t-1.e1", triggers=()))},
        {"conflicts": SAME},
        {"conflicts": (*WHOLE.conflicts, WHOLE.conflicts[0])},
    ],
    ids=["document", "cluster", "pair", "conflict"],
)
def test_nothing_stands_twice(twice: dict[str, object]) -> None:
    assert set(codes(msgspec.structs.replace(WHOLE, **twice))) == {"id-duplicate"}


def test_coreferent_triggers_share_their_cluster() -> None:
    events = (GOLD[0].events[0], Event(id="e2", start=20, end=23, type="Territory.Capture"))
    linked = msgspec.structs.replace(GOLD[0], events=events, links=(Link(type="COREF", source="e2", target="e1"),))
    found = [issue.code for issue in check_linking(WHOLE, (linked, *GOLD[1:]), DOCUMENTS, REGISTRY)]
    assert found == ["cluster-coref"]
    whole = Cluster(id="t-1.e1", triggers=(*WHOLE.clusters[0].triggers, ("a", 20, 23)))
    joined = msgspec.structs.replace(WHOLE, clusters=(whole,))
    assert list(check_linking(joined, (linked, *GOLD[1:]), DOCUMENTS, REGISTRY)) == []


def test_no_local_key_is_taken_for_the_same_across_documents() -> None:
    from khabar.workspace import Workspace

    workspace = Workspace(Path(__file__).resolve().parent.parent / "annotations")
    homes: dict[str, set[str]] = {}
    for item in (*workspace.linked_gold("composed"), *workspace.linked_gold("wire")):
        for mention in item.mentions:
            if "/" in mention.entity:
                homes.setdefault(mention.entity, set()).add(item.doc_id)
    assert homes
    assert all(len(documents) == 1 for documents in homes.values())
