"""The gamma of a layer: chance-corrected agreement on where spans are and on their types at once.

Gamma is computed by the package pygamma-agreement for every pair of annotators and document. Its
disorders add: the gamma of many documents is 1 − observed / expected, both summed over documents, so
that a document counts by how many spans it has.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import numpy as np

from khabar.agreement.pairing import Pairing
from khabar.agreement.records import Gamma, enough_units, refusal
from khabar.metrics.declared import khabar_inventory
from khabar.results import Bounds, Settings
from khabar.statistics import Array, cluster, make_resampler
from khabar.types import Annotation

LAYERS = ("actors", "fillers", "triggers")
# As many chance samples in all; at least so many for each pair and document.
SAMPLES, SAMPLES_EACH = 150, 5
# More pairs than these are sampled by a hash of the document; larger documents are left out.
PAIRS, SPANS = 100, 400
DIGITS = 4
NOT_ASKED = "not asked for"
MISSING = "the package pygamma-agreement is not installed"
Unit = tuple[int, int, str]


class Cell(msgspec.Struct, frozen=True):
    """What one pair of annotators contributes in one document: disorders times the mean number of spans."""

    observed: float
    expected: float
    units: float


class Cells(msgspec.Struct, frozen=True, kw_only=True):
    """The cells of each layer by the number of the pair; `reason` where there are none at all."""

    layers: Mapping[str, Mapping[int, Cell]]
    samples: int = 0
    reason: str = ""
    notes: tuple[str, ...] = ()


def no_gamma(reason: str) -> Cells:
    """Stand for a gamma that was not computed.

    Args:
        reason: why.
    """
    return Cells(layers={layer: {} for layer in LAYERS}, reason=reason)


def compute_cells(
    pairings: Sequence[Pairing], settings: Settings, *, tick: Callable[[str], None] = lambda _: None
) -> Cells:
    """Let pygamma-agreement align every pair of annotators in every document.

    Args:
        pairings: what is compared.
        settings: its seed is used.
        tick: called before each document with its id.

    Source: Mathet, Widlöcher and Métivier (2015), The Unified and Holistic Method Gamma; Titeux and Riad
    (2021), pygamma-agreement; PROTOCOL.md section 10.
    """
    try:
        with _quiet():
            import pygamma_agreement as library
    except ImportError:
        return no_gamma(MISSING)
    chosen = _choose(pairings)
    samples = max(SAMPLES_EACH, -(-SAMPLES // max(1, len(chosen))))
    layers: dict[str, dict[int, Cell]] = {layer: {} for layer in LAYERS}
    large = set()
    with _quiet():
        measure = library.CombinedCategoricalDissimilarity(alpha=1, beta=1, delta_empty=1)
        for number in chosen:
            pairing = pairings[number]
            tick(pairing.doc_id)
            for layer in LAYERS:
                sides = [_units(side, layer) for side in (pairing.one, pairing.two)]
                if max(map(len, sides)) > SPANS:
                    large.add(pairing.doc_id)
                elif any(sides):
                    np.random.seed(_seed(settings.seed, pairing, layer))
                    layers[layer][number] = _cell(library, measure, sides, samples)
    return Cells(layers=layers, samples=samples, notes=_notes(len(chosen), len(pairings), sorted(large)))


def _choose(pairings: Sequence[Pairing]) -> list[int]:
    """Take all pairs, or those whose documents come first by a hash."""
    ranks = [hashlib.sha256(pairing.doc_id.encode()).hexdigest() for pairing in pairings]
    return sorted(sorted(range(len(pairings)), key=lambda number: (ranks[number], number))[:PAIRS])


def _notes(chosen: int, of: int, large: Sequence[str]) -> tuple[str, ...]:
    notes = [f"gamma: over {chosen} of {of} pairs of annotations, chosen by a hash of the document"]
    left = [f"gamma: without documents of more than {SPANS} spans: {', '.join(large)}"]
    return (*notes * (chosen < of), *left * bool(large))


def _seed(seed: int, pairing: Pairing, layer: str) -> int:
    # Each document has its own draws, so that a further document changes nothing in the others.
    name = f"{seed} {pairing.doc_id} {pairing.name} {layer}"
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")


def _units(annotation: Annotation, layer: str) -> set[Unit]:
    if layer == "triggers":
        return {(event.start, event.end, event.type) for event in annotation.events}
    types = khabar_inventory()[layer]
    return {(item.start, item.end, item.type) for item in annotation.mentions if item.type in types}


def _cell(library: Any, measure: Any, sides: Sequence[set[Unit]], samples: int) -> Cell:
    from pyannote.core import Segment

    continuum = library.Continuum()
    for name, units in zip(("one", "two"), sides, strict=True):
        continuum.add_annotator(name)
        for start, end, label in sorted(units):
            continuum.add(name, Segment(start, end), label)
    found = continuum.compute_gamma(measure, n_samples=samples)
    units_each = float(continuum.avg_num_annotations_per_annotator)
    return Cell(units_each * float(found.observed_disorder), units_each * float(found.expected_disorder), units_each)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the package from logging at every step and its solver from printing; give the generator back its state."""
    handlers, disabled, state = logging.root.handlers[:], logging.root.manager.disable, np.random.get_state()
    logging.disable(logging.WARNING)
    try:
        from cvxopt import glpk

        glpk.options["msg_lev"] = "GLP_MSG_OFF"
        yield
    finally:
        logging.disable(disabled)
        logging.root.handlers[:] = handlers
        np.random.set_state(state)


def read_gamma(
    cells: Cells, layer: str, rows: Sequence[int], *, doc_ids: Sequence[str], clusters: Sequence[str], own: Settings
) -> Gamma:
    """Read the gamma of some pairs off their cells.

    Args:
        cells: of all pairs.
        layer: actors, fillers or triggers.
        rows: numbers of the pairs.
        doc_ids: the document of each pair, by its number.
        clusters: what each pair is resampled with, by its number.
        own: settings of resampling.
    """
    known = [row for row in rows if row in cells.layers[layer]]
    found = [cells.layers[layer][row] for row in known]
    units = sum(cell.units for cell in found)
    reason = cells.reason or refusal(units)
    table = np.array([(cell.observed, cell.expected) for cell in found]).reshape(len(found), 2)
    observed, expected = table.sum(axis=0)
    labels = [clusters[row] for row in known]
    return Gamma(
        value=None if reason else round(float(1 - observed / expected), DIGITS),
        units=units,
        documents=len({doc_ids[row] for row in known}),
        samples=cells.samples,
        interval=_interval(cluster(table, labels), own) if not reason and enough_units(labels) else None,
        reason=reason,
    )


def _interval(table: Array, settings: Settings) -> Bounds:
    drawn = make_resampler(len(table), resamples=settings.resamples, seed=settings.seed).apply(table)
    values = 1 - drawn[:, 0] / drawn[:, 1]
    low, high = np.quantile(values, ((1 - settings.level) / 2, (1 + settings.level) / 2))
    return round(float(low), DIGITS), round(float(high), DIGITS)
