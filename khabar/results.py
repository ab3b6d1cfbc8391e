"""What an evaluation says: figures, the counts by document behind them, and a signature."""

from __future__ import annotations

from typing import Any

import msgspec

from khabar.align import Losses
from khabar.inputs.records import TagsRead, Unplaced
from khabar.metrics import Counts

Bounds = tuple[float, float]
DEFAULT_SLICES = ("lang", "theatre", "genre", "outlet")
GroupCounts = dict[str, Counts]
MetricCounts = dict[str, GroupCounts]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a result depends on besides the data: how it was resampled, and what was given to the system.

    `unit` is "doc" or a field of the documents whose values are resampled as clusters (storyline).
    `interval` is "percentile" or "bca". `triggers` is "predicted" (end to end) or "gold". `scheme` is set
    by the evaluation: the one that gold and prediction were both written in, else IOB2.
    """

    unit: str = "doc"
    interval: str = "percentile"
    level: float = 0.95
    resamples: int = 1000
    seed: int = 12345
    triggers: str = "predicted"
    scheme: str = "IOB2"
    slices: tuple[str, ...] = DEFAULT_SLICES


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """A metric's micro figures with their counts and intervals (`interval` is that of F1)."""

    precision: float | None
    recall: float | None
    f1: float | None
    matched: int
    predicted: int
    gold: int
    partial: int = 0
    incorrect: int = 0
    interval: Bounds | None = None
    precision_interval: Bounds | None = None
    recall_interval: Bounds | None = None


class Average(msgspec.Struct, frozen=True, kw_only=True):
    """A mean of F1 over types or over documents: over how many it is taken, and of how many there are."""

    value: float | None
    over: int
    of: int
    interval: Bounds | None = None


class Muc(msgspec.Struct, frozen=True, kw_only=True):
    """The MUC-5 error measures of a layer: undergeneration, overgeneration, substitution, error per response fill."""

    und: float | None
    ovg: float | None
    sub: float | None
    err: float | None


class TagFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What seqeval reports for a layer in one of its modes; None, with the reason, where it would raise or give nan."""

    scheme: str
    mode: str
    micro: dict[str, float | None]
    macro: dict[str, float | None]
    weighted: dict[str, float | None]
    per_type: dict[str, dict[str, float | int]]
    reason: str = ""
    interval: Bounds | None = None
    precision_interval: Bounds | None = None
    recall_interval: Bounds | None = None


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """One value of a slice: how many documents or gold items it has, and its scores.

    With `recall_only` the property belongs to the gold alone, so that precision and F1 are undefined.
    """

    size: int
    scores: dict[str, Score]
    recall_only: bool = False


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """How much of the gold the predictions speak of. Missing documents count as empty."""

    documents: int
    predicted: int
    missing: tuple[str, ...]


class DocumentRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One document's share of every figure: counts add up, so that anything can be computed again.

    `counts` and the values of `slices` are metric → group → [matched, predicted, gold, partial,
    incorrect], trailing zeros left out; `tags` is layer → mode → type → counts; `errors` layer → kind
    → number; `confusion` layer → (gold label, predicted label, number).
    """

    fields: dict[str, str]
    counts: MetricCounts
    tags: dict[str, dict[str, GroupCounts]] = {}
    errors: dict[str, dict[str, int]] = {}
    confusion: dict[str, list[tuple[str, str, int]]] = {}
    slices: dict[str, dict[str, MetricCounts]] = {}


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """All figures of a result; they follow from the counts of its documents and its settings.

    `scores` (metric → micro), `macro` and `document_mean` (metric → mean F1), `muc` (layer), `per_type`
    (metric → type), `seqeval` (layer → mode), `slices` (slice → value), `errors` (layer → kind) and
    `confusion` (layer → gold label, predicted label, number; an empty label is a missing side).
    """

    scores: dict[str, Score]
    macro: dict[str, Average]
    document_mean: dict[str, Average]
    muc: dict[str, Muc]
    per_type: dict[str, dict[str, Score]]
    seqeval: dict[str, dict[str, TagFigures]]
    slices: dict[str, dict[str, Slice]]
    errors: dict[str, dict[str, int]]
    confusion: dict[str, list[tuple[str, str, int]]]


class Result(Figures, frozen=True, kw_only=True):
    """What an evaluation gives: its head, its figures, and the counts by document that they follow from."""

    name: str
    split: str
    signature: str
    layers: tuple[str, ...]
    settings: Settings
    coverage: Coverage
    losses: dict[str, dict[str, Losses]]
    documents: dict[str, DocumentRecord]
    run: str = ""
    tags: TagsRead | None = None
    unplaced: tuple[Unplaced, ...] = ()
    notes: tuple[str, ...] = ()
    inventory: dict[str, tuple[str, ...]] | None = None


def encode_result(result: Result) -> bytes:
    """Encode a result as JSON with one line for each part and each document, so that changes can be read.

    Args:
        result: of an evaluation.
    """
    parts = [b'"%s":%s' % (name.encode(), _encode_part(getattr(result, name))) for name in result.__struct_fields__]
    return b"{\n" + b",\n".join(parts) + b"\n}\n"


def _encode_part(value: Any) -> bytes:
    if not isinstance(value, dict) or not value:
        return msgspec.json.encode(value)
    lines = [b" %s:%s" % (msgspec.json.encode(key), msgspec.json.encode(item)) for key, item in value.items()]
    return b"{\n" + b",\n".join(lines) + b"\n}"
