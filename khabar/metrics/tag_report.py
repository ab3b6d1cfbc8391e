"""seqeval's report from counts of chunks, equal to seqeval 1.2.2 in the last bit."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from khabar.metrics.counts import make_counts
from khabar.metrics.tags import TagCounts, check_mode, count_tags

Figure = dict[str, float | None]


class TagReport(msgspec.Struct, frozen=True, kw_only=True):
    """What seqeval reports in one scheme and mode; None, with the reason, where it would raise or give nan."""

    scheme: str
    mode: str
    micro: Figure
    macro: Figure
    weighted: Figure
    per_type: dict[str, dict[str, float | int]]
    reason: str = ""


def score_tags(
    *, gold: Sequence[Sequence[str]], pred: Sequence[Sequence[str]], scheme: str = "IOB2", mode: str = "strict"
) -> TagReport:
    """Report tag sequences as seqeval does, in a fraction of its time.

    Args:
        gold: tags of each sequence.
        pred: as many tags of as many sequences.
        scheme: IOB2, IOBES or BILOU.
        mode: "strict", or "default" (IOB2 only).

    Raises:
        KhabarError: usage, wrong-shape, tokens-differ, tag-unknown.

    Source: PROTOCOL.md section 4.
    """
    return report(count_tags(gold=gold, pred=pred, scheme=scheme, mode=mode))


def report(counts: TagCounts) -> TagReport:
    """Report counted chunks as seqeval does.

    Args:
        counts: of `khabar.metrics.tags.count_tags`.
    """
    return report_counts(counts.types, counts.table.sum(axis=0), scheme=counts.scheme, mode=counts.mode)


def report_counts(types: Sequence[str], sums: NDArray[np.int64], *, scheme: str, mode: str) -> TagReport:
    """Report sums of counts as seqeval does.

    Args:
        types: names, in sorted order.
        sums: [types, 3], matched, predicted and gold.
        scheme: what the tags were written in.
        mode: what they were read in.
    """
    check_mode(scheme, mode)
    met = [(name, row) for name, row in zip(types, sums, strict=True) if row.any()]
    nothing: Figure = {"precision": None, "recall": None, "f1": None}
    if not met:
        reason = "no entity in gold or prediction"
        return TagReport(
            scheme=scheme, mode=mode, micro=nothing, macro=nothing, weighted=nothing, per_type={}, reason=reason
        )
    rows = np.array([_measure(row) for _, row in met])
    support = np.array([row[2] for _, row in met])
    # Without any gold entity there is nothing to weigh by; seqeval then says 0.
    weighted = [np.average(column, weights=support) if support.any() else 0.0 for column in rows.T]
    return TagReport(
        scheme=scheme,
        mode=mode,
        micro=_figure(_measure(np.sum([row for _, row in met], axis=0))),
        macro=_figure([np.average(column) for column in rows.T]),
        weighted=_figure(weighted),
        per_type={
            name: {**dict(zip(nothing, map(float, figures), strict=True)), "support": int(row[2])}
            for (name, row), figures in zip(met, rows, strict=True)
        },
    )


def _measure(row: NDArray[np.int64]) -> tuple[float, float, float]:
    """Read seqeval's figures off counts: what is undefined is 0 there (zero_division=0)."""
    counts = make_counts(row)
    return counts.precision or 0.0, counts.recall or 0.0, counts.f1 or 0.0


def _figure(values: Sequence[float] | NDArray[np.float64]) -> Figure:
    return {name: float(value) for name, value in zip(("precision", "recall", "f1"), values, strict=True)}


def seqeval_report(
    *, gold: Sequence[Sequence[str]], pred: Sequence[Sequence[str]], scheme: str = "IOB2", mode: str = "strict"
) -> TagReport:
    """Let seqeval itself report, so that khabar's figures can be held against it.

    Args:
        gold: tags of each sequence.
        pred: as many tags of as many sequences.
        scheme: of SCHEMES.
        mode: of MODES.

    Source: Nakayama (2018), seqeval.
    """
    from seqeval import scheme as schemes
    from seqeval.metrics import classification_report

    check_mode(scheme, mode)
    named = {"mode": "strict", "scheme": getattr(schemes, scheme)} if mode == "strict" else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            given: dict[str, Any] = classification_report(
                [list(row) for row in gold], [list(row) for row in pred], output_dict=True, zero_division=0, **named
            )
        except ValueError as error:
            given = {"reason": str(error)}
    return _from_seqeval(given, scheme, mode)


def _from_seqeval(given: dict[str, Any], scheme: str, mode: str) -> TagReport:
    nothing: Figure = {"precision": None, "recall": None, "f1": None}
    reason = given.pop("reason", "")
    averages = [_row(given.pop(f"{name} avg", {})) or nothing for name in ("micro", "macro", "weighted")]
    per_type = {name: {**_row(row), "support": int(row["support"])} for name, row in given.items()}
    if not per_type:
        # Where there is nothing at all seqeval says 0, nan or raises; it is undefined.
        averages, reason = [nothing] * 3, reason or "no entity in gold or prediction"
    return TagReport(
        scheme=scheme,
        mode=mode,
        micro=averages[0],
        macro=averages[1],
        weighted=averages[2],
        per_type=per_type,  # type: ignore[arg-type]
        reason=reason,
    )


def _row(row: Mapping[str, Any]) -> Figure:
    names = {"precision": "precision", "recall": "recall", "f1": "f1-score"}
    return {short: None if math.isnan(row[name]) else float(row[name]) for short, name in names.items() if name in row}
