import json
import random
import warnings
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics import f1_score
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.scheme import BILOU, IOB2, IOBES, Entities

from khabar.errors import KhabarError
from khabar.metrics import tags as kernel
from khabar.metrics.tag_report import TagReport, report, seqeval_report
from khabar.metrics.tags import Chunk, count_codes, count_tags, decode

TAGS = ("O", "B-X", "I-X", "B-Y", "I-Y")
Rows = list[list[str]]
CASES = Path(__file__).parent.parent / "evaluation" / "conformance" / "tags" / "cases.jsonl"


def every(tags: tuple[str, ...], longest: int) -> Rows:
    return [list(row) for length in range(1, longest + 1) for row in product(tags, repeat=length)]


def found(rows: Rows, scheme: str, mode: str) -> list[list[tuple[str, int, int]]]:
    """Run the vectorised kernel over all sequences at once and give its chunks sequence by sequence."""
    vocabulary = sorted({tag for row in rows for tag in row})
    place = {tag: code for code, tag in enumerate(vocabulary)}
    codes = np.array([place[tag] for row in rows for tag in row], dtype=np.int16)
    sizes = np.array([len(row) for row in rows])
    legend = kernel._legend(vocabulary, scheme)
    runs = kernel._find_runs(codes, sizes, legend, scheme).keep(mode)
    ends = np.cumsum(sizes)
    chunks: list[list[tuple[str, int, int]]] = [[] for _ in rows]
    for first, last, name in zip(runs.first, runs.last, runs.type, strict=True):
        at = int(np.searchsorted(ends, first, side="right"))
        start = int(ends[at] - sizes[at])
        chunks[at].append((legend.names[name], int(first) - start, int(last) - start))
    return chunks


def seqeval_strict(rows: Rows, scheme: type) -> list[list[tuple[str, int, int]]]:
    return [[(e.tag, e.start, e.end - 1) for e in one] for one in Entities(rows, scheme).entities]


