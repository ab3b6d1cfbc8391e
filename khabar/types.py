"""The records of khabar. Gold, an annotator's work and a system's output are all `Annotation`."""

from __future__ import annotations

import hashlib

import msgspec

Pieces = tuple[tuple[int, int], ...]

# Stands in every file of the corpus, so that whoever trains on it unawares can be told from the model.
CANARY = "khabar:canary:5b0e6f0e-7a55-4a0c-9a0e-6b1f3c9d2e41"


class Span(msgspec.Struct, frozen=True, order=True):
    """A stretch of text, in Unicode code points, `end` exclusive."""

    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start

    def holds(self, other: Span) -> bool:
        """Tell whether `other` lies within this span (equal spans do)."""
        return self.start <= other.start and other.end <= self.end

    def overlaps(self, other: Span) -> bool:
        """Tell whether the two spans share a character."""
        return self.start < other.end and other.start < self.end

    def crosses(self, other: Span) -> bool:
        """Tell whether the two overlap and neither holds the other."""
        return self.overlaps(other) and not self.holds(other) and not other.holds(self)


class Document(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A frozen text with its provenance. `text` is empty where it may not be shipped (wire)."""

    doc_id: str
    lang: str
    origin: str
    theatre: str
    storyline: str
    genre: str
    stance: str
    outlet: str
    date: str
    licence: str
    sha256: str
    text: str = ""


class Mention(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An entity mention: its span, its type and how it is worded.

    `pieces` is set for a discontinuous mention only, which khabar's own data do not have but other
    people's may; start and end are then the hull.
    """

    id: str
    start: int
    end: int
    type: str
    kind: str = "name"
    loaded: bool = False
    entity: str = ""
    text: str | None = None
    pieces: Pieces | msgspec.UnsetType = msgspec.UNSET

    @property
    def span(self) -> Span:
        """Give the span."""
        return Span(self.start, self.end)

    @property
    def cover(self) -> Pieces:
        """Give the stretches of text that the mention covers: one, or several where it is discontinuous."""
        return self.pieces or ((self.start, self.end),)


class Argument(msgspec.Struct, frozen=True, order=True, forbid_unknown_fields=True):
    """A role of an event and the id of the mention that fills it."""

    role: str
    mention: str


class Event(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An event: its trigger's span, its type, how the report stands to it, and who takes part."""

    id: str
    start: int
    end: int
    type: str
    attribution: str = "author"
    polarity: str = "positive"
    actuality: str = "actual"
    loaded: bool = False
    arguments: tuple[Argument, ...] = ()
    cluster: str = ""
    text: str | None = None
    pieces: Pieces | msgspec.UnsetType = msgspec.UNSET

    @property
    def span(self) -> Span:
        """Give the trigger's span."""
        return Span(self.start, self.end)

    @property
    def cover(self) -> Pieces:
        """Give the stretches of text that the trigger covers: one, or several where it is discontinuous."""
        return self.pieces or ((self.start, self.end),)

    @property
    def family(self) -> str:
        """Give the family, the part of the type before the dot."""
        return self.type.partition(".")[0]


class Link(msgspec.Struct, frozen=True, order=True, forbid_unknown_fields=True):
    """A link between two events of one document, by their ids."""

    type: str
    source: str
    target: str


class Annotation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that one author marked in one document."""

    doc_id: str
    author: str = ""
    sha256: str = ""
    mentions: tuple[Mention, ...] = ()
    events: tuple[Event, ...] = ()
    links: tuple[Link, ...] = ()

    @property
    def items(self) -> tuple[Mention | Event, ...]:
        """Give everything that has a span: mentions, then events."""
        return (*self.mentions, *self.events)


def text_hash(text: str) -> str:
    """Give the SHA-256 of a text as UTF-8, in hexadecimal.

    Args:
        text: the exact text, no normalisation.
    """
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def without_texts(annotation: Annotation) -> Annotation:
    """Drop the quoted texts, which only repeat what the offsets say.

    Args:
        annotation: anybody's work.
    """
    replace = msgspec.structs.replace
    return replace(
        annotation,
        mentions=tuple(replace(mention, text=None) for mention in annotation.mentions),
        events=tuple(replace(event, text=None) for event in annotation.events),
    )
