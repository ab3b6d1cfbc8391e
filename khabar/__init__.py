"""khabar: events, actors and claims in conflict reporting, and how to score models on them.

`khabar.evaluate` and the records of `khabar.types` are loaded when they are first used, so that
`import khabar` stays quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"
__all__ = [
    "Annotation",
    "Document",
    "KhabarError",
    "Result",
    "Settings",
    "__version__",
    "compare",
    "evaluate",
    "load_gold",
    "score_tags",
]

if TYPE_CHECKING:
    from khabar.comparison import compare
    from khabar.corpus import load_gold
    from khabar.errors import KhabarError
    from khabar.evaluation import evaluate
    from khabar.metrics.tag_report import score_tags
    from khabar.results import Result, Settings
    from khabar.types import Annotation, Document

_HOMES = {
    "Annotation": "khabar.types",
    "Document": "khabar.types",
    "KhabarError": "khabar.errors",
    "Result": "khabar.results",
    "Settings": "khabar.results",
    "compare": "khabar.comparison",
    "evaluate": "khabar.evaluation",
    "load_gold": "khabar.corpus",
    "score_tags": "khabar.metrics.tag_report",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'khabar' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
