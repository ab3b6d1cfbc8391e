"""The ontology as data: types, roles, attributes, links and their constraints, read once."""

from __future__ import annotations

import hashlib
import tomllib
from functools import cached_property, lru_cache
from importlib import resources

import msgspec

EVERYWHERE = ("Place", "Time", "Source", "Number")


class Crosswalk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Another scheme that event types are mapped to."""

    name: str
    version: str


class EntityType(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A type of entity mention."""

    name: str
    group: str
    hotkey: str
    color: str
    definition: str
    en: tuple[str, ...]
    ar: tuple[str, ...]


class Family(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A family of event types, the part of their names before the dot."""

    name: str
    color: str


class EventType(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A type of event, with the roles that it takes besides those that every type takes."""

    name: str
    hotkey: str
    roles: tuple[str, ...]
    definition: str
    acled: tuple[str, ...]
    plover: tuple[str, ...]
    en: tuple[str, ...]
    ar: tuple[str, ...]

    @property
    def family(self) -> str:
        """Give the part of the name before the dot."""
        return self.name.partition(".")[0]


class RoleType(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A role and the entity types (or groups) that may fill it."""

    name: str
    fillers: tuple[str, ...]
    definition: str


class Attribute(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An attribute with its closed list of values; the first is the default."""

    name: str
    of: str
    values: tuple[str, ...]
    definition: str


class LinkType(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A type of link between events."""

    name: str
    definition: str
    symmetric: bool = False


class Ontology(msgspec.Struct, frozen=True, dict=True, forbid_unknown_fields=True):
    """All labels and constraints of one version."""

    version: str
    crosswalks: dict[str, Crosswalk]
    entities: tuple[EntityType, ...]
    families: tuple[Family, ...]
    events: tuple[EventType, ...]
    roles: tuple[RoleType, ...]
    attributes: tuple[Attribute, ...]
    links: tuple[LinkType, ...]

    @cached_property
    def actors(self) -> tuple[str, ...]:
        """List the actor types."""
        return tuple(entity.name for entity in self.entities if entity.group == "actor")

    @cached_property
    def fillers(self) -> tuple[str, ...]:
        """List the filler types."""
        return tuple(entity.name for entity in self.entities if entity.group == "filler")

    @cached_property
    def entity_types(self) -> tuple[str, ...]:
        """List all types of entity mention."""
        return tuple(entity.name for entity in self.entities)

    @cached_property
    def event_types(self) -> tuple[str, ...]:
        """List all event types."""
        return tuple(event.name for event in self.events)

    @cached_property
    def colors(self) -> dict[str, str]:
        """Map each type to its colour: an event's is that of its family."""
        families = {family.name: family.color for family in self.families}
        entities = {entity.name: entity.color for entity in self.entities}
        return {**entities, **{event.name: families[event.family] for event in self.events}}

    @cached_property
    def role_names(self) -> tuple[str, ...]:
        """List the roles."""
        return tuple(role.name for role in self.roles)

    @cached_property
    def link_names(self) -> tuple[str, ...]:
        """List the link types."""
        return tuple(link.name for link in self.links)

    @cached_property
    def symmetric_links(self) -> frozenset[str]:
        """Name the link types that have no direction."""
        return frozenset(link.name for link in self.links if link.symmetric)

    @cached_property
    def allowed_fillers(self) -> dict[str, frozenset[str]]:
        """Map each role to the entity types that may fill it."""
        groups = {"actor": self.actors, "filler": self.fillers}
        return {
            role.name: frozenset(name for filler in role.fillers for name in groups.get(filler, (filler,)))
            for role in self.roles
        }

    @cached_property
    def allowed_roles(self) -> dict[str, frozenset[str]]:
        """Map each event type to the roles that it takes."""
        return {event.name: frozenset((*event.roles, *EVERYWHERE)) for event in self.events}

    def values(self, attribute: str) -> tuple[str, ...]:
        """List the values of an attribute.

        Args:
            attribute: its name.
        """
        return next(item.values for item in self.attributes if item.name == attribute)

    def layer_types(self, layer: str) -> tuple[str, ...]:
        """List the types of a token layer.

        Args:
            layer: actors, fillers or triggers.
        """
        return {"actors": self.actors, "fillers": self.fillers, "triggers": self.event_types}[layer]

    def tags(self, layer: str) -> tuple[str, ...]:
        """List the IOB2 tags of a token layer in the order of their ClassLabel ids.

        Args:
            layer: actors, fillers or triggers.
        """
        return ("O", *(f"{prefix}-{name}" for name in self.layer_types(layer) for prefix in "BI"))

    @cached_property
    def hash(self) -> str:
        """Give a short hash of every label and constraint (definitions and examples left out)."""
        constraints = {
            "version": self.version,
            "entities": [(entity.name, entity.group) for entity in self.entities],
            "events": [(event.name, event.roles) for event in self.events],
            "roles": [(role.name, role.fillers) for role in self.roles],
            "attributes": [(item.name, item.of, item.values) for item in self.attributes],
            "links": [(link.name, link.symmetric) for link in self.links],
        }
        return hashlib.sha256(msgspec.json.encode(constraints)).hexdigest()[:12]


@lru_cache(maxsize=1)
def ontology() -> Ontology:
    """Read the ontology that this version of khabar ships."""
    data = resources.files("khabar").joinpath("ontology.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(data), Ontology)
