import copy

import pytest
from builders import GOLD, TEXT, annotation, document, event, mention
from hypothesis import given
from hypothesis import strategies as st

from khabar.label_studio.convert import from_result, to_result, to_task
from khabar.label_studio.desk import Export, of_annotator, read_export
from khabar.ontology import ontology
from khabar.types import Annotation, Link, without_texts

AWKWARD = "  👩‍🚒 وقصفت المدفعيّةُ\u00a0قرية دربخ، e\u0301clair 👍🏽 near Ain\u00a0Issa.\n\nالجيش نفى ذلك."


@st.composite
def awkward_annotations(draw: st.DrawFn) -> Annotation:
    labels = ontology()
    spans = st.tuples(st.integers(0, len(AWKWARD) - 1), st.integers(1, 9)).map(
        lambda p: (p[0], min(len(AWKWARD), p[0] + p[1]))
    )
    places = draw(st.lists(spans, min_size=1, max_size=5, unique=True))
    kinds = [draw(st.sampled_from(labels.entity_types)) for _ in places]
    mentions = [
        mention(
            f"m{n}",
            s,
            e,
            t,
            kind=draw(st.sampled_from(["name", "nominal"])),
            loaded=draw(st.booleans()),
            entity=draw(st.sampled_from(["", "قرية", "x y"])),
        )
        for n, ((s, e), t) in enumerate(zip(places, kinds, strict=True))
    ]
    trigger = draw(spans)
    roles = draw(st.lists(st.sampled_from(labels.role_names), max_size=3, unique=True))
    one = event(
        "e1",
        *trigger,
        "Strike.Shelling",
        *((role, "m0") for role in roles),
        attribution=draw(st.sampled_from(labels.values("attribution"))),
    )
    two = event("e2", *draw(spans), "Effect.Casualty", polarity="negative", actuality="habitual", loaded=True)
    links = draw(
        st.sampled_from([(), (Link("CAUSES", "e1", "e2"),), (Link("CAUSES", "e1", "e2"), Link("COREF", "e1", "e2"))])
    )
    return annotation(*mentions, one, two, links=links)


@given(awkward_annotations())
def test_what_goes_into_label_studio_comes_out(work: Annotation) -> None:
    doc = document(AWKWARD)
    back, issues = from_result(to_result(work, AWKWARD), doc, author="")
    assert issues == []
    assert back.mentions == tuple(m for m in without_texts(back).mentions) or all(
        m.text == AWKWARD[m.start : m.end] for m in back.mentions
    )
    assert without_texts(back).mentions == work.mentions
    assert without_texts(back).events == work.events
    assert back.links == work.links


def test_a_task_carries_id_hash_and_the_exact_text() -> None:
    doc = document(AWKWARD)
    assert to_task(doc)["data"] == {"text": AWKWARD, "doc_id": "d1", "sha256": doc.sha256, "lang": "en"}


def test_defaults_are_left_out_and_roles_of_one_pair_share_a_relation() -> None:
    work = annotation(
        mention("m1", 0, 6, "ARMED_GROUP"), event("e1", 7, 14, "Politics.AccuseDeny", ("Agent", "m1"), ("Source", "m1"))
    )
    result = to_result(work, TEXT)
    assert [item["type"] for item in result] == ["labels", "labels", "relation"]
    assert result[-1]["labels"] == ["Agent", "Source"]


def change(**edits: object) -> list[dict[str, object]]:
    result = copy.deepcopy(to_result(GOLD, TEXT))
    result[0].update(edits)
    return result


