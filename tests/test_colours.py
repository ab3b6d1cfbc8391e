"""Colours of labels stay apart for colour-blind eyes, and texts on them can be read.

Simulation: G. M. Machado, M. M. Oliveira and L. A. F. Fernandes, "A Physiologically-based Model for Simulation of
Color Vision Deficiency", IEEE TVCG 15(6), 2009, severity 1.0, on linear sRGB. Distance: Euclidean in OKLab
(B. Ottosson, 2020), where about 0.02 is just noticeable. Contrast: WCAG 2.2.
"""

from itertools import combinations, product

import numpy as np
import pytest

from khabar.label_studio.config import readable_on
from khabar.ontology import ontology

LABELS = ontology()
SIMULATIONS = {
    "normal": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
TO_LMS = [
    [0.4122214708, 0.5363325363, 0.0514459929],
    [0.2119034982, 0.6806995451, 0.1073969566],
    [0.0883024619, 0.2817188376, 0.6299787005],
]
TO_OKLAB = [
    [0.2104542553, 0.7936177850, -0.0040720468],
    [1.9779984951, -2.4285922050, 0.4505937099],
    [0.0259040371, 0.7827717662, -0.8086757660],
]
GROUPS = {
    "actors": {entity.name: entity.color for entity in LABELS.entities if entity.group == "actor"},
    "fillers": {entity.name: entity.color for entity in LABELS.entities if entity.group == "filler"},
    "families": {family.name: family.color for family in LABELS.families},
}
# The measured minimum of each pair of groups over the four kinds of sight, cut off after three decimals. Kinds that
# stand side by side in one layer come first; a family's and an entity's label also differ by the dot in the name.
MEASURED = {
    ("actors", "actors"): 0.084,
    ("families", "families"): 0.087,
    ("fillers", "fillers"): 0.095,
    ("actors", "families"): 0.066,
    ("actors", "fillers"): 0.054,
    ("families", "fillers"): 0.058,
}


def linear(color: str) -> np.ndarray:
    channels = np.array([int(color[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def oklab(color: str, sight: str) -> np.ndarray:
    seen = np.clip(np.array(SIMULATIONS[sight]) @ linear(color), 0, 1)
    return np.array(TO_OKLAB) @ np.cbrt(np.array(TO_LMS) @ seen)


def distance(one: str, two: str, sight: str) -> float:
    return float(np.linalg.norm(oklab(one, sight) - oklab(two, sight)))


def contrast(one: str, two: str) -> float:
    light, dark = sorted((float(linear(color) @ [0.2126, 0.7152, 0.0722]) for color in (one, two)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_simulation_keeps_greys_and_takes_red_from_green() -> None:
    for matrix in SIMULATIONS.values():
        assert np.allclose(np.sum(matrix, axis=1), 1, atol=1e-5)
    red, green = "#cc4400", "#667700"
    assert distance(red, green, "deuteranopia") < 0.4 * distance(red, green, "normal")
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("groups", MEASURED, ids="-".join)
def test_colours_stay_apart_for_every_kind_of_sight(groups: tuple[str, str]) -> None:
    one, two = (GROUPS[group] for group in groups)
    pairs = combinations(one.items(), 2) if one is two else product(one.items(), two.items())
    found = min(
        (distance(left, right, sight), name, other, sight)
        for (name, left), (other, right) in pairs
        for sight in SIMULATIONS
    )
    assert found[0] >= MEASURED[groups], found


@pytest.mark.parametrize("name", [name for group in GROUPS.values() for name in group])
def test_a_colour_is_seen_on_white_and_its_text_can_be_read(name: str) -> None:
    color = next(group[name] for group in GROUPS.values() if name in group)
    assert contrast(color, "#ffffff") >= 3, "WCAG 1.4.11, graphical objects"
    text = {"#fff": "#ffffff", "#000": "#000000"}[readable_on(color)]
    assert contrast(color, text) >= 4.5, "WCAG 1.4.3, text"
