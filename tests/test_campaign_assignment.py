"""Who annotates what: exactly k readers each, as even as can be, and what was given stays."""

from collections import Counter
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from campaigns import documents, everybody
from hypothesis import assume, given
from hypothesis import strategies as st
from test_campaign_config import made

from khabar.campaign.assignment import Assignment, assign, of_annotator
from khabar.campaign.opening import holdings, is_begun, still_given
from khabar.campaign.studio import Seat, Studio
from khabar.errors import KhabarError
from khabar.label_studio import desk

READERS = ["amal", "basil", "dunya"]  # of both languages; carol reads English only
ALL = [*READERS, "carol"]
LANGUAGES = st.lists(st.sampled_from(["en", "ar"]), min_size=1, max_size=20)


def loads(assignment: Assignment, names: list[str]) -> list[int]:
    count = Counter(name for each in assignment.values() for name in each)
    return [count[name] for name in names]


@given(LANGUAGES, st.integers(1, 3), st.integers(0, 99))
def test_each_document_has_exactly_k_readers_of_its_language(langs: list[str], k: int, seed: int) -> None:
    campaign = made(documents(*langs), annotators=ALL, per_document=k, seed=seed)
    found = assign(campaign, {})
    assert list(found) == list(campaign.rounds)
    for doc_id, names in found.items():
        assert len(set(names)) == len(names) == k
        assert all(campaign.documents[doc_id].lang in campaign.known[name].languages for name in names)
    assert assign(campaign, {}) == found


@given(LANGUAGES, st.integers(1, 3), st.integers(0, 99))
def test_where_everybody_reads_everything_loads_differ_by_one_at_most(langs: list[str], k: int, seed: int) -> None:
    campaign = made(documents(*langs), annotators=READERS, per_document=k, seed=seed)
    count = loads(assign(campaign, {}), READERS)
    assert max(count) - min(count) <= 1


def test_every_pair_shares_documents() -> None:
    campaign = made(documents(*["en"] * 24), annotators=ALL)
    pairs = Counter(frozenset(names) for names in assign(campaign, {}).values())
    assert set(pairs) == {frozenset(pair) for pair in combinations(ALL, 2)}
    assert max(pairs.values()) - min(pairs.values()) <= 1


@given(LANGUAGES, st.integers(0, 6), st.integers(0, 99))
def test_nobody_gets_more_than_at_most(langs: list[str], limit: int, seed: int) -> None:
    campaign = made(documents(*langs), annotators=READERS, at_most={"amal": limit}, seed=seed)
    assert loads(assign(campaign, {}), ["amal"])[0] <= limit


@given(LANGUAGES, LANGUAGES, st.integers(0, 99))
def test_what_is_given_stays_when_documents_and_annotators_are_added(
    first: list[str], more: list[str], seed: int
) -> None:
    before = assign(made(documents(*first), annotators=["amal", "basil"], seed=seed), {})
    after = assign(made(documents(*first, *more), annotators=READERS, seed=seed), before)
    assert {doc_id: after[doc_id] for doc_id in before} == before
    assert all(len(names) == 2 for names in after.values())


def test_an_annotator_who_is_added_gets_the_work_that_is_left() -> None:
    before = assign(made(documents(*["en"] * 4), annotators=["amal", "basil"]), {})
    after = assign(made(documents(*["en"] * 8), annotators=READERS), before)
    assert loads(after, READERS) == [6, 6, 4]
    assert loads(assign(made(documents(*["en"] * 12), annotators=READERS), before), READERS) == [8, 8, 8]


def test_a_document_with_too_few_gets_the_missing_ones_only() -> None:
    found = assign(made(documents("en", "en"), annotators=READERS), {"d01": ["dunya"], "d02": ["amal", "basil"]})
    assert found["d01"][0] == "dunya"
    assert len(found["d01"]) == 2
    assert found["d02"] == ("amal", "basil")


def test_one_who_left_is_not_given_anything_new() -> None:
    found = assign(made(documents("en", "en", "en")), {"d01": ["carol", "amal"]})
    assert found["d01"] == ("carol", "amal")
    assert all("carol" not in found[doc_id] for doc_id in ("d02", "d03"))


