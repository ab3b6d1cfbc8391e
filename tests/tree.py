"""The files of the repository: what git tracks, or, without git, what is not made by running it."""

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MADE = {
    ".git",
    ".venv",
    ".khabar",
    "__pycache__",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    ".hypothesis",
    "dist",
    "build",
}


def files() -> list[Path]:
    if shutil.which("git") and (ROOT / ".git").exists():
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        found = [ROOT / name for name in listed.split("\0") if name]
    else:
        found = sorted(ROOT.rglob("*"))
    return [path for path in found if path.is_file() and not MADE & set(path.relative_to(ROOT).parts)]
