"""Agreement on what holds across documents: the counts that score links, one row a storyline."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations
from typing import Any

from khabar.agreement.records import Agreed
from khabar.agreement.spans import read_agreed
from khabar.linking import Linking, Trigger
from khabar.metrics import Counts
from khabar.metrics.counts import make_table
from khabar.results import Settings

Node = tuple[Any, ...]  # begins with the document
Found = tuple[str, frozenset[Node]]
PAIRS = {
    "same event": "two triggers, in two reports, that tell one event",
    "conflict": "two triggers, in two reports, whose versions exclude each other",
    "conflict of reports": "two reports that exclude each other in anything",
}


def measure_linking(
    one: Linking, two: Linking, storylines: Mapping[str, str], *, settings: Settings | None = None
) -> dict[str, Agreed]:
    """Measure how far two runs link the same across documents.

    Args:
        one: what one run linked.
        two: what the other linked.
        storylines: of each document; they are what is resampled.
        settings: of resampling.

    Returns:
        F1 by name of `PAIRS`; `documents` of each counts storylines.

    Raises:
        KeyError: a trigger of a document without a storyline.

    Source: F1 over coreferent pairs, which is one half of BLANC (Recasens and Hovy 2011); PROTOCOL.md section 10.
    """
    sides = [_items(side, storylines) for side in (one, two)]
    names = sorted({name for side in sides for found in side.values() for name, _ in found})
    return {
        figure: read_agreed(
            make_table(("all",), [{"all": _counts(sides[0][figure], sides[1][figure], name)} for name in names]),
            names,
            names,
            settings or Settings(),
        )
        for figure in PAIRS
    }


def _counts(one: set[Found], two: set[Found], storyline: str) -> Counts:
    left, right = ({items for name, items in side if name == storyline} for side in (one, two))
    return Counts(len(left & right), len(right), len(left))


def _items(linking: Linking, storylines: Mapping[str, str]) -> dict[str, set[Found]]:
    disputed = [(conflict.first, conflict.second) for conflict in linking.conflicts]
    pairs: dict[str, Iterable[tuple[Node, Node]]] = {
        "same event": _coreferent(linking),
        "conflict": disputed,
        "conflict of reports": (((a[0],), (b[0],)) for a, b in disputed),
    }
    return {name: {(storylines[a[0]], frozenset((a, b))) for a, b in found} for name, found in pairs.items()}


def _coreferent(linking: Linking) -> Iterator[tuple[Trigger, Trigger]]:
    for cluster in linking.clusters:
        yield from ((a, b) for a, b in combinations(sorted(cluster.triggers), 2) if a[0] != b[0])
