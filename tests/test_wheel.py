"""The wheel as its users have it: built, installed into an empty environment, used offline and elsewhere."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from khabar import __version__
from khabar.corpus import SPLITS, GoldSet, load_gold
from khabar.describe import describe

ROOT = Path(__file__).resolve().parent.parent
RELEASE = ROOT / "splits"
CRF = ROOT / "evaluation" / "baselines" / "crf"
CONFIGURATIONS = ["documents", "actors", "triggers", "events", "conflicts", "wire"]
EXTRAS = {
    "django",
    "httpx",
    "hypothesis",
    "label-studio",
    "label-studio-sdk",
    "mlcroissant",
    "mypy",
    "playwright",
    "pytest",
    "python-crfsuite",
    "ruff",
    "tensorflow",
    "torch",
    "transformers",
}
Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Installed:
    """A wheel, and the environment that it was installed into."""

    wheel: Path
    bin: Path
    site: Path


def call(arguments: Sequence[str | Path], **more: Any) -> Done:
    """Run a command; what it prints is told where it fails."""
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=900, check=False, **more)
    assert done.returncode == 0, f"{' '.join(map(str, arguments))}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    call([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT], cwd=folder)
    (found,) = folder.iterdir()
    return found


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    folder = tmp_path_factory.mktemp("installed")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV"))}
    call([sys.executable, "-m", "venv", folder / "venv"], env=environment)
    python = folder / "venv" / "bin" / "python"
    options = ["--quiet", "--constraint", ROOT / "constraints.txt"]
    call([python, "-m", "pip", "install", *options, wheel], cwd=folder, env=environment)
    site = call([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], env=environment)
    yield Installed(wheel=wheel, bin=python.parent, site=Path(site.stdout.strip()))
    shutil.rmtree(folder / "venv")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """Give an empty working directory that has nothing to do with the checkout."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return folder


