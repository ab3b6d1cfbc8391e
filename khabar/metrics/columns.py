"""Annotations as integer columns, so that items of a whole corpus are compared at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Generic, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from khabar.types import Annotation, Event, Mention, Pieces

Column = NDArray[np.int64]
TABLES: dict[str, tuple[str, ...]] = {
    "mentions": ("unit", "label", "cover"),
    "events": ("unit", "label", "family", "cover", "attribution", "polarity", "actuality", "loaded"),
    "arguments": ("unit", "role", "event", "trigger", "cover"),
}


Value = TypeVar("Value", bound=Hashable)


class Vocabulary(Generic[Value]):
    """Numbers for values, in the order in which they are met; shared by gold and prediction."""

    def __init__(self) -> None:
        self._codes: defaultdict[Value, int] = defaultdict()
        self._codes.default_factory = self._codes.__len__
        # The dictionary's own look-up: it gives a value's number, a new one where the value is new.
        self.code: Callable[[Value], int] = self._codes.__getitem__

    def values(self) -> list[Value]:
        """List the values in the order of their numbers."""
        return list(self._codes)

    def __len__(self) -> int:
        return len(self._codes)


class Vocabularies(msgspec.Struct, frozen=True):
    """The vocabularies of labels (types, families, roles, attribute values) and of covers (pieces of text)."""

    labels: Vocabulary[str]
    covers: Vocabulary[Pieces]


class Origin(msgspec.Struct, frozen=True, gc=False):
    """What a row stands for: a mention or an event; for an argument the mention, its role and its event."""

    item: Mention | Event
    role: str = ""
    event: Event | None = None


class Rows(msgspec.Struct, frozen=True):
    """One table of one side: its columns, all of one length, and what the rows stand for."""

    columns: Mapping[str, Column]
    origins: Sequence[Origin] = ()

    def __len__(self) -> int:
        return len(self.columns["unit"])

    def select(self, mask: NDArray[np.bool_]) -> Rows:
        """Keep some rows.

        Args:
            mask: one value a row.
        """
        kept = [self.origins[row] for row in np.flatnonzero(mask)] if self.origins else ()
        return Rows({name: column[mask] for name, column in self.columns.items()}, kept)


Tables = Mapping[str, Rows]


class Sides(msgspec.Struct, frozen=True, kw_only=True):
    """Gold and prediction of the same units as tables, with the numbers that both share."""

    units: int
    gold: Tables
    pred: Tables
    words: Vocabularies


def make_sides(*, gold: Sequence[Annotation], pred: Sequence[Annotation]) -> Sides:
    """Write two annotations of the same units as columns.

    Args:
        gold: one annotation a unit.
        pred: as many, in the same order.
    """
    words = Vocabularies(Vocabulary(), Vocabulary())
    return Sides(units=len(gold), gold=_tables(gold, words), pred=_tables(pred, words), words=words)


def _tables(annotations: Sequence[Annotation], words: Vocabularies) -> Tables:
    return {
        "mentions": _rows("mentions", _mention_rows, annotations, words),
        "events": _rows("events", _event_rows, annotations, words),
        "arguments": _rows("arguments", _argument_rows, annotations, words),
    }


Write = Callable[[list[int], list[Origin], int, Annotation, Vocabularies], None]


def _rows(table: str, write: Write, annotations: Sequence[Annotation], words: Vocabularies) -> Rows:
    # One flat list of numbers: a tuple a row would cost more than all the rest.
    numbers: list[int] = []
    origins: list[Origin] = []
    for unit, annotation in enumerate(annotations):
        write(numbers, origins, unit, annotation, words)
    names = TABLES[table]
    array = np.fromiter(numbers, dtype=np.int64, count=len(numbers)).reshape(len(origins), len(names))
    return Rows({name: np.ascontiguousarray(array[:, place]) for place, name in enumerate(names)}, origins)


def _mention_rows(
    numbers: list[int], origins: list[Origin], unit: int, annotation: Annotation, words: Vocabularies
) -> None:
    label, cover = words.labels.code, words.covers.code
    for mention in annotation.mentions:
        numbers += (unit, label(mention.type), cover(mention.cover))
        origins.append(Origin(mention))


def _event_rows(
    numbers: list[int], origins: list[Origin], unit: int, annotation: Annotation, words: Vocabularies
) -> None:
    label, cover = words.labels.code, words.covers.code
    for event in annotation.events:
        numbers += (unit, label(event.type), label(event.family), cover(event.cover))
        loaded = "true" if event.loaded else "false"
        numbers += (label(event.attribution), label(event.polarity), label(event.actuality), label(loaded))
        origins.append(Origin(event))


def _argument_rows(
    numbers: list[int], origins: list[Origin], unit: int, annotation: Annotation, words: Vocabularies
) -> None:
    label, cover = words.labels.code, words.covers.code
    mentions = {mention.id: mention for mention in annotation.mentions}
    for event in annotation.events:
        head = label(event.type), cover(event.cover)
        for argument in event.arguments:
            filler = mentions.get(argument.mention)
            if filler is not None:
                numbers += (unit, label(argument.role), *head, cover(filler.cover))
                origins.append(Origin(filler, argument.role, event))
