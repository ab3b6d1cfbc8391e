"""Intervals from per-document counts. Documents, never sentences, are resampled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from khabar.metrics import Counts

RESAMPLES = 1000
SEED = 12345


def f1_interval(
    counts: Sequence[Counts], *, resamples: int = RESAMPLES, seed: int = SEED
) -> tuple[float, float] | None:
    """Give the 95 % percentile interval of the micro F1 by bootstrap over documents.

    Args:
        counts: one a document.
        resamples: how many.
        seed: of the generator.

    Returns:
        Lower and upper bound, or None with fewer than two documents or no item at all.

    Source: Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 13; PROTOCOL.md section 5.
    """
    table = np.array([(item.matched, item.predicted + item.gold) for item in counts], dtype=np.float64)
    if len(counts) < 2 or not table[:, 1].any():
        return None
    weights = np.random.default_rng(seed).multinomial(
        len(counts), np.full(len(counts), 1 / len(counts)), size=resamples
    )
    matched, total = (weights @ table).T
    scores = 2 * matched[total > 0] / total[total > 0]
    low, high = np.quantile(scores, (0.025, 0.975))
    return float(low), float(high)
