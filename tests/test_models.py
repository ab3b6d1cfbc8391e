"""khabar models: loading, checking, pre-annotation."""

from pathlib import Path

import msgspec
import pytest
from builders import GOLD, TEXT, annotation, document, event, mention

from khabar import jsonl
from khabar.corpus import load_gold, sentence_tokens
from khabar.errors import Issue, KhabarError
from khabar.label_studio.convert import from_result, to_prediction, to_result
from khabar.models import Model, load_model, preannotate
from khabar.tagging import annotator, predict
from khabar.types import Annotation, Document, Link

ROOT = Path(__file__).resolve().parent.parent
BASELINES = ROOT / "evaluation" / "baselines"
GOOD = """
from khabar.types import Annotation, Event, Mention

def load():
    return lambda document: Annotation(doc_id=document.doc_id, mentions=(Mention(id="m1", start=0, end=6, type="PLACE"),))
"""


def write(folder: Path, code: str, name: str = "mine.py") -> Path:
    path = folder / name
    path.write_text(code, encoding="utf-8")
    return path


def fixed(made: Annotation) -> Model:
    return Model(name="fixed", version="1", annotate=lambda _: made)


def problem(source: Path | str) -> Issue:
    with pytest.raises(KhabarError) as caught:
        load_model(source)
    (issue,) = caught.value.issues
    return issue


def codes(made: Annotation, text: str = TEXT) -> list[str]:
    with pytest.raises(KhabarError) as caught:
        preannotate(fixed(made), [document(text)])
    return [issue.code for issue in caught.value.issues]


# ---------------------------------------------------------------- loading


def test_a_file_with_load_is_a_model(tmp_path: Path) -> None:
    model = load_model(write(tmp_path, GOOD))
    assert model.name == "mine"
    assert model.label == f"mine-{model.version}"
    (made,) = preannotate(model, [document()])
    assert made == annotation(mention("m1", 0, 6, "PLACE"), author="mine", sha256=document().sha256)


def test_a_module_is_a_model_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, GOOD, "khabar_test_model.py")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert load_model("khabar_test_model").name == "khabar_test_model"


def test_the_version_follows_the_file_and_what_it_names(tmp_path: Path) -> None:
    first = load_model(write(tmp_path, GOOD)).version
    (tmp_path / "moved").mkdir()
    assert load_model(write(tmp_path, GOOD)).version == first
    assert load_model(write(tmp_path / "moved", GOOD)).version == first
    others = {load_model(write(tmp_path, GOOD + extra)).version for extra in ("# x", "VERSION='2'", "VERSION='3'")}
    assert len({first, *others}) == 4


def test_the_version_follows_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, GOOD)
    first = load_model(path).version
    monkeypatch.setattr("khabar.models.load_gold", lambda _: load_gold("validation"))
    assert load_model(path).version != first


def test_the_name_is_told_or_taken_from_the_path(tmp_path: Path) -> None:
    assert load_model(write(tmp_path, GOOD + "NAME = 'told'\n")).name == "told"
    (tmp_path / "folder").mkdir()
    assert load_model(write(tmp_path / "folder", GOOD, "predict.py")).name == "folder"


