import json
import math
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from builders import GOLD, TEXT, document
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from khabar import jsonl
from khabar.corpus import GoldSet, gold_set, load_gold
from khabar.errors import CODES, KhabarError
from khabar.evaluation import evaluate
from khabar.inputs import FORMATS, Predictions, ReadOptions, Unplaced, read_gold_file, read_predictions
from khabar.inputs.lists import lists_gold, lists_predictions
from khabar.inputs.pipeline import pipeline_predictions
from khabar.inputs.realign import align_words
from khabar.types import Annotation, Event

REFERENCE = gold_set("case", [document()], [GOLD])
WORDS = ["Rebels", "shelled", "Derbekh", "and", "Lishwan", ".", "The", "army", "denied", "it", "."]


def write(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refused(code: str, path: Path, options: ReadOptions, reference: GoldSet = REFERENCE) -> str:
    with pytest.raises(KhabarError) as caught:
        read_predictions(path, reference, options)
    assert caught.value.code == code, caught.value
    return str(caught.value)


def read(path: Path, reference: GoldSet = REFERENCE, **options: object) -> Predictions:
    return read_predictions(path, reference, ReadOptions(**options))  # type: ignore[arg-type]


def spans(read_in: Predictions) -> list[tuple[int, int, str]]:
    return [(m.start, m.end, m.type) for item in read_in.annotations for m in (*item.mentions, *item.events)]


def columns(tags: list[str], words: list[str] = WORDS, head: str = "# doc_id = d1\n") -> str:
    cut = words.index(".") + 1 if "." in words else len(words)
    lines = [f"{word}\t{tag}" for word, tag in zip(words, tags, strict=True)]
    return head + "\n".join(lines[:cut]) + "\n\n" + "\n".join(lines[cut:]) + "\n"


# ---------------------------------------------------------------- formats


def test_a_formats_name_or_the_files_says_how_to_read_it(tmp_path: Path) -> None:
    message = refused("format-unknown", tmp_path / "pred.xyz", ReadOptions())
    assert all(name in message for name in FORMATS)
    assert "Did you mean columns?" in refused("format-unknown", tmp_path / "a", ReadOptions(format="column"))
    refused("format-unknown", tmp_path / "a", ReadOptions(format="muc4"))
    with pytest.raises(KhabarError) as caught:
        read_gold_file(tmp_path / "a", ReadOptions(format="quotes"))
    assert caught.value.code == "format-unknown"


# ---------------------------------------------------------------- columns


@pytest.mark.parametrize(
    ("scheme", "first", "second"),
    [("IOB2", "B-PLACE", "I-PLACE"), ("IOBES", "B-PLACE", "E-PLACE"), ("BILOU", "B-PLACE", "L-PLACE")],
)
def test_columns_of_every_scheme_give_the_same_spans(tmp_path: Path, scheme: str, first: str, second: str) -> None:
    tags = ["O", "O", first, second, *["O"] * 7]
    found = read(write(tmp_path, "p.iob2", columns(tags)), layer="fillers", scheme=scheme)
    assert spans(found) == [(15, 26, "PLACE")]
    assert found.tags is not None
    assert (found.tags.tags, found.tags.invalid) == (11, 0)


@pytest.mark.parametrize("scheme", ["IOBES", "BILOU"])
def test_other_schemes_are_scored_against_khabars_gold_as_iob2_in_both_modes(tmp_path: Path, scheme: str) -> None:
    single = "S-PLACE" if scheme == "IOBES" else "U-PLACE"
    path = write(tmp_path, "p.iob2", columns(["O", "O", single, *["O"] * 8]))
    result = evaluate(gold=REFERENCE, pred=read(path, layer="fillers", scheme=scheme), layers=["fillers"])
    assert {view.scheme for view in result.seqeval["fillers"].values()} == {"IOB2"}
    assert result.seqeval["fillers"]["strict"].micro["precision"] == 1.0
    theirs = lists_gold([[single, "O"]], scheme=scheme)
    own = evaluate(gold=theirs, pred=lists_predictions([[single, "O"]], theirs, scheme=scheme))
    assert list(own.seqeval["mentions"]) == ["strict"]
    assert f"scheme:{scheme.lower()}-strict" in own.signature


def test_what_the_gold_does_not_have_is_said_not_to_be_scored(tmp_path: Path) -> None:
    gold = read_gold_file(write(tmp_path, "g.iob2", "a B-Foo\n"))
    pred = Annotation(doc_id="s1", events=(Event(id="e1", start=0, end=1, type="Foo"),))
    result = evaluate(gold=gold, pred=[pred])
    assert result.notes == ("predicted, but not in the gold, so not scored: triggers",)
    lost = Unplaced(doc_id="s9", layer="mentions", type="Foo", quote="x", reason="not there")
    with pytest.raises(KhabarError) as caught:
        evaluate(gold=gold, pred=Predictions(annotations=(), unplaced=(lost,)))
    assert caught.value.code == "document-unknown"


def test_a_scheme_is_never_guessed(tmp_path: Path) -> None:
    path = write(tmp_path, "p.iob2", columns(["S-PLACE", *["O"] * 10]))
    refused("tag-unknown", path, ReadOptions(layer="fillers"))
    assert spans(read(path, layer="fillers", scheme="IOBES")) == [(0, 6, "PLACE")]


def test_invalid_tags_open_nothing_are_counted_and_seen_by_the_default_mode(tmp_path: Path) -> None:
    found = read(write(tmp_path, "p.iob2", columns(["I-ARMED_GROUP", *["O"] * 10])), layer="actors")
    assert spans(found) == []
    assert found.tags is not None
    assert (found.tags.invalid, found.tags.broken, found.tags.sequences) == (1, 1, 2)
    result = evaluate(gold=REFERENCE, pred=found, layers=["actors"])
    assert result.seqeval["actors"]["strict"].micro["recall"] == 0.0
    assert result.seqeval["actors"]["default"].micro["recall"] == 0.5


def test_other_columns_and_blanks_between_them(tmp_path: Path) -> None:
    text = "# doc_id = d1\n" + "".join(
        f"{n} {w} {'B-PLACE' if n == 2 else 'O'} x\n" + ("\n" if w == "." else "") for n, w in enumerate(WORDS)
    )
    assert spans(read(write(tmp_path, "p.conll", text), layer="fillers", column=2, word_column=1)) == [
        (15, 22, "PLACE")
    ]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "file-empty"),
        ("# doc_id = d1\n", "tokens-differ"),
        ("# doc_id = d2\nRebels\tO\n", "document-unknown"),
        ("Rebels\tO\n", "wrong-shape"),
        ("# doc_id = d1\nRebels\n", "wrong-shape"),
        (columns(["O"] * 11) + columns(["O"] * 11), "document-duplicate"),
        (columns(["B-ARMY", *["O"] * 10]), "tag-unknown"),
        (columns(["B-PERSON", *["O"] * 10]), "tag-unknown"),
        (columns(["O"] * 11).removesuffix("it\tO\n.\tO\n"), "tokens-differ"),
        (b"# doc_id = d1\nRebels\t\xff\n", "broken-utf8"),
    ],
)
def test_broken_columns_are_refused(tmp_path: Path, text: str | bytes, code: str) -> None:
    refused(code, write(tmp_path, "p.iob2", text), ReadOptions(layer="fillers"))


