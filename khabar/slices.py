"""Item slices: the same metrics over items of one kind (seen names, lengths, nesting, stance, rarity)."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from khabar.corpus import GoldSet, Marks
from khabar.metrics.columns import Origin, Rows
from khabar.metrics.counting import Comparison, count_exact, rows_of
from khabar.metrics.counts import CountTable
from khabar.metrics.declared import BY_NAME, MAIN
from khabar.types import Event, Mention, Pieces

RARE = 10
LONGEST = 4
RECALL_ONLY = ("seen", "nested", "attribution", "polarity")
Tell = Callable[[int, Origin], str]


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What a system could have learnt: the names marked in train, and how often each type occurs there."""

    names: frozenset[str]
    types: dict[str, int]


class Sliced(msgspec.Struct, frozen=True, kw_only=True):
    """The counts of one metric for one value of one slice."""

    slice: str
    value: str
    metric: str
    table: CountTable


def learn(train: Iterable[Marks], names: Sequence[str]) -> Known:
    """List what train shows.

    Args:
        train: what was marked in each document.
        names: types of mentions that are actors.
    """
    surfaces: set[str] = set()
    types: Counter[str] = Counter()
    for marks in train:
        types.update((*marks.events, *(name for _, _, name in marks.mentions)))
        found = {marks.text[start:end] for start, end, name in marks.mentions if name in names}
        surfaces.update(surface(text, ((0, len(text)),)) for text in found)
    return Known(names=frozenset(surfaces), types=dict(types))


def surface(text: str, cover: Pieces) -> str:
    """Give the words of a span in a form that is compared: NFKC, case folded, white space single.

    Args:
        text: the document's text.
        cover: the pieces of the span.
    """
    words = " ".join(text[start:end] for start, end in cover)
    return " ".join(unicodedata.normalize("NFKC", words).casefold().split())


def slice_items(comparison: Comparison, reference: GoldSet, known: Known | None) -> list[Sliced]:
    """Count the main metric of each layer for each value of each item slice.

    Args:
        comparison: gold beside prediction, units in the order of the reference's documents.
        reference: the gold set.
        known: what train shows; without it names are not told apart, and rarity is that in the gold.

    Source: PROTOCOL.md section 5.
    """
    found: list[Sliced] = []
    for layer in comparison.layers:
        for name, tell in _tellers(layer, comparison, reference, known).items():
            found += _slice(comparison, layer, name, tell)
    return found


def _tellers(layer: str, comparison: Comparison, reference: GoldSet, known: Known | None) -> dict[str, Tell]:
    tellers: dict[str, Tell] = {}
    if layer in ("actors", "fillers", "mentions", "triggers"):
        tellers["length"] = _length_teller(reference)
        tellers["rare"] = _rarity_teller(known.types if known else _types(reference))
    if layer in ("actors", "fillers", "mentions"):
        tellers["nested"] = _nesting_teller(reference)
    if layer == "actors" and known and all(document.text for document in reference.documents):
        tellers["seen"] = _name_teller(reference, known)
    if layer in ("triggers", "arguments"):
        tellers["attribution"] = lambda _, origin: _event(origin).attribution
        tellers["polarity"] = lambda _, origin: _event(origin).polarity
    return tellers


def _slice(comparison: Comparison, layer: str, name: str, tell: Tell) -> list[Sliced]:
    metric = BY_NAME[MAIN[layer]]
    gold, pred = rows_of(comparison, metric)
    wanted = _values(gold, tell)
    given = np.array([], dtype=object) if name in RECALL_ONLY else _values(pred, tell)
    sliced = []
    for value in sorted({*wanted, *given} - {""}):
        chosen = pred if name in RECALL_ONLY else pred.select(given == value)
        table = count_exact(comparison, metric, gold=gold.select(wanted == value), pred=chosen)
        if name in RECALL_ONLY:
            table.array[..., 1] = 0
        sliced.append(Sliced(slice=name, value=value, metric=metric.name, table=table))
    return sliced


def _values(rows: Rows, tell: Tell) -> NDArray[Any]:
    pairs = zip(rows.columns["unit"], rows.origins, strict=True)
    return np.array([tell(int(unit), origin) for unit, origin in pairs], dtype=object)


def _event(origin: Origin) -> Event:
    event = origin.event or origin.item
    if not isinstance(event, Event):
        raise TypeError("a row of events or arguments stands for an event")
    return event


def _types(reference: GoldSet) -> dict[str, int]:
    return dict(Counter(item.type for annotation in reference.annotations for item in annotation.items))


def _rarity_teller(types: dict[str, int]) -> Tell:
    return lambda _, origin: f"under {RARE}" if types.get(origin.item.type, 0) < RARE else f"{RARE} and more"


def _length_teller(reference: GoldSet) -> Tell:
    starts = [
        np.array([token.start for row in reference.tokens[document.doc_id] for token in row] or [0])
        for document in reference.documents
    ]

    def tell(unit: int, origin: Origin) -> str:
        length = sum(_tokens(starts[unit], piece) for piece in origin.item.cover)
        return f"{LONGEST} and more tokens" if length >= LONGEST else f"{length} token{'s' * (length != 1)}"

    return tell


def _tokens(starts: NDArray[Any], piece: tuple[int, int]) -> int:
    """Count the tokens that a piece touches: those that begin in it, and one that began before it."""
    first = int(np.searchsorted(starts, piece[0], side="right"))
    return max(1, int(np.searchsorted(starts, piece[1], side="left")) - first + 1)


def _nesting_teller(reference: GoldSet) -> Tell:
    places: list[dict[Pieces, str]] = [_nesting(annotation.mentions) for annotation in reference.annotations]
    return lambda unit, origin: places[unit].get(origin.item.cover, "")


def _nesting(mentions: Sequence[Mention]) -> dict[Pieces, str]:
    """Tell which spans lie in another span, which hold one, and which do neither."""
    ordered = sorted({(mention.start, -mention.end) for mention in mentions})
    inner: set[tuple[int, int]] = set()
    outer: set[tuple[int, int]] = set()
    around: list[tuple[int, int]] = []
    for span in ordered:
        around = [other for other in around if -other[1] > span[0]]
        holders = [other for other in around if -other[1] >= -span[1]]
        if holders:
            inner.add(span)
        outer.update(holders)
        around.append(span)
    places = {mention.cover: (mention.start, -mention.end) for mention in mentions}
    return {cover: "inner" if span in inner else "outer" if span in outer else "flat" for cover, span in places.items()}


def _name_teller(reference: GoldSet, known: Known) -> Tell:
    texts = [document.text for document in reference.documents]

    def tell(unit: int, origin: Origin) -> str:
        if getattr(origin.item, "kind", "name") != "name":
            return ""
        return "seen in train" if surface(texts[unit], origin.item.cover) in known.names else "not seen in train"

    return tell
