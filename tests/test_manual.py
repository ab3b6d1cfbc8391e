import re
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest
import studio
from PIL import Image
from typer.testing import CliRunner

from khabar.campaign.config import KINDS, Config, Preannotation, Round, Speed
from khabar.cli import app
from khabar.cli_campaign import campaign_app
from khabar.errors import CODES
from khabar.types import Document
from khabar.validate import check_documents
from khabar.workspace import Annotators

ROOT = Path(__file__).resolve().parent.parent
MANUAL = ROOT / "annotations" / "manual"
PAGES = sorted(MANUAL.glob("*.md"))
MANAGER = (MANUAL / "manager.md").read_text(encoding="utf-8")


def names(owner: object) -> set[str]:
    return {command.name or command.callback.__name__ for command in owner.registered_commands}  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_everything_that_the_manual_names_is_there(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert (path.parent / target).is_file(), target
    for script in re.findall(r"scripts/\w+\.py", text):
        assert (ROOT / script).is_file(), script
    for target in re.findall(r"`make ([a-z]+)", text):
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE), target
    called = re.findall(r"(?:`|\$ |\n\n?```\n)khabar (campaign )?([a-z-]+)", text.replace("khabar campaign …", ""))
    for group, command in called:
        assert command in (names(campaign_app) if group else names(app)), command


def test_every_command_of_a_campaign_is_in_the_manual() -> None:
    told = set(re.findall(r"khabar campaign ([a-z-]+)", MANAGER))
    assert sorted(names(campaign_app) - told) == []


def test_the_examples_of_the_manual_are_a_register_and_a_document() -> None:
    blocks = re.findall(r"```json\n(.*?)```", MANAGER, re.DOTALL)
    register = next(block for block in blocks if '"annotators"' in block)
    known = msgspec.json.decode(register, type=Annotators).annotators
    assert {item.kind for item in known} <= set(KINDS)
    document = msgspec.json.decode(next(block for block in blocks if '"sha256"' in block), type=Document)
    assert list(check_documents([document])) == []
    assert [kind for kind in KINDS if f'"{kind}"' not in MANAGER] == []


def test_make_clean_spares_the_data_of_a_label_studio(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("label_studio/khabar.json", "team/server/khabar.json", "predictions/crf.jsonl"):
        (tmp_path / ".khabar" / name).parent.mkdir(parents=True)
        (tmp_path / ".khabar" / name).touch()
    (tmp_path / "dist").mkdir()
    subprocess.run(["make", "clean"], cwd=tmp_path, check=True, capture_output=True)
    assert sorted(path.name for path in (tmp_path / ".khabar").iterdir()) == ["label_studio", "team"]
    assert (tmp_path / ".khabar" / "team" / "server" / "khabar.json").exists()
    assert not (tmp_path / "dist").exists()
    shutil.rmtree(tmp_path / ".khabar")
    subprocess.run(["make", "clean"], cwd=tmp_path, check=True, capture_output=True)


def test_every_option_named_in_the_manual_exists() -> None:
    known = {
        name: CliRunner().invoke(app, ["campaign", name, "--help"], env={"COLUMNS": "200"}).output
        for name in names(campaign_app)
    }
    for name, options in re.findall(r"khabar campaign ([a-z]+)([^`\n]*)", MANAGER):
        for option in re.findall(r"--[a-z-]+", options):
            assert option in known[name], f"{name} {option}"


def test_every_field_of_the_configuration_is_explained() -> None:
    fields = {field.name for kind in (Config, Preannotation, Round, Speed) for field in msgspec.structs.fields(kind)}
    assert [name for name in sorted(fields) if f"`{name}`" not in MANAGER] == []


def test_codes_that_the_manual_explains_exist() -> None:
    rows = re.findall(r"^\| ((?:`[a-z-]+`(?:, | and )?)+)", MANAGER.partition("| found |")[2], re.MULTILINE)
    found = [code for row in rows for code in re.findall(r"`([a-z-]+)`", row)]
    assert len(found) > 10
    assert [code for code in found if code not in CODES] == []


@pytest.mark.parametrize("path", sorted(MANUAL.glob("*.png")), ids=lambda path: path.name)
def test_pictures_are_small_and_shown(path: Path) -> None:
    with Image.open(path) as picture:
        assert picture.width >= 800
    assert path.stat().st_size < 300_000
    assert any(path.name in page.read_text(encoding="utf-8") for page in PAGES)


@pytest.mark.slow
def test_the_terminal_shows_what_the_manual_shows(studio_template: Path, tmp_path: Path) -> None:
    import sys

    with studio.running(studio_template, tmp_path / "server") as data:
        script = [sys.executable, str(ROOT / "scripts" / "rehearse_campaign.py"), "--check"]
        place = ["--data", str(data), "--place", str(tmp_path / "place")]
        done = subprocess.run([*script, *place], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