def test_columns_of_khabars_splits_need_a_layer(tmp_path: Path) -> None:
    assert "--layer" in refused("usage", write(tmp_path, "p.iob2", columns(["O"] * 11)), ReadOptions())


def test_other_tokens_are_refused_or_found_in_the_text(tmp_path: Path) -> None:
    words = ["Reb", "##els", "shelled", "Derbekh", "and", "Lish", "##wan.", "The", "army", "denied", "it."]
    tags = ["B-ARMED_GROUP", "I-ARMED_GROUP", *["O"] * 9]
    path = write(tmp_path, "p.iob2", columns(tags, words))
    assert "--realign" in refused("tokens-differ", path, ReadOptions(layer="actors"))
    found = read(path, layer="actors", realign=True)
    assert spans(found) == [(0, 6, "ARMED_GROUP")]
    assert found.tags is not None
    assert found.tags.realigned == 5
    words[3] = "Derbakh"
    message = refused(
        "tokens-differ", write(tmp_path, "q.iob2", columns(tags, words)), ReadOptions(layer="actors", realign=True)
    )
    assert "Derbakh" in message
    assert "Derbekh and" in message


@pytest.mark.parametrize(
    ("text", "words", "expected"),
    [
        ("“Yes” he said", ["``", "Yes", "''", "he", "said"], ["“", "Yes", "”", "he", "said"]),
        ("(a) b", ["-LRB-", "a", "-RRB-", "▁b"], ["(", "a", ")", "b"]),
        ("قُتِلَ الجنـدي", ["قتل", "الجندي"], ["قُتِلَ", "الجنـدي"]),
        ("5–7 ﬁne", ["5-7", "fine"], ["5–7", "ﬁne"]),
        ("a\u200bb", ["ab"], ["a\u200bb"]),
    ],
)
def test_words_are_found_whatever_a_tokeniser_does_to_them(text: str, words: list[str], expected: list[str]) -> None:
    found, lost = align_words(text, words)
    assert lost is None
    assert [text[span.start : span.end] for span in found if span] == expected


