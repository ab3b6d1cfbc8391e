import json
import random
import warnings
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics import classification_report, f1_score
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.scheme import BILOU, IOB2, IOBES, Entities

from khabar.errors import KhabarError
from khabar.metrics import tags as kernel
from khabar.metrics.tag_report import TagReport, report, seqeval_report
from khabar.metrics.tags import Chunk, TagCounts, count_codes, count_tags, decode

TAGS = ("O", "B-X", "I-X", "B-Y", "I-Y")
PREFIXES = {"IOB2": "BI", "IOBES": "BIES", "BILOU": "BILU"}
THEIRS = {"IOB2": IOB2, "IOBES": IOBES, "BILOU": BILOU}
READINGS = [("IOB2", "default"), ("IOB2", "strict"), ("IOBES", "strict"), ("BILOU", "strict")]
Rows = list[list[str]]
Chunks = list[tuple[str, int, int]]
CASES = Path(__file__).parent.parent / "evaluation" / "conformance" / "tags" / "cases.jsonl"


def every(tags: tuple[str, ...], longest: int) -> Rows:
    return [list(row) for length in range(1, longest + 1) for row in product(tags, repeat=length)]


def alphabet(scheme: str, names: Sequence[str]) -> tuple[str, ...]:
    return ("O", *(f"{prefix}-{name}" for name in names for prefix in PREFIXES[scheme]))


def found(rows: Rows, scheme: str, mode: str) -> list[Chunks]:
    """Run the vectorised kernel over all sequences at once and give its chunks sequence by sequence."""
    vocabulary = sorted({tag for row in rows for tag in row})
    place = {tag: code for code, tag in enumerate(vocabulary)}
    codes = np.array([place[tag] for row in rows for tag in row], dtype=np.int16)
    sizes = np.array([len(row) for row in rows])
    legend = kernel._legend(vocabulary, scheme)
    runs = kernel._find_runs(codes, sizes, legend, scheme).keep(mode)
    ends = np.cumsum(sizes)
    chunks: list[Chunks] = [[] for _ in rows]
    for first, last, name in zip(runs.first, runs.last, runs.type, strict=True):
        at = int(np.searchsorted(ends, first, side="right"))
        start = int(ends[at] - sizes[at])
        chunks[at].append((legend.names[name], int(first) - start, int(last) - start))
    return chunks


def seqeval_strict(rows: Rows, scheme: type) -> list[Chunks]:
    return [[(e.tag, e.start, e.end - 1) for e in one] for one in Entities(rows, scheme).entities]


def seqeval_default(rows: Rows) -> list[Chunks]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [get_entities(row) for row in rows]


def decoded(rows: Rows, scheme: str, mode: str) -> list[Chunks]:
    return [[(chunk.type, chunk.first, chunk.last) for chunk in decode(row, scheme, mode)[0]] for row in rows]


def pair(rows: Rows, seed: int) -> Rows:
    """Give each sequence another of the same length, so that every sequence is gold once and prediction once."""
    rng = random.Random(seed)
    pools: dict[int, Rows] = {}
    for row in rows:
        pools.setdefault(len(row), []).append(row)
    for pool in pools.values():
        rng.shuffle(pool)
    return [pools[len(row)].pop() for row in rows]


def expected_table(gold: list[Chunks], pred: list[Chunks], types: tuple[str, ...]) -> list[list[list[int]]]:
    """Count matched, predicted and gold chunks of each sequence and type with nothing but sets."""
    table = []
    for one, two in zip(gold, pred, strict=True):
        sides = (set(one) & set(two), set(two), set(one))
        table.append([[sum(chunk[0] == name for chunk in side) for side in sides] for name in types])
    return table


LONGEST = [(6, 19_530), pytest.param(7, 97_655, marks=pytest.mark.slow)]


