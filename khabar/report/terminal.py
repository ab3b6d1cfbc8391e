"""Tables for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from khabar.describe import Description
from khabar.metrics import METRICS
from khabar.ontology import ontology
from khabar.report.figures import figure, interval, stance
from khabar.results import Result, Score
from khabar.types import Annotation, Document

SUMMARIES = {metric.name: metric.summary for metric in METRICS}


def result_tables(result: Result, *, types: bool = False) -> RenderableType:
    """Lay a result out for the terminal.

    Args:
        result: of `khabar.evaluate`.
        types: whether each type gets a row.
    """
    parts: list[RenderableType] = [_score_table(result)]
    if result.seqeval:
        parts.append(_seqeval_table(result))
    if types:
        parts += [_type_table(name, scores) for name, scores in result.per_type.items() if len(scores) > 1]
    parts += [*_loss_lines(result), _coverage_line(result)]
    return Group(*parts)


def _score_table(result: Result) -> Table:
    title = Text(f"{result.name or 'predictions'} on {result.split}: exact spans (micro)", style="italic")
    table = Table("metric", title=title, title_justify="left", caption_justify="left")
    for name in ("P", "R", "F1", "95 %", "matched", "predicted", "gold"):
        table.add_column(name, justify="right")
    for name, score in result.scores.items():
        counts = (str(score.matched), str(score.predicted), str(score.gold))
        table.add_row(name, figure(score.precision), figure(score.recall), figure(score.f1), interval(score), *counts)
    return table


def _seqeval_table(result: Result) -> Table:
    table = Table("layer", title="seqeval, strict IOB2 over khabar's tokens", title_justify="left")
    for name in ("micro P", "micro R", "micro F1", "macro F1", "weighted F1"):
        table.add_column(name, justify="right")
    for layer, score in result.seqeval.items():
        if score.reason:
            table.add_row(layer, score.reason)
            continue
        micro = [figure(score.micro[key]) for key in ("precision", "recall", "f1")]
        table.add_row(layer, *micro, figure(score.macro["f1"]), figure(score.weighted["f1"]))
    return table


def _type_table(name: str, scores: Mapping[str, Score]) -> Table:
    table = Table(name, title=SUMMARIES.get(name, name), title_justify="left")
    for column in ("P", "R", "F1", "gold"):
        table.add_column(column, justify="right")
    for group, score in scores.items():
        table.add_row(group, figure(score.precision), figure(score.recall), figure(score.f1), str(score.gold))
    return table


def _loss_lines(result: Result) -> list[Text]:
    lines = []
    for layer, sides in result.losses.items():
        outside = {side: lost.nested + lost.shared_token + lost.no_token + lost.split for side, lost in sides.items()}
        if any(outside.values()):
            lines.append(
                Text(
                    f"{layer}: seqeval sees neither {outside['gold']} gold nor {outside['predicted']} predicted spans that IOB2 cannot hold"
                )
            )
    if result.tags and result.tags.orphans:
        lines.append(
            Text(
                f"{result.tags.orphans} of {result.tags.tags} tags are I- tags that continue nothing: strict IOB2 ignores them"
            )
        )
    return lines


def _coverage_line(result: Result) -> Text:
    coverage = result.coverage
    line = f"{coverage.predicted} of {coverage.documents} documents predicted"
    if coverage.missing:
        line += f"; missing, counted as empty: {', '.join(coverage.missing)}"
    return Text(line, style="bold red" if coverage.missing else "")


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
