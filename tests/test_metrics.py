import json
import random
from pathlib import Path

import msgspec
import pytest
from builders import GOLD, annotation, document, event, mention
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics import classification_report
from seqeval.scheme import IOB2

from khabar import jsonl
from khabar.corpus import GoldSet
from khabar.corpus import gold_set as make_set
from khabar.errors import KhabarError
from khabar.evaluation import evaluate
from khabar.metrics import METRICS, Counts
from khabar.metrics.declared import count_groups
from khabar.metrics.seqeval_view import score_tags
from khabar.ontology import ontology
from khabar.statistics import f1_interval
from khabar.types import Annotation, Argument, Document, Event, Mention

SPANS = st.tuples(st.integers(0, 40), st.integers(1, 8)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@st.composite
def annotations(draw: st.DrawFn) -> Annotation:
    labels = ontology()
    mentions = draw(
        st.lists(
            st.tuples(SPANS, st.sampled_from(labels.entity_types[:3] + labels.fillers[:2])), max_size=6, unique=True
        )
    )
    triggers = draw(st.lists(st.tuples(SPANS, st.sampled_from(labels.event_types[:4])), max_size=4, unique=True))
    items = [Mention(id=f"m{n}", start=s, end=e, type=t) for n, ((s, e), t) in enumerate(mentions)]
    events = []
    for n, ((s, e), t) in enumerate(triggers):
        roles = draw(
            st.lists(
                st.tuples(st.sampled_from(["Agent", "Place"]), st.sampled_from([m.id for m in items] or [""])),
                max_size=3,
            )
        )
        events.append(Event(id=f"e{n}", start=s, end=e, type=t, arguments=tuple(Argument(*r) for r in roles if r[1])))
    return Annotation(doc_id="d", mentions=tuple(items), events=tuple(events))


def total(metric: object, gold: Annotation, pred: Annotation) -> Counts:
    return sum(count_groups(metric, gold, pred).values(), Counts())  # type: ignore[arg-type]


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
class TestEveryMetric:
    @given(gold=annotations())
    def test_gold_against_itself_is_exactly_one_or_undefined(self, metric: object, gold: Annotation) -> None:
        counts = total(metric, gold, gold)
        assert counts.f1 == (1.0 if counts.gold else None)

    @given(gold=annotations(), pred=annotations(), seed=st.integers(0, 99))
    def test_order_is_irrelevant(self, metric: object, gold: Annotation, pred: Annotation, seed: int) -> None:
        rng = random.Random(seed)
        mentions, events = list(pred.mentions), list(pred.events)
        rng.shuffle(mentions)
        rng.shuffle(events)
        shuffled = msgspec.structs.replace(pred, mentions=tuple(mentions), events=tuple(events))
        assert total(metric, gold, pred) == total(metric, gold, shuffled)

    @given(gold=annotations(), pred=annotations())
    def test_swapping_gold_and_prediction_swaps_precision_and_recall(
        self, metric: object, gold: Annotation, pred: Annotation
    ) -> None:
        one, two = total(metric, gold, pred), total(metric, pred, gold)
        assert (one.precision, one.recall, one.f1) == (two.recall, two.precision, two.f1)

    @given(gold=annotations(), pred=annotations())
    def test_a_prediction_never_matches_more_than_there_is(
        self, metric: object, gold: Annotation, pred: Annotation
    ) -> None:
        counts = total(metric, gold, pred)
        assert counts.matched <= min(counts.predicted, counts.gold)

    @given(parts=st.lists(st.tuples(annotations(), annotations()), min_size=1, max_size=4))
    def test_counts_of_parts_add_up_in_any_order(
        self, metric: object, parts: list[tuple[Annotation, Annotation]]
    ) -> None:
        counts = [total(metric, gold, pred) for gold, pred in parts]
        assert sum(counts, Counts()) == sum(reversed(counts), Counts())


def test_undefined_is_none_and_no_match_is_zero() -> None:
    assert (Counts().precision, Counts().recall, Counts().f1) == (None, None, None)
    assert (Counts(0, 3, 0).precision, Counts(0, 3, 0).recall, Counts(0, 3, 0).f1) == (0.0, None, 0.0)
    assert (Counts(0, 0, 3).precision, Counts(0, 0, 3).recall, Counts(0, 0, 3).f1) == (None, 0.0, 0.0)
    assert Counts(2, 4, 3).f1 == pytest.approx(2 * 2 / 7)


def gold_set(annotations: list[Annotation], documents: list[Document]) -> GoldSet:
    return make_set("case", documents, annotations)


CASES = sorted(
    path.parent for path in (Path(__file__).parent.parent / "evaluation" / "conformance").glob("*/expected.json")
)


def test_there_are_conformance_cases() -> None:
    assert len(CASES) >= 25


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_conformance(case: Path) -> None:
    expected = json.loads((case / "expected.json").read_text())
    gold = gold_set(
        jsonl.read_list(case / "gold.jsonl", Annotation), jsonl.read_list(case / "documents.jsonl", Document)
    )
    if "error" in expected:
        with pytest.raises(KhabarError) as caught:
            evaluate(gold=gold, pred=case / "prediction.jsonl")
        assert caught.value.code == expected["error"]
        return
    result = evaluate(gold=gold, pred=case / "prediction.jsonl")
    found = {
        name: {"matched": s.matched, "predicted": s.predicted, "gold": s.gold} for name, s in result.scores.items()
    }
    assert found == expected["counts"]
    assert {name: result.scores[name].f1 for name in expected.get("f1", {})} == expected.get("f1", {})
    assert list(result.coverage.missing) == expected.get("missing", [])


def test_seqeval_is_called_in_strict_iob2_and_its_numbers_are_passed_through() -> None:
    rng = random.Random(7)
    tags = ["O", "B-X", "I-X", "B-Y", "I-Y"]
    gold = [[rng.choice(tags) for _ in range(12)] for _ in range(60)]
    pred = [[rng.choice(tags) if rng.random() < 0.3 else tag for tag in row] for row in gold]
    score = score_tags(gold, pred)
    report = classification_report(gold, pred, mode="strict", scheme=IOB2, output_dict=True, zero_division=0)
    for ours, name in (
        (score.micro, "micro avg"),
        (score.macro, "macro avg"),
        (score.weighted, "weighted avg"),
        (score.per_type["X"], "X"),
    ):
        assert ours["f1"] == report[name]["f1-score"]
        assert (ours["precision"], ours["recall"]) == (report[name]["precision"], report[name]["recall"])


def test_strict_mode_differs_from_seqevals_default_where_it_must() -> None:
    assert score_tags([["B-X", "I-X"]], [["I-X", "I-X"]]).micro["f1"] == 0.0
    assert score_tags([["B-X", "O", "B-X"]], [["B-X", "I-Y", "B-X"]]).micro["f1"] == 1.0


def test_no_entity_at_all_is_null_with_a_reason() -> None:
    score = score_tags([["O", "O"]], [["O", "O"]])
    assert score.micro["f1"] is None
    assert score.reason
    assert score_tags([], []).micro["f1"] is None


def test_seqeval_and_exact_spans_agree_where_flattening_loses_nothing() -> None:
    pred = annotation(
        mention("m1", 0, 6, "ARMED_GROUP"), mention("m2", 15, 22, "FACILITY"), event("e1", 7, 14, "Strike.Shelling")
    )
    result = evaluate(gold=gold_set([GOLD], [document()]), pred=[pred], layers=("actors", "fillers", "triggers"))
    assert result.seqeval["actors"].micro["f1"] == pytest.approx(result.scores["actors"].f1)
    assert result.seqeval["fillers"].micro["f1"] == 0.0 == result.scores["fillers"].f1
    assert result.seqeval["triggers"].micro["f1"] == pytest.approx(result.scores["triggers.classified"].f1)


def test_truncated_predictions_keep_their_gold_as_misses() -> None:
    cut = annotation(*(item for item in (*GOLD.mentions, *GOLD.events) if item.end < 20))
    cut = msgspec.structs.replace(cut, events=(msgspec.structs.replace(cut.events[0], arguments=()),))
    result = evaluate(gold=gold_set([GOLD], [document()]), pred=[cut])
    assert result.scores["actors"].recall == 0.5
    assert result.scores["triggers.classified"].gold == 2


def test_the_interval_resamples_documents_and_is_reproducible() -> None:
    counts = [Counts(n % 4, 4, 5) for n in range(30)]
    low, high = f1_interval(counts) or (0.0, 0.0)
    assert f1_interval(counts) == (low, high)
    assert low < (sum(counts, Counts()).f1 or 0) < high
    assert f1_interval(counts[:1]) is None
    assert f1_interval([Counts(), Counts()]) is None
    equal = f1_interval([Counts(1, 2, 2)] * 9)
    assert equal == (0.5, 0.5)


def test_the_interval_is_as_wide_as_a_plain_bootstraps() -> None:
    rng = random.Random(3)
    counts = [Counts(rng.randint(0, 5), 6, 7) for _ in range(25)]
    plain = sorted((sum((rng.choice(counts) for _ in counts), Counts()).f1 or 0.0) for _ in range(4000))
    low, high = f1_interval(counts, resamples=4000) or (0.0, 0.0)
    assert low == pytest.approx(plain[100], abs=0.02)
    assert high == pytest.approx(plain[3899], abs=0.02)


def test_the_signature_tells_data_and_labels_apart() -> None:
    gold = gold_set([GOLD], [document()])
    other = gold_set([annotation()], [document()])
    pred = [GOLD]
    one, two = evaluate(gold=gold, pred=pred), evaluate(gold=other, pred=pred)
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


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_tags_without_a_valid_entity_are_null_with_a_reason() -> None:
    score = score_tags([["O"]], [["I-X"]])
    assert score.macro["f1"] is None
    assert score.reason
