"""The campaigns that the repository keeps while they are under way: what is in them so far is sound."""

import re
from collections import Counter, defaultdict
from pathlib import Path

import msgspec
import pytest

from khabar import jsonl
from khabar.campaign.config import load_campaign
from khabar.campaign.files import read_findings, read_work
from khabar.registry import Actor, Place, Storyline
from khabar.types import Document

ROOT = Path(__file__).resolve().parent.parent
CAMPAIGNS = sorted(path.parent for path in (ROOT / "annotations" / "campaigns").glob("*/campaign.toml"))
NEW = ROOT / "annotations" / "campaigns" / "composed-2"
RUN = 8


@pytest.mark.parametrize("folder", CAMPAIGNS, ids=lambda path: path.name)
def test_a_kept_campaign_can_be_read_and_its_work_is_sound(folder: Path) -> None:
    campaign = load_campaign(folder)
    work, issues = read_work(campaign)
    assert issues == []
    assert read_findings(campaign) == []
    assert sum(len(mine) for mine in work.values()) > 0
    done = [{item.doc_id for item in mine} for mine in work.values()]
    assert len({frozenset(each) for each in done}) == 1, "every document that one has, the other has too"


def documents() -> list[Document]:
    first = jsonl.read_list(ROOT / "annotations" / "documents" / "composed.jsonl", Document)
    return [*first, *jsonl.read_list(NEW / "documents.jsonl", Document)]


def names() -> set[str]:
    found: set[str] = set()
    for folder in (ROOT / "annotations" / "registry", NEW / "registry"):
        for actor in jsonl.read_list(folder / "actors.jsonl", Actor):
            found.update(re.findall(r"\w+", " ".join((actor.name_en, actor.name_ar, *actor.aliases)).casefold()))
        for place in jsonl.read_list(folder / "places.jsonl", Place):
            found.update(re.findall(r"\w+", " ".join((place.name_en, place.name_ar, *place.variants)).casefold()))
    return found


def test_no_two_reports_share_a_run_of_words_or_an_opening() -> None:
    known = names()
    where: dict[str, set[str]] = defaultdict(set)
    openings: Counter[str] = Counter()
    for document in documents():
        words = re.findall(r"\w+", document.text.casefold())
        for at in range(len(words) - RUN + 1):
            run = words[at : at + RUN]
            if sum(word in known or word.isdigit() for word in run) < RUN // 2:
                where[" ".join(run)].add(document.doc_id)
        openings[" ".join(document.text.split("\n\n")[1].split()[:4]).casefold()] += 1
    assert {run: sorted(ids) for run, ids in where.items() if len(ids) > 1} == {}
    assert [opening for opening, count in openings.items() if count > 1] == []


def test_every_report_tells_a_storyline_and_every_storyline_is_told() -> None:
    told = {item.storyline for item in jsonl.read_list(NEW / "documents.jsonl", Document)}
    written = jsonl.read_list(NEW / "registry" / "storylines.jsonl", Storyline)
    assert {item.id for item in written} == told
    ids = [event.id for item in written for event in item.events]
    assert len(ids) == len(set(ids))
    for item in written:
        assert {conflict for conflict, _ in item.conflicts} <= {event.id for event in item.events}, item.id


def test_new_entries_of_the_registry_fit_the_old_ones() -> None:
    old = ROOT / "annotations" / "registry"
    actors = [*jsonl.read_list(old / "actors.jsonl", Actor), *jsonl.read_list(NEW / "registry" / "actors.jsonl", Actor)]
    places = [*jsonl.read_list(old / "places.jsonl", Place), *jsonl.read_list(NEW / "registry" / "places.jsonl", Place)]
    for entries in (actors, places):
        times = Counter(entry.id for entry in entries)
        assert [name for name, count in times.items() if count > 1] == []
    known = {entry.id for entry in (*actors, *places)}
    needed = [*(a.sponsor for a in actors), *(a.predecessor for a in actors), *(p.within for p in places)]
    assert {name for name in needed if name} - known == set()
    added = [record for _, record in jsonl.read_records(NEW / "registry" / "additions.jsonl", dict[str, msgspec.Raw])]
    assert {msgspec.json.decode(record["id"]) for record in added} <= known
