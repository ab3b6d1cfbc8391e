"""Counts that add, metrics declared as data, and the view of tags. No file is touched here."""

from khabar.metrics.counts import Counts
from khabar.metrics.declared import ATTRIBUTES, LAYERS, MAIN, METRICS, Metric, metric_names
from khabar.metrics.seqeval_view import TOKEN_LAYERS

__all__ = ["ATTRIBUTES", "LAYERS", "MAIN", "METRICS", "TOKEN_LAYERS", "Counts", "Metric", "metric_names"]