@pytest.fixture
def run(installed: Installed, tmp_path: Path, elsewhere: Path) -> Run:
    """Run a program of the environment: an empty HOME, no network, nothing of this process's environment."""
    home = tmp_path / "home"
    home.mkdir()
    environment = {
        "PATH": f"{installed.bin}{os.pathsep}{os.defpath}",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        # Whoever asks for a page in spite of that finds nobody.
        **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9"),
    }

    def runner(program: str, *arguments: str | Path, code: int = 0) -> Done:
        done = subprocess.run(
            [installed.bin / program, *arguments],
            cwd=elsewhere,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == code, f"{program} {arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        if program == "khabar":
            assert list(home.iterdir()) == []
        return done

    return runner


@pytest.fixture(scope="module")
def gold() -> dict[str, GoldSet]:
    return {split: load_gold(split, RELEASE) for split in SPLITS}


def plain(value: object) -> Any:
    """Give a record as JSON has it."""
    return json.loads(msgspec.json.encode(value))


def straight(text: str) -> str:
    return " ".join(text.split())


# --- the file


def test_the_wheel_holds_the_package_and_the_release(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        data = {name: archive.read(name) for name in names if name.startswith("khabar/data/")}
    assert wheel.name == f"khabar-{__version__}-py3-none-any.whl"
    assert len(names) == len(set(names))
    info = f"khabar-{__version__}.dist-info/"
    package = {f"khabar/{path.relative_to(ROOT / 'khabar').as_posix()}" for path in package_files()}
    assert {name for name in names if not name.startswith((info, "khabar/data/"))} == package
    release = {f"khabar/data/splits/{path.relative_to(RELEASE).as_posix()}": path for path in files(RELEASE)}
    assert len(release) == 17
    recipes = sorted((ROOT / "annotations" / "documents").glob("wire-*.jsonl"))
    sources = {**release, **{f"khabar/data/wire/{path.name}": path for path in recipes}}
    assert data == {name: path.read_bytes() for name, path in sources.items()}
    assert {f"{info}licenses/LICENSE", f"{info}licenses/LICENSE-DATA", f"{info}METADATA"} <= set(names)


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def package_files() -> list[Path]:
    return [path for path in files(ROOT / "khabar") if "__pycache__" not in path.parts and path.suffix != ".pyc"]


def test_the_wheel_holds_no_annotators_work_no_tests_and_no_articles(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        held = [name for name in names if name.startswith("khabar/data/wire/")]
        lines = [json.loads(line) for name in held for line in archive.read(name).splitlines()]
    recipes = [line for line in lines if "document" in line]
    assert {name.split("/")[0] for name in names} == {"khabar", f"khabar-{__version__}.dist-info"}
    unwanted = re.compile(r"(^|/)(annotations|exports|campaigns|audit|gold|tests?|evaluation|scripts)/")
    assert [name for name in names if unwanted.search(name)] == []
    assert [name for name in names if re.search(r"(^|/)(test_\w+|conftest)\.py$", name)] == []
    assert recipes
    assert {recipe["document"]["text"] for recipe in recipes} == {""}


def test_the_metadata_says_what_pyproject_says(installed: Installed, run: Run) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    code = "import importlib.metadata as m, json; print(json.dumps(m.metadata('khabar').json))"
    found = json.loads(run("python", "-c", code).stdout)
    needed = [line for line in found["requires_dist"] if "extra ==" not in line]
    assert sorted(needed) == sorted(project["dependencies"])
    assert sorted(found["provides_extra"]) == sorted(project["optional-dependencies"])
    assert found["version"] == __version__
    assert found["requires_python"] == project["requires-python"]
    assert (installed.site / "khabar" / "data" / "splits" / "README.md").is_file()


def test_the_extras_stay_extras(run: Run) -> None:
    code = (
        "import importlib.metadata as m; print('\\n'.join(d.name.lower().replace('_', '-') for d in m.distributions()))"
    )
    names = set(run("python", "-c", code).stdout.split())
    assert {"khabar", "datasets", "seqeval", "typer"} <= names
    assert names & EXTRAS == set()
    for module in ("label_studio_sdk", "label_studio", "torch", "pycrfsuite"):
        assert "ModuleNotFoundError" in run("python", "-c", f"import {module}", code=1).stderr


# --- the command and the library


def test_it_is_the_installed_package_that_runs(installed: Installed, run: Run) -> None:
    assert run("khabar", "--version").stdout == f"khabar {__version__}\n"
    code = "import khabar, khabar.corpus; print(khabar.__file__); print(khabar.corpus.release_folder())"
    package = installed.site / "khabar"
    assert run("python", "-c", code).stdout.splitlines() == [
        str(package / "__init__.py"),
        str(package / "data" / "splits"),
    ]


def test_stats_are_those_of_the_repositorys_splits(run: Run, gold: dict[str, GoldSet]) -> None:
    found = json.loads(run("khabar", "stats", "--json").stdout)
    assert found == [plain(describe(gold[split])) for split in SPLITS]
    head = yaml.safe_load((RELEASE / "README.md").read_text(encoding="utf-8").split("---\n", 2)[1])
    rows = {
        (info["config_name"], item["name"]): item["num_examples"]
        for info in head["dataset_info"]
        for item in info["splits"]
    }
    sizes = {item["name"]: (item["documents"], item["sentences"], item["events"]) for item in found}
    for split in SPLITS[:3]:
        assert sizes[split] == tuple(rows[name, split] for name in ("documents", "actors", "events"))
    assert sizes["wire"][0] == rows["wire", "test"]


def test_load_gold_reads_the_same_records(run: Run, gold: dict[str, GoldSet]) -> None:
    code = """if True:
        import khabar, msgspec
        found = {}
        for split in ("train", "validation", "test", "wire"):
            gold = khabar.load_gold(split)
            ends = [(gold.documents[n], gold.annotations[n], gold.tokens[gold.documents[n].doc_id]) for n in (0, -1)]
            found[split] = ([item.doc_id for item in gold.documents], gold.hash, ends)
        print(msgspec.json.encode(found).decode())
    """
    found = json.loads(run("python", "-c", code).stdout)
    assert list(found) == list(SPLITS)
    for split, here in gold.items():
        ids, digest, ends = found[split]
        assert ids == [document.doc_id for document in here.documents]
        assert digest == here.hash
        expected = [(here.documents[n], here.annotations[n], here.tokens[ids[n]]) for n in (0, -1)]
        assert ends == plain(expected)
        assert all(bool(document["text"]) == (split != "wire") for document, _, _ in ends)


def test_evaluate_gives_the_stored_scores(run: Run, elsewhere: Path) -> None:
    # The result is called after the file: under this name all of it is as stored.
    shutil.copy(CRF / "predictions" / "test.jsonl", elsewhere / "crf.jsonl")
    done = run("khabar", "evaluate", "crf.jsonl", "--layers", "actors,fillers,triggers", "--json")
    found, stored = json.loads(done.stdout), json.loads((CRF / "results" / "test.json").read_text(encoding="utf-8"))
    assert found["scores"] == stored["scores"]
    assert {"actors", "fillers", "triggers.classified"} <= found["scores"].keys()
    assert found == stored


def test_evaluate_refuses_what_is_broken(run: Run, elsewhere: Path) -> None:
    record = {"doc_id": "no-such-document", "mentions": [], "events": []}
    (elsewhere / "broken.jsonl").write_text(json.dumps(record) + "\n", encoding="utf-8")
    done = run("khabar", "evaluate", "broken.jsonl", "--json", code=1)
    assert [issue["code"] for issue in json.loads(done.stdout)["issues"]] == ["document-unknown"]
    run("khabar", "evaluate", "broken.jsonl", "--layers", "nothing", code=2)


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_the_installed_folder_is_loaded_by_name(installed: Installed, run: Run, configuration: str) -> None:
    code = """if True:
        import json, sys
        import datasets
        datasets.disable_progress_bars()
        loaded = datasets.load_dataset(sys.argv[1], sys.argv[2], cache_dir="cache")
        print(json.dumps({split: len(rows) for split, rows in loaded.items()}))
    """
    folder = installed.site / "khabar" / "data" / "splits"
    before = {path: path.read_bytes() for path in files(folder)}
    found = json.loads(run("python", "-c", code, folder, configuration).stdout)
    head = yaml.safe_load((RELEASE / "README.md").read_text(encoding="utf-8").split("---\n", 2)[1])
    (info,) = (info for info in head["dataset_info"] if info["config_name"] == configuration)
    assert found == {item["name"]: item["num_examples"] for item in info["splits"]}
    assert {path: path.read_bytes() for path in files(folder)} == before


# --- documents


class Page(HTMLParser):
    """What a page says in its article, how many marks it has, and what it asks for from elsewhere."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.inside = False
        self.words: list[str] = []
        self.marks: list[str] = []
        self.asks: list[str] = []
        self.language = ""
        self.direction = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.asks += [value or "" for name, value in attrs if name in {"src", "href", "srcset", "action"}]
        if tag == "html":
            self.language = given["lang"] or ""
        if tag == "article":
            self.inside, self.direction = True, given["dir"] or ""
        if tag == "mark":
            self.marks.append(given["class"] or "")
        if tag == "p":
            self.words.append(" ")

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag != "article"

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.words.append(data)


@pytest.mark.parametrize("language", ["en", "ar"])
def test_show_a_composed_document(run: Run, elsewhere: Path, gold: dict[str, GoldSet], language: str) -> None:
    test = gold["test"]
    document, annotation = next(
        pair for pair in zip(test.documents, test.annotations, strict=True) if pair[0].lang == language
    )
    shown = run("khabar", "show", document.doc_id).stdout
    assert shown.startswith(document.doc_id)
    assert straight(document.text) in straight(shown)
    assert all(event.type in shown for event in annotation.events)

    said = run("khabar", "show", document.doc_id, "--page", "page.html").stdout
    assert said == "written: page.html\n"
    page = Page((elsewhere / "page.html").read_text(encoding="utf-8"))
    assert straight("".join(page.words)) == straight(document.text)
    assert (page.language, page.direction) == (language, "rtl" if language == "ar" else "ltr")
    assert page.marks.count("event") >= len(annotation.events) > 0
    assert page.marks.count("mention") >= len(annotation.mentions) > 0
    assert page.asks == []


def test_show_an_unknown_document(run: Run, gold: dict[str, GoldSet]) -> None:
    known = gold["test"].documents[0].doc_id
    done = run("khabar", "show", known + "x", code=1)
    assert done.stdout == ""
    assert "[document-unknown]" in done.stderr
    assert f"Did you mean {known}?" in done.stderr


def test_wire_articles_that_are_not_there_are_named(run: Run, elsewhere: Path, gold: dict[str, GoldSet]) -> None:
    (elsewhere / "articles").mkdir()
    done = run("khabar", "wire", "build", "--sources", "articles", "--json", code=1)
    issues = json.loads(done.stdout)["issues"]
    assert [(issue["code"], issue["doc_id"]) for issue in issues] == [
        ("source-missing", document.doc_id) for document in gold["wire"].documents
    ]
    assert not (elsewhere / "wire_documents.jsonl").exists()
