import json
import random
from pathlib import Path

import msgspec
import pytest
from builders import GOLD, annotation, document, event, mention
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import Five, count, count_all

from khabar import jsonl
from khabar.corpus import GoldSet
from khabar.corpus import gold_set as make_set
from khabar.errors import KhabarError
from khabar.evaluation import evaluate
from khabar.inputs import Predictions, Unplaced
from khabar.metrics import LAYERS, METRICS, Counts, Metric
from khabar.metrics.assignment import BOUNDARY, EXACT, assign, assign_ratio, best_assignment
from khabar.metrics.columns import make_sides
from khabar.metrics.counting import compare_sides, count_metric
from khabar.metrics.counts import CountTable, make_table
from khabar.metrics.diagnosis import count_confusions, count_kinds, find_all
from khabar.ontology import ontology
from khabar.results import Settings
from khabar.types import Annotation, Argument, Document, Event, Mention

SPANS = st.tuples(st.integers(0, 24), st.integers(1, 7)).map(lambda pair: (pair[0], pair[0] + pair[1]))
ALL_LAYERS = (*LAYERS, "mentions")


@st.composite
def annotations(draw: st.DrawFn) -> Annotation:
    labels = ontology()
    names = labels.actors[:2] + labels.fillers[:2]
    mentions = draw(st.lists(st.tuples(SPANS, st.sampled_from(names)), max_size=4, unique=True))
    triggers = draw(st.lists(st.tuples(SPANS, st.sampled_from(labels.event_types[:3])), max_size=3, unique=True))
    items = [Mention(id=f"m{n}", start=s, end=e, type=t) for n, ((s, e), t) in enumerate(mentions)]
    if items and draw(st.booleans()):
        first = items[0]
        items[0] = msgspec.structs.replace(
            first, end=first.end + 4, pieces=((first.start, first.end), (first.end + 2, first.end + 4))
        )
    events = []
    for n, ((s, e), t) in enumerate(triggers):
        filled = st.tuples(st.sampled_from(["Agent", "Place"]), st.sampled_from([m.id for m in items] or [""]))
        roles = draw(st.lists(filled, max_size=3, unique=True))
        events.append(
            Event(
                id=f"e{n}",
                start=s,
                end=e,
                type=t,
                attribution=draw(st.sampled_from(labels.values("attribution"))),
                arguments=tuple(Argument(*r) for r in roles if r[1]),
            )
        )
    return Annotation(doc_id="d", mentions=tuple(items), events=tuple(events))


def table(metric: Metric, gold: list[Annotation], pred: list[Annotation]) -> CountTable:
    layers = ALL_LAYERS if metric.layer == "attributes" else (metric.layer,)
    inventory = None
    comparison = compare_sides(gold=gold, pred=pred, layers=layers, inventory=inventory)
    return count_metric(comparison, metric)


def five(counts: Counts) -> Five:
    return msgspec.structs.astuple(counts)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
