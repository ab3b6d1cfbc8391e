"""Counts that add, metrics declared as data, and the seqeval view. No file is touched here."""

from khabar.metrics.counts import Counts
from khabar.metrics.declared import METRICS, Metric, metric_names

__all__ = ["METRICS", "Counts", "Metric", "metric_names"]