@pytest.mark.parametrize(("longest", "number"), LONGEST)
def test_every_sequence_is_read_as_seqeval_reads_it_in_both_modes(longest: int, number: int) -> None:
    rows = every(TAGS, longest)
    assert len(rows) == number
    strict, default = found(rows, "IOB2", "strict"), found(rows, "IOB2", "default")
    assert default == seqeval_default(rows) == decoded(rows, "IOB2", "default")
    assert strict == seqeval_strict(rows, IOB2) == decoded(rows, "IOB2", "strict")
    for row, one, two in zip(rows, strict, default, strict=True):
        assert one == [chunk for chunk in two if row[chunk[1]].startswith("B-")]
        valid = not decode(row)[1]
        assert (one == two) == valid


@pytest.mark.parametrize(("longest", "number"), LONGEST)
@pytest.mark.parametrize("mode", kernel.MODES)
def test_every_sequence_is_counted_as_seqeval_would_as_gold_and_as_prediction(
    mode: str, longest: int, number: int
) -> None:
    gold = every(TAGS, longest)
    pred = pair(gold, number)
    read = seqeval_default if mode == "default" else lambda rows: seqeval_strict(rows, IOB2)
    counts = count_tags(gold=gold, pred=pred, mode=mode)
    assert counts.types == ("X", "Y")
    assert counts.table.tolist() == expected_table(read(gold), read(pred), counts.types)
    assert counts.table[..., 0].sum() > 0


@pytest.mark.parametrize("scheme", kernel.SCHEMES)
def test_every_scheme_has_its_own_decoder_equal_to_seqevals(scheme: str) -> None:
    rows = every(alphabet(scheme, "X"), 5) + every(alphabet(scheme, "XY"), 4)
    pred = pair(rows, 1)
    theirs = seqeval_strict(rows, THEIRS[scheme])
    assert found(rows, scheme, "strict") == decoded(rows, scheme, "strict") == theirs
    counts = count_tags(gold=rows, pred=pred, scheme=scheme)
    assert counts.table.tolist() == expected_table(theirs, seqeval_strict(pred, THEIRS[scheme]), counts.types)
    wrong = [len(decode(row, scheme)[1]) for row in rows]
    assert counts.invalid == (sum(wrong), sum(wrong))
    assert counts.invalid_sequences == (sum(map(bool, wrong)), sum(map(bool, wrong)))


@pytest.mark.parametrize("scheme", kernel.SCHEMES)
def test_the_invalid_tags_are_those_that_no_chunk_covers(scheme: str) -> None:
    for row in every(alphabet(scheme, "XY"), 4):
        chunks, invalid = decode(row, scheme)
        if scheme == "IOB2":
            assert decode(row, mode="default")[1] == invalid
        covered = {at for chunk in chunks for at in range(chunk.first, chunk.last + 1)}
        assert invalid == [at for at, tag in enumerate(row) if tag != "O" and at not in covered]


def test_seqevals_default_misreads_bilou_which_is_why_khabar_refuses_it() -> None:
    valid = [row for row in every(alphabet("BILOU", "X"), 5) if not decode(row, "BILOU")[1]]
    assert len(valid) == 143
    wrong = sum(one != two for one, two in zip(seqeval_default(valid), found(valid, "BILOU", "strict"), strict=True))
    assert wrong == 81
    with pytest.raises(KhabarError, match="misreads BILOU"):
        count_tags(gold=valid, pred=valid, scheme="BILOU", mode="default")


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


NOTHING = {"precision": None, "recall": None, "f1": None}


@pytest.mark.parametrize(("gold", "pred"), [([["O"]], [["O"]]), ([], []), ([[]], [[]]), ([["O"]], [["I-X"]])])
def test_nothing_at_all_is_null_with_a_reason(gold: Rows, pred: Rows) -> None:
    counts = count_tags(gold=gold, pred=pred)
    assert counts.table.sum() == 0
    assert counts.sequences == len(gold)
    result = report(counts)
    assert result.micro == result.macro == result.weighted == NOTHING
    assert result.per_type == {}
    assert result.reason


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::seqeval.metrics.v1.UndefinedMetricWarning")
def test_seqeval_says_zero_or_nan_or_raises_where_khabar_says_null() -> None:
    outside = [["O", "O"]]
    assert f1_score(outside, outside) == 0.0
    assert np.isnan(f1_score(outside, outside, average="macro"))
    with pytest.raises(ValueError, match="empty"):
        classification_report(outside, outside)
    with pytest.raises(ValueError, match="empty"):
        classification_report(outside, outside, mode="strict", scheme=IOB2)
    with pytest.raises(TypeError):
        f1_score([], [])
    for mode in kernel.MODES:
        assert report(count_tags(gold=outside, pred=outside, mode=mode)).micro == NOTHING