class TestEveryMetric:
    @given(gold=annotations())
    @settings(max_examples=30, deadline=None)
    def test_gold_against_itself_is_exactly_one_or_undefined(self, metric: Metric, gold: Annotation) -> None:
        counts = table(metric, [gold], [gold]).total()
        assert counts.f1 == (1.0 if counts.gold else None)

    @given(gold=annotations(), pred=annotations(), seed=st.integers(0, 99))
    @settings(max_examples=30, deadline=None)
    def test_order_is_irrelevant(self, metric: Metric, gold: Annotation, pred: Annotation, seed: int) -> None:
        rng = random.Random(seed)
        mentions, events = list(pred.mentions), list(pred.events)
        rng.shuffle(mentions)
        rng.shuffle(events)
        shuffled = msgspec.structs.replace(pred, mentions=tuple(mentions), events=tuple(events))
        one, two = table(metric, [gold], [pred]), table(metric, [gold], [shuffled])
        assert one.total() == two.total()
        assert one.by_group() == two.by_group()

    @given(gold=annotations(), pred=annotations())
    @settings(max_examples=30, deadline=None)
    def test_swapping_gold_and_prediction_swaps_precision_and_recall(
        self, metric: Metric, gold: Annotation, pred: Annotation
    ) -> None:
        one, two = table(metric, [gold], [pred]).total(), table(metric, [pred], [gold]).total()
        assert (one.precision, one.recall, one.f1) == (two.recall, two.precision, two.f1)

    @given(gold=annotations(), pred=annotations())
    @settings(max_examples=60, deadline=None)
    def test_the_plain_reference_counts_the_same(self, metric: Metric, gold: Annotation, pred: Annotation) -> None:
        assert five(table(metric, [gold], [pred]).total()) == count(metric, gold, pred)

    @given(parts=st.lists(st.tuples(annotations(), annotations()), min_size=1, max_size=4))
    @settings(max_examples=25, deadline=None)
    def test_units_are_counted_apart_and_add_up(
        self, metric: Metric, parts: list[tuple[Annotation, Annotation]]
    ) -> None:
        whole = table(metric, [gold for gold, _ in parts], [pred for _, pred in parts])
        alone = [table(metric, [gold], [pred]) for gold, pred in parts]
        assert [sum(unit.values(), Counts()) for unit in whole.by_unit()] == [part.total() for part in alone]
        assert whole.total() == sum((part.total() for part in reversed(alone)), Counts())

    @given(gold=annotations(), pred=annotations())
    @settings(max_examples=25, deadline=None)
    def test_a_prediction_never_matches_more_than_there_is(
        self, metric: Metric, gold: Annotation, pred: Annotation
    ) -> None:
        counts = table(metric, [gold], [pred]).total()
        assert counts.matched + counts.partial + counts.incorrect <= min(counts.predicted, counts.gold)
        assert counts.missed >= 0
        assert counts.spurious >= 0


@given(gold=annotations(), pred=annotations())
@settings(max_examples=80, deadline=None)
def test_looser_metrics_never_credit_less(gold: Annotation, pred: Annotation) -> None:
    comparison = compare_sides(gold=[gold], pred=[pred], layers=ALL_LAYERS)
    total = {metric.name: count_metric(comparison, metric).total() for metric in METRICS}
    for layer, exact in (("actors", "actors"), ("fillers", "fillers"), ("triggers", "triggers.classified")):
        assert total[exact].matched <= total[f"{layer}.iou50"].matched <= total[f"{layer}.overlap"].matched
        partial = total[f"{layer}.partial"]
        assert partial.matched == total[exact].matched
        assert partial.matched + partial.partial == total[f"{layer}.overlap"].matched
    assert (
        total["triggers.classified"].matched <= total["triggers.family"].matched <= total["triggers.identified"].matched
    )
    for name in ("identified", "classified"):
        assert total[f"arguments.attached.{name}"].matched <= total[f"arguments.{name}"].matched
    assert total["arguments.given.classified"].matched == total["arguments.attached.classified"].matched


@given(gold=annotations(), pred=annotations())
@settings(max_examples=80, deadline=None)
def test_every_item_has_one_finding_and_the_confusions_add_up(gold: Annotation, pred: Annotation) -> None:
    comparison = compare_sides(gold=[gold], pred=[pred], layers=("actors", "fillers", "triggers", "arguments"))
    findings = find_all(comparison)
    kinds = count_kinds(findings)
    cells = count_confusions(findings)
    for layer, rows in comparison.layers.items():
        assert sum(finding.gold is not None for finding in findings if finding.layer == layer) == len(rows.gold)
        assert sum(finding.pred is not None for finding in findings if finding.layer == layer) == len(rows.pred)
        assert sum(number for one, _, number in cells.get(layer, []) if one) == len(rows.gold)
        assert sum(number for _, two, number in cells.get(layer, []) if two) == len(rows.pred)
        name = {"triggers": "triggers.classified", "arguments": "arguments.attached.classified"}.get(layer, layer)
        metric = next(metric for metric in METRICS if metric.name == name)
        assert kinds.get(layer, {}).get("correct", 0) == count_metric(comparison, metric).total().matched


def kinds_of(gold: Annotation, pred: Annotation, layer: str) -> dict[str, int]:
    return count_kinds(find_all(compare_sides(gold=[gold], pred=[pred], layers=(layer,)))).get(layer, {})


