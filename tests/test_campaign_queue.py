"""The queue of differences, what an answer says, and the gold that comes of it."""

import msgspec
import pytest
from builders import annotation, document, event, mention
from hypothesis import given
from hypothesis import strategies as st

from khabar.adjudicate import Decision, Difference, Item, adjudicate, attributes_of, differences, items_of
from khabar.campaign.adjudication import stale_decisions
from khabar.campaign.asking import decisions_from, read_answer
from khabar.campaign.closing import LOG_HEAD, add_to_log, log_rows, trace
from khabar.campaign.queue import Knot, everything_in, knots_of, make_queue, version_in
from khabar.ontology import ontology
from khabar.types import Annotation, Argument, Event, Link, Mention, Span
from khabar.validate import check_annotation
from khabar.workspace import Workspace

A, B, C = "annotator-a", "annotator-b", "annotator-c"
JUDGE = "judge"
LENGTH = 24
DOCUMENT = document("abcdefghijklmnopqrstuvwx")

# ---------------------------------------------------------------- annotations at random, all of them valid

SPANS = st.tuples(st.integers(0, LENGTH - 1), st.integers(1, 5)).map(lambda p: Span(p[0], min(p[0] + p[1], LENGTH)))
TYPES = ["PERSON", "ARMED_GROUP", "PLACE"]
TRIGGERS = ["Combat.Clash", "Strike.Shelling"]


def _fitting(spans: list[Span]) -> list[Span]:
    kept: list[Span] = []
    for span in dict.fromkeys(spans):
        if not any(span.crosses(other) for other in kept):
            kept.append(span)
    return kept


@st.composite
def annotations(draw: st.DrawFn, author: str = A) -> Annotation:
    known = ontology()
    mentions = tuple(
        Mention(
            id=f"m{n}",
            start=span.start,
            end=span.end,
            type=draw(st.sampled_from(TYPES)),
            kind=draw(st.sampled_from(known.values("kind"))),
            loaded=draw(st.booleans()),
        )
        for n, span in enumerate(_fitting(draw(st.lists(SPANS, max_size=4))))
    )
    events = tuple(
        Event(
            id=f"e{n}",
            start=span.start,
            end=span.end,
            type=(label := draw(st.sampled_from(TRIGGERS))),
            actuality=draw(st.sampled_from(known.values("actuality"))),
            arguments=draw(_arguments(label, mentions)),
        )
        for n, span in enumerate(dict.fromkeys(draw(st.lists(SPANS, max_size=3))))
    )
    made = Annotation(doc_id="d1", author=author, mentions=mentions, events=events, links=draw(_links(events)))
    assert list(check_annotation(made, DOCUMENT)) == []
    return made


def _arguments(label: str, mentions: tuple[Mention, ...]) -> st.SearchStrategy[tuple[Argument, ...]]:
    known = ontology()
    allowed = [
        Argument(role, mention.id)
        for mention in mentions
        for role in ("Party", "Agent", "Place")
        if role in known.allowed_roles[label] and mention.type in known.allowed_fillers[role]
    ]
    some = st.lists(st.sampled_from(allowed), max_size=3, unique=True) if allowed else st.just([])
    return some.map(lambda chosen: tuple(sorted(chosen)))


def _links(events: tuple[Event, ...]) -> st.SearchStrategy[tuple[Link, ...]]:
    # A symmetric link and its mirror would be one: they run from the later to the earlier.
    pairs = [(one.id, two.id) for one in events for two in events if one.span > two.span]
    if not pairs:
        return st.just(())
    links = [Link(name, *pair) for pair in pairs for name in ("CAUSES", "COREF")]
    return st.lists(st.sampled_from(links), max_size=2, unique=True).map(tuple)


def said(made: Annotation) -> tuple[set[Item], dict[Item, str]]:
    return items_of(made), attributes_of(made)


def answer(knots: list[Knot], versions: list[Annotation], which: int) -> list[Decision]:
    return [decision for knot in knots for decision in decide(knot, versions, version_in(knot, versions[which]))]


def decide(knot: Knot, versions: list[Annotation], left: Annotation, *, reason: str = "R1") -> list[Decision]:
    return decisions_from(knot, versions, left, reason=reason, general=False, adjudicator=JUDGE)