@pytest.mark.parametrize("mode", kernel.MODES)
def test_without_any_gold_what_was_predicted_is_wrong_and_not_undefined(mode: str) -> None:
    gold, pred = [["O", "O"]], [["B-X", "O"]]
    ours = report(count_tags(gold=gold, pred=pred, mode=mode))
    zeros = {"precision": 0.0, "recall": 0.0, "f1": 0.0}
    assert ours.micro == ours.macro == ours.weighted == zeros
    assert ours.per_type == {"X": {**zeros, "support": 0}}
    assert ours.reason == ""


NAMES = ("PER", "ORG", "LOC", "x-y", *(f"T{number}" for number in range(9)))


def noisy(seed: int, size: int, noise: float, scheme: str = "IOB2") -> tuple[Rows, Rows]:
    rng = random.Random(seed)
    choices = [*(len(NAMES) * "O"), *alphabet(scheme, NAMES)]
    gold = [[rng.choice(choices) for _ in range(rng.randint(0, 15))] for _ in range(size)]
    pred = [[rng.choice(choices) if rng.random() < noise else tag for tag in row] for row in gold]
    return gold, pred


PARTS = ("micro", "macro", "weighted", "per_type")


@pytest.mark.parametrize(("scheme", "mode"), READINGS)
@pytest.mark.parametrize("seed", range(6))
def test_reports_are_seqevals_in_the_last_bit(seed: int, scheme: str, mode: str) -> None:
    gold, pred = noisy(seed, 400, (seed + 1) / 10, scheme)
    ours = report(count_tags(gold=gold, pred=pred, scheme=scheme, mode=mode))
    theirs = seqeval_report(gold=gold, pred=pred, scheme=scheme, mode=mode)
    assert set(ours.per_type) == set(NAMES)
    assert 0 < (ours.micro["f1"] or 0) < 1
    for part in PARTS:
        assert getattr(ours, part) == getattr(theirs, part), part


@st.composite
def corpora(draw: st.DrawFn, scheme: str) -> tuple[Rows, Rows]:
    """Draw small corpora: types that are only gold or only predicted, and none at all, come up often."""
    tags = st.sampled_from(["O", "O", *alphabet(scheme, "XYZ")])
    pairs = draw(st.lists(st.lists(st.tuples(tags, tags), max_size=6), min_size=1, max_size=4))
    return [[one for one, _ in row] for row in pairs], [[two for _, two in row] for row in pairs]


@pytest.mark.parametrize(("scheme", "mode"), READINGS)
@given(data=st.data())
@settings(max_examples=80)
def test_reports_of_small_corpora_are_seqevals_too(scheme: str, mode: str, data: st.DataObject) -> None:
    gold, pred = data.draw(corpora(scheme))
    ours = report(count_tags(gold=gold, pred=pred, scheme=scheme, mode=mode))
    theirs = seqeval_report(gold=gold, pred=pred, scheme=scheme, mode=mode)
    assert ours.per_type == theirs.per_type
    if ours.reason:
        assert theirs.macro == NOTHING
    else:
        assert [getattr(ours, part) for part in PARTS] == [getattr(theirs, part) for part in PARTS]


def test_seqevals_strict_without_a_scheme_is_its_default_and_khabar_always_names_both() -> None:
    gold, pred = [["B-X", "I-X"]], [["I-X", "I-X"]]
    assert f1_score(gold, pred, mode="strict") == f1_score(gold, pred) == 1.0
    ours: TagReport = report(count_tags(gold=gold, pred=pred))
    assert (ours.scheme, ours.mode, ours.micro["f1"]) == ("IOB2", "strict", 0.0)