# ---------------------------------------------------------------- lists and other people's columns


def test_seqevals_lists_are_scored_as_seqeval_scores_them(tmp_path: Path) -> None:
    gold, pred = [["B-X", "I-X", "O"], ["B-Y"]], [["B-X", "O", "O"], ["B-Y"]]
    reference = lists_gold(gold)
    result = evaluate(gold=reference, pred=lists_predictions(pred, reference))
    assert result.scores["mentions"].f1 == 0.5
    assert result.seqeval["mentions"]["strict"].micro["f1"] == 0.5
    assert "unit:sequence" in result.signature
    path = write(tmp_path, "gold.json", json.dumps(gold))
    assert read_gold_file(path).annotations == reference.annotations
    refused("tokens-differ", write(tmp_path, "short.json", json.dumps(pred[:1])), ReadOptions(), reference)
    refused("wrong-shape", write(tmp_path, "flat.json", json.dumps(["O"])), ReadOptions(), reference)
    refused("tokens-differ", write(tmp_path, "cut.json", '[["B-X"],["B-Y"]]'), ReadOptions(), reference)
    refused("tag-unknown", write(tmp_path, "bad.json", '[["Q","O","O"],["B-Y"]]'), ReadOptions(), reference)


def test_other_peoples_columns_are_gold_with_their_own_types(tmp_path: Path) -> None:
    gold = read_gold_file(write(tmp_path, "g.iob2", "a B-Foo\nb I-Foo\n\nc B-Bar\n"))
    assert (gold.unit, gold.inventory) == ("sequence", {"mentions": ("Bar", "Foo")})
    path = write(tmp_path, "p.iob2", "a B-Foo\nb O\n\nc B-New\n")
    result = evaluate(gold=gold, pred=read(path, gold))
    assert (result.scores["mentions"].matched, result.scores["mentions"].predicted) == (0, 2)
    assert any("New" in note for note in result.notes)
    assert result.scores["mentions.partial"].partial == 1
    documents = read_gold_file(write(tmp_path, "d.iob2", "-DOCSTART- O\n\na B-Foo\n\n-DOCSTART- O\n\nb O\n"))
    assert (documents.unit, [item.doc_id for item in documents.documents]) == ("doc", ["d1", "d2"])


