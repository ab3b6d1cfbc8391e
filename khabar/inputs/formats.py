"""Which reader reads what: formats by name, or by what a file is called."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from khabar.corpus import GoldSet
from khabar.errors import Issue, KhabarError
from khabar.inputs.jsonlines import read_jsonl_gold, read_jsonl_predictions
from khabar.inputs.records import Predictions
from khabar.validate import nearest

SUFFIXES = {
    ".jsonl": "jsonl",
    ".json": "lists",
    **dict.fromkeys((".conll", ".conllu", ".iob2", ".iob", ".bio", ".tsv", ".txt"), "columns"),
}


class ReadOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a file is to be read; what a format does not need is passed over.

    `format` empty: by the file's name. `ambiguous` is for quotes ("refuse" or "in-order"), `by` for
    corpora that have both characters and tokens.
    """

    format: str = ""
    scheme: str = "IOB2"
    column: int = -1
    word_column: int = 0
    layer: str = ""
    realign: bool = False
    ambiguous: str = "refuse"
    by: str = "characters"


def format_of(path: Path, name: str = "") -> str:
    """Tell the format of an input.

    Args:
        path: a file or a folder.
        name: the format's name, where it is given.

    Raises:
        KhabarError: format-unknown.
    """
    if name in FORMATS:
        return name
    found = "brat" if path.is_dir() else SUFFIXES.get(path.suffix.lower(), "")
    if name or not found:
        raise KhabarError(
            Issue(
                code="format-unknown",
                where=str(path),
                found=f"format {name!r}" if name else f"a file called {path.name!r}",
                expected=", ".join(FORMATS),
                fix=f"Name the format.{nearest(name, FORMATS)}",
            )
        )
    return found


def read_predictions(path: Path, reference: GoldSet, options: ReadOptions | None = None) -> Predictions:
    """Read a system's output in any format.

    Args:
        path: a file, or a folder of brat's.
        reference: the gold set that it is about.
        options: how to read it.

    Raises:
        KhabarError: format-unknown, and as the format's reader.
    """
    given = options or ReadOptions()
    name = format_of(path, given.format)
    if name not in PREDICTIONS:
        fix = f"{name} is read as --gold only; hand predictions in as JSON lines by offsets."
        raise KhabarError(
            Issue(code="format-unknown", where=str(path), found=name, expected=", ".join(PREDICTIONS), fix=fix)
        )
    return PREDICTIONS[name](path, reference, given)


def read_gold_file(path: Path, options: ReadOptions | None = None) -> GoldSet:
    """Read other people's gold in any format.

    Args:
        path: a file, or a folder of brat's.
        options: how to read it.

    Raises:
        KhabarError: format-unknown, and as the format's reader.
    """
    given = options or ReadOptions()
    name = format_of(path, given.format)
    if name not in GOLD:
        fix = f"{name} can be read as predictions only."
        raise KhabarError(Issue(code="format-unknown", where=str(path), found=name, expected=", ".join(GOLD), fix=fix))
    return GOLD[name](path, given)


def _columns(path: Path, reference: GoldSet, options: ReadOptions) -> Predictions:
    from khabar.inputs.columns import columns_predictions, read_columns

    columns = read_columns(path, column=options.column, word_column=options.word_column)
    return columns_predictions(columns, reference, layer=options.layer, scheme=options.scheme, realign=options.realign)


def _columns_gold(path: Path, options: ReadOptions) -> GoldSet:
    from khabar.inputs.columns import columns_gold, read_columns

    return columns_gold(
        read_columns(path, column=options.column, word_column=options.word_column), scheme=options.scheme
    )


def _lists(path: Path, reference: GoldSet, options: ReadOptions) -> Predictions:
    from khabar.inputs.lists import lists_predictions, read_lists

    return lists_predictions(read_lists(path), reference, layer=options.layer, scheme=options.scheme, name=path.name)


def _lists_gold(path: Path, options: ReadOptions) -> GoldSet:
    from khabar.inputs.lists import lists_gold, read_lists

    return lists_gold(read_lists(path), scheme=options.scheme, name=path.name)


def _pipeline(path: Path, _: GoldSet, options: ReadOptions) -> Predictions:
    from khabar.inputs.pipeline import read_pipeline

    return read_pipeline(path, layer=options.layer, scheme=options.scheme)


def _quotes(path: Path, reference: GoldSet, options: ReadOptions) -> Predictions:
    from khabar.inputs.quoted import read_quoted

    return read_quoted(path, reference, ambiguous=options.ambiguous)


def _brat(path: Path, reference: GoldSet, _: ReadOptions) -> Predictions:
    from khabar.inputs.brat import read_brat

    return read_brat(path, reference)


def _brat_gold(path: Path, _: ReadOptions) -> GoldSet:
    from khabar.inputs.brat import read_brat_gold

    return read_brat_gold(path)


def _wikievents(path: Path, options: ReadOptions) -> GoldSet:
    from khabar.inputs.peers import read_wikievents

    return read_wikievents(path, by=options.by)


def _muc4(path: Path, _: ReadOptions) -> GoldSet:
    from khabar.inputs.peers import read_muc4

    return read_muc4(path)


def _plover(path: Path, _: ReadOptions) -> GoldSet:
    from khabar.inputs.peers import read_plover

    return read_plover(path)


PREDICTIONS: dict[str, Callable[[Path, GoldSet, ReadOptions], Predictions]] = {
    "jsonl": lambda path, _reference, _options: read_jsonl_predictions(path),
    "columns": _columns,
    "lists": _lists,
    "pipeline": _pipeline,
    "quotes": _quotes,
    "brat": _brat,
}
GOLD: dict[str, Callable[[Path, ReadOptions], GoldSet]] = {
    "jsonl": lambda path, _options: read_jsonl_gold(path),
    "columns": _columns_gold,
    "lists": _lists_gold,
    "brat": _brat_gold,
    "wikievents": _wikievents,
    "muc4": _muc4,
    "plover": _plover,
}
FORMATS = (*PREDICTIONS, *(name for name in GOLD if name not in PREDICTIONS))
