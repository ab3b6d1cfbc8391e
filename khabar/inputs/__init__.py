"""Readers: a system's output or other people's gold, in the formats that people have."""

from khabar.inputs.formats import FORMATS, ReadOptions, read_gold_file, read_predictions
from khabar.inputs.jsonlines import read_jsonl_predictions
from khabar.inputs.records import Predictions, TagsRead, Unplaced

__all__ = [
    "FORMATS",
    "Predictions",
    "ReadOptions",
    "TagsRead",
    "Unplaced",
    "read_gold_file",
    "read_jsonl_predictions",
    "read_predictions",
]