def seqeval_default(rows: Rows) -> list[list[tuple[str, int, int]]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [get_entities(row) for row in rows]


@pytest.mark.slow
def test_all_97655_sequences_are_read_as_seqeval_reads_them_in_both_modes() -> None:
    rows = every(TAGS, 7)
    assert len(rows) == 97_655
    strict, default = found(rows, "IOB2", "strict"), found(rows, "IOB2", "default")
    assert default == seqeval_default(rows)
    assert strict == seqeval_strict(rows, IOB2)
    for row, one, two in zip(rows, strict, default, strict=True):
        assert one == [chunk for chunk in two if row[chunk[1]].startswith("B-")]
        valid = not decode(row)[1]
        assert (one == two) == valid


@pytest.mark.parametrize(
    ("scheme", "prefixes", "theirs"), [("IOBES", "BIES", IOBES), ("BILOU", "BILU", BILOU), ("IOB2", "BI", IOB2)]
)
def test_every_scheme_has_its_own_decoder_equal_to_seqevals(scheme: str, prefixes: str, theirs: type) -> None:
    one = every(("O", *(f"{prefix}-X" for prefix in prefixes)), 5)
    two = every(("O", *(f"{prefix}-{name}" for prefix in prefixes for name in "XY")), 4)
    rows = one + two
    chunks = found(rows, scheme, "strict")
    assert chunks == seqeval_strict(rows, theirs)
    assert chunks == [[(c.type, c.first, c.last) for c in decode(row, scheme)[0]] for row in rows]


def test_the_cases_that_other_implementations_can_run() -> None:
    cases = [json.loads(line) for line in CASES.read_text().splitlines()]
    assert len(cases) >= 20
    for case in cases:
        ours = report(count_tags(gold=case["gold"], pred=case["prediction"], scheme=case["scheme"], mode=case["mode"]))
        found_parts = {part: getattr(ours, part) for part in ("micro", "macro", "weighted")}
        assert found_parts == {part: case[part] for part in found_parts}, (case["why"], case["mode"])
        assert bool(ours.reason) == (case["micro"]["f1"] is None)


@pytest.mark.parametrize(
    ("gold", "pred", "default", "strict"),
    [
        (["B-X", "I-X"], ["I-X", "I-X"], 1.0, 0.0),
        (["B-X", "O", "B-X"], ["B-X", "I-Y", "B-X"], 0.8, 1.0),
        (["I-X", "I-X"], ["I-X", "I-X"], 1.0, None),
    ],
)
def test_the_rows_of_the_table_in_which_the_modes_differ(
    gold: list[str], pred: list[str], default: float, strict: float | None
) -> None:
    values = {mode: report(count_tags(gold=[gold], pred=[pred], mode=mode)).micro["f1"] for mode in kernel.MODES}
    assert values == {"default": default, "strict": strict}


def test_an_entity_that_changes_its_type_is_cut_in_default_and_lost_in_strict() -> None:
    assert decode(["B-X", "I-Y"], mode="default")[0] == [Chunk(0, 0, "X"), Chunk(1, 1, "Y")]
    assert decode(["B-X", "I-Y"]) == ([Chunk(0, 0, "X")], [1])


@pytest.mark.parametrize(("gold", "pred"), [([["O"]], [["O"]]), ([], []), ([[]], [[]]), ([["O"]], [["I-X"]])])
def test_nothing_at_all_is_null_with_a_reason(gold: Rows, pred: Rows) -> None:
    result = report(count_tags(gold=gold, pred=pred))
    assert result.micro == result.macro == {"precision": None, "recall": None, "f1": None}
    assert result.reason


def noisy(seed: int, size: int, noise: float) -> tuple[Rows, Rows]:
    rng = random.Random(seed)
    choices = ["O", "O", "O", *(f"{prefix}-{name}" for prefix in "BI" for name in ("PER", "ORG", "LOC", "x-y"))]
    gold = [[rng.choice(choices) for _ in range(rng.randint(0, 15))] for _ in range(size)]
    pred = [[rng.choice(choices) if rng.random() < noise else tag for tag in row] for row in gold]
    return gold, pred


@pytest.mark.parametrize("mode", kernel.MODES)
@pytest.mark.parametrize("seed", range(6))
def test_reports_are_seqevals_in_the_last_bit(seed: int, mode: str) -> None:
    gold, pred = noisy(seed, 150, (seed + 1) / 10)
    ours = report(count_tags(gold=gold, pred=pred, mode=mode))
    theirs = seqeval_report(gold=gold, pred=pred, mode=mode)
    for part in ("micro", "macro", "weighted", "per_type"):
        assert getattr(ours, part) == getattr(theirs, part), part


def test_seqevals_strict_without_a_scheme_is_its_default_and_khabar_always_names_both() -> None:
    gold, pred = [["B-X", "I-X"]], [["I-X", "I-X"]]
    assert f1_score(gold, pred, mode="strict") == f1_score(gold, pred) == 1.0
    ours: TagReport = report(count_tags(gold=gold, pred=pred))
    assert (ours.scheme, ours.mode, ours.micro["f1"]) == ("IOB2", "strict", 0.0)


SEQUENCES = st.lists(st.lists(st.sampled_from(TAGS), max_size=8), max_size=6)


@given(gold=SEQUENCES, seed=st.integers(0, 999), mode=st.sampled_from(kernel.MODES))
@settings(max_examples=80, deadline=None)
def test_units_add_up_sides_swap_and_order_does_not_matter(gold: Rows, seed: int, mode: str) -> None:
    rng = random.Random(seed)
    pred = [[rng.choice(TAGS) for _ in row] for row in gold]
    whole = count_tags(gold=gold, pred=pred, mode=mode)
    parts = [count_tags(gold=[g], pred=[p], mode=mode) for g, p in zip(gold, pred, strict=True)]
    assert whole.table.sum() == sum(part.table.sum() for part in parts)
    assert whole.invalid == (sum(p.invalid[0] for p in parts), sum(p.invalid[1] for p in parts))
    swapped = count_tags(gold=pred, pred=gold, mode=mode)
    assert (swapped.table[..., [0, 2, 1]].sum(axis=0) == whole.table.sum(axis=0)).all()
    order = rng.sample(range(len(gold)), len(gold))
    shuffled = count_tags(gold=[gold[n] for n in order], pred=[pred[n] for n in order], mode=mode)
    assert (shuffled.table.sum(axis=0) == whole.table.sum(axis=0)).all()
    together = count_tags(gold=gold, pred=pred, mode=mode, units=[0] * len(gold))
    assert (together.table.sum(axis=0) == whole.table.sum(axis=0)).all()


@given(gold=SEQUENCES)
@settings(max_examples=50, deadline=None)
def test_gold_against_itself_is_exactly_one(gold: Rows) -> None:
    score = report(count_tags(gold=gold, pred=gold)).micro["f1"]
    assert score in (1.0, None)


def test_the_package_offers_it_by_name() -> None:
    import khabar

    assert khabar.score_tags(gold=[["B-X", "O"]], pred=[["B-X", "O"]]).micro["f1"] == 1.0
    with pytest.raises(KhabarError):
        khabar.score_tags(gold=[["B-X"]], pred=[["O", "O"]])


def test_blocks_do_not_change_the_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    gold, pred = noisy(9, 120, 0.3)
    whole = count_tags(gold=gold, pred=pred)
    monkeypatch.setattr(kernel, "BLOCK", 17)
    cut = count_tags(gold=gold, pred=pred)
    assert (whole.table == cut.table).all()
    assert (whole.invalid, whole.invalid_sequences) == (cut.invalid, cut.invalid_sequences)


def test_more_tags_than_a_byte_holds() -> None:
    rows = [[f"B-T{number}"] for number in range(400)]
    counts = count_tags(gold=rows, pred=rows)
    assert counts.table[..., 0].sum() == 400


def test_invalid_tags_are_counted_with_their_sequences() -> None:
    counts = count_tags(gold=[["B-X", "I-X"], ["O"]], pred=[["I-X", "I-X"], ["I-Y"]])
    assert (counts.tags, counts.invalid, counts.invalid_sequences) == ((3, 3), (0, 3), (0, 2))
    ends = count_tags(gold=[["B-X", "E-X"]], pred=[["B-X", "I-X"]], scheme="IOBES")
    assert ends.invalid == (0, 2)


@pytest.mark.parametrize(
    ("gold", "pred", "code"),
    [
        ([["O"]], [["O"], ["O"]], "tokens-differ"),
        ([["O", "O"]], [["O"]], "tokens-differ"),
        ([["O"]], [["X-PER"]], "tag-unknown"),
        ([["O"]], [["B"]], "tag-unknown"),
        ([["O"]], [["B-"]], "tag-unknown"),
        ([["O"]], [["b-X"]], "tag-unknown"),
        ([["O"]], [["E-X"]], "tag-unknown"),
        ([["O"]], [[None]], "tag-unknown"),
        ([["O"]], [[["O"]]], "tag-unknown"),
        (["O"], ["O"], "wrong-shape"),
        ([["O"]], [7], "wrong-shape"),
    ],
)
def test_what_is_no_tag_sequence_is_refused(gold: Rows, pred: Rows, code: str) -> None:
    with pytest.raises(KhabarError) as caught:
        count_tags(gold=gold, pred=pred)
    assert caught.value.code == code


@pytest.mark.parametrize(("scheme", "mode"), [("BILOU", "default"), ("IOB1", "strict"), ("IOB2", "lenient")])
def test_nothing_guesses_a_scheme_or_a_mode(scheme: str, mode: str) -> None:
    with pytest.raises(KhabarError) as caught:
        count_tags(gold=[["O"]], pred=[["O"]], scheme=scheme, mode=mode)
    assert caught.value.code == "usage"


def test_codes_must_fill_their_lengths() -> None:
    with pytest.raises(KhabarError) as caught:
        count_codes(gold=np.zeros(3, np.int8), pred=np.zeros(3, np.int8), lengths=[2], vocabulary=["O"])
    assert caught.value.code == "tokens-differ"
