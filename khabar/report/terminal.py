"""Tables for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from khabar.comparison import Comparison
from khabar.describe import Description
from khabar.metrics import METRICS
from khabar.metrics.diagnosis import KINDS
from khabar.ontology import ontology
from khabar.report.figures import bounds, figure, interval, leaderboard_rows, stance, warning_lines
from khabar.results import Result, Slice
from khabar.types import Annotation, Document

CONFUSIONS = 8
NAMED = 10
SUMMARIES = {metric.name: metric.summary for metric in METRICS}


def result_tables(result: Result, *, types: bool = False, slices: bool = False, errors: bool = False) -> RenderableType:
    """Lay a result out for the terminal.

    Args:
        result: of an evaluation.
        types: whether each type gets a row.
        slices: whether slices are shown.
        errors: whether kinds of error and confusions are shown.
    """
    parts: list[RenderableType] = [_score_table(result)]
    if result.seqeval:
        parts.append(_seqeval_table(result))
    if types:
        parts += [_type_table(name, result) for name, scores in result.per_type.items() if len(scores) > 1]
    if slices:
        parts += [_slice_table(name, values) for name, values in result.slices.items()]
    if errors:
        parts += [_error_table(result), *(_confusion_table(layer, cells) for layer, cells in result.confusion.items())]
    parts += [*(Text(line) for line in warning_lines(result)), _coverage_line(result)]
    return Group(*parts)


def _score_table(result: Result) -> Table:
    run = f", run {result.run}" if result.run else ""
    title = Text(f"{result.name or 'predictions'}{run} on {result.split} (micro)", style="italic")
    table = Table("metric", title=title, title_justify="left", caption_justify="left")
    for name in ("P", "R", "F1", f"{result.settings.level:.0%}", "macro", "doc mean", "matched", "predicted", "gold"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, score in result.scores.items():
        half = f" + {score.partial}/2" if score.partial else ""
        counts = (f"{score.matched}{half}", str(score.predicted), str(score.gold))
        macro = figure(result.macro[name].value) if name in result.macro else ""
        means = (macro, figure(result.document_mean[name].value))
        figures = (figure(score.precision), figure(score.recall), figure(score.f1), interval(score))
        table.add_row(name, *figures, *means, *counts)
    return table


def _seqeval_table(result: Result) -> Table:
    table = Table("layer", "mode", title="as seqeval reports tags over tokens", title_justify="left")
    for name in ("micro P", "micro R", "micro F1", f"{result.settings.level:.0%}", "macro F1", "weighted F1"):
        table.add_column(name, justify="right")
    for layer, modes in result.seqeval.items():
        for mode, score in modes.items():
            if not any(score.micro.values()) and score.reason:
                table.add_row(layer, f"{score.scheme} {mode}", score.reason)
                continue
            micro = [figure(score.micro[key]) for key in ("precision", "recall", "f1")]
            averages = figure(score.macro["f1"]), figure(score.weighted["f1"])
            table.add_row(layer, f"{score.scheme} {mode}", *micro, bounds(score.interval), *averages)
    return table


def _type_table(name: str, result: Result) -> Table:
    table = Table(name, title=SUMMARIES.get(name, name), title_justify="left")
    for column in ("P", "R", "F1", f"{result.settings.level:.0%}", "gold"):
        table.add_column(column, justify="right")
    for group, score in result.per_type[name].items():
        cells = (figure(score.precision), figure(score.recall), figure(score.f1), interval(score), str(score.gold))
        table.add_row(group, *cells)
    return table


def _slice_table(name: str, values: Mapping[str, Slice]) -> Table:
    metrics = list(dict.fromkeys(metric for part in values.values() for metric in part.scores))
    recall_only = any(part.recall_only for part in values.values())
    table = Table(name, "size", title=f"slice: {name} ({'recall' if recall_only else 'F1'})", title_justify="left")
    for metric in metrics:
        table.add_column(metric, justify="right")
    for value, part in values.items():
        table.add_row(Text(value), str(part.size), *(_slice_cell(part, metric) for metric in metrics))
    return table


def _slice_cell(part: Slice, metric: str) -> str:
    score = part.scores.get(metric)
    if score is None:
        return ""
    value, around = (score.recall, score.recall_interval) if part.recall_only else (score.f1, score.interval)
    return f"{figure(value)} {bounds(around)}".strip()


def _error_table(result: Result) -> Table:
    table = Table("what became of items", title="kinds of error", title_justify="left")
    for layer in result.errors:
        table.add_column(layer, justify="right")
    for kind in KINDS:
        counts = [kinds.get(kind, 0) for kinds in result.errors.values()]
        if any(counts):
            table.add_row(kind, *(str(count) for count in counts))
    return table


def _confusion_table(layer: str, cells: Sequence[tuple[str, str, int]]) -> Table:
    table = Table("gold", "predicted", title=f"{layer}: most frequent confusions", title_justify="left")
    table.add_column("number", justify="right")
    wrong = sorted((cell for cell in cells if cell[0] != cell[1]), key=lambda cell: (-cell[2], cell))
    for gold, pred, number in wrong[:CONFUSIONS]:
        table.add_row(gold or "(spurious)", pred or "(missed)", str(number))
    return table


def _coverage_line(result: Result) -> Text:
    coverage = result.coverage
    line = f"{coverage.predicted} of {coverage.documents} documents predicted"
    if coverage.missing:
        shown = ", ".join(coverage.missing[:NAMED])
        more = f" and {len(coverage.missing) - NAMED} more" if len(coverage.missing) > NAMED else ""
        line += f"; missing, counted as empty: {shown}{more}"
    return Text(line, style="bold red" if coverage.missing else "")


def comparison_tables(comparison: Comparison) -> RenderableType:
    """Lay a comparison out for the terminal.

    Args:
        comparison: of two systems or more.
    """
    parts: list[RenderableType] = []
    if any(found.n > 1 for metrics in comparison.systems.values() for found in metrics.values()):
        parts.append(_spread_table(comparison))
    table = Table("metric", "systems", title="differences of F1, paired by document", title_justify="left")
    for name in ("F1", "difference", "interval", "p", "p (Holm)"):
        table.add_column(name, justify="right")
    table.add_column("verdict")
    for contrast in comparison.contrasts:
        test = contrast.test
        table.add_row(
            contrast.metric,
            f"{contrast.one} − {contrast.two}",
            f"{figure(contrast.f1_one)} − {figure(contrast.f1_two)}",
            f"{test.difference:+.3f}" if test else "–",
            bounds(contrast.interval),
            f"{test.p:.4f}" if test else "–",
            f"{contrast.p_holm:.4f}" if contrast.p_holm is not None else "–",
            contrast.verdict,
        )
    tests = [contrast.test for contrast in comparison.contrasts if contrast.test]
    how = "all sign vectors tried" if all(test.exact for test in tests) else f"{comparison.permutations} permutations"
    note = f"{comparison.units} units resampled; {how}; seed {comparison.seed}; Holm over {len(tests)} tests"
    return Group(*parts, table, Text(note))


def _spread_table(comparison: Comparison) -> Table:
    table = Table("system", "metric", title="F1 over runs", title_justify="left")
    for name in ("runs", "mean", "sd", "lowest", "highest"):
        table.add_column(name, justify="right")
    for system, metrics in comparison.systems.items():
        for metric, found in metrics.items():
            cells = (figure(found.mean), figure(found.sd), figure(found.low), figure(found.high))
            table.add_row(system, metric, str(found.n), *cells)
    return table


def leaderboard_table(results: Sequence[Result]) -> RenderableType:
    """Lay results out as a leaderboard, split by split.

    Args:
        results: of any systems and splits.
    """
    head, rows = leaderboard_rows(results)
    table = Table(*head)
    for row in rows:
        table.add_row(*row)
    return table


def description_table(descriptions: Sequence[Description]) -> RenderableType:
    """Lay out what the splits hold.

    Args:
        descriptions: one a split.
    """
    tables = [_grid("", descriptions, _sizes(descriptions))]
    for title, field in (("entity types", "entity_types"), ("event types", "event_types"), ("roles", "roles")):
        counts = [getattr(description, field) for description in descriptions]
        tables.append(_grid(title, descriptions, {name: [count[name] for count in counts] for name in counts[0]}))
    return Group(*tables)


SIZES = (
    "documents",
    "arabic",
    "storylines",
    "without_events",
    "sentences",
    "tokens",
    "mentions",
    "events",
    "arguments",
    "links",
)


def _sizes(descriptions: Sequence[Description]) -> dict[str, list[int]]:
    return {name: [int(getattr(description, name)) for description in descriptions] for name in SIZES}


def _grid(title: str, descriptions: Sequence[Description], rows: Mapping[str, Sequence[int]]) -> Table:
    table = Table(title or "split", title=title or None, title_justify="left")
    for description in descriptions:
        table.add_column(description.name, justify="right")
    table.add_column("all", justify="right")
    for name, values in rows.items():
        table.add_row(name.replace("_", " "), *(str(value) for value in values), str(sum(values)))
    return table


def show_terminal(document: Document, annotation: Annotation) -> RenderableType:
    """Lay a document out in the terminal: spans in colour, then its events.

    Args:
        document: with its text.
        annotation: anybody's work on it.
    """
    colors = ontology().colors
    text = Text(document.text)
    for mention in sorted(annotation.mentions, key=lambda item: -len(item.span)):
        text.stylize(f"underline {colors[mention.type]}", mention.start, mention.end)
    for event in annotation.events:
        text.stylize(f"bold reverse {colors[event.type]}", event.start, event.end)
    head = Text(
        f"{document.doc_id} · {document.outlet} · {document.genre} · {document.date} · {document.lang}\n", style="dim"
    )
    return Group(head, text, Text(), _event_table(document, annotation), _legend(annotation, colors))


def _event_table(document: Document, annotation: Annotation) -> Table:
    table = Table("event", "type", "stands", "arguments")
    mentions = {mention.id: mention for mention in annotation.mentions}
    for event in annotation.events:
        fillers = ((argument.role, mentions[argument.mention]) for argument in event.arguments)
        arguments = "; ".join(f"{role}: {document.text[item.start : item.end]}" for role, item in fillers)
        cells = (document.text[event.start : event.end], event.type, stance(event), arguments)
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _legend(annotation: Annotation, colors: Mapping[str, str]) -> Text:
    legend = Text("\n")
    for name in dict.fromkeys(mention.type for mention in annotation.mentions):
        legend.append(f" {name} ", style=f"underline {colors[name]}")
    return legend
