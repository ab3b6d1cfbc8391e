"""What a report on agreement says. A figure that is not given is None, and says why."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from khabar.results import Bounds, Settings

# Below ten items one item more or less moves a figure by more than a tenth: that is no average.
FEW = 10
# Fewer documents (or clusters) than these give no interval: resampling them only repeats what they are.
FEW_UNITS = 5


class Agreed(msgspec.Struct, frozen=True, kw_only=True):
    """F1 of one annotator against another; `one` and `two` count what each side marked."""

    value: float | None
    matched: int
    one: int
    two: int
    documents: int
    interval: Bounds | None = None
    reason: str = ""

    @property
    def items(self) -> float:
        """Give the mean number of items of the two sides, which F1 divides the matches by."""
        return (self.one + self.two) / 2


class Values(msgspec.Struct, frozen=True, kw_only=True):
    """Agreement on a value of items that both marked.

    `observed` is the share of equal values over the `items` of all pairs of annotators, `alpha`
    Krippendorff's, over `units` that two annotators or more marked; `counts` says how often each value
    was given to a unit.
    """

    observed: float | None
    same: int
    items: int
    documents: int
    interval: Bounds | None = None
    reason: str = ""
    alpha: float | None
    units: int
    counts: dict[str, int]
    alpha_interval: Bounds | None = None
    alpha_reason: str = ""


class Gamma(msgspec.Struct, frozen=True, kw_only=True):
    """The gamma of a layer; `units` is the mean number of spans of the two sides."""

    value: float | None
    units: float
    documents: int
    samples: int
    interval: Bounds | None = None
    reason: str = ""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of some pairs of annotations: all, or those of one language, genre, pair, round or arm.

    `spans` is metric → F1, `values` attribute or type → agreement, `gamma` layer → gamma.
    """

    documents: int
    pairs: int
    spans: dict[str, Agreed]
    values: dict[str, Values]
    gamma: dict[str, Gamma]


class Contrast(msgspec.Struct, frozen=True, kw_only=True):
    """A difference of two F1: that of `of` minus that of `minus`."""

    of: str
    minus: str
    first: Agreed
    second: Agreed
    difference: float | None
    interval: Bounds | None = None
    reason: str = ""


class Confused(msgspec.Struct, frozen=True, kw_only=True):
    """How often one annotator said `one` where another said `two`; an empty `two` is nothing at all.

    Annotators are not told apart: the two labels stand in alphabetical order. `same_span` counts the
    pairs with equal spans; the others only overlap.
    """

    one: str
    two: str
    number: int
    same_span: int = 0


class AgreementReport(msgspec.Struct, frozen=True, kw_only=True):
    """Agreement before anything is adjudicated.

    `alone` counts the documents that one annotator alone has: they are not compared. `slices` is
    language, genre, pair, round and arm → value → figures; `drift` metric → last round minus first;
    `arms` metric → agreement with pre-annotation minus that without; `bias` the same of annotators
    against what the pre-annotating model said. Over fewer than `few` items there is no figure, over
    fewer than `few_units` resampled units no interval.
    """

    authors: tuple[str, ...]
    documents: int
    alone: int
    settings: Settings
    few: int
    few_units: int
    overall: Part
    per_type: dict[str, dict[str, Agreed]]
    slices: dict[str, dict[str, Part]]
    kinds: dict[str, dict[str, int]]
    confusion: dict[str, tuple[Confused, ...]]
    drift: dict[str, Contrast]
    arms: dict[str, Contrast]
    bias: dict[str, Contrast]
    notes: tuple[str, ...] = ()


def refusal(items: float) -> str:
    """Say why so few items give no figure; nothing where they are enough.

    Args:
        items: how many there are.
    """
    if items >= FEW:
        return ""
    return f"too few: {items:g} item{'s' * (items != 1)}, {FEW} needed" if items else "nothing marked"


def enough_units(labels: Iterable[str]) -> bool:
    """Tell whether there are enough units for an interval.

    Args:
        labels: what each row is resampled with; rows without any item left out.
    """
    return len(set(labels)) >= FEW_UNITS
