"""An evaluation as one self-contained page: scores, confusion, slices, and every error in its text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined

from khabar.corpus import GoldSet
from khabar.metrics.declared import BY_NAME
from khabar.metrics.diagnosis import KINDS, Finding, Marked
from khabar.ontology import ontology
from khabar.report.figures import bounds, figure, warning_lines
from khabar.results import Average, Result, Score, Slice, TagFigures
from khabar.types import Document

RIGHT_TO_LEFT = ("ar", "fa", "he", "ur")
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#56b4e9", "#5b3a8c", "#7a7a7a")
MISSED, SPURIOUS = "missed", "spurious"


def evaluation_page(result: Result, reference: GoldSet, findings: Sequence[Finding]) -> str:
    """Write a result with all its errors as one HTML page that loads nothing.

    Args:
        result: of an evaluation.
        reference: the gold, whose texts are shown.
        findings: what became of every item; their units number the reference's documents.
    """
    environment = Environment(loader=PackageLoader("khabar", "templates"), autoescape=True, undefined=StrictUndefined)
    data = {
        "documents": [_document(document) for document in reference.documents],
        "findings": [_finding(finding) for finding in findings],
        "colors": _colors(findings),
    }
    return environment.get_template("evaluation.html").render(
        title=f"{result.name or 'predictions'} on {result.split}",
        result=result,
        coverage=f"{result.coverage.predicted} of {result.coverage.documents} documents predicted",
        warnings=warning_lines(result),
        level=f"{result.settings.level:.0%}",
        scores=[_score_row(name, score, result) for name, score in result.scores.items()],
        tags=[_tag_row(layer, view) for layer, modes in result.seqeval.items() for view in modes.values()],
        types=[_type_table(name, scores) for name, scores in result.per_type.items() if len(scores) > 1],
        slices=[_slice_table(name, values) for name, values in result.slices.items()],
        muc=[
            (layer, [figure(getattr(muc, part)) for part in ("und", "ovg", "sub", "err")])
            for layer, muc in result.muc.items()
        ],
        confusions=[_confusion(layer, cells) for layer, cells in result.confusion.items()],
        kinds=[kind for kind in KINDS if any(kind in counts for counts in result.errors.values())],
        errors=result.errors,
        data=embed(data),
    )


def embed(value: Any) -> str:
    """Encode JSON so that nothing in it can end the script element that holds it.

    Args:
        value: anything that JSON can hold.
    """
    text = msgspec.json.encode(value).decode()
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _document(document: Document) -> dict[str, Any]:
    return {
        "id": document.doc_id,
        "lang": document.lang,
        "dir": "rtl" if document.lang in RIGHT_TO_LEFT else "auto" if not document.lang else "ltr",
        "about": [part for part in (document.outlet, document.genre, document.date) if part],
        "text": document.text,
    }


def _finding(finding: Finding) -> list[Any]:
    return [finding.unit, finding.layer, finding.kind, _side(finding.gold), _side(finding.pred)]


def _side(marked: Marked | None) -> list[Any] | None:
    if marked is None:
        return None
    # The page counts UTF-16 units where Python counts code points: it is given code points and converts.
    return [marked.label, marked.pieces, marked.event, marked.trigger]


def _colors(findings: Sequence[Finding]) -> dict[str, str]:
    known = ontology().colors
    labels = sorted({side.label for finding in findings for side in (finding.gold, finding.pred) if side})
    others = [label for label in labels if label not in known]
    return {
        **{label: known[label] for label in labels if label in known},
        **{label: PALETTE[number % len(PALETTE)] for number, label in enumerate(others)},
    }


def _score_row(name: str, score: Score, result: Result) -> dict[str, Any]:
    return {
        "name": name,
        "summary": BY_NAME[name].summary,
        "section": BY_NAME[name].section,
        "cells": [_cell(score.precision, score.precision_interval), _cell(score.recall, score.recall_interval)],
        "f1": _cell(score.f1, score.interval),
        "bar": as_bar(score.f1, score.interval),
        "macro": _average(result.macro.get(name)),
        "mean": _average(result.document_mean.get(name)),
        "counts": [f"{score.matched}{f' + {score.partial}/2' if score.partial else ''}", score.predicted, score.gold],
    }


def _cell(value: float | None, around: tuple[float, float] | None) -> dict[str, str]:
    return {"value": figure(value), "interval": bounds(around)}


def _average(average: Average | None) -> dict[str, str]:
    if average is None:
        return {"value": "", "interval": "", "over": ""}
    return {**_cell(average.value, average.interval), "over": f"over {average.over} of {average.of}"}


def as_bar(value: float | None, around: tuple[float, float] | None) -> dict[str, str] | None:
    """Place a point and its whisker in percent of the bar's width.

    Args:
        value: between 0 and 1; nothing is placed where it is undefined.
        around: its interval.
    """
    if value is None:
        return None
    low, high = around or (value, value)
    return {"at": f"{100 * value:.1f}", "low": f"{100 * low:.1f}", "width": f"{100 * (high - low):.1f}"}


def _tag_row(layer: str, view: TagFigures) -> dict[str, Any]:
    figures = (view.micro["precision"], view.micro["recall"])
    return {
        "layer": layer,
        "mode": f"{view.scheme} {view.mode}",
        "reason": view.reason,
        "cells": [figure(value) for value in figures],
        "f1": _cell(view.micro["f1"], view.interval),
        "averages": [figure(view.macro["f1"]), figure(view.weighted["f1"])],
    }


def _type_table(name: str, scores: Mapping[str, Score]) -> dict[str, Any]:
    return {
        "name": name,
        "rows": [
            {
                "type": group,
                "figures": [figure(score.precision), figure(score.recall)],
                "f1": _cell(score.f1, score.interval),
                "bar": as_bar(score.f1, score.interval),
                "counts": [score.predicted, score.gold],
            }
            for group, score in scores.items()
        ],
    }


def _slice_table(name: str, values: Mapping[str, Slice]) -> dict[str, Any]:
    metrics = list(dict.fromkeys(metric for part in values.values() for metric in part.scores))
    return {
        "name": name,
        "recall": any(part.recall_only for part in values.values()),
        "metrics": metrics,
        "rows": [
            (value, part.size, [_slice_cell(part, metric) for metric in metrics]) for value, part in values.items()
        ],
    }


def _slice_cell(part: Slice, metric: str) -> dict[str, str]:
    score = part.scores.get(metric)
    if score is None:
        return {"value": "", "interval": ""}
    return _cell(score.recall, score.recall_interval) if part.recall_only else _cell(score.f1, score.interval)


def _confusion(layer: str, cells: Sequence[tuple[str, str, int]]) -> dict[str, Any]:
    numbers = {(gold, pred): number for gold, pred, number in cells}
    rows = sorted({gold for gold, _ in numbers if gold})
    columns = sorted({pred for _, pred in numbers if pred})
    return {
        "layer": layer,
        "columns": [*columns, MISSED],
        "rows": [
            (row or SPURIOUS, [_confusion_cell(numbers, row, column) for column in (*columns, "")])
            for row in (*rows, "")
        ],
    }


def _confusion_cell(numbers: Mapping[tuple[str, str], int], row: str, column: str) -> dict[str, Any]:
    number = numbers.get((row, column), 0)
    whole = sum(value for (gold, _), value in numbers.items() if gold == row) or 1
    return {"gold": row, "pred": column, "number": number, "right": row == column, "share": round(number / whole, 2)}
