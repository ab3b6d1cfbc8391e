"""What every reader of predictions gives."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from khabar.types import Annotation

TagRows = tuple[tuple[str, ...], ...]


class TagsRead(msgspec.Struct, frozen=True, kw_only=True):
    """What was read from tags: how many, in which scheme, how many break it, how many tokens were cut differently.

    `broken` counts the sequences in which a tag is invalid.
    """

    tags: int
    invalid: int
    sequences: int
    scheme: str
    broken: int = 0
    realigned: int = 0


class Unplaced(msgspec.Struct, frozen=True, kw_only=True):
    """Something predicted that has no place in the text; it is counted as spurious.

    `layer` is "mentions", "triggers" or "arguments"; `type` is then the role.
    """

    doc_id: str
    layer: str
    type: str
    quote: str
    reason: str
    id: str = ""


class Predictions(msgspec.Struct, frozen=True, kw_only=True):
    """A system's output as annotations, with what was met on the way to them.

    `rows` holds the tags as they were written (doc_id → one row a sequence) where the input was tags on
    the gold's own tokens: seqeval's default mode reads things into them that no span can say.
    """

    annotations: tuple[Annotation, ...]
    unplaced: tuple[Unplaced, ...] = ()
    tags: TagsRead | None = None
    notes: tuple[str, ...] = ()
    rows: Mapping[str, TagRows] | None = None
