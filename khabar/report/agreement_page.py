"""Agreement as one self-contained page: every table, and each pair's differences in their texts."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from khabar.agreement import Agreed, AgreementReport, Pairing, make_pairings
from khabar.corpus import gold_set
from khabar.evaluation import examine
from khabar.report.agreement import Grid, agreement_grids, head_line, without_empty
from khabar.report.page import as_bar, embed, evaluation_page
from khabar.results import Settings
from khabar.types import Annotation, Document

LAYERS = ("actors", "fillers", "triggers", "arguments")
PARTS = {
    "spans": "Spans and links",
    "values": "Types and attributes",
    "slices": "Parts",
    "contrasts": "Rounds and pre-annotation",
    "types": "By type",
    "confusion": "Confusion",
}
# The page of an evaluation shows two versions of a text side by side. Inside this page only that part
# of it is shown, and its address is not its own to change.
_INSIDE = """<head><style>main > :not(.skip, form, .toolbar, #browser, dialog, noscript) { display: none; }
main { padding-top: 0 !important; max-width: none !important; }</style>
<script>history.replaceState = () => {};</script>"""


def agreement_page(
    report: AgreementReport,
    *,
    work: Sequence[Annotation] = (),
    documents: Mapping[str, Document] | None = None,
    title: str = "Agreement",
) -> str:
    """Write a report as one HTML page that loads nothing.

    Args:
        report: as `khabar.agreement.measure` makes it.
        work: the annotations that were measured; with them each pair's differences are shown in the texts.
        documents: by doc_id; those without a text are left out of that.
        title: its heading.

    Raises:
        KhabarError: the issues of annotations that do not fit their texts.
    """
    environment = Environment(loader=PackageLoader("khabar", "templates"), autoescape=True, undefined=StrictUndefined)
    grids = [without_empty(grid) for grid in agreement_grids(report) if grid.rows]
    browsers = _browsers(make_pairings(work, documents)) if documents else {}
    return environment.get_template("agreement.html").render(
        title=title,
        head=head_line(report),
        notes=report.notes,
        parts=[
            (name, heading, [_table(grid) for grid in grids if grid.part == name])
            for name, heading in PARTS.items()
            if any(grid.part == name for grid in grids)
        ],
        pairs=list(browsers),
        data=embed(list(browsers.values())),
    )


def _table(grid: Grid) -> dict[str, Any]:
    bars = [_bar(found) for found in grid.bars] or [None] * len(grid.rows)
    titles = grid.titles or [""] * len(grid.rows)
    return {
        "title": grid.title,
        "head": grid.head,
        "left": grid.left,
        "bars": bool(grid.bars),
        "rows": [
            ([cell.split("\n") for cell in row], bar, about)
            for row, bar, about in zip(grid.rows, bars, titles, strict=True)
        ],
    }


def _bar(found: Agreed | None) -> dict[str, str] | None:
    return as_bar(found.value, found.interval) if found else None


def _browsers(pairings: Sequence[Pairing]) -> dict[str, str]:
    """Write the page of an evaluation for each pair, the first annotator where a gold would stand."""
    groups: dict[str, list[Pairing]] = {}
    for pairing in pairings:
        if pairing.document.text:
            groups.setdefault(pairing.name, []).append(pairing)
    return {name: _browser(found) for name, found in groups.items()}


def _browser(pairings: Sequence[Pairing]) -> str:
    one, two = pairings[0].one.author, pairings[0].two.author
    evaluation = examine(
        gold=gold_set(one, [pairing.document for pairing in pairings], [pairing.one for pairing in pairings]),
        pred=[pairing.two for pairing in pairings],
        layers=LAYERS,
        name=two,
        # Its figures are not shown, so nothing is resampled.
        settings=Settings(resamples=1, slices=()),
    )
    page = evaluation_page(evaluation.result, evaluation.reference, evaluation.findings)
    for old, new in (("<head>", _INSIDE), ("<h3>Gold</h3>", _heading(one)), ("<h3>Prediction</h3>", _heading(two))):
        page = page.replace(old, new, 1)
    return page


def _heading(author: str) -> str:
    return f"<h3>{html.escape(author)}</h3>"