def test_each_kind_of_error_is_told() -> None:
    gold = annotation(
        mention("a", 0, 4, "PERSON"),
        mention("b", 10, 14, "PERSON"),
        mention("c", 20, 24, "PERSON"),
        mention("d", 30, 34, "PERSON"),
        mention("e", 40, 44, "PERSON"),
    )
    pred = annotation(
        mention("a", 0, 4, "PERSON"),
        mention("b", 10, 16, "PERSON"),
        mention("c", 20, 24, "ORG"),
        mention("d", 31, 36, "ORG"),
        mention("x", 1, 3, "PERSON"),
        mention("y", 50, 54, "PERSON"),
    )
    one_each = dict.fromkeys(("correct", "boundary", "type", "both", "duplicate", "spurious", "missed"), 1)
    assert kinds_of(gold, pred, "actors") == one_each


def test_an_argument_on_the_wrong_event_is_told_from_one_that_is_wrong() -> None:
    mentions = (mention("m1", 0, 6, "ARMED_GROUP"), mention("m2", 15, 22, "PLACE"), mention("m3", 27, 34, "PLACE"))
    gold = annotation(
        *mentions,
        event("e1", 7, 14, "Strike.Shelling", ("Agent", "m1"), ("Place", "m2")),
        event("e2", 45, 51, "Strike.Shelling", ("Place", "m3")),
    )
    pred = annotation(
        *mentions,
        event("e1", 7, 14, "Strike.Shelling", ("Target", "m1"), ("Place", "m3")),
        event("e2", 45, 51, "Strike.Shelling"),
    )
    assert kinds_of(gold, pred, "arguments") == {"type": 1, "wrong-event": 1, "missed": 1}


def test_an_argument_on_an_event_of_another_type_is_on_the_wrong_event_too() -> None:
    filler = mention("m1", 0, 6, "ARMED_GROUP")
    gold = annotation(
        filler, event("e1", 7, 14, "Strike.Shelling", ("Agent", "m1")), event("e2", 45, 51, "Combat.Clash")
    )
    pred = annotation(
        filler, event("e1", 7, 14, "Strike.Shelling"), event("e2", 45, 51, "Combat.Clash", ("Agent", "m1"))
    )
    assert kinds_of(gold, pred, "arguments") == {"wrong-event": 1}


def test_attributes_count_only_where_the_trigger_is_right() -> None:
    gold = annotation(event("e1", 0, 4, "Combat.Clash", attribution="denied"), event("e2", 5, 9, "Combat.Clash"))
    pred = annotation(event("x", 0, 4, "Combat.Clash", attribution="author"), event("y", 5, 9, "Combat.Attack"))
    metric = next(metric for metric in METRICS if metric.name == "attributes.attribution")
    assert table(metric, [gold], [pred]).by_group() == {"author": Counts(0, 1, 0), "denied": Counts(0, 0, 1)}


def sides(gold: list[tuple[int, int, str]], pred: list[tuple[int, int, str]]) -> object:
    one, two = (annotation(*(mention(f"m{n}", s, e, t) for n, (s, e, t) in enumerate(items))) for items in (gold, pred))
    return make_sides(gold=[one], pred=[two])


def test_a_later_exact_pair_is_not_lost_to_an_earlier_overlap() -> None:
    # Matched greedily in this order, the first prediction takes the gold span that the second one is.
    found = sides([(0, 10, "PERSON"), (20, 25, "PERSON")], [(2, 12, "PERSON"), (0, 10, "PERSON"), (20, 25, "PERSON")])
    pairs = assign(gold=found.gold["mentions"], pred=found.pred["mentions"], words=found.words)  # type: ignore[attr-defined]
    assert sorted(pairs.kind) == [EXACT, EXACT]


def test_a_chain_of_overlaps_is_paired_as_often_as_can_be() -> None:
    found = sides([(0, 6, "PERSON"), (5, 20, "PERSON")], [(4, 7, "PERSON"), (0, 3, "PERSON")])
    pairs = assign(gold=found.gold["mentions"], pred=found.pred["mentions"], words=found.words)  # type: ignore[attr-defined]
    assert list(pairs.kind) == [BOUNDARY, BOUNDARY]


@given(gold=annotations(), pred=annotations())
@settings(max_examples=60, deadline=None)
def test_a_ratio_of_one_is_exact_and_a_higher_threshold_never_finds_more(gold: Annotation, pred: Annotation) -> None:
    found = make_sides(gold=[gold], pred=[pred])
    rows = {"gold": found.gold["mentions"], "pred": found.pred["mentions"], "words": found.words}
    counts = [len(assign_ratio(**rows, threshold=threshold).kind) for threshold in (0.1, 0.5, 0.8, 1.0)]  # type: ignore[arg-type]
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] == int((assign(**rows).kind == EXACT).sum())  # type: ignore[arg-type]