@given(annotations(A), annotations(B))
def test_every_difference_is_in_exactly_one_knot(one: Annotation, two: Annotation) -> None:
    knots = knots_of("d1", [one, two])
    held = [item for knot in knots for item in knot.items]
    assert len(held) == len(set(held))
    assert set(held) == {difference.item for difference in differences(one, two)}
    assert sorted(make_queue({"d1": [one, two]}, {}), key=lambda k: k.id) == sorted(knots, key=lambda k: k.id)


@given(annotations(A), annotations(B))
def test_spans_that_overlap_are_one_question(one: Annotation, two: Annotation) -> None:
    for knot in (knots := knots_of("d1", [one, two])):
        for other in knots:
            if knot is not other:
                for kind in ("mention", "event"):
                    mine = [Span(i.start, i.end) for i in knot.items if i.kind == kind]
                    theirs = [Span(i.start, i.end) for i in other.items if i.kind == kind]
                    assert not any(here.overlaps(there) for here in mine for there in theirs)


@given(annotations(A), annotations(B))
def test_what_is_shown_is_valid_by_itself_and_holds_what_its_version_says(one: Annotation, two: Annotation) -> None:
    for knot in knots_of("d1", [one, two]):
        for version in (one, two):
            shown = version_in(knot, version)
            assert list(check_annotation(shown, DOCUMENT)) == []
            whole, part = everything_in(version), everything_in(shown)
            assert part.items() <= whole.items()
            assert {item: whole[item] for item in knot.items if item in whole}.items() <= part.items()


@given(annotations(A), annotations(B), st.integers(0, 1))
def test_answering_with_one_version_everywhere_makes_it_the_gold(one: Annotation, two: Annotation, which: int) -> None:
    versions = [one, two]
    decisions = answer(knots_of("d1", versions), versions, which)
    assert said(adjudicate(versions, decisions)) == said(versions[which])
    assert not any(decision.added for decision in decisions)
    assert all(decision.reason == "R1" for decision in decisions)


@given(annotations(A), annotations(B), annotations(C), st.integers(0, 2))
def test_the_same_with_three_versions(one: Annotation, two: Annotation, three: Annotation, which: int) -> None:
    versions = [one, two, three]
    decisions = answer(knots_of("d1", versions), versions, which)
    gold = adjudicate(versions, decisions)
    assert said(gold) == said(versions[which])
    origins = trace(gold, versions, decisions)
    assert {origin.item: origin.value for origin in origins} == everything_in(gold)
    for origin in origins:
        assert versions[which].author in origin.proposed_by
        assert (origin.decided_by == JUDGE) == any(decision.item == origin.item for decision in decisions)


@given(annotations(A), annotations(B), st.data())
def test_each_question_can_be_answered_by_itself(one: Annotation, two: Annotation, data: st.DataObject) -> None:
    versions = [one, two]
    chosen = [(knot, data.draw(st.integers(0, 1))) for knot in knots_of("d1", versions)]
    decisions = [d for knot, which in chosen for d in answer([knot], versions, which)]
    gold = adjudicate(versions, decisions)
    assert list(check_annotation(gold, DOCUMENT)) == []
    for knot, which in chosen:
        whole = everything_in(versions[which])
        held = items_of(gold)
        assert all((item in held) == (item in whole) for item in knot.items if item.kind != "attribute")


@given(annotations(A), annotations(B))
def test_answering_with_nothing_leaves_what_was_not_shown(one: Annotation, two: Annotation) -> None:
    versions, nothing = [one, two], annotation()
    knots = knots_of("d1", versions)
    decisions = {d.item: d for knot in knots for d in decide(knot, versions, nothing)}
    gold = adjudicate(versions, decisions.values())
    shown = {item for knot in knots for v in versions for item in everything_in(version_in(knot, v))}
    assert not items_of(gold) & shown
    # An argument or a link goes with its ends.
    kept = {i for i in items_of(one) & items_of(two) if i.kind in ("mention", "event")}
    assert {i for i in items_of(gold) if i.kind in ("mention", "event")} == kept - shown


