"""The campaigns that the repository keeps: what is in them is sound, and the corpus has what they closed to."""

import shutil
from pathlib import Path

import msgspec
import pytest

from khabar import jsonl
from khabar.campaign.adjudication import take_decisions
from khabar.campaign.closing import trace
from khabar.campaign.config import load_campaign
from khabar.campaign.files import (
    DECISIONS,
    REPLACED,
    archive_of,
    read_decisions,
    read_findings,
    read_manifest,
    read_work,
)
from khabar.types import Annotation
from khabar.workspace import Workspace

ROOT = Path(__file__).resolve().parent.parent
CAMPAIGNS = sorted(path.parent for path in (ROOT / "annotations" / "campaigns").glob("*/campaign.toml"))
WORKSPACE = Workspace(ROOT / "annotations")


@pytest.fixture(params=CAMPAIGNS, ids=lambda path: path.name)
def folder(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


def test_a_kept_campaign_can_be_read_and_its_work_is_sound(folder: Path) -> None:
    campaign = load_campaign(folder)
    work, issues = read_work(campaign)
    assert issues == []
    assert read_findings(campaign) == []
    assert {name: len(mine) for name, mine in work.items()} == dict.fromkeys(
        campaign.config.annotators, len(campaign.documents)
    )


def test_its_archive_is_whole(folder: Path) -> None:
    campaign = load_campaign(folder)
    archive, manifest = archive_of(campaign), read_manifest(campaign)
    assert manifest
    archive.require_grown(manifest.archive_lines, manifest.archive_chain)
    assert all(archive.read(version.object) for version in archive.versions())


def test_every_item_of_its_gold_can_be_traced(folder: Path) -> None:
    campaign = load_campaign(folder)
    work, _ = read_work(campaign)
    decisions = read_decisions(campaign)
    gold = {item.doc_id: item for item in WORKSPACE.stored_gold(folder.name)}
    for doc_id, item in gold.items():
        versions = [mine for each in work.values() for mine in each if mine.doc_id == doc_id]
        told = trace(item, versions, [decision for decision in decisions if decision.doc_id == doc_id])
        alone = [each for each in told if len(each.proposed_by) < len(versions) and not each.decided_by]
        assert [each for each in alone if each.item.kind != "attribute"] == []


def test_a_decision_that_is_revised_leaves_the_canary_where_it_was(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "annotations", tmp_path / "annotations", ignore=shutil.ignore_patterns("audit", "archive"))
    campaign = load_campaign(tmp_path / "annotations" / "campaigns" / "composed-2")
    first, *_ = read_decisions(campaign)
    revised = msgspec.structs.replace(first, reason="Read once more.")
    assert take_decisions(campaign, [revised], revise=True) == 1
    assert revised in read_decisions(campaign)
    assert jsonl.has_canary(campaign.path(DECISIONS))
    assert jsonl.read_list(campaign.path(REPLACED), type(first)) == [first]
    assert jsonl.has_canary(campaign.path(REPLACED))


def test_lots_and_campaigns_belong_together() -> None:
    lots = [lot for project in ("composed", "wire") for lot in WORKSPACE.lots(project)]
    assert {folder.name for folder in CAMPAIGNS} <= set(lots)
    assert {path.stem for path in (ROOT / "annotations" / "documents").glob("*.jsonl")} == set(lots)
    assert all(jsonl.read_list(ROOT / "annotations" / "gold" / f"{lot}.jsonl", Annotation) for lot in lots)