def test_other_peoples_json_lines_have_fields_to_slice_by(tmp_path: Path) -> None:
    rows = [
        {
            "doc_id": "a",
            "text": "Ann ran",
            "lang": "en",
            "mood": "calm",
            "mentions": [{"id": "m", "start": 0, "end": 3, "type": "Who"}],
        },
        {"doc_id": "b", "text": "x", "mood": "wild"},
    ]
    gold = read_gold_file(write(tmp_path, "g.jsonl", "".join(json.dumps(row) + "\n" for row in rows)))
    from khabar.results import Settings

    result = evaluate(gold=gold, pred=gold.annotations, settings=Settings(slices=("mood",)))
    assert set(result.slices["mood"]) == {"calm", "wild"}
    broken = {**rows[0], "mentions": [{"id": "m", "start": 0, "end": 99, "type": "Who"}]}
    with pytest.raises(KhabarError) as caught:
        read_gold_file(write(tmp_path, "bad.jsonl", json.dumps(broken) + "\n"))
    assert caught.value.code == "span-outside"


# ---------------------------------------------------------------- pipeline


def test_what_a_pipeline_returns_aggregated_or_not() -> None:
    whole = {"entity_group": "ARMED_GROUP", "score": 0.9, "word": "Rebels", "start": 0, "end": 6}
    pieces = [
        {"entity": "B-PLACE", "score": 0.9, "index": 4, "word": "Der", "start": 15, "end": 18},
        {"entity": "I-PLACE", "score": 0.8, "index": 5, "word": "##bekh", "start": 18, "end": 22},
        {"entity": "I-PLACE", "score": 0.8, "index": 9, "word": "army", "start": 40, "end": 44},
    ]
    found = pipeline_predictions({"d1": [whole, *pieces]})
    assert sorted(spans(found)) == [(0, 6, "ARMED_GROUP"), (15, 22, "PLACE")]
    assert found.tags is not None
    assert (found.tags.tags, found.tags.invalid, found.tags.broken, found.tags.sequences) == (3, 1, 1, 2)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"score": math.nan}, "score-invalid"),
        ({"score": 1.5}, "score-invalid"),
        ({"score": math.inf}, "score-invalid"),
        ({"start": None}, "wrong-shape"),
        ({"entity_group": None}, "wrong-shape"),
        ({"start": "0"}, "wrong-shape"),
    ],
)
def test_what_no_pipeline_should_return_is_refused(change: dict[str, object], code: str) -> None:
    entity = {"entity_group": "PLACE", "score": 0.9, "word": "x", "start": 0, "end": 6, **change}
    with pytest.raises(KhabarError) as caught:
        pipeline_predictions({"d1": [entity]})
    assert caught.value.code == code


# ---------------------------------------------------------------- quotes


def quotes(folder: Path, *records: dict[str, object]) -> Path:
    return write(folder, "q.jsonl", "".join(json.dumps(record) + "\n" for record in records))


def test_quotes_are_placed_exactly_or_folded_and_the_rest_is_spurious(tmp_path: Path) -> None:
    record = {
        "doc_id": "d1",
        "mentions": [
            {"id": "m1", "quote": "Rebels", "type": "ARMED_GROUP"},
            {"id": "m2", "quote": "“Derbekh ”", "type": "PLACE"},
            {"id": "m3", "quote": "Nowhere", "type": "PLACE"},
            {"id": "m4", "quote": "", "type": "PLACE"},
            {"id": "m5", "quote": "army", "type": "STATE_FORCES", "sentence": 9},
        ],
        "events": [
            {
                "quote": "shelled",
                "type": "Strike.Shelling",
                "arguments": [
                    {"role": "Agent", "mention": "m1"},
                    {"role": "Place", "mention": "m3"},
                    {"role": "Place", "quote": "Lishwan", "type": "PLACE"},
                    {"role": "Target", "quote": "Nobody"},
                ],
            },
            {"quote": "bombed", "type": "Strike.AirDrone", "arguments": [{"role": "Agent", "mention": "m1"}]},
        ],
    }
    found = read(quotes(tmp_path, record), format="quotes")
    assert spans(found) == [(0, 6, "ARMED_GROUP"), (15, 22, "PLACE"), (27, 34, "PLACE"), (7, 14, "Strike.Shelling")]
    lost = [(item.layer, item.type) for item in found.unplaced]
    assert sorted(lost) == [
        ("arguments", "Agent"),
        ("arguments", "Place"),
        ("arguments", "Target"),
        ("mentions", "PLACE"),
        ("mentions", "PLACE"),
        ("mentions", "STATE_FORCES"),
        ("triggers", "Strike.AirDrone"),
    ]
    result = evaluate(gold=REFERENCE, pred=found)
    assert result.scores["fillers"].predicted == 4
    assert result.scores["arguments.classified"].predicted == 5
    assert result.scores["triggers.classified"].predicted == 2


