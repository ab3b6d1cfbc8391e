"""Figures for people: how scores and intervals are written."""

from __future__ import annotations

from collections.abc import Sequence

from khabar.results import Score
from khabar.types import Event


def figure(value: float | None) -> str:
    """Write a score with three decimals; a dash where it is undefined.

    Args:
        value: between 0 and 1.
    """
    return "–" if value is None else f"{value:.3f}"


def interval(score: Score) -> str:
    """Write the 95 % interval of a score.

    Args:
        score: with or without one.
    """
    return "" if score.interval is None else f"{score.interval[0]:.3f}–{score.interval[1]:.3f}"


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a Markdown table; the first column is left, the others right.

    Args:
        head: the names of the columns.
        rows: as many cells each.
    """
    rule = "|---|" + "---:|" * (len(head) - 1)
    lines = [f"| {' | '.join(cells)} |" for cells in rows]
    return "\n".join([f"| {' | '.join(head)} |", rule, *lines]) + "\n"


def stance(event: Event) -> str:
    """Say in words how the report stands to an event.

    Args:
        event: any event.
    """
    marks = [event.attribution, event.actuality]
    return ", ".join(
        [*marks, *(["did not happen"] if event.polarity == "negative" else []), *(["loaded"] if event.loaded else [])]
    )