@given(
    st.integers(1, 12).flatmap(
        lambda wide: st.lists(st.lists(st.integers(0, 50), min_size=wide, max_size=wide), min_size=1, max_size=12)
    )
)
@settings(max_examples=60, deadline=None)
def test_both_ways_to_assign_find_the_best_sum(rows: list[list[int]]) -> None:
    import numpy as np
    from scipy.optimize import linear_sum_assignment

    weights = np.array(rows, dtype=float)
    chosen = best_assignment(weights)
    assert len({row for row, _ in chosen}) == len({column for _, column in chosen}) == len(chosen)
    right = linear_sum_assignment(weights, maximize=True)
    assert sum(weights[pair] for pair in chosen) == weights[right].sum()


def test_keys_too_wide_for_one_number_are_counted_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    metric = next(metric for metric in METRICS if metric.name == "arguments.attached.classified")
    wide = table(metric, [GOLD], [GOLD]).total()
    monkeypatch.setattr("khabar.metrics.exact.LIMIT", 3)
    assert table(metric, [GOLD], [GOLD]).total() == wide


def test_undefined_is_none_and_no_match_is_zero() -> None:
    assert (Counts().precision, Counts().recall, Counts().f1) == (None, None, None)
    assert (Counts(0, 3, 0).precision, Counts(0, 3, 0).recall, Counts(0, 3, 0).f1) == (0.0, None, 0.0)
    assert (Counts(0, 0, 3).precision, Counts(0, 0, 3).recall, Counts(0, 0, 3).f1) == (None, 0.0, 0.0)
    assert Counts(2, 4, 3).f1 == pytest.approx(2 * 2 / 7)
    assert Counts(1, 4, 3, 1).credit == 1.5


def test_a_table_survives_the_way_to_json_and_back() -> None:
    metric = next(metric for metric in METRICS if metric.name == "actors.partial")
    before = table(metric, [GOLD, GOLD], [GOLD, annotation(mention("m", 2, 9, "ARMED_GROUP"))])
    encoded = msgspec.json.encode(before.by_unit())
    after = make_table(before.groups, msgspec.json.decode(encoded, type=list[dict[str, Counts]]))
    assert (after.array == before.array).all()


def gold_set(annotations: list[Annotation], documents: list[Document]) -> GoldSet:
    return make_set("case", documents, annotations)


CASES = sorted(
    path.parent for path in (Path(__file__).parent.parent / "evaluation" / "conformance").glob("*/expected.json")
)


def test_there_are_conformance_cases() -> None:
    assert len(CASES) >= 35


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_conformance(case: Path) -> None:
    expected = json.loads((case / "expected.json").read_text())
    annotated = jsonl.read_list(case / "gold.jsonl", Annotation)
    gold = gold_set(annotated, jsonl.read_list(case / "documents.jsonl", Document))
    chosen = Settings(**expected.get("settings", {}))
    if "error" in expected:
        with pytest.raises(KhabarError) as caught:
            evaluate(gold=gold, pred=case / "prediction.jsonl", settings=chosen)
        assert caught.value.code == expected["error"]
        return
    result = evaluate(gold=gold, pred=case / "prediction.jsonl", settings=chosen)
    for part in ("macro", "document_mean"):
        for name, average in expected.get(part, {}).items():
            said = getattr(result, part)[name]
            assert {"value": said.value, "over": said.over, "of": said.of} == average
    found = {
        name: {
            key: value
            for key in ("matched", "predicted", "gold", "partial", "incorrect")
            if (value := getattr(s, key)) or key in ("matched", "predicted", "gold")
        }
        for name, s in result.scores.items()
    }
    assert found == expected["counts"]
    assert {name: result.scores[name].f1 for name in expected.get("f1", {})} == expected.get("f1", {})
    assert list(result.coverage.missing) == expected.get("missing", [])
    assert {layer: result.errors.get(layer, {}) for layer in expected.get("errors", {})} == expected.get("errors", {})
    predicted = {item.doc_id: item for item in jsonl.read_list(case / "prediction.jsonl", Annotation)}
    totals: dict[str, list[int]] = {}
    for item in annotated:
        for name, five_counts in count_all(
            item, predicted.get(item.doc_id, Annotation(doc_id=item.doc_id)), result.layers
        ).items():
            totals[name] = [a + b for a, b in zip(totals.get(name, [0] * 5), five_counts, strict=True)]
    assert {name: list(five(Counts(**counts))) for name, counts in found.items()} == totals


