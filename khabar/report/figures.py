"""Figures for people: how scores and intervals are written."""

from __future__ import annotations

from collections.abc import Sequence

from khabar.metrics.declared import MAIN
from khabar.results import Bounds, Result, Score
from khabar.statistics import spread
from khabar.types import Event


def figure(value: float | None) -> str:
    """Write a score with three decimals; a dash where it is undefined.

    Args:
        value: between 0 and 1.
    """
    return "–" if value is None else f"{value:.3f}"


def bounds(values: Bounds | None) -> str:
    """Write an interval; nothing where there is none.

    Args:
        values: lower and upper bound.
    """
    return "" if values is None else f"{values[0]:.3f}–{values[1]:.3f}"


def interval(score: Score) -> str:
    """Write the interval of a score's F1.

    Args:
        score: with or without one.
    """
    return bounds(score.interval)


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


def warning_lines(result: Result) -> list[str]:
    """Say what a reader must know before trusting a result's figures.

    Args:
        result: of an evaluation.
    """
    lines = []
    for layer, sides in result.losses.items():
        outside = {side: lost.nested + lost.shared_token + lost.no_token + lost.split for side, lost in sides.items()}
        if any(outside.values()):
            lines.append(
                f"{layer}: seqeval sees neither {outside['gold']} gold nor {outside['predicted']} predicted spans"
                " that tags cannot hold"
            )
    if result.tags and result.tags.invalid:
        read = result.tags
        rates = f"{100 * read.invalid / read.tags:.1f} %", f"{100 * read.broken / read.sequences:.1f} %"
        lines.append(
            f"{read.invalid} of {read.tags} tags ({rates[0]}), in {read.broken} of {read.sequences} sequences"
            f" ({rates[1]}), break {read.scheme}:"
            " strict decoding leaves them out, seqeval's default mode does not"
        )
    if result.tags and result.tags.realigned:
        lines.append(f"{result.tags.realigned} tokens are cut otherwise than the gold's; their spans were kept as cut")
    if result.unplaced:
        lines.append(f"{len(result.unplaced)} predicted items have no place in their text: counted as spurious")
    return [*lines, *result.notes]


LEADERBOARD = (
    "actors",
    "fillers",
    "mentions",
    "triggers.identified",
    "triggers.classified",
    "arguments.attached.classified",
)


def leaderboard_rows(results: Sequence[Result]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Write results as rows of a leaderboard: by split, then by the mean of the layers' F1, best first.

    Runs of one system are one row: mean ± standard deviation instead of an interval.

    Args:
        results: of any systems and splits.

    Returns:
        The names of the columns, and the rows.
    """
    names = tuple(name for name in LEADERBOARD if any(name in result.scores for result in results))
    systems: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        systems.setdefault((result.split, result.name), []).append(result)
    ordered = sorted(systems.items(), key=lambda entry: (entry[0][0], -_rank(entry[1]), entry[0][1]))
    rows = [(split, name, *(_leader_cell(runs, metric) for metric in names)) for (split, name), runs in ordered]
    return ("split", "system", *names), rows


def _rank(runs: Sequence[Result]) -> float:
    values = [score.f1 for run in runs for name, score in run.scores.items() if name in MAIN.values()]
    return sum(value or 0.0 for value in values) / max(1, len(values))


def _leader_cell(runs: Sequence[Result], metric: str) -> str:
    scores = [run.scores[metric] for run in runs if metric in run.scores]
    values = [score.f1 for score in scores if score.f1 is not None]
    if not scores:
        return "not predicted"
    if len(values) > 1:
        found = spread(values)
        return f"{figure(found.mean)} ± {figure(found.sd)} ({found.n} runs)"
    around = interval(scores[0])
    return figure(scores[0].f1) + (f" ({around})" if around else "")