def sums(counts: TagCounts) -> dict[str, list[int]]:
    return {name: row for name, row in zip(counts.types, counts.table.sum(axis=0).tolist(), strict=True) if any(row)}


@pytest.mark.parametrize(("scheme", "mode"), READINGS)
@given(data=st.data(), seed=st.integers(0, 999))
@settings(max_examples=50)
def test_sequences_add_up_in_any_order_and_by_whatever_units(
    scheme: str, mode: str, data: st.DataObject, seed: int
) -> None:
    gold, pred = data.draw(corpora(scheme))
    whole = count_tags(gold=gold, pred=pred, scheme=scheme, mode=mode)
    rng = random.Random(seed)
    units = [rng.randrange(3) for _ in gold]
    by_unit = count_tags(gold=gold, pred=pred, scheme=scheme, mode=mode, units=units)
    for unit in range(max(units) + 1):
        rows = [n for n, place in enumerate(units) if place == unit]
        assert by_unit.table[unit].tolist() == whole.table[rows].sum(axis=0).tolist()
    order = rng.sample(range(len(gold)), len(gold))
    shuffled = count_tags(gold=[gold[n] for n in order], pred=[pred[n] for n in order], scheme=scheme, mode=mode)
    assert shuffled.table.tolist() == whole.table[order].tolist()
    parts = [count_tags(gold=[g], pred=[p], scheme=scheme, mode=mode) for g, p in zip(gold, pred, strict=True)]
    assert sums(whole) == {
        name: [sum(column) for column in zip(*(sums(part).get(name, [0, 0, 0]) for part in parts), strict=True)]
        for name in sums(whole)
    }
    for side in (0, 1):
        assert whole.tags[side] == sum(part.tags[side] for part in parts)
        assert whole.invalid[side] == sum(part.invalid[side] for part in parts)
        assert whole.invalid_sequences[side] == sum(part.invalid_sequences[side] for part in parts)


@pytest.mark.parametrize(("scheme", "mode"), READINGS)
@given(data=st.data())
@settings(max_examples=50)
def test_swapping_gold_and_prediction_swaps_precision_and_recall(scheme: str, mode: str, data: st.DataObject) -> None:
    gold, pred = data.draw(corpora(scheme))
    there = report(count_tags(gold=gold, pred=pred, scheme=scheme, mode=mode))
    back = report(count_tags(gold=pred, pred=gold, scheme=scheme, mode=mode))
    for part in ("micro", "macro"):
        one, two = getattr(there, part), getattr(back, part)
        assert (one["precision"], one["recall"], one["f1"]) == (two["recall"], two["precision"], two["f1"])


@pytest.mark.parametrize(("scheme", "mode"), READINGS)
@given(data=st.data())
@settings(max_examples=50)
def test_gold_against_itself_is_exactly_one_or_undefined(scheme: str, mode: str, data: st.DataObject) -> None:
    gold, _ = data.draw(corpora(scheme))
    result = report(count_tags(gold=gold, pred=gold, scheme=scheme, mode=mode))
    score = 1.0 if any(decoded(gold, scheme, mode)) else None
    perfect = {"precision": score, "recall": score, "f1": score}
    assert result.micro == result.macro == result.weighted == perfect
    assert all({**row, "support": 0} == {**perfect, "support": 0} for row in result.per_type.values())


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


def test_one_sequence_longer_than_a_block_is_not_cut() -> None:
    size = kernel.BLOCK + 50_000
    gold = ["O"] * size
    gold[kernel.BLOCK - 2 : kernel.BLOCK + 2] = ["B-X", "I-X", "I-X", "I-X"]
    gold[-1] = "B-X"
    cut = list(gold)
    cut[kernel.BLOCK] = "B-X"
    counts = count_tags(gold=[gold, ["B-X"]], pred=[cut, ["B-X"]])
    assert counts.table.tolist() == [[[1, 3, 2]], [[1, 1, 1]]]
    assert counts.tags == (size + 1, size + 1)


