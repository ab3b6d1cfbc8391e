import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "khabar"

# Who may import whom: a module imports only from rows above its own, or from its own package.
LEVELS = [
    {"errors", "types", "console"},
    {"ontology", "jsonl"},
    {"align", "validate", "wire"},
    {"quotes", "metrics", "label_studio"},
    {"statistics"},
    {"registry"},
    {"linking"},
    {"corpus"},
    {"inputs", "describe", "adjudicate", "style"},
    {"results", "slices"},
    {"tagview", "summary"},
    {"scoring", "comparison", "audit"},
    {"evaluation", "tagging", "models", "splits", "workspace"},
    {"agreement"},
    {"campaign"},
    {"report"},
    {"docs"},
    {"release"},
    {"cli_campaign"},
    {"cli"},
    {"__main__"},
]


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "khabar":
            rest = node.module.split(".")[1:]
            found |= {rest[0]} if rest else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("khabar.")}
    return found - {"__version__"}


def level(name: str) -> int:
    return next(number for number, row in enumerate(LEVELS) if name in row)


MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py" or path.parent != PACKAGE)


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_modules_import_downwards_only(path: Path) -> None:
    name = module_name(path)
    own = name.split(".")[0]
    for target in imports(path) - {own}:
        assert level(target) < level(own), f"khabar.{name} imports khabar.{target}"


def test_metrics_touch_no_file() -> None:
    for path in (PACKAGE / "metrics").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not any(word in text for word in ("pathlib", "open(", "import os", "jsonl"))


def test_only_the_command_prints_and_exits() -> None:
    for path in MODULES:
        if module_name(path) not in ("cli", "console"):
            text = path.read_text(encoding="utf-8")
            assert "print(" not in text.replace("_print(", ""), path
            assert "sys.exit" not in text, path


def loaded_after(code: str) -> set[str]:
    script = f"import sys; {code}; print(' '.join(sorted({{name.split('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


HEAVY = {
    "datasets",
    "seqeval",
    "sklearn",
    "pandas",
    "pyarrow",
    "numpy",
    "label_studio_sdk",
    "jinja2",
    "rich",
    "httpx",
    "torch",
}


def test_importing_khabar_loads_nothing_heavy() -> None:
    assert loaded_after("import khabar") & HEAVY == set()


def test_scoring_loads_nothing_that_is_slow_to_load() -> None:
    code = "import khabar; khabar.evaluate(gold=khabar.load_gold('test'), pred=[])"
    assert loaded_after(code) & {"datasets", "seqeval", "sklearn", "scipy", "pandas", "label_studio_sdk"} == set()


def test_public_names_are_what_they_say() -> None:
    import khabar

    assert callable(khabar.evaluate)
    assert all(hasattr(khabar, name) for name in khabar.__all__)
    with pytest.raises(AttributeError):
        khabar.no_such_name  # noqa: B018