@given(annotations(A), annotations(B))
def test_a_decided_knot_leaves_the_queue_and_the_others_keep_their_names(one: Annotation, two: Annotation) -> None:
    versions = [one, two]
    queue = make_queue({"d1": versions}, {})
    for knot in queue:
        items = [decision.item for decision in decide(knot, versions, version_in(knot, one))]
        left = make_queue({"d1": versions}, {"d1": items})
        assert {k.id for k in left} == {k.id for k in queue} - {knot.id}
    assert make_queue({"d1": versions}, {"d1": [item for knot in queue for item in knot.items]}) == []


@given(annotations(A), annotations(B))
def test_names_of_knots_do_not_depend_on_ids_or_order(one: Annotation, two: Annotation) -> None:
    renamed = msgspec.structs.replace(
        one,
        mentions=tuple(msgspec.structs.replace(m, id=f"x-{m.id}") for m in reversed(one.mentions)),
        events=tuple(
            msgspec.structs.replace(
                e, id=f"x-{e.id}", arguments=tuple(Argument(a.role, f"x-{a.mention}") for a in e.arguments)
            )
            for e in reversed(one.events)
        ),
        links=tuple(Link(link.type, f"x-{link.source}", f"x-{link.target}") for link in reversed(one.links)),
    )
    ids = [knot.id for knot in knots_of("d1", [one, two])]
    assert ids == [knot.id for knot in knots_of("d1", [two, renamed])]
    assert len(set(ids)) == len(ids)
    assert not set(ids) & {knot.id for knot in knots_of("d2", [one, two])}


# ---------------------------------------------------------------- the corpus as it was annotated


@pytest.fixture(scope="module")
def corpus() -> dict[str, list[Annotation]]:
    from conftest import ROOT

    workspace = Workspace(ROOT / "annotations")
    found: dict[str, list[Annotation]] = {}
    for name in workspace.annotators:
        for item in workspace.work("composed", name):
            found.setdefault(item.doc_id, []).append(item)
    return found


@pytest.mark.parametrize("which", [0, 1])
def test_the_stored_work_answered_with_one_annotator_is_that_annotators(
    corpus: dict[str, list[Annotation]], which: int
) -> None:
    for doc_id, versions in corpus.items():
        knots = knots_of(doc_id, versions)
        for knot in knots:
            for version in versions:
                assert list(check_annotation(version_in(knot, version))) == []
        assert said(adjudicate(versions, answer(knots, versions, which))) == said(versions[which])


