"""An evaluation as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from khabar.corpus import GoldSet
from khabar.metrics.diagnosis import CORRECT, KINDS, Finding, Marked
from khabar.report.figures import bounds, figure, interval, markdown_table, warning_lines
from khabar.results import Result, Slice
from khabar.types import Pieces

CONFUSIONS = 10
AROUND = 60


def evaluation_markdown(
    result: Result, findings: Sequence[Finding] = (), reference: GoldSet | None = None, *, examples: int = 3
) -> str:
    """Write a result as Markdown, with examples of each kind of error in context.

    Args:
        result: of an evaluation.
        findings: what became of every item.
        reference: the gold, whose texts the examples are taken from; without it there are none.
        examples: how many of each kind and layer.
    """
    run = f", run {result.run}" if result.run else ""
    parts = [
        f"# {plain(result.name or 'predictions')}{run} on {plain(result.split)}",
        f"`{result.signature}`",
        f"{result.coverage.predicted} of {result.coverage.documents} documents predicted."
        + (f" Counted as empty: {', '.join(map(plain, result.coverage.missing))}." if result.coverage.missing else ""),
        *(f"- {plain(line)}" for line in warning_lines(result)),
        "## Scores",
        _scores(result),
        *_tags(result),
        *(f"### {name} by type\n\n{_types(result, name)}" for name in result.per_type if result.per_type[name]),
        *(f"## Slice: {plain(name)}\n\n{_slices(values)}" for name, values in result.slices.items()),
        *_errors(result),
        *_examples(findings, reference, examples),
    ]
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def plain(text: str) -> str:
    """Escape what Markdown would take for its own.

    Args:
        text: any text; its white space becomes single.
    """
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", " ".join(text.split()))


def _scores(result: Result) -> str:
    head = (
        "metric",
        "P",
        "R",
        "F1",
        f"{result.settings.level:.0%}",
        "macro F1",
        "document mean",
        "matched",
        "predicted",
        "gold",
    )
    rows = []
    for name, score in result.scores.items():
        macro = figure(result.macro[name].value) if name in result.macro else ""
        matched = f"{score.matched} + {score.partial}/2" if score.partial else str(score.matched)
        figures = (figure(score.precision), figure(score.recall), figure(score.f1), interval(score), macro)
        rows.append(
            (name, *figures, figure(result.document_mean[name].value), matched, str(score.predicted), str(score.gold))
        )
    return markdown_table(head, rows)


def _tags(result: Result) -> Iterator[str]:
    rows = [
        (
            f"{layer}, {view.scheme} {view.mode}",
            *(figure(view.micro[key]) for key in ("precision", "recall", "f1")),
            bounds(view.interval),
            figure(view.macro["f1"]),
            figure(view.weighted["f1"]),
            view.reason,
        )
        for layer, modes in result.seqeval.items()
        for view in modes.values()
    ]
    if rows:
        yield "## As seqeval reports tags over tokens"
        yield markdown_table(
            ("layer and mode", "P", "R", "micro F1", f"{result.settings.level:.0%}", "macro F1", "weighted F1", ""),
            rows,
        )


def _types(result: Result, name: str) -> str:
    rows = [
        (
            plain(group),
            figure(score.precision),
            figure(score.recall),
            figure(score.f1),
            interval(score),
            str(score.gold),
        )
        for group, score in result.per_type[name].items()
    ]
    return markdown_table(("type", "P", "R", "F1", f"{result.settings.level:.0%}", "gold"), rows)


def _slices(values: Mapping[str, Slice]) -> str:
    metrics = list(dict.fromkeys(metric for part in values.values() for metric in part.scores))
    recall = any(part.recall_only for part in values.values())
    rows = [
        (plain(value), str(part.size), *(_slice_cell(part, metric) for metric in metrics))
        for value, part in values.items()
    ]
    return markdown_table(("value", "size", *(f"{metric} {'recall' if recall else 'F1'}" for metric in metrics)), rows)


def _slice_cell(part: Slice, metric: str) -> str:
    score = part.scores.get(metric)
    if score is None:
        return ""
    value, around = (score.recall, score.recall_interval) if part.recall_only else (score.f1, score.interval)
    return f"{figure(value)} {bounds(around)}".strip()


def _errors(result: Result) -> Iterator[str]:
    if not result.errors:
        return
    kinds = [kind for kind in KINDS if any(kind in counts for counts in result.errors.values())]
    yield "## What became of the items"
    rows = [(layer, *(str(counts.get(kind, 0)) for kind in kinds)) for layer, counts in result.errors.items()]
    yield markdown_table(("layer", *kinds), rows)
    for layer, cells in result.confusion.items():
        wrong = sorted((cell for cell in cells if cell[0] != cell[1]), key=lambda cell: (-cell[2], cell))
        if wrong:
            yield f"### {layer}: most frequent confusions"
            rows = [
                (plain(gold or "(spurious)"), plain(pred or "(missed)"), str(n)) for gold, pred, n in wrong[:CONFUSIONS]
            ]
            yield markdown_table(("gold", "predicted", "number"), rows)


def _examples(findings: Sequence[Finding], reference: GoldSet | None, examples: int) -> Iterator[str]:
    if reference is None or not findings or not examples:
        return
    yield "## Examples"
    chosen: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        if finding.kind != CORRECT and reference.documents[finding.unit].text:
            found = chosen.setdefault((finding.layer, finding.kind), [])
            if len(found) < examples:
                found.append(finding)
    if not chosen:
        yield "The texts are not here."
    for (layer, kind), found in chosen.items():
        yield f"### {layer}: {kind}"
        yield "\n".join(f"- {_example(finding, reference)}" for finding in found)


def _example(finding: Finding, reference: GoldSet) -> str:
    document = reference.documents[finding.unit]
    sides = [
        f"{name} {_say(side, document.text)}" for name, side in (("gold", finding.gold), ("predicted", finding.pred))
    ]
    marked = finding.gold or finding.pred
    context = _context(document.text, marked.pieces) if marked and marked.pieces else ""
    return f"{plain(document.doc_id)}: {'; '.join(sides)}" + (f" — {context}" if context else "")


def _say(side: Marked | None, text: str) -> str:
    if side is None:
        return "nothing"
    words = " … ".join(text[start:end] for start, end in side.pieces) or "(no place in the text)"
    return f"{plain(side.label)}{f' of {plain(side.event)}' if side.event else ''} “{plain(words)}”"


def _context(text: str, pieces: Pieces) -> str:
    start, end = pieces[0][0], pieces[-1][1]
    before, after = text[max(0, start - AROUND) : start], text[end : end + AROUND]
    # A blank only where the text has one: an Arabic clitic touches its word.
    left, right = (" " if side[:1].isspace() else "" for side in (before[::-1], after))
    return f"…{plain(before)}{left}**{plain(text[start:end])}**{right}{plain(after)}…"