def test_seqeval_and_exact_spans_agree_where_flattening_loses_nothing() -> None:
    pred = annotation(
        mention("m1", 0, 6, "ARMED_GROUP"), mention("m2", 15, 22, "FACILITY"), event("e1", 7, 14, "Strike.Shelling")
    )
    result = evaluate(gold=gold_set([GOLD], [document()]), pred=[pred], layers=("actors", "fillers", "triggers"))
    assert result.seqeval["actors"]["strict"].micro["f1"] == result.scores["actors"].f1
    assert result.seqeval["fillers"]["strict"].micro["f1"] == 0.0 == result.scores["fillers"].f1
    assert result.seqeval["triggers"]["default"].micro["f1"] == result.scores["triggers.classified"].f1


def test_truncated_predictions_keep_their_gold_as_misses() -> None:
    cut = annotation(*(item for item in (*GOLD.mentions, *GOLD.events) if item.end < 20))
    cut = msgspec.structs.replace(cut, events=(msgspec.structs.replace(cut.events[0], arguments=()),))
    result = evaluate(gold=gold_set([GOLD], [document()]), pred=[cut])
    assert result.scores["actors"].recall == 0.5
    assert result.scores["triggers.classified"].gold == 2


def test_what_has_no_place_counts_as_predicted_in_every_metric_of_its_layer() -> None:
    gold = gold_set([GOLD], [document()])
    lost = [
        Unplaced(doc_id="d1", layer="mentions", type="PERSON", quote="nobody", reason="not there"),
        Unplaced(doc_id="d1", layer="triggers", type="Combat.Clash", quote="fought", reason="not there"),
        Unplaced(doc_id="d1", layer="arguments", type="Agent", quote="nobody", reason="not there"),
    ]
    before = evaluate(gold=gold, pred=[GOLD])
    after = evaluate(gold=gold, pred=Predictions(annotations=(GOLD,), unplaced=tuple(lost)))
    for name, score in before.scores.items():
        given = name.startswith("attributes") or "given" in name or name.startswith("fillers")
        assert after.scores[name].predicted == score.predicted + (not given), name
        assert after.scores[name].matched == score.matched
    assert after.errors["actors"]["spurious"] == 1


def test_with_the_golds_triggers_given_other_triggers_are_refused_and_triggers_not_scored() -> None:
    gold = gold_set([GOLD], [document()])
    result = evaluate(gold=gold, pred=[GOLD], settings=Settings(triggers="gold"))
    assert not any(name.startswith("triggers") for name in result.scores)
    assert "triggers:gold" in result.signature
    with pytest.raises(KhabarError) as caught:
        evaluate(gold=gold, pred=[annotation(event("e", 0, 3, "Combat.Clash"))], settings=Settings(triggers="gold"))
    assert caught.value.code == "trigger-not-gold"


def test_macro_is_over_declared_types_that_occur_and_says_over_how_many() -> None:
    pred = annotation(mention("m1", 0, 6, "ARMED_GROUP"), mention("x", 52, 54, "PERSON"))
    result = evaluate(gold=gold_set([GOLD], [document()]), pred=[pred], layers=("actors",))
    macro = result.macro["actors"]
    assert (macro.over, macro.of) == (3, 9)
    assert macro.value == pytest.approx((1 + 0 + 0) / 3)


def test_the_signature_tells_data_and_labels_apart() -> None:
    one = evaluate(gold=gold_set([GOLD], [document()]), pred=[GOLD])
    two = evaluate(gold=gold_set([annotation()], [document()]), pred=[GOLD])
    assert one.signature != two.signature
    assert f"labels:{ontology().hash}" in one.signature
    assert "scheme:iob2-strict" in one.signature


def test_spans_that_iob2_cannot_hold_are_counted_on_both_sides() -> None:
    spurious = annotation(*GOLD.items, mention("m9", 0, 44, "ARMED_GROUP"))
    result = evaluate(gold=gold_set([GOLD], [document()]), pred=[spurious], layers=("actors",))
    assert result.losses["actors"]["gold"].split == 0
    assert result.losses["actors"]["predicted"].split == 1
    assert result.scores["actors"].predicted == 3


