"""The file campaign.toml: what is refused, which document is in which round and arm."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from builders import document
from campaigns import CONFIG, documents, everybody, load, person, to_toml, write
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from typer.testing import CliRunner

from khabar import jsonl
from khabar.campaign.config import (
    ASSISTED,
    BLIND,
    Campaign,
    Config,
    Preannotation,
    Round,
    config_hash,
    is_model,
    labels_version,
    load_campaign,
    project_title,
)
from khabar.campaign.files import Manifest
from khabar.campaign.opening import open_campaign
from khabar.campaign.status import Progress, Status
from khabar.campaign.studio import Studio
from khabar.cli_campaign import campaign_app
from khabar.errors import KhabarError
from khabar.label_studio.convert import to_task
from khabar.label_studio.server import annotator_email, lost
from khabar.report.campaign import status_table
from khabar.types import Document

THREE = documents("en", "ar", "en")


def refused(folder: Path, **config: Any) -> list[tuple[str, str]]:
    with pytest.raises(KhabarError) as caught:
        load(folder, config.pop("texts", THREE), config.pop("people", ()), **config)
    return [(issue.code, issue.found) for issue in caught.value.issues]


def made(texts: list[Document], **fields: Any) -> Campaign:
    campaign = Campaign(msgspec.convert({**CONFIG, **fields}, Config), Path("nowhere"))
    campaign.__dict__["documents"] = {item.doc_id: item for item in texts}
    campaign.__dict__["known"] = {item.name: item for item in everybody()}
    return campaign


# ---------------------------------------------------------------- what is refused


def test_a_good_campaign_is_read_from_its_file_or_its_folder(tmp_path: Path) -> None:
    campaign = load(tmp_path, THREE, languages=["en"], at_most={"amal": 3})
    assert list(campaign.documents) == ["d01", "d03"]
    assert load_campaign(tmp_path / "campaign.toml").config == campaign.config
    assert campaign.shippable
    assert not is_model(campaign.known, "amal")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (to_toml({**CONFIG, "anotators": []}), "unknown field `anotators`"),
        (to_toml({**CONFIG, "per_document": "two"}), "Expected `int`"),
        (to_toml({**CONFIG, "rounds": [{"name": "one", "size": 3}]}), "unknown field `size`"),
        ('name = "c"\n', "missing required field `documents`"),
        ('name = "c\n', "Illegal character"),
        ("", "missing required field"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(tmp_path: Path, text: str, words: str) -> None:
    write(tmp_path, THREE)
    (tmp_path / "campaign.toml").write_text(text)
    with pytest.raises(KhabarError, match=words) as caught:
        load_campaign(tmp_path)
    assert caught.value.code == "campaign-invalid"


@pytest.mark.parametrize(
    ("config", "code", "words"),
    [
        ({"name": "My campaign"}, "campaign-invalid", "campaign 'My campaign'"),
        ({"name": "a/b"}, "campaign-invalid", "campaign 'a/b'"),
        ({"rounds": [{"name": "Round 1"}]}, "campaign-invalid", "round 'Round 1'"),
        ({"rounds": [{"name": "one", "count": 1}, {"name": "one"}]}, "campaign-invalid", "round 'one' twice"),
        ({"rounds": [{"name": "one", "count": -1}]}, "campaign-invalid", "round 'one' with count = -1"),
        (
            {"rounds": [{"name": "one", "count": 1, "documents": ["d01"]}]},
            "campaign-invalid",
            "round 'one' with count = 1 and documents",
        ),
        ({"annotators": ["amal", "bazil"]}, "annotator-unknown", "annotator 'bazil'"),
        ({"adjudicators": ["nobody"]}, "annotator-unknown", "annotator 'nobody'"),
        ({"adjudicators": ["amal"]}, "campaign-invalid", "'amal' 2 times"),
        ({"annotators": ["amal", "amal", "basil"]}, "campaign-invalid", "'amal' 2 times"),
        ({"at_most": {"carol": 3}}, "campaign-invalid", "at_most for 'carol'"),
        ({"per_document": 0}, "campaign-invalid", "per_document = 0"),
        ({"per_document": 3}, "campaign-invalid", "2 annotators for 3 a document"),
        ({"preannotation": {"model": "m.py", "blind_share": 1.5}}, "campaign-invalid", "blind_share = 1.5"),
        (
            {"preannotation": {"model": "m.py", "predictions": "p.jsonl"}},
            "campaign-invalid",
            "[preannotation] with both model and predictions",
        ),
        ({"preannotation": {"name": "crf"}}, "campaign-invalid", "[preannotation] with neither model nor predictions"),
        ({"rounds": [{"name": "one", "documents": ["d9"]}]}, "document-unknown", "document 'd9' in round one"),
        ({"annotators": ["amal", "carol"]}, "campaign-invalid", "1 annotators who read 'ar'"),
        ({"languages": ["fr"]}, "campaign-invalid", "no document"),
        ({"documents": "other.jsonl"}, "file-missing", "no such file"),
        ({"register": "other.json"}, "file-missing", "no such file"),
    ],
)
def test_what_cannot_be_carried_out_is_refused(tmp_path: Path, config: dict[str, Any], code: str, words: str) -> None:
    assert (code, words) in refused(tmp_path, **config)


def test_the_message_on_a_missing_register_says_where_one_is_shown(tmp_path: Path) -> None:
    with pytest.raises(KhabarError, match=r"Write people\.json; annotations/manual/manager\.md shows one"):
        load(tmp_path, THREE, register="people.json")


@pytest.mark.parametrize("kind", ["Human", "person", "humans", "", "modle"])
def test_a_kind_of_annotator_that_there_is_not_is_refused(tmp_path: Path, kind: str) -> None:
    people = [person("amal", "en", "ar", kind=kind), *everybody()[1:]]
    assert refused(tmp_path, people=people) == [("campaign-invalid", f"annotator 'amal' of kind {kind!r}")]
    with pytest.raises(KhabarError, match="expected 'human', 'model', 'language model'"):
        load_campaign(tmp_path)


def test_whoever_is_said_to_be_a_model_is_one_and_nobody_else(tmp_path: Path) -> None:
    kinds = {"amal": "model", "basil": "language model"}
    people = [person(name, "en", "ar", kind=kinds.get(name, "human")) for name in ("amal", "basil", "carol", "judge")]
    known = load(tmp_path, THREE, people).known
    assert [name for name in known if is_model(known, name)] == ["amal", "basil"]
    assert not is_model({"x": person("x", "en", kind="Human")}, "x")


def test_the_nearest_name_is_suggested(tmp_path: Path) -> None:
    with pytest.raises(KhabarError, match=r"Did you mean basil\?"):
        load(tmp_path, THREE, annotators=["amal", "bazil"])


def test_a_document_in_two_rounds_is_refused(tmp_path: Path) -> None:
    rounds = [{"name": "one", "documents": ["d01", "d02"]}, {"name": "two", "documents": ["d02"]}]
    assert set(refused(tmp_path, rounds=rounds)) == {("round-overlap", "document 'd02' in 2 rounds")}


@pytest.mark.parametrize("name", ["adjudicate", "manager", "accounts", "manifest", "../x", "Two Words"])
def test_names_that_would_be_taken_for_something_else_are_refused(tmp_path: Path, name: str) -> None:
    people = [*everybody(), person(name, "en", "ar")]
    assert ("campaign-invalid", f"annotator {name!r}") in refused(tmp_path, people=people, annotators=["amal", name])


def test_a_title_may_have_fifty_characters(tmp_path: Path) -> None:
    rest = len(project_title("", "all", "adjudicate"))
    campaign = load(tmp_path, THREE, name="c" * (50 - rest))
    assert len(project_title(campaign.name, "all", "adjudicate")) == 50
    found = refused(tmp_path, name="c" * (51 - rest))
    assert [words for _, words in found] == [
        f"the title {'c' * (51 - rest) + '/all/adjudicate/assisted'!r} (51 characters)"
    ]


def test_a_text_that_was_changed_is_refused(tmp_path: Path) -> None:
    write(tmp_path, THREE)
    jsonl.write_records(tmp_path / "documents.jsonl", [msgspec.structs.replace(THREE[0], text="Other words.")])
    with pytest.raises(KhabarError) as caught:
        load_campaign(tmp_path)
    assert caught.value.code == "document-hash"


def test_all_that_is_wrong_with_names_and_numbers_is_said_at_once(tmp_path: Path) -> None:
    found = refused(tmp_path, name="C", per_document=0, annotators=["amal", "nobody"], at_most={"basil": 1})
    assert [words for _, words in found] == [
        "per_document = 0",
        "campaign 'C'",
        "annotator 'nobody'",
        "at_most for 'basil'",
    ]


# ---------------------------------------------------------------- rounds


def rounds_of(*parts: Round, count: int = 5) -> dict[str, str]:
    return made(documents(*["en"] * count), rounds=[msgspec.to_builtins(part) for part in parts]).rounds


def test_rounds_are_named_documents_the_next_ones_or_the_rest() -> None:
    named, two, rest = Round(name="a", documents=("d02",)), Round(name="b", count=2), Round(name="c")
    assert rounds_of(named, two, rest) == {"d02": "a", "d01": "b", "d03": "b", "d04": "c", "d05": "c"}
    assert rounds_of(two, rest) == {"d01": "b", "d02": "b", "d03": "c", "d04": "c", "d05": "c"}
    assert rounds_of(two) == {"d01": "b", "d02": "b"}
    assert rounds_of(Round(name="b", count=9), rest) == dict.fromkeys(("d01", "d02", "d03", "d04", "d05"), "b")


def test_a_document_that_a_later_round_names_is_no_part_of_an_earlier_one() -> None:
    found = rounds_of(Round(name="b", count=2), Round(name="a", documents=("d02",)), Round(name="c"))
    assert found == {"d01": "b", "d03": "b", "d02": "a", "d04": "c", "d05": "c"}
    assert rounds_of(Round(name="c"), Round(name="a", documents=("d02",)))["d02"] == "a"


def test_documents_at_the_end_move_nothing() -> None:
    parts = Round(name="b", count=2), Round(name="c")
    before = rounds_of(*parts, count=5)
    assert {doc_id: part for doc_id, part in rounds_of(*parts, count=9).items() if doc_id in before} == before


# ---------------------------------------------------------------- arms

LANGUAGES = st.lists(st.sampled_from(["en", "ar"]), min_size=1, max_size=14)


def assisted(texts: list[Document], share: float = 0.25, **fields: Any) -> Campaign:
    settings = {"model": "model.py", "blind_share": share}
    return made(texts, preannotation=settings, **fields)


@given(LANGUAGES, st.floats(0, 1), st.integers(0, 9))
def test_the_blind_share_is_that_of_each_round_and_language(langs: list[str], share: float, seed: int) -> None:
    campaign = assisted(documents(*langs), share, seed=seed, rounds=[{"name": "a", "count": 3}, {"name": "b"}])
    arms = campaign.arms({})
    assert arms.keys() == campaign.rounds.keys()
    strata: dict[tuple[str, str], list[str]] = {}
    for doc_id, arm in arms.items():
        strata.setdefault((campaign.rounds[doc_id], campaign.documents[doc_id].lang), []).append(arm)
    for stratum in strata.values():
        assert len(stratum) * share - 1e-6 <= stratum.count(BLIND) < len(stratum) * share + 1


@given(LANGUAGES, st.randoms(use_true_random=False))
def test_arms_do_not_depend_on_the_order_of_the_documents(langs: list[str], random: Any) -> None:
    texts = documents(*langs)
    mixed = random.sample(texts, len(texts))
    assert assisted(texts).arms({}) == assisted(mixed).arms({})


@given(LANGUAGES, LANGUAGES, st.floats(0, 1))
def test_an_arm_once_given_stays_whatever_is_added(first: list[str], more: list[str], share: float) -> None:
    before = assisted(documents(*first), share).arms({})
    campaign = assisted(documents(*first, *more), share)
    after = campaign.arms(before)
    assert {doc_id: after[doc_id] for doc_id in before} == before
    for lang in {*first, *more}:
        of_lang = [arm for doc_id, arm in after.items() if campaign.documents[doc_id].lang == lang]
        assert of_lang.count(BLIND) >= len(of_lang) * share - 1e-6
        assert of_lang.count(BLIND) < len(of_lang) * share + 1


def test_drawing_anew_would_move_documents_so_what_was_given_is_needed() -> None:
    texts = documents(*["en"] * 12)
    kept = [assisted(texts[:n]).arms({}) for n in range(1, 13)]
    assert any(one[doc_id] != two[doc_id] for one, two in pairwise(kept) for doc_id in one)


def test_another_seed_draws_others() -> None:
    texts = documents(*["en"] * 12)
    assert len({tuple(assisted(texts, seed=seed).arms({}).items()) for seed in range(8)}) > 1


def test_no_preannotation_is_all_blind_but_for_what_was_opened_with_it() -> None:
    assert set(made(THREE).arms({}).values()) == {BLIND}
    assert made(THREE).arms({"d02": ASSISTED}) == {"d01": BLIND, "d02": ASSISTED, "d03": BLIND}
    assert set(assisted(THREE, 0).arms({}).values()) == {ASSISTED}
    assert set(assisted(THREE, 1).arms({}).values()) == {BLIND}


def test_a_quarter_is_the_share_that_is_not_said() -> None:
    assert Preannotation(model="m.py").blind_share == 0.25
    assert list(assisted(documents(*["en"] * 8)).arms({}).values()).count(BLIND) == 2


# ---------------------------------------------------------------- the rest


def test_titles_tell_campaign_round_annotator_and_arm() -> None:
    assert project_title("c", "all", "amal", BLIND) == "c/all/amal"
    assert project_title("c", "all", "amal", ASSISTED) == "c/all/amal/assisted"


def test_white_space_is_no_part_of_a_configuration() -> None:
    assert config_hash("<View>\n <Text/>\n</View>") == config_hash("<View><Text/></View>") != config_hash("<View/>")


# ---------------------------------------------------------------- what the commands say when there is little


def said(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(campaign_app, [str(word) for word in words])
    issues = done.exception.args[0] if isinstance(done.exception, KhabarError) else ""
    return done.exit_code, done.output + issues


def exports(campaign: Campaign, **results: dict[str, list[Any] | None]) -> None:
    """Write exports as sync does: for each annotator the results by document; None is a task without work."""
    jsonl.write_json(campaign.path("exports/manifest.json"), Manifest(campaign=campaign.name, labels=labels_version()))
    numbers = {str(number): annotator_email(name) for number, name in enumerate(results, 1)}
    jsonl.write_json(campaign.path("exports/accounts.json"), numbers)
    for number, (name, work) in enumerate(results.items(), 1):
        tasks = [
            {
                **to_task(campaign.documents[doc_id]),
                "annotations": [] if result is None else [{"id": 1, "completed_by": number, "result": result}],
            }
            for doc_id, result in work.items()
        ]
        jsonl.write_json(campaign.path(f"exports/{name}.json"), tasks)


@pytest.mark.parametrize("words", [("agreement",), ("adjudicate", "--revise"), ("close",)])
def test_what_needs_exports_names_the_command_that_makes_them(tmp_path: Path, words: tuple[str, ...]) -> None:
    load(tmp_path, THREE)
    code, told = said(words[0], tmp_path, *words[1:])
    assert code == 1
    assert "Run `khabar campaign sync` first." in told


def test_a_trace_wants_a_closed_campaign(tmp_path: Path) -> None:
    load(tmp_path, THREE)
    code, told = said("trace", tmp_path, "d01")
    assert code == 1
    assert "[document-unknown]" in told
    assert "Close the campaign first" in told


def test_agreement_says_what_it_leaves_out_and_what_is_not_finished(tmp_path: Path) -> None:
    campaign = load(tmp_path, THREE)
    broken = [{"type": "relation", "from_id": "a", "to_id": "b", "labels": []}]
    exports(campaign, amal={"d01": [], "d02": broken}, basil={"d01": [], "d02": None})
    _, told = said("agreement", tmp_path, "--no-gamma")
    assert "left out for what is wrong: 1 annotations of 1 documents" in told
    assert "d02, amal: link-dangling\n" in told
    assert "not finished by all: 1 documents: d02" in told
    gaps = json.loads(said("agreement", tmp_path, "--no-gamma", "--json")[1])["gaps"]
    assert gaps["left_out"] == [{"doc_id": "d02", "annotators": ["amal"], "codes": ["link-dangling"]}]
    assert gaps["unfinished"] == ["d02"]


def test_agreement_on_all_that_is_there_says_nothing_more(tmp_path: Path) -> None:
    exports(load(tmp_path, THREE), amal={"d01": []}, basil={"d01": []})
    _, told = said("agreement", tmp_path, "--no-gamma")
    assert "left out" not in told
    assert "not finished" not in told


def test_nothing_is_said_to_be_decided_where_nothing_is_finished(tmp_path: Path) -> None:
    exports(load(tmp_path, THREE), amal={"d01": []}, basil={"d01": None})
    queue = tmp_path / "queue.jsonl"
    _, told = said("adjudicate", tmp_path, "--queue", queue)
    assert "no document is finished by as many annotators as asked (2)" in told
    assert "0 differences" not in told


def test_a_watch_goes_on_when_the_server_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load(tmp_path, THREE)
    place = Progress(
        round="all", who="amal", kind="human", arm="blind", documents=3, done=1, begun=1, remaining=2,
        pace=None, minutes=None, hours_left=None,
    )  # fmt: skip
    seen = Status(
        campaign="c", at="now", places=(place,), unexported=0, oldest_unexported=None, findings=2, decisions=0
    )
    assert json.loads(msgspec.json.encode(seen))["places"][0]["remaining"] == 2
    answers = iter([seen, KhabarError(lost("address", "nothing")), seen, KeyboardInterrupt()])

    def look(_: object) -> Status:
        answer = next(answers)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    monkeypatch.setattr("khabar.campaign.status.look", look)
    shown: list[str] = []

    def keep(status: Status, *, trouble: str = "") -> Table:
        table = status_table(status, trouble=trouble)
        shown.append(str(table.caption))
        return table

    monkeypatch.setattr("khabar.report.campaign.status_table", keep)
    CliRunner().invoke(campaign_app, ["status", str(tmp_path), "--watch", "0.001"])
    assert ["does not answer" in caption for caption in shown] == [False, True, False]
    assert all("2 findings" in caption for caption in shown)


def test_a_backend_wants_an_assisted_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    studio = Studio(load(tmp_path, THREE), tmp_path / "data")
    monkeypatch.setattr(Studio, "remove_copies", lambda _: None)
    monkeypatch.setattr(Studio, "stamped", lambda _: {})
    with pytest.raises(KhabarError, match="no assisted project") as caught:
        list(open_campaign(studio, backend="http://127.0.0.1:9090"))
    assert caught.value.code == "campaign-invalid"


def test_wire_texts_are_not_shippable(tmp_path: Path) -> None:
    assert not load(tmp_path, [document("Rebels shelled it.", lang="en", origin="wire")]).shippable
