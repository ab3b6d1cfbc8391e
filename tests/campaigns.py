"""Campaigns for tests: a folder with documents, a register, guidelines and campaign.toml."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from builders import document

from khabar import jsonl
from khabar.campaign.config import Campaign, load_campaign
from khabar.types import Document
from khabar.workspace import Annotator, Annotators

GUIDELINES = "# Guidelines\n\nMark what is said.\n"
PEOPLE = {"amal": ("en", "ar"), "basil": ("en", "ar"), "carol": ("en",), "dunya": ("en", "ar"), "judge": ("en", "ar")}
CONFIG = {"name": "c", "documents": "documents.jsonl", "annotators": ["amal", "basil"], "adjudicators": ["judge"]}


def documents(*langs: str) -> list[Document]:
    """Make a document for each language that is named: d01, d02 …"""
    return [document(f"Rebels shelled village {n}.", f"d{n:02}", lang=lang) for n, lang in enumerate(langs, 1)]


def person(name: str, *languages: str, kind: str = "human") -> Annotator:
    return Annotator(name=name, kind=kind, role="annotator", languages=languages, note="")


def everybody(kind: str = "human") -> list[Annotator]:
    return [person(name, *languages, kind=kind) for name, languages in PEOPLE.items()]


def to_toml(config: dict[str, Any]) -> str:
    """Write a configuration: plain values first, then tables, then arrays of tables."""
    plain = {key: value for key, value in config.items() if not isinstance(value, dict) and key != "rounds"}
    lines = [f"{key} = {json.dumps(value)}" for key, value in plain.items()]
    for key, table in config.items():
        if isinstance(table, dict):
            lines += [f"[{key}]", *(f"{name} = {json.dumps(value)}" for name, value in table.items())]
    for part in config.get("rounds", ()):
        lines += ["[[rounds]]", *(f"{name} = {json.dumps(value)}" for name, value in part.items())]
    return "\n".join(lines) + "\n"


def write(folder: Path, texts: Iterable[Document], people: Sequence[Annotator] = (), **config: Any) -> Path:
    """Write a campaign's folder; what is not said is as in CONFIG, and None leaves a field out."""
    jsonl.write_records(folder / "documents.jsonl", texts)
    jsonl.write_json(folder / "annotators.json", Annotators(tuple(people or everybody())))
    if not (folder / "guidelines.md").exists():
        jsonl.write_bytes(folder / "guidelines.md", GUIDELINES.encode())
    fields = {key: value for key, value in {**CONFIG, **config}.items() if value is not None}
    jsonl.write_bytes(folder / "campaign.toml", to_toml(fields).encode())
    return folder


def load(folder: Path, texts: Iterable[Document], people: Sequence[Annotator] = (), **config: Any) -> Campaign:
    return load_campaign(write(folder, texts, people, **config))


def changed(folder: Path, **fields: Any) -> Campaign:
    """Change fields of a campaign that is there, without its files."""
    campaign = load_campaign(folder)
    return msgspec.structs.replace(campaign, config=msgspec.structs.replace(campaign.config, **fields))