@pytest.mark.parametrize(
    ("task", "here", "gone"),
    [
        ({"annotations": []}, False, False),
        ({"annotations": [], "drafts": [{"id": 1}]}, True, False),
        ({"annotations": [{"was_cancelled": True}]}, True, False),
        ({"annotations": [{"was_cancelled": False}]}, True, True),
        ({"annotations": [{"id": 1}], "drafts": [{"id": 1}]}, True, True),
    ],
)
def test_only_submitted_work_stays_with_one_who_left(task: dict[str, Any], here: bool, gone: bool) -> None:
    assert (is_begun(task, left=False), is_begun(task, left=True)) == (here, gone)


def test_a_draft_of_one_who_left_does_not_keep_a_document_from_others(monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = made(documents("en", "en"), annotators=["amal", "basil"])
    tasks = [
        {"data": {"doc_id": "d01"}, "annotations": [], "drafts": [{"id": 1}]},
        {"data": {"doc_id": "d02"}, "annotations": [{"id": 1}]},
    ]
    stamp = Seat(round="all", who="carol", arm="blind", campaign="c").stamp()
    monkeypatch.setattr(Studio, "stamped", lambda _: {"c/all/carol": (SimpleNamespace(id=1), stamp)})
    monkeypatch.setattr(desk, "list_tasks", lambda *_: tasks)
    studio = Studio(campaign, Path("nowhere"))
    studio.__dict__["manager"] = None
    held, worked, _ = holdings(studio)
    found = assign(campaign, still_given(campaign, held, worked))
    assert set(found["d01"]) == {"amal", "basil"}
    assert found["d02"][0] == "carol"
    assert len(found["d02"]) == 2


def test_every_document_that_nobody_may_take_is_named() -> None:
    campaign = made(documents("en", "ar", "ar", "ar"), annotators=READERS, at_most=dict.fromkeys(READERS, 2))
    with pytest.raises(KhabarError) as caught:
        assign(campaign, {})
    assert [(issue.code, issue.doc_id, issue.found) for issue in caught.value.issues] == [
        ("assignment-impossible", "d04", "0 annotators who may take it")
    ]


@given(st.integers(0, 199))
def test_a_reader_of_few_languages_does_not_use_up_the_others(seed: int) -> None:
    # Two read Arabic, one of them one document only: whoever gives that one an English text leaves the Arabic one.
    campaign = made(documents("en", "ar"), annotators=["amal", "basil", "carol"], at_most={"amal": 1}, seed=seed)
    found = assign(campaign, {})
    assert set(found["d02"]) == {"amal", "basil"}
    assert set(found["d01"]) == {"basil", "carol"}


@given(LANGUAGES, st.integers(0, 99))
def test_each_annotator_meets_the_rounds_in_order_and_the_documents_by_lot(langs: list[str], seed: int) -> None:
    fields: dict[str, Any] = {"rounds": [{"name": "z", "count": 3}, {"name": "a"}], "seed": seed}
    campaign = made(documents(*langs), annotators=READERS, per_document=3, **fields)
    found = assign(campaign, {})
    for name in READERS:
        mine = list(of_annotator(campaign, found, name))
        assert sorted(mine) == sorted(campaign.documents)
        parts = [campaign.rounds[doc_id] for doc_id in mine]
        assert parts == sorted(parts, reverse=True)


def test_no_two_annotators_meet_the_documents_in_one_order() -> None:
    campaign = made(documents(*["en"] * 10), annotators=READERS, per_document=3)
    found = assign(campaign, {})
    assert len({tuple(of_annotator(campaign, found, name)) for name in READERS}) == 3


@given(LANGUAGES)
def test_the_assignment_is_the_same_on_every_machine(langs: list[str]) -> None:
    assume(len(langs) > 2)
    known = {item.name: item for item in reversed(everybody())}
    one, two = made(documents(*langs), annotators=ALL), made(documents(*langs), annotators=ALL)
    two.__dict__["known"] = known
    two = type(two)(two.config, Path("elsewhere"))
    two.__dict__.update({"documents": one.documents, "known": known})
    assert assign(one, {}) == assign(two, {})