BAD = {
    "no load": ("x = 1", "no function load"),
    "load is no function": ("load = 1", "no function load"),
    "load fails": ("def load(): raise OSError('no weights')", "OSError: no weights"),
    "load gives nothing": ("def load(): pass", "a NoneType"),
    "syntax": ("def load(:", "SyntaxError"),
    "import": ("import no_such_package", "ModuleNotFoundError"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, name: str) -> None:
    code, found = BAD[name]
    issue = problem(write(tmp_path, code))
    assert issue.code == "model-broken"
    assert found in issue.found


def test_a_missing_file_and_an_unknown_module_are_named(tmp_path: Path) -> None:
    assert problem(tmp_path / "gone.py").code == "file-missing"
    assert problem(tmp_path).code == "file-missing"
    assert problem(write(tmp_path, "{}", "model.json")).code == "model-broken"
    unknown = problem("no_such_module")
    assert (unknown.code, unknown.where) == ("model-broken", "no_such_module")


# ---------------------------------------------------------------- what a model says is checked


def test_what_is_no_annotation_of_the_document_is_refused() -> None:
    assert codes(annotation(mention("m1", 0, 99, "PLACE"))) == ["span-outside"]
    assert codes(annotation(mention("m1", 0, 6, "TOWN"))) == ["label-unknown"]
    assert codes(annotation(mention("m1", 0, 6, "PLACE"), event("m1", 7, 14, "Strike.Shelling"))) == ["id-duplicate"]
    assert codes(annotation(event("e1", 7, 14, "Strike.Shelling", ("Agent", "m9")))) == ["argument-dangling"]
    assert codes(annotation(doc_id="other")) == ["model-broken"]
    assert codes(annotation(sha256="0" * 64)) == ["document-hash"]
    assert codes({}) == ["model-broken"]  # type: ignore[arg-type]


def test_a_model_that_fails_is_named_with_the_document() -> None:
    model = Model(name="fails", version="1", annotate=lambda item: annotation() if item.doc_id == "d1" else 1 / 0)
    with pytest.raises(KhabarError) as caught:
        preannotate(model, [document(), document("Another.", "d2")])
    (issue,) = caught.value.issues
    assert (issue.code, issue.where) == ("model-broken", "model fails, document d2")
    assert "ZeroDivisionError" in issue.found


BREACHES = annotation(
    mention("m1", 0, 6, "ARMED_GROUP"),
    mention("m2", 15, 22, "PLACE"),
    mention("m3", 15, 22, "FACILITY"),
    mention("m4", 15, 34, "PLACE"),
    mention("m5", 27, 40, "PLACE"),
    event("e1", 7, 14, "Strike.Shelling", ("Agent", "m1"), ("Target", "m2"), ("Place", "m5"), ("Victim", "m1")),
    event("e2", 7, 14, "Combat.Attack"),
    event("e3", 45, 51, "Politics.AccuseDeny"),
    links=(Link("COREF", "e1", "e2"), Link("CONTENT", "e3", "e1")),
)


def test_breaches_of_constraints_are_errors_unless_they_are_reported() -> None:
    found = codes(BREACHES)
    assert set(found) == {"span-duplicate", "span-crossing", "role-not-allowed", "filler-not-allowed"}
    reported: list[Issue] = []
    (made,) = preannotate(fixed(BREACHES), [document()], report=reported.append)
    assert [issue.code for issue in reported] == found
    # The longer of two that cross stays, the first of two on one span, and what refers to nothing else.
    assert [item.id for item in made.mentions] == ["m1", "m2", "m4"]
    assert [(item.id, [a.role for a in item.arguments]) for item in made.events] == [("e1", ["Agent"]), ("e3", [])]
    assert made.links == (Link("CONTENT", "e3", "e1"),)


def test_what_is_valid_is_left_alone() -> None:
    reported: list[Issue] = []
    (made,) = preannotate(fixed(GOLD), [document()], report=reported.append)
    assert reported == []
    assert made == msgspec.structs.replace(GOLD, author="fixed", sha256=document().sha256)


# ---------------------------------------------------------------- the baselines


def test_a_baseline_as_a_model_says_what_it_says_as_a_script() -> None:
    gold = load_gold("test")
    stored = jsonl.read_list(BASELINES / "dictionary" / "predictions" / "test.jsonl", Annotation)
    model = load_model(BASELINES / "dictionary" / "predict.py")
    assert model.name == "dictionary"
    assert [model.annotate(item) for item in gold.documents] == stored
    reported: list[Issue] = []
    made = preannotate(model, gold.documents, report=reported.append)
    # The layers are tagged apart: now and then two of them claim one span, and one of the two is left out.
    assert len(reported) < 10
    assert {issue.code for issue in reported} <= {"span-duplicate", "span-crossing"}
    assert sum(len(item.items) for item in made) >= sum(len(item.items) for item in stored) - len(reported)


def test_documents_of_no_set_are_cut_as_the_released_ones_are() -> None:
    gold = load_gold("test")
    assert all(sentence_tokens(item.text) == gold.tokens[item.doc_id] for item in gold.documents)
    taggers = {"actors": lambda words: ["B-ORG" if word[0].isupper() else "O" for word in words]}
    annotate = annotator(taggers, author="capitals")
    assert [annotate(item) for item in gold.documents] == predict(gold, taggers, author="capitals")


# ---------------------------------------------------------------- as Label Studio's predictions


def test_a_prediction_holds_the_annotation_under_ids_of_its_own() -> None:
    item = document()
    linked = msgspec.structs.replace(GOLD, links=(Link("CONTENT", "e2", "e1"),))
    made = to_prediction(linked, item.text, model_version="crf-1", score=0.5)
    assert (made["model_version"], made["score"]) == ("crf-1", 0.5)
    assert "score" not in to_prediction(linked, item.text, model_version="crf-1")
    ids = {entry["id"] for entry in made["result"] if "id" in entry}
    assert len(ids) == len(linked.items)
    assert ids.isdisjoint(found.id for found in linked.items)
    other = to_prediction(linked, item.text, model_version="crf-2")
    assert ids.isdisjoint(entry.get("id") for entry in other["result"])
    assert made == to_prediction(linked, item.text, model_version="crf-1", score=0.5)


def read(result: list[dict[str, object]], item: Document, cut: int) -> Annotation:
    """Read a result whose ids begin with a mark of that length."""
    unmarked = [
        {key: value[cut:] if key in ("id", "from_id", "to_id") else value for key, value in entry.items()}
        for entry in result
    ]  # type: ignore[index]
    found, issues = from_result(unmarked, item, author="")
    assert issues == []
    return found


def test_a_prediction_reads_back_as_the_annotation() -> None:
    item = document()
    made = to_prediction(GOLD, item.text, model_version="crf-1")
    (first, *_) = made["result"]
    cut = len(first["id"]) - len("m1")
    assert read(made["result"], item, cut) == read(to_result(GOLD, item.text), item, 0)