def test_the_signature_does_not_depend_on_the_order_of_layers_but_on_the_tokens() -> None:
    gold = gold_set([GOLD], [document()])
    one, two = (
        evaluate(gold=gold, pred=[GOLD], layers=layers).signature
        for layers in (["triggers", "actors", "actors"], ["actors", "triggers"])
    )
    assert one == two
    cut = msgspec.structs.replace(gold, tokens={"d1": gold.tokens["d1"][:1]})
    assert cut.hash != gold.hash


@pytest.mark.parametrize("layers", [["actor"], "places", []])
def test_unknown_layers_are_refused(layers: list[str]) -> None:
    with pytest.raises(KhabarError) as caught:
        evaluate(gold=gold_set([GOLD], [document()]), pred=[GOLD], layers=layers)
    assert caught.value.code == "usage"


def test_an_offset_past_the_end_of_a_text_that_is_not_here_is_refused() -> None:
    gold = msgspec.structs.replace(gold_set([GOLD], [document()]), documents=(document(""),))
    far = annotation(mention("m1", 0, 10**20, "PLACE"))
    with pytest.raises(KhabarError) as caught:
        evaluate(gold=gold, pred=[far])
    assert caught.value.code == "span-outside"


@pytest.mark.parametrize(
    "pieces", [((0, 3), (2, 6)), ((0, 3), (3, 3)), ((1, 3), (4, 6)), ((4, 6), (0, 3)), ((0, 3), (4, 5))]
)
def test_pieces_out_of_order_or_unlike_their_hull_are_refused(pieces: tuple[tuple[int, int], ...]) -> None:
    broken = annotation(mention("m1", 0, 6, "PLACE", pieces=pieces))
    with pytest.raises(KhabarError) as caught:
        evaluate(gold=gold_set([GOLD], [document()]), pred=[broken])
    assert caught.value.code == "span-pieces"


def test_documents_without_any_item_on_either_side_are_undefined_not_an_error() -> None:
    empty = [document(doc_id="d1"), document("", doc_id="d2"), document(doc_id="d3")]
    gold = gold_set([Annotation(doc_id=item.doc_id) for item in empty], empty)
    result = evaluate(gold=gold, pred=[])
    assert {score.f1 for score in result.scores.values()} == {None}
    assert result.macro["actors"].value is None
    assert (result.document_mean["actors"].value, result.document_mean["actors"].over) == (None, 0)
    assert result.seqeval["actors"]["strict"].reason
    assert evaluate(gold=gold, pred=[], settings=Settings(interval="bca")).scores == result.scores


def test_the_slices_of_the_documents_add_up() -> None:
    documents = [document(), document(doc_id="d2", lang="ar")]
    gold = gold_set([GOLD, msgspec.structs.replace(GOLD, doc_id="d2")], documents)
    result = evaluate(gold=gold, pred=[GOLD], layers=("actors", "triggers"))
    parts = result.slices["lang"]
    assert parts["en"].scores["actors"].f1 == 1.0
    assert parts["ar"].scores["actors"].recall == 0.0
    assert sum(part.scores["actors"].gold for part in parts.values()) == result.scores["actors"].gold
    polarity = result.slices["polarity"]
    assert all(part.recall_only and part.scores["triggers.classified"].f1 is None for part in polarity.values())
    assert sum(part.size for part in result.slices["length"].values()) == 4 + 4


def test_documents_can_be_sliced_and_resampled_by_any_field_that_they_have() -> None:
    documents = [document(storyline="s"), document(doc_id="d2", storyline="t")]
    gold = gold_set([GOLD, msgspec.structs.replace(GOLD, doc_id="d2")], documents)
    chosen = Settings(slices=("storyline",), unit="storyline")
    result = evaluate(gold=gold, pred=[GOLD], layers=("actors",), settings=chosen)
    assert set(result.slices["storyline"]) == {"s", "t"}
    assert "unit:storyline" in result.signature
    for wrong, code in ((Settings(slices=("mood",)), "field-unknown"), (Settings(unit="mood"), "unit-unknown")):
        with pytest.raises(KhabarError) as caught:
            evaluate(gold=gold, pred=[GOLD], settings=wrong)
        assert caught.value.code == code