def test_an_ambiguous_quote_is_refused_told_apart_or_taken_in_order(tmp_path: Path) -> None:
    item = {"quote": "it", "type": "PERSON"}
    reference = gold_set("case", [document("it saw it . it")], [Annotation(doc_id="d1")])
    path = quotes(tmp_path, {"doc_id": "d1", "mentions": [item, {**item, "before": "saw "}, item, item, item]})
    strict = read(path, reference, format="quotes")
    assert spans(strict) == [(7, 9, "PERSON")]
    assert "3 times" in strict.unplaced[0].reason
    ordered = read(path, reference, format="quotes", ambiguous="in-order")
    assert [start for start, _, _ in spans(ordered)] == [0, 7, 7, 12]
    assert len(ordered.unplaced) == 1


def test_quotes_need_texts_and_known_documents(tmp_path: Path) -> None:
    refused("document-unknown", quotes(tmp_path, {"doc_id": "d9"}), ReadOptions(format="quotes"))
    refused("document-duplicate", quotes(tmp_path, {"doc_id": "d1"}, {"doc_id": "d1"}), ReadOptions(format="quotes"))
    refused("wrong-shape", quotes(tmp_path, {"doc_id": "d1", "mention": []}), ReadOptions(format="quotes"))
    wire = load_gold("wire")
    message = refused(
        "text-missing", quotes(tmp_path, {"doc_id": wire.documents[0].doc_id}), ReadOptions(format="quotes"), wire
    )
    assert "--sources" in message


# ---------------------------------------------------------------- brat


ANN = "T1\tARMED_GROUP 0 6\tRebels\nT2\tStrike_Shelling 7 14\tshelled\nT3\tPLACE 15 22;27 34\tDerbekh Lishwan\nE1\tStrike_Shelling:T2 Agent:T1 Place2:T3\nA1\tattribution E1 attributed\nM1\tloaded E1\n#1\tAnnotatorNotes T1\twho?\nR1\tsame Arg1:T1 Arg2:T3\n"


def test_brat_with_a_discontinuous_span_attributes_and_numbered_roles(tmp_path: Path) -> None:
    write(tmp_path, "d1.ann", ANN)
    found = read(tmp_path)
    event = found.annotations[0].events[0]
    assert (event.type, event.attribution, event.loaded) == ("Strike.Shelling", "attributed", True)
    assert [(argument.role, argument.mention) for argument in event.arguments] == [("Agent", "T1"), ("Place", "T3")]
    assert found.annotations[0].mentions[1].cover == ((15, 22), (27, 34))
    assert found.notes == ("brat: 1 notes passed over", "brat: 1 relations passed over")
    result = evaluate(gold=REFERENCE, pred=found)
    assert result.losses["fillers"]["predicted"].split == 1


