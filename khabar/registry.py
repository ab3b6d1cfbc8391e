"""The registry: actors, places and storylines, written down before any report was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from khabar import jsonl
from khabar.errors import Issue
from khabar.ontology import ontology


class Actor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An actor with its names in both scripts and its dates of validity (YYYY-MM)."""

    id: str
    theatre: str
    type: str
    name_en: str
    name_ar: str
    aliases: tuple[str, ...]
    valid_from: str | None
    valid_to: str | None
    side: str
    sponsor: str | None
    predecessor: str | None
    note: str


class Place(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A place with the spellings that reports use, and the place it lies in."""

    id: str
    theatre: str
    kind: str
    name_en: str
    name_ar: str
    variants: tuple[str, ...]
    within: str | None


class Claim(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one source says of an event."""

    source: str
    says: str


class StoryEvent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An event of a storyline, as the reports' author knew it."""

    id: str
    type: str
    what: str
    who: str
    place: str
    date: str
    figures: str
    claims: tuple[Claim, ...]


class Storyline(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A small episode that several reports tell; `conflicts` name an event and why its versions exclude each other."""

    id: str
    theatre: str
    summary: str
    events: tuple[StoryEvent, ...]
    conflicts: tuple[tuple[str, str], ...]


class Registry(msgspec.Struct, frozen=True):
    """Everything in annotations/registry."""

    actors: tuple[Actor, ...]
    places: tuple[Place, ...]
    storylines: tuple[Storyline, ...]


def read_registry(folder: Path) -> Registry:
    """Read the registry.

    Args:
        folder: annotations/registry.

    Raises:
        KhabarError: as `khabar.jsonl.read_records`.
    """
    return Registry(
        actors=tuple(jsonl.read_list(folder / "actors.jsonl", Actor)),
        places=tuple(jsonl.read_list(folder / "places.jsonl", Place)),
        storylines=tuple(jsonl.read_list(folder / "storylines.jsonl", Storyline)),
    )


def check_registry(registry: Registry) -> Iterator[Issue]:
    """Check that ids are unique, types known, and every reference leads somewhere.

    Args:
        registry: what `read_registry` gave.
    """
    actors = {actor.id for actor in registry.actors}
    places = {place.id for place in registry.places}
    for entries in (registry.actors, registry.places, registry.storylines):
        ids = [entry.id for entry in entries]
        for name in sorted({name for name in ids if ids.count(name) > 1}):
            yield _issue("id-duplicate", name, "the id twice", "once", "Rename one of them.")
    for actor in registry.actors:
        if actor.type not in ontology().actors:
            yield _issue("label-unknown", actor.id, actor.type, "an actor type", "Correct it.")
        for reference in (actor.sponsor, actor.predecessor):
            if reference is not None and reference not in actors:
                yield _issue("registry-dangling", actor.id, reference, "the id of an actor", "Add it or correct it.")
    for place in registry.places:
        if place.within is not None and place.within not in places:
            yield _issue("registry-dangling", place.id, place.within, "the id of a place", "Add it or correct it.")
    for storyline in registry.storylines:
        yield from _check_storyline(storyline)


def _check_storyline(storyline: Storyline) -> Iterator[Issue]:
    events = {event.id for event in storyline.events}
    for event in storyline.events:
        if event.type not in ontology().event_types:
            yield _issue("label-unknown", event.id, event.type, "an event type", "Correct it.")
    for event_id, _ in storyline.conflicts:
        if event_id not in events:
            yield _issue("registry-dangling", storyline.id, event_id, "an event of the storyline", "Correct it.")


def _issue(code: str, where: str, found: str, expected: str, fix: str) -> Issue:
    return Issue(code=code, where=f"registry, {where}", found=found, expected=expected, fix=fix)
