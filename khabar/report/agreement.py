"""A report on agreement as tables: for the terminal, as Markdown, and as rows for the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from khabar.agreement import Agreed, AgreementReport, Confused, Contrast, Gamma, Part, Values
from khabar.metrics.declared import BY_NAME
from khabar.report.figures import bounds, figure, markdown_table
from khabar.report.markdown import plain

HEADLINES = (
    "actors",
    "fillers",
    "triggers.identified",
    "triggers.classified",
    "arguments.attached.classified",
    "links",
)
TYPED = ("actors", "fillers", "triggers.family", "triggers.classified", "arguments.attached.classified", "links")
CONFUSIONS = 10
LINK_FIGURES = {
    "links": "links: type and both triggers",
    "links.identified": "links: both triggers, whatever the type and the direction",
    "links.given": "links between triggers that both marked: type and both triggers",
}


class Grid(msgspec.Struct, frozen=True, kw_only=True):
    """A table: its title, the names of its columns, and cells, whose second line is an interval.

    `left` columns hold words, the others figures; `bars` are value and interval by row; `titles`
    explain the rows; `brief` tables are shown in the terminal too.
    """

    part: str
    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: int = 1
    bars: tuple[Agreed | None, ...] = ()
    titles: tuple[str, ...] = ()
    brief: bool = True


def agreement_grids(report: AgreementReport) -> list[Grid]:
    """Lay a report out as tables, the most important first.

    Args:
        report: as `khabar.agreement.measure` makes it.
    """
    level = f"{report.settings.level:.0%}"
    if not report.overall.pairs:
        return list(_contrast_grids(report, level))
    return [
        _span_grid(report.overall, level),
        _value_grid(report.overall, level),
        _gamma_grid(report.overall, level),
        *_slice_grids(report),
        *_contrast_grids(report, level),
        *_type_grids(report, level),
        *(grid for layer, cells in report.confusion.items() for grid in _confusion_grids(layer, cells)),
        _kind_grid(report.kinds),
    ]


def head_line(report: AgreementReport) -> str:
    """Say who is compared on how much.

    Args:
        report: any.
    """
    alone = f"; {report.alone} more have one annotator and are not compared" if report.alone else ""
    unit = "documents" if report.settings.unit == "doc" else f"values of {report.settings.unit}"
    many = "s" * (len(report.authors) != 1)
    return (
        f"{len(report.authors)} annotator{many} ({', '.join(report.authors)}), {report.overall.pairs} pairs of annotations "
        f"on {report.documents} documents{alone}. "
        f"{report.settings.level:.0%} intervals by {report.settings.interval} bootstrap over {unit}. "
        f"No figure is given over fewer than {report.few} items, no interval over fewer than {report.few_units} {unit}."
    )


def say_agreed(found: Agreed) -> str:
    """Write F1 or why there is none.

    Args:
        found: an F1.
    """
    return say(found.value, found.reason)


def say(value: float | None, reason: str) -> str:
    """Write a figure, or that there are too few items for one.

    Args:
        value: between 0 and 1.
        reason: why there is none.
    """
    return "too few" if reason.startswith("too few") else figure(value)


def _items(found: Agreed) -> str:
    return f"{found.items:g}"


def _span_grid(part: Part, level: str) -> Grid:
    rows = [
        (name, say_agreed(f), bounds(f.interval), *(str(n) for n in (f.matched, f.one, f.two, f.documents)))
        for name, f in part.spans.items()
    ]
    return Grid(
        part="spans",
        title="Spans, arguments and links: F1 of one annotator against another",
        head=("figure", "F1", level, "matched", "first marked", "second marked", "documents"),
        rows=tuple(rows),
        bars=tuple(part.spans.values()),
        titles=tuple(LINK_FIGURES.get(name) or BY_NAME[name].summary for name in part.spans),
    )


def _value_grid(part: Part, level: str) -> Grid:
    rows = [
        (
            name,
            *(say(v.observed, v.reason), bounds(v.interval), str(v.items)),
            *(say(v.alpha, v.alpha_reason), bounds(v.alpha_interval), str(v.units)),
            v.alpha_reason,
        )
        for name, v in part.values.items()
    ]
    return Grid(
        part="values",
        title="Types and attributes of what both marked: share of equal values, and Krippendorff's alpha (nominal)",
        head=("value", "equal", level, "items", "alpha", level, "units", "why no alpha"),
        rows=tuple(rows),
        titles=tuple(
            ", ".join(f"{value} {number}" for value, number in v.counts.items()) for v in part.values.values()
        ),
    )


def _gamma_grid(part: Part, level: str) -> Grid:
    rows = [
        (layer, say(g.value, g.reason), bounds(g.interval), f"{g.units:g}", str(g.documents), str(g.samples), g.reason)
        for layer, g in part.gamma.items()
    ]
    head = ("layer", "gamma", level, "spans", "documents", "samples of chance", "why none")
    return Grid(part="values", title="Gamma: place and type of spans at once", head=head, rows=tuple(rows))


def _slice_grids(report: AgreementReport) -> Iterator[Grid]:
    for name, parts in report.slices.items():
        if len(parts) < 2 and name != "pair":
            continue
        rows = [(value, *_sizes(p), *(_agreed_cell(p.spans[f]) for f in HEADLINES)) for value, p in parts.items()]
        head = (name, "documents", "pairs", *HEADLINES)
        yield Grid(part="slices", title=f"F1 (items) by {name}", head=head, rows=tuple(rows))
        yield _slice_values(name, parts)


def _slice_values(name: str, parts: Mapping[str, Part]) -> Grid:
    first = next(iter(parts.values()))
    rows = [
        (value, *(_alpha_cell(v) for v in p.values.values()), *(_gamma_cell(g) for g in p.gamma.values()))
        for value, p in parts.items()
    ]
    head = (name, *(f"α {value}" for value in first.values), *(f"γ {layer}" for layer in first.gamma))
    return Grid(part="slices", title=f"Alpha and gamma (items) by {name}", head=head, rows=tuple(rows), brief=False)


def _sizes(part: Part) -> tuple[str, str]:
    return str(part.documents), str(part.pairs)


def _agreed_cell(found: Agreed) -> str:
    return _cell(say_agreed(found), _items(found), bounds(found.interval))


def _alpha_cell(found: Values) -> str:
    return _cell(say(found.alpha, found.alpha_reason), str(found.units), bounds(found.alpha_interval))


def _gamma_cell(found: Gamma) -> str:
    return _cell(say(found.value, found.reason), f"{found.units:g}", bounds(found.interval))


def _cell(value: str, items: str, around: str) -> str:
    return f"{value} ({items})" + (f"\n{around}" if around else "")


def _contrast_grids(report: AgreementReport, level: str) -> Iterator[Grid]:
    titles = {
        "drift": "Drift: F1 between annotators, last round minus first",
        "arms": "F1 between annotators, with pre-annotation minus without",
        "bias": "Bias of pre-annotation: F1 of annotators against the model, where they saw its answer minus where not",
    }
    for name, title in titles.items():
        contrasts: Mapping[str, Contrast] = getattr(report, name)
        if contrasts:
            any_one = next(iter(contrasts.values()))
            kind = "round " if name == "drift" else ""
            head = ("figure", f"{kind}{any_one.of}", f"{kind}{any_one.minus}", "difference", level, "why none")
            rows = tuple(_contrast_row(metric, found) for metric, found in contrasts.items())
            yield Grid(part="contrasts", title=title, head=head, rows=rows)


def _contrast_row(metric: str, found: Contrast) -> tuple[str, ...]:
    change = "–" if found.difference is None else f"{found.difference:+.3f}"
    around = "" if found.interval is None else " … ".join(f"{value:+.3f}" for value in found.interval)
    return (metric, _agreed_cell(found.first), _agreed_cell(found.second), change, around, found.reason)


def _type_grids(report: AgreementReport, level: str) -> Iterator[Grid]:
    for metric in TYPED:
        found = report.per_type.get(metric, {})
        rows = [
            (name, say_agreed(f), bounds(f.interval), str(f.one), str(f.two), str(f.documents))
            for name, f in found.items()
        ]
        if rows:
            yield Grid(
                part="types",
                title=f"{metric} by {'role' if metric.startswith('arguments') else 'type'}",
                head=("type", "F1", level, "first marked", "second marked", "documents"),
                rows=tuple(rows),
                bars=tuple(found.values()),
            )


def _confusion_grids(layer: str, cells: Sequence[Confused]) -> Iterator[Grid]:
    """List whose types were confused, then what one annotator has alone; all of it is in the JSON."""
    noun = "roles" if layer == "arguments" else "types"
    both = [(cell.one, cell.two, str(cell.number), str(cell.same_span)) for cell in cells if cell.two]
    alone = [(cell.one, str(cell.number)) for cell in cells if not cell.two]
    head = ("one said", "another said", "number", "on equal spans")
    title = f"{layer}: {noun} confused{_most_frequent(both)}"
    yield Grid(part="confusion", title=title, head=head, rows=tuple(both[:CONFUSIONS]), left=2)
    title = f"{layer}: marked by one annotator alone{_most_frequent(alone)}"
    yield Grid(part="confusion", title=title, head=(noun[:-1], "number"), rows=tuple(alone[:CONFUSIONS]))


def _most_frequent(rows: Sequence[object]) -> str:
    return f" (the {CONFUSIONS} most frequent of {len(rows)})" if len(rows) > CONFUSIONS else ""


def _kind_grid(kinds: Mapping[str, Mapping[str, int]]) -> Grid:
    names = list(dict.fromkeys(kind for counts in kinds.values() for kind in counts))
    rows = [(layer, *(str(counts.get(kind, 0)) for kind in names)) for layer, counts in kinds.items()]
    return Grid(
        part="confusion",
        title="What became of the items (alone: the other annotator has nothing there)",
        head=("layer", *names),
        rows=tuple(rows),
    )


def agreement_tables(report: AgreementReport) -> RenderableType:
    """Lay a report out for the terminal.

    Args:
        report: as `khabar.agreement.measure` makes it.
    """
    grids = [_rich(grid) for grid in agreement_grids(report) if grid.brief and grid.rows]
    return Group(Text(head_line(report)), *grids, *(Text(note, style="bold") for note in report.notes))


def _rich(grid: Grid) -> Table:
    shown = without_empty(grid)
    table = Table(title=Text(grid.title, style="italic"), title_justify="left")
    for number, name in enumerate(shown.head):
        table.add_column(
            Text(name.replace(".", ".\n")), justify="left" if number < grid.left or name.startswith("why") else "right"
        )
    for row in shown.rows:
        table.add_row(*(Text(cell) for cell in row))
    return table


def without_empty(grid: Grid) -> Grid:
    """Leave out the columns of reasons where nothing needs one.

    Args:
        grid: any table.
    """
    kept = [
        number
        for number, name in enumerate(grid.head)
        if not name.startswith("why") or any(row[number] for row in grid.rows)
    ]
    rows = tuple(tuple(row[number] for number in kept) for row in grid.rows)
    return msgspec.structs.replace(grid, head=tuple(grid.head[number] for number in kept), rows=rows)


def agreement_markdown(report: AgreementReport, *, title: str = "Agreement") -> str:
    """Write a report as Markdown.

    Args:
        report: as `khabar.agreement.measure` makes it.
        title: its heading.
    """
    parts = [f"# {plain(title)}", plain(head_line(report)), *(f"- {plain(note)}" for note in report.notes)]
    for grid in agreement_grids(report):
        if grid.rows:
            parts += [f"## {plain(grid.title)}", _markdown(without_empty(grid))]
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def _markdown(grid: Grid) -> str:
    head = tuple(plain(name) for name in grid.head)
    rows = [tuple("<br>".join(plain(line) for line in cell.split("\n")) for cell in row) for row in grid.rows]
    return markdown_table(head, rows)