def test_a_chunk_ends_with_its_sequence() -> None:
    counts = count_tags(gold=[["B-X"], ["I-X"]], pred=[["B-X"], ["I-X"]])
    assert counts.table.tolist() == [[[1, 1, 1]], [[0, 0, 0]]]
    assert counts.invalid == (1, 1)
    default = count_tags(gold=[["B-X"], [], ["I-X"]], pred=[["B-X"], [], ["I-X"]], mode="default")
    assert default.table[:, 0].tolist() == [[1, 1, 1], [0, 0, 0], [1, 1, 1]]


@pytest.mark.parametrize("side", ["gold", "pred", "both"])
def test_more_tags_than_a_byte_holds(side: str) -> None:
    rows = [[f"B-T{number}", f"I-T{number}"] for number in range(400)]
    few = [["B-T7", "I-T7"]] * 400
    gold, pred = (few if side == "pred" else rows), (few if side == "gold" else rows)
    counts = count_tags(gold=gold, pred=pred)
    assert counts.table.sum(axis=(0, 1)).tolist() == [400 if side == "both" else 1, 400, 400]
    assert counts.invalid == (0, 0)


def test_a_dash_may_stand_in_the_name_of_a_type() -> None:
    row = ["B-date-time", "I-date-time", "B-date"]
    assert decode(row)[0] == [Chunk(0, 1, "date-time"), Chunk(2, 2, "date")]
    assert count_tags(gold=[row], pred=[row]).types == ("date", "date-time")


def test_units_are_rows_of_the_table_whatever_their_order() -> None:
    gold = [["B-X"], ["B-Y"], ["B-X"], ["O"]]
    counts = count_tags(gold=gold, pred=gold, units=np.array([2, 0, 2, 0], dtype=np.int16))
    assert counts.table[..., 2].tolist() == [[0, 1], [0, 0], [2, 0]]
    assert counts.sequences == 4


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int32, np.int64])
@pytest.mark.parametrize(
    "vocabulary", [["O", "B-X", "I-X", "B-X"], ["O", "B-X", "I-X", "O"], ["I-Y", "B-X", "I-X", "B-Y"]]
)
def test_codes_count_as_the_tags_that_they_stand_for(dtype: type[np.integer], vocabulary: list[str]) -> None:
    rng = np.random.default_rng(4)
    lengths = [0, 5, 1, 30, 0]
    gold, pred = (rng.integers(0, 4, 36).astype(dtype) for _ in range(2))
    rows = [
        [[vocabulary[code] for code in part] for part in np.split(side, np.cumsum(lengths)[:-1])]
        for side in (gold, pred)
    ]
    for mode in kernel.MODES:
        ours = count_codes(gold=gold, pred=pred, lengths=lengths, vocabulary=vocabulary, mode=mode)
        tags = count_tags(gold=rows[0], pred=rows[1], mode=mode)
        assert ours.table.tolist() == tags.table.tolist()
        assert (ours.types, ours.tags, ours.invalid, ours.invalid_sequences) == (
            tags.types,
            tags.tags,
            tags.invalid,
            tags.invalid_sequences,
        )


def test_invalid_tags_are_counted_with_their_sequences() -> None:
    counts = count_tags(gold=[["B-X", "I-X"], ["O"]], pred=[["I-X", "I-X"], ["I-Y"]])
    assert (counts.tags, counts.invalid, counts.invalid_sequences) == ((3, 3), (0, 3), (0, 2))
    ends = count_tags(gold=[["B-X", "E-X"]], pred=[["B-X", "I-X"]], scheme="IOBES")
    assert ends.invalid == (0, 2)
    default = count_tags(gold=[["B-X", "I-X"], ["O"]], pred=[["I-X", "I-X"], ["I-Y"]], mode="default")
    assert (default.invalid, default.invalid_sequences) == (counts.invalid, counts.invalid_sequences)


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