RELATION = {"type": "relation", "from_id": "e1", "to_id": "m1", "direction": "right"}
BROKEN = {
    "region-shape": [*to_result(GOLD, TEXT), {"id": "z", "type": "brush", "value": {}}],
    "region-shape: two labels": change(value={"start": 0, "end": 6, "labels": ["PLACE", "PERSON"]}),
    "region-shape: a word as offset": change(value={"start": "0", "end": 6, "labels": ["PLACE"]}),
    "region-shape: unknown control": change(from_name="label"),
    "id-duplicate": [*to_result(GOLD, TEXT), to_result(GOLD, TEXT)[0]],
    "link-dangling": [*to_result(GOLD, TEXT), {**RELATION, "to_id": "m77", "labels": ["Agent"]}],
    "label-unknown": [*to_result(GOLD, TEXT), {**RELATION, "labels": ["Actor"]}],
    "relation-forbidden": [*to_result(GOLD, TEXT), {**RELATION, "labels": ["CAUSES"]}],
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_read_is_reported(name: str) -> None:
    _, issues = from_result(BROKEN[name], document(), author="")
    assert name.partition(":")[0] in {issue.code for issue in issues}


@pytest.mark.parametrize("labels", [{}, {"labels": []}, {"labels": None}])
def test_an_unlabelled_relation_is_reported_in_each_of_its_shapes(labels: dict[str, object]) -> None:
    _, issues = from_result([*to_result(GOLD, TEXT), {**RELATION, **labels}], document(), author="")
    assert [issue.code for issue in issues] == ["relation-unlabelled"]


def test_a_relation_drawn_to_the_left_is_turned() -> None:
    work = annotation(mention("m1", 0, 6, "ARMED_GROUP"), event("e1", 7, 14, "Combat.Clash"))
    left = {"type": "relation", "from_id": "m1", "to_id": "e1", "direction": "left", "labels": ["Party"]}
    back, issues = from_result([*to_result(work, TEXT), left], document(), author="")
    assert issues == []
    assert back.events[0].arguments[0].mention == "m1"


def test_a_selection_with_folded_white_space_is_not_another_text() -> None:
    text = "the  army\n\nleft"
    item = {
        "id": "a",
        "from_name": "entity",
        "to_name": "text",
        "type": "labels",
        "value": {"start": 0, "end": 9, "text": "the army", "labels": ["STATE_FORCES"]},
    }
    back, issues = from_result([item], document(text), author="")
    assert issues == []
    assert back.mentions[0].text == "the  army"
    item["value"]["text"] = "another"  # type: ignore[index]
    assert from_result([item], document(text), author="")[0].mentions[0].text == "another"


ACCOUNTS = {"2": "annotator-a@khabar.invalid", "3": "annotator-b@khabar.invalid"}
EMAIL = ACCOUNTS["2"]


def task(**edits: object) -> dict[str, object]:
    doc = document()
    work = {
        "completed_by": 2,
        "updated_by": 2,
        "result": to_result(GOLD, TEXT),
        "prediction": {"created_ago": "0 minutes"},
    }
    return {"data": to_task(doc)["data"], "predictions": [], "annotations": [{**work, **edits}]}


def read(*tasks: dict[str, object]) -> list[str]:
    return sorted(
        {issue.code for issue in read_export(tasks, ACCOUNTS, {"d1": document()}, email=EMAIL, author="annotator-a")[1]}
    )


def test_a_clean_export_reads_without_issue() -> None:
    assert read(task()) == []
    assert read(task(completed_by={"id": 2, "email": EMAIL})) == []


def test_foreign_skipped_and_repeated_work_is_found() -> None:
    assert read(task(updated_by=3)) == ["account-foreign"]
    assert read(task(completed_by=3, updated_by=3)) == ["account-foreign"]
    assert read(task(completed_by=9)) == ["account-foreign"]
    assert read(task(was_cancelled=True)) == ["annotation-missing"]
    twice = task()
    twice["annotations"] = [*twice["annotations"], *twice["annotations"]]  # type: ignore[misc]
    assert read(twice) == ["annotation-duplicate"]
    assert read(task(), task()) == ["document-duplicate"]


def test_another_text_or_document_is_found() -> None:
    other = task()
    other["data"] = {**other["data"], "sha256": "0"}  # type: ignore[dict-item]
    assert read(other) == ["document-hash"]
    other["data"] = {**task()["data"], "text": "changed"}  # type: ignore[dict-item]
    assert read(other) == ["document-hash"]
    other["data"] = {**task()["data"], "doc_id": "d7"}  # type: ignore[dict-item]
    assert read(other) == ["document-unknown"]


def test_one_annotators_part_is_cut_out_without_copies_and_without_texts_where_asked() -> None:
    exported = Export(tasks=[task()], accounts=ACCOUNTS)
    assert of_annotator(exported, ACCOUNTS["3"], keep_text=True) == []
    kept = of_annotator(exported, EMAIL, keep_text=True)[0]
    assert "prediction" not in kept["annotations"][0]
    assert "predictions" not in kept
    bare = str(of_annotator(exported, EMAIL, keep_text=False))
    assert "Rebels" not in bare
    assert "'labels': ['ARMED_GROUP']" in bare
