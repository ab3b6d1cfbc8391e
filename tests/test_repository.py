import ast
import re
import statistics
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import msgspec
import pytest
from tree import files

from khabar.corpus import load_gold
from khabar.types import Annotation
from khabar.validate import check_annotation

ROOT = Path(__file__).resolve().parent.parent
TRACKED = files()
CODE = [path for path in TRACKED if path.suffix == ".py" and "tests" not in path.parts]
TEXTS = [path for path in TRACKED if path.suffix not in (".parquet", ".png")]
# Written in parts, so that this file does not hold what it looks for.
HOSTS = re.compile(
    "|".join(("py" + "pi\\.org", "python" + "hosted\\.org", "npm" + "js\\.org", "deb\\." + "debian\\.org"))
)
MACHINE = re.compile(r"(?<![\w./])/(?:" + "|".join(("wo" + "rk", "fa" + "rm", "ro" + "ot", "ho" + "me")) + r")/\w")


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_registry_host_and_no_path_of_a_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not HOSTS.search(text)
    assert not MACHINE.search(text)


@lru_cache(maxsize=1)
def functions() -> list[tuple[Path, ast.FunctionDef | ast.AsyncFunctionDef]]:
    return [
        (path, node)
        for path in CODE
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]


def body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
    return (node.end_lineno or 0) - first.lineno + 1


def test_functions_are_small() -> None:
    sizes = [body_lines(node) for _, node in functions()]
    assert statistics.median(sizes) < 10
    assert [f"{path.name}:{node.name}" for path, node in functions() if body_lines(node) > 40] == []


def public_functions(path: Path) -> list[ast.FunctionDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    owners = [tree, *(node for node in tree.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_"))]
    nodes = [node for owner in owners for node in owner.body if isinstance(node, ast.FunctionDef)]
    return [node for node in nodes if not node.name.startswith("_")]


LIBRARY = [
    path
    for path in CODE
    if path.relative_to(ROOT).parts[0] == "khabar" and path.stem not in ("cli", "cli_campaign", "__main__")
]


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_public_function_of_the_library_documents_its_arguments(path: Path) -> None:
    missing = []
    for node in public_functions(path):
        text = ast.get_docstring(node) or ""
        names = [arg.arg for arg in (*node.args.args, *node.args.kwonlyargs) if arg.arg not in ("self", "cls", "other")]
        missing += [f"{node.name}({name})" for name in names if f"{name}:" not in text]
        missing += [node.name] * (not text)
    assert missing == []


def test_there_is_no_utils_module() -> None:
    assert not [path for path in CODE if path.stem in ("utils", "util", "helpers", "misc", "common")]


def test_the_top_level_is_what_the_layout_names() -> None:
    named = "README.md dataset_card.md CHANGELOG.md CITATION.cff LICENSE LICENSE-DATA pyproject.toml constraints.txt Makefile khabar annotations splits evaluation scripts tests .ci .gitignore"
    assert {path.relative_to(ROOT).parts[0] for path in TRACKED} == set(named.split())


def test_constraints_pin_by_name_and_version_alone() -> None:
    lines = (ROOT / "constraints.txt").read_text().split()
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9._+!-]+", line) for line in lines)
    assert not [line for line in lines if line.startswith(("torch==", "nvidia"))]


README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_readmes_examples_are_short() -> None:
    assert len(EXAMPLES) == 2
    assert all(len([line for line in example.splitlines() if line.strip()]) <= 9 for example in EXAMPLES)


@pytest.mark.parametrize("example", EXAMPLES, ids=["load", "score"])
def test_the_readmes_examples_run_and_print_what_it_shows(example: str, tmp_path: Path) -> None:
    env = {"PATH": "", "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-c", example], cwd=ROOT, capture_output=True, text=True, check=False, env=env
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    if "signature" in example:
        assert done.stdout.strip() in README


def test_every_command_and_make_target_of_the_readme_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`?make ([a-z]+)", README):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for script in re.findall(r"scripts/\w+\.py", README):
        assert (ROOT / script).is_file()


def test_the_readmes_prediction_is_valid() -> None:
    gold = load_gold("test")
    text = re.findall(r"```json\n(.*?)```", README, re.DOTALL)[0]
    prediction = msgspec.json.decode(text, type=Annotation)
    document = gold.by_id[prediction.doc_id]
    assert list(check_annotation(prediction, document)) == []
    shown = [document.text[item.start : item.end] for item in prediction.items]
    assert shown == ["Gholmash", "toll"]


def test_every_command_and_format_is_documented() -> None:
    from khabar.cli import app
    from khabar.inputs import FORMATS

    commands = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
    assert len(commands) >= 7
    assert [name for name in commands if f"khabar {name}" not in README] == []
    protocol = (ROOT / "evaluation" / "PROTOCOL.md").read_text(encoding="utf-8")
    assert [name for name in FORMATS if f"`{name}`" not in protocol] == []