def test_every_bad_tag_is_named_with_its_place() -> None:
    with pytest.raises(KhabarError) as caught:
        count_tags(gold=[["O", "Q-X"], ["B-X"]], pred=[["O", "O"], ["I"]])
    assert [(issue.where, issue.found) for issue in caught.value.issues] == [
        ("gold, sequence 0, token 1", "'Q-X'"),
        ("prediction, sequence 1, token 0", "'I'"),
    ]
    assert all("B-TYPE, I-TYPE (IOB2)" in issue.expected for issue in caught.value.issues)


@pytest.mark.parametrize(("gold", "pred"), [(1, 2), (3, 2), (2, 3), (0, 1)])
def test_another_number_of_sequences_is_told(gold: int, pred: int) -> None:
    with pytest.raises(KhabarError) as caught:
        count_tags(gold=[["O"]] * gold, pred=[["O"]] * pred)
    assert [(issue.code, issue.where) for issue in caught.value.issues] == [("tokens-differ", "sequences")]
    assert caught.value.issues[0].found == f"{pred} sequences in the prediction"


def test_every_sequence_of_another_length_is_named() -> None:
    with pytest.raises(KhabarError) as caught:
        count_tags(gold=[["O"], ["O"], ["O", "O"]], pred=[["O", "O"], ["O"], []])
    assert [issue.where for issue in caught.value.issues] == ["sequence 0", "sequence 2"]
    assert caught.value.issues[1].found == "0 tags"


@pytest.mark.parametrize("scheme", kernel.SCHEMES)
def test_tags_of_another_scheme_are_refused_by_every_reader(scheme: str) -> None:
    foreign = {"IOB2": "S-X", "IOBES": "U-X", "BILOU": "E-X"}[scheme]
    codes = np.zeros(1, np.int8)
    readers = (
        lambda: decode([foreign], scheme),
        lambda: count_tags(gold=[["O"]], pred=[[foreign]], scheme=scheme),
        lambda: count_codes(gold=codes, pred=codes, lengths=[1], vocabulary=["O", foreign], scheme=scheme),
    )
    for read in readers:
        with pytest.raises(KhabarError) as caught:
            read()
        assert caught.value.code == "tag-unknown"


@pytest.mark.parametrize(
    ("scheme", "mode"), [("BILOU", "default"), ("IOBES", "default"), ("IOB1", "strict"), ("IOB2", "lenient")]
)
def test_nothing_guesses_a_scheme_or_a_mode(scheme: str, mode: str) -> None:
    codes = np.zeros(1, np.int8)
    readers = (
        lambda: decode(["O"], scheme, mode),
        lambda: count_tags(gold=[["O"]], pred=[["O"]], scheme=scheme, mode=mode),
        lambda: count_codes(gold=codes, pred=codes, lengths=[1], vocabulary=["O"], scheme=scheme, mode=mode),
        lambda: seqeval_report(gold=[["O"]], pred=[["O"]], scheme=scheme, mode=mode),
    )
    for read in readers:
        with pytest.raises(KhabarError) as caught:
            read()
        assert caught.value.code == "usage"


@pytest.mark.parametrize(("gold", "pred", "lengths"), [(3, 3, [2]), (3, 2, [3]), (2, 3, [3]), (0, 0, [1]), (1, 1, [])])
def test_codes_must_fill_their_lengths(gold: int, pred: int, lengths: list[int]) -> None:
    with pytest.raises(KhabarError) as caught:
        count_codes(gold=np.zeros(gold, np.int8), pred=np.zeros(pred, np.int8), lengths=lengths, vocabulary=["O"])
    assert caught.value.code == "tokens-differ"


@pytest.mark.parametrize("units", [[-1], [2**31], [0, 1], [], [0.5], ["a"]])
def test_units_that_number_no_document_are_refused(units: list[int]) -> None:
    with pytest.raises(KhabarError) as caught:
        count_tags(gold=[["B-X"]], pred=[["B-X"]], units=units)
    assert caught.value.code == "usage"