def test_brat_as_gold_scores_itself_perfectly(tmp_path: Path) -> None:
    write(tmp_path, "d1.ann", ANN)
    write(tmp_path, "d1.txt", TEXT)
    gold = read_gold_file(tmp_path)
    assert {score.f1 for score in evaluate(gold=gold, pred=gold.annotations).scores.values()} == {1.0}
    (tmp_path / "d1.ann").unlink()
    with pytest.raises(KhabarError) as caught:
        read_gold_file(tmp_path)
    assert caught.value.code == "document-missing"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("T9\tPLACE 0 5\tRebels", "span-text"),
        ("T9\tPLACE 0 x\tRebels", "wrong-shape"),
        ("T1\tPLACE 0 6\tRebels", "wrong-shape"),
        ("E9\tCombat_Clash:T77", "argument-dangling"),
        ("A9\tmood E1 sad", "wrong-shape"),
        ("what is this", "wrong-shape"),
        ("T9\tPLACE 99999999999999999999 5\tx", "wrong-shape"),
    ],
)
def test_broken_brat_is_refused(tmp_path: Path, line: str, code: str) -> None:
    write(tmp_path, "d1.ann", ANN + line + "\n")
    refused(code, tmp_path, ReadOptions())


# ---------------------------------------------------------------- JSON lines


def test_a_line_without_end_is_refused_before_it_is_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonl, "MAX_LINE", 1000)
    refused("line-too-long", write(tmp_path, "p.jsonl", '{"doc_id": "' + "x" * 5000), ReadOptions())


@pytest.mark.parametrize(
    "text", ['{"doc_id": NaN}', "[" * 100_000, '{"doc_id": "d1", "mentions": [{"id": "m", "start": 1e400}]}']
)
def test_json_that_breaks_parsers_is_an_issue(tmp_path: Path, text: str) -> None:
    with pytest.raises(KhabarError) as caught:
        read(write(tmp_path, "p.jsonl", text))
    assert caught.value.code in {"broken-json", "wrong-shape"}


def test_a_file_cut_anywhere_never_scores_better(tmp_path: Path) -> None:
    rows = [
        {
            "doc_id": item.doc_id,
            "mentions": [{"id": m.id, "start": m.start, "end": m.end, "type": m.type} for m in item.mentions],
        }
        for item in load_gold("test").annotations
    ]
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    whole = evaluate(gold="test", pred=read(write(tmp_path, "p.jsonl", data)), layers=["actors"]).scores["actors"]
    for cut in range(0, len(data), 4999):
        try:
            part = evaluate(gold="test", pred=read(write(tmp_path, "p.jsonl", data[:cut])), layers=["actors"])
        except KhabarError:
            continue
        assert (part.scores["actors"].f1 or 0.0) <= (whole.f1 or 0.0)
        assert part.scores["actors"].gold == whole.gold


# ---------------------------------------------------------------- other corpora


@pytest.fixture(scope="module")
def peers() -> Path:
    root = Path(__file__).resolve().parent.parent
    places = [os.environ.get("KHABAR_PEERS", ""), root / "../shared/peers", root / "../../shared/peers"]
    for place in places:
        if place and (Path(place) / "wikievents_dev.jsonl").is_file():
            return Path(place)
    pytest.skip("other people's corpora are not here (KHABAR_PEERS names no folder)")


def test_wikievents_broken_offsets_are_refused_with_their_count_and_read_by_tokens(peers: Path) -> None:
    path = peers / "wikievents_dev.jsonl"
    with pytest.raises(KhabarError) as caught:
        read_gold_file(path, ReadOptions(format="wikievents"))
    assert caught.value.code == "offsets-broken"
    assert "710 of 12,875" in str(caught.value)
    assert "--by tokens" in str(caught.value)
    gold = read_gold_file(path, ReadOptions(format="wikievents", by="tokens"))
    stated = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        stated[record["doc_id"]] = [event["trigger"]["text"] for event in record["event_mentions"]]
    for item, annotation in zip(gold.documents, gold.annotations, strict=True):
        triggers = [item.text[event.start : event.end] for event in annotation.events]
        assert set(triggers) == set(stated[item.doc_id])