def test_the_first_questions_show_every_common_kind_of_difference(corpus: dict[str, list[Annotation]]) -> None:
    queue = make_queue(corpus, {})
    all_of_them = sum((knot.patterns for knot in queue), queue[0].patterns.__class__())
    half = {pattern for knot in queue[: len(queue) // 2] for pattern in knot.patterns}
    assert {pattern for pattern, count in all_of_them.items() if count >= 4} <= half
    worth = [sum(all_of_them[pattern] for pattern in knot.patterns) for knot in queue]
    assert worth[0] == max(worth)


# ---------------------------------------------------------------- small cases by hand

ARMY, TOWN = mention("m1", 0, 6, "ARMED_GROUP"), mention("m2", 15, 22, "PLACE")
SHELLED = event("e1", 7, 14, "Strike.Shelling", ("Agent", "m1"), ("Place", "m2"))
BARE = event("e1", 7, 14, "Strike.Shelling", ("Agent", "m1"))
TEXT = document()


def one_knot(*versions: Annotation) -> tuple[Knot, list[Annotation]]:
    (knot,) = knots_of("d1", versions)
    return knot, list(versions)


def values(decisions: list[Decision]) -> dict[tuple[str, str, int], str]:
    return {(d.item.kind, d.item.type, d.item.start): d.value for d in decisions}


def test_one_filler_at_two_triggers_is_one_question() -> None:
    denied = event("e2", 45, 51, "Politics.AccuseDeny")
    one = annotation(ARMY, BARE, denied, author=A)
    two = annotation(
        ARMY,
        event("e1", 7, 14, "Strike.Shelling"),
        event("e2", 45, 51, "Politics.AccuseDeny", ("Agent", "m1")),
        author=B,
    )
    knot, _ = one_knot(one, two)
    assert [(d.item.start, d.proposed) for d in knot.differences] == [(7, {A: "keep"}), (45, {B: "keep"})]


def test_two_triggers_with_other_fillers_are_two_questions() -> None:
    denied = event("e2", 45, 51, "Politics.AccuseDeny")
    one = annotation(ARMY, TOWN, SHELLED, denied, author=A)
    two = annotation(ARMY, TOWN, BARE, event("e2", 45, 51, "Politics.AccuseDeny", ("Agent", "m1")), author=B)
    assert len(knots_of("d1", [one, two])) == 2


def test_two_widths_of_a_trigger_are_one_question() -> None:
    one = annotation(event("e1", 7, 14, "Strike.Shelling"), author=A)
    two = annotation(event("e1", 0, 14, "Strike.Shelling"), author=B)
    knot, versions = one_knot(one, two)
    assert said(adjudicate(versions, decide(knot, versions, two))) == said(two)


def test_what_the_adjudicator_adds_is_added() -> None:
    knot, versions = one_knot(annotation(ARMY, TOWN, SHELLED, author=A), annotation(ARMY, TOWN, BARE, author=B))
    army = mention("m3", 40, 44, "STATE_FORCES", kind="nominal")
    left = annotation(ARMY, TOWN, SHELLED, army)
    decisions = decide(knot, versions, left)
    assert [(d.item.kind, d.value, d.added, d.proposed_by) for d in decisions] == [
        ("argument", "keep", False, (A,)),
        ("attribute", "nominal", False, ()),
        ("mention", "keep", True, ()),
    ]
    assert said(adjudicate(versions, decisions)) == said(left)


def test_what_both_marked_can_be_taken_away_and_changed() -> None:
    knot, versions = one_knot(annotation(ARMY, TOWN, SHELLED, author=A), annotation(ARMY, TOWN, BARE, author=B))
    other = event("e1", 7, 14, "Combat.Attack", ("Agent", "m1"), actuality="habitual")
    decisions = decide(knot, versions, annotation(ARMY, other))
    assert values(decisions) == {
        ("argument", "Place", 7): "drop",
        ("event", "Strike.Shelling", 7): "drop",
        ("mention", "PLACE", 15): "drop",
        ("event", "Combat.Attack", 7): "keep",
        ("attribute", "actuality", 7): "habitual",
    }
    gold = adjudicate(versions, decisions)
    assert said(gold) == said(annotation(ARMY, other))
    origin = next(o for o in trace(gold, versions, decisions) if o.item.type == "Combat.Attack")
    assert (origin.proposed_by, origin.decided_by, origin.reason) == ((), JUDGE, "R1")


def test_an_attribute_is_decided_by_what_stands() -> None:
    one = annotation(event("e1", 7, 14, "Strike.Shelling"), author=A)
    two = annotation(event("e1", 7, 14, "Strike.Shelling", actuality="habitual"), author=B)
    knot, versions = one_knot(one, two)
    third = annotation(event("e1", 7, 14, "Strike.Shelling", actuality="future"))
    assert adjudicate(versions, decide(knot, versions, two)).events[0].actuality == "habitual"
    assert adjudicate(versions, decide(knot, versions, third)).events[0].actuality == "future"
    gone = decide(knot, versions, annotation())
    assert adjudicate(versions, gone).events == ()


def test_neither_is_an_answer() -> None:
    knot, versions = one_knot(annotation(ARMY, author=A), annotation(mention("m1", 0, 14, "PERSON"), author=B))
    assert adjudicate(versions, decide(knot, versions, annotation())).mentions == ()
    third = annotation(mention("m1", 7, 14, "PERSON"))
    assert said(adjudicate(versions, decide(knot, versions, third))) == said(third)


def test_an_answer_has_a_reason_a_word_on_the_guidelines_and_what_was_marked() -> None:
    region = {"from_name": "entity", "value": {"start": 0, "end": 6, "labels": ["PERSON"]}}
    told = [
        {"from_name": "reason", "value": {"text": ["  R1,", "R2 "]}},
        {"from_name": "general", "value": {"choices": ["yes"]}},
        region,
    ]
    assert read_answer(told) == ("R1,\nR2", True, [region])
    assert read_answer([region]) == ("", False, [region])


def test_the_commonest_kind_of_difference_is_asked_first_and_then_another() -> None:
    one = {f"d{n}": annotation(ARMY, doc_id=f"d{n}", author=A) for n in range(5)}
    two = {f"d{n}": annotation(doc_id=f"d{n}", author=B) for n in range(5)}
    one["d5"], two["d5"] = annotation(TOWN, doc_id="d5", author=A), annotation(doc_id="d5", author=B)
    one["d6"], two["d6"] = annotation(TOWN, doc_id="d6", author=A), annotation(doc_id="d6", author=B)
    queue = make_queue({doc_id: [one[doc_id], two[doc_id]] for doc_id in one}, {})
    assert [knot.doc_id for knot in queue] == ["d0", "d1", "d5", "d2", "d3", "d4", "d6"]


# ---------------------------------------------------------------- decisions that have become stale


def test_a_decision_is_stale_once_an_annotator_changed_the_work() -> None:
    one, two = annotation(ARMY, TOWN, SHELLED, author=A), annotation(ARMY, TOWN, BARE, author=B)
    knot, versions = one_knot(one, two)
    left = annotation(ARMY, TOWN, SHELLED, mention("m3", 40, 44, "STATE_FORCES", kind="nominal"))
    decisions = decide(knot, versions, left)
    assert stale_decisions({"d1": versions}, decisions) == []
    assert stale_decisions({}, decisions) == []
    both = [one, msgspec.structs.replace(one, author=B)]
    assert [d.item.type for d in stale_decisions({"d1": both}, decisions)] == ["Place"]


# ---------------------------------------------------------------- the guidelines' log


def decision(reason: str, *, doc_id: str = "d1", start: int = 0, end: int = 6) -> Decision:
    item = Item("mention", start, end, "ARMED_GROUP")
    return Decision(doc_id=doc_id, item=item, value="keep", reason=reason, adjudicator=JUDGE, general=True)


def test_a_reason_is_one_row_with_its_examples_and_is_added_once() -> None:
    rows = log_rows({"d1": TEXT}, [decision("No | article."), decision("No | article.", start=15, end=22)])
    assert rows == [
        {"question": "mention ARMED_GROUP?", "decision": "No | article.", "example": "[Rebels] (d1); [Derbekh] (d1)"}
    ]
    text, new = add_to_log("# Guidelines\n", rows)
    assert new == 1
    assert "| 1 | mention ARMED_GROUP? | No / article. | [Rebels] (d1); [Derbekh] (d1) |" in text
    assert add_to_log(text, rows) == (text, 0)


def test_rows_go_into_the_table_of_the_log_and_into_no_other() -> None:
    before = f"# G\n\n{LOG_HEAD}\n\n| no. | q | d | e |\n|---|---|---|---|\n| 7 | a | b | c |\n"
    after = "\n## Another table\n\n| no. | x |\n|---|---|\n| 99 | y |\n"
    text, new = add_to_log(before + after, log_rows({"d1": TEXT}, [decision("R")]))
    assert new == 1
    assert text == f"{before}| 8 | mention ARMED_GROUP? | R | [Rebels] (d1) |\n{after}"


def test_of_texts_that_may_not_be_shipped_single_words_are_quoted_only() -> None:
    wire = msgspec.structs.replace(TEXT, origin="wire")
    (row,) = log_rows({"d1": wire}, [decision("R"), decision("R", start=0, end=14)])
    assert row["example"] == "[Rebels] (d1); 0–14 (d1)"


def test_a_knot_is_named_by_what_is_in_it() -> None:
    difference = Difference(item=Item("mention", 0, 6, "PERSON"), proposed={A: "keep", B: "drop"})
    other = Difference(item=Item("mention", 0, 6, "PERSON"), proposed={B: "drop", A: "keep"})
    one, two = Knot(doc_id="d1", differences=(difference,)), Knot(doc_id="d1", differences=(other,))
    assert one.id == two.id
    assert len(one.id) == 16