@pytest.mark.parametrize(
    ("name", "options", "documents", "mentions", "events"),
    [
        ("uner_en_pud-ud-test.iob2", ReadOptions(column=2, word_column=1), 397, 1075, 0),
        ("muc4_grit_test.jsonl", ReadOptions(format="muc4"), 200, 800, 0),
        ("plover_gsr_cameo.json", ReadOptions(format="plover"), 254, 512, 254),
        ("wikievents_dev.jsonl", ReadOptions(format="wikievents", by="tokens"), 20, 2256, 345),
    ],
)
def test_other_corpora_score_themselves_perfectly(
    peers: Path, name: str, options: ReadOptions, documents: int, mentions: int, events: int
) -> None:
    gold = read_gold_file(peers / name, options)
    assert len(gold.documents) == documents
    assert sum(len(item.mentions) for item in gold.annotations) == mentions
    assert sum(len(item.events) for item in gold.annotations) == events
    result = evaluate(gold=gold, pred=gold.annotations)
    assert {score.f1 for score in result.scores.values()} == {1.0}
    assert {view.micro["f1"] for modes in result.seqeval.values() for view in modes.values()} <= {1.0}


# ---------------------------------------------------------------- fuzz

OPTIONS = [
    ReadOptions(format="jsonl"),
    ReadOptions(format="columns", layer="actors"),
    ReadOptions(format="columns", layer="actors", realign=True, scheme="BILOU"),
    ReadOptions(format="lists", layer="actors"),
    ReadOptions(format="pipeline"),
    ReadOptions(format="quotes", ambiguous="in-order"),
    ReadOptions(format="brat"),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "doc_id",
                    "mentions",
                    "events",
                    "entities",
                    "quote",
                    "type",
                    "start",
                    "end",
                    "id",
                    "score",
                    "entity",
                    "index",
                    "arguments",
                    "role",
                    "text",
                ]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=12,
)
NEAR = st.sampled_from(
    [
        columns(["O"] * 11),
        ANN,
        json.dumps({"doc_id": "d1", "mentions": [{"quote": "Rebels", "type": "PLACE"}]}),
        '[["O"]]',
        json.dumps({"doc_id": "d1", "entities": []}),
    ]
)
CONTENT = st.one_of(
    st.binary(max_size=80),
    st.text(max_size=80).map(str.encode),
    JSON.map(lambda value: json.dumps(value).encode()),
    JSON.map(lambda value: json.dumps({"doc_id": "d1", "mentions": value, "entities": value}).encode()),
    st.tuples(NEAR, st.integers(0, 60), st.text(max_size=4)).map(
        lambda t: (t[0][: t[1]] + t[2] + t[0][t[1] :]).encode()
    ),
)


def codes_of(call: Callable[[], None]) -> set[str]:
    """Run something that may refuse its input; anything but a refusal goes through."""
    try:
        call()
    except KhabarError as error:
        return {issue.code for issue in error.issues}
    return set()


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: f"{options.format}-{options.scheme}")
@given(content=CONTENT)
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_file_holds_it_is_read_or_refused_with_a_code(
    tmp_path: Path, options: ReadOptions, content: bytes
) -> None:
    path = tmp_path / "fuzz"
    target = path / "d1.ann" if options.format == "brat" else tmp_path / "fuzz.any"
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(content)

    def score() -> None:
        found = read_predictions(path if options.format == "brat" else target, REFERENCE, options)
        evaluate(gold=REFERENCE, pred=found, layers=[options.layer] if options.layer else None)

    assert codes_of(score) <= CODES.keys()


GOLD_OPTIONS = [ReadOptions(format=name) for name in ("jsonl", "columns", "lists", "wikievents", "muc4", "plover")]


@pytest.mark.parametrize("options", GOLD_OPTIONS, ids=lambda options: options.format)
@given(content=CONTENT)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_gold_file_holds_it_is_read_or_refused_with_a_code(
    tmp_path: Path, options: ReadOptions, content: bytes
) -> None:
    path = tmp_path / "fuzz.any"
    path.write_bytes(content)

    def score() -> None:
        gold = read_gold_file(path, options)
        if gold.inventory:
            evaluate(gold=gold, pred=gold.annotations)

    assert codes_of(score) <= CODES.keys()
