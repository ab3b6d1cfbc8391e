"""Tag sequences decoded and counted as seqeval does, for a whole corpus at once.

A run is a stretch of tokens of one sequence in which each continues the one before. Strict modes keep
the runs that are whole chunks of the scheme; seqeval's default mode keeps every run of IOB2 tags, also
those opened by an I-. See PROTOCOL.md section 4.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain, islice

import msgspec
import numpy as np
from numpy.typing import NDArray

from khabar.errors import Issue, KhabarError

SCHEMES = ("IOB2", "IOBES", "BILOU")
MODES = ("strict", "default")
OUTSIDE = "O"
BLOCK = 250_000  # larger blocks leave the processor's cache and take twice as long
SHOWN = 20
Codes = NDArray[np.integer]
Ints = NDArray[np.int64]
# What a prefix does: begins a chunk, goes on in one, ends one, is one by itself.
_BEGIN, _INSIDE, _END, _SINGLE = range(4)
_PREFIXES = {
    "IOB2": {"B": _BEGIN, "I": _INSIDE},
    "IOBES": {"B": _BEGIN, "I": _INSIDE, "E": _END, "S": _SINGLE},
    "BILOU": {"B": _BEGIN, "I": _INSIDE, "L": _END, "U": _SINGLE},
}


class Chunk(msgspec.Struct, frozen=True, order=True):
    """A chunk of a sequence: its first and last token and its type."""

    first: int
    last: int
    type: str


class TagCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Chunks counted by unit and type: an array [units, types, 3] of matched, predicted and gold.

    `tags`, `invalid` and `invalid_sequences` are pairs (gold, prediction): how many tags there are,
    how many belong to no chunk though they are not O, and in how many sequences such tags stand.
    """

    types: tuple[str, ...]
    table: Ints
    scheme: str
    mode: str
    sequences: int
    tags: tuple[int, int]
    invalid: tuple[int, int]
    invalid_sequences: tuple[int, int]


def check_mode(scheme: str, mode: str) -> None:
    """Refuse a scheme or mode that does not exist, and the default mode for anything but IOB2.

    Args:
        scheme: of SCHEMES.
        mode: of MODES.

    Raises:
        KhabarError: usage.
    """
    if scheme not in SCHEMES:
        raise KhabarError(_usage("scheme", scheme, SCHEMES, "Name the scheme that the tags are written in."))
    if mode not in MODES:
        raise KhabarError(_usage("mode", mode, MODES, "Name one of seqeval's modes."))
    if mode == "default" and scheme != "IOB2":
        fix = f"seqeval's default mode misreads {scheme}; use strict."
        raise KhabarError(_usage("mode", f"default with {scheme}", ("strict",), fix))


def _usage(where: str, found: str, known: Sequence[str], fix: str) -> Issue:
    return Issue(code="usage", where=where, found=repr(found), expected=f"one of {', '.join(known)}", fix=fix)


def split_tag(tag: object, scheme: str) -> tuple[str, str] | None:
    """Cut a tag into prefix and type; ("O", "") for O, None for what is no tag of the scheme.

    Args:
        tag: as written.
        scheme: of SCHEMES.
    """
    if not isinstance(tag, str):
        return None
    if tag == OUTSIDE:
        return OUTSIDE, ""
    prefix, dash, name = tag.partition("-")
    return (prefix, name) if dash and name and prefix in _PREFIXES[scheme] else None


def decode(tags: Sequence[str], scheme: str = "IOB2", mode: str = "strict") -> tuple[list[Chunk], list[int]]:
    """Decode one sequence.

    Args:
        tags: one a token, of the scheme.
        scheme: of SCHEMES.
        mode: of MODES; "default" for IOB2 only.

    Returns:
        The chunks, and the positions of tags that belong to no chunk of the scheme and are not O.

    Raises:
        KhabarError: usage, tag-unknown.
    """
    check_mode(scheme, mode)
    if issues := list(_tag_issues([tags], scheme, "tags")):
        raise KhabarError(issues)
    chunks: list[Chunk] = []
    invalid: list[int] = []
    for first, run in _runs(tags, scheme):
        whole = _is_whole(run[0], run[-1], len(run), scheme)
        if whole or mode == "default":
            chunks.append(Chunk(first, first + len(run) - 1, tags[first].partition("-")[2]))
        if not whole:
            invalid += range(first, first + len(run))
    return chunks, invalid


def _runs(tags: Sequence[str], scheme: str) -> Iterator[tuple[int, list[int]]]:
    """Yield each run: where it starts, and what its prefixes do."""
    parts = [split_tag(tag, scheme) or (OUTSIDE, "") for tag in tags]
    acts = _PREFIXES[scheme]
    run: list[int] = []
    name = ""
    for at, (prefix, here) in enumerate([*parts, (OUTSIDE, "")]):
        act = acts.get(prefix, -1)
        if run and act in (_INSIDE, _END) and run[-1] in (_BEGIN, _INSIDE) and here == name:
            run.append(act)
            continue
        if run:
            yield at - len(run), run
        run, name = ([act], here) if act >= 0 else ([], "")


def _is_whole(first: int, last: int, length: int, scheme: str) -> bool:
    if scheme == "IOB2":
        return first == _BEGIN
    return first == _SINGLE or (first == _BEGIN and last == _END and length > 1)


def count_tags(
    *,
    gold: Sequence[Sequence[str]],
    pred: Sequence[Sequence[str]],
    scheme: str = "IOB2",
    mode: str = "strict",
    units: Sequence[int] | NDArray[np.integer] | None = None,
) -> TagCounts:
    """Count the chunks of tag sequences.

    Args:
        gold: tags of each sequence.
        pred: as many tags of as many sequences.
        scheme: of SCHEMES.
        mode: of MODES; "default" for IOB2 only.
        units: for each sequence the number of its document; its own number by default.

    Raises:
        KhabarError: usage, wrong-shape, tokens-differ, tag-unknown; all of the first kind that is met.
    """
    check_mode(scheme, mode)
    lengths = _check_shapes(gold, pred)
    vocabulary: defaultdict[str, int] = defaultdict()
    vocabulary.default_factory = vocabulary.__len__
    try:
        codes = [_encode(rows, vocabulary, int(lengths.sum())) for rows in (gold, pred)]
    except TypeError:
        codes = []
    if not codes or any(split_tag(tag, scheme) is None for tag in vocabulary):
        sides = ((gold, "gold"), (pred, "prediction"))
        raise KhabarError(islice((issue for rows, name in sides for issue in _tag_issues(rows, scheme, name)), SHOWN))
    return count_codes(
        gold=codes[0],
        pred=codes[1],
        lengths=lengths,
        vocabulary=list(vocabulary),
        scheme=scheme,
        mode=mode,
        units=units,
    )


def _check_shapes(gold: Sequence[Sequence[str]], pred: Sequence[Sequence[str]]) -> Ints:
    for rows, name in ((gold, "gold"), (pred, "prediction")):
        strange = set(map(type, rows)) - {list, tuple}
        bad = next((at for at, row in enumerate(rows) if type(row) in strange and not _is_row(row)), None)
        if bad is not None:
            expected = "a list of tags for each sequence"
            raise KhabarError(_shape("wrong-shape", f"{name}, sequence {bad}", repr(rows[bad])[:60], expected))
    if len(gold) != len(pred):
        found, expected = f"{len(pred)} sequences in the prediction", f"{len(gold)}, as in the gold"
        raise KhabarError(_shape("tokens-differ", "sequences", found, expected))
    wanted = np.fromiter(map(len, gold), dtype=np.int64, count=len(gold))
    given = np.fromiter(map(len, pred), dtype=np.int64, count=len(pred))
    differing = np.flatnonzero(wanted != given)
    if len(differing):
        raise KhabarError(
            _shape("tokens-differ", f"sequence {at}", f"{given[at]} tags", f"{wanted[at]}, as in the gold")
            for at in differing[:SHOWN]
        )
    return wanted


def _is_row(row: object) -> bool:
    return isinstance(row, Sequence) and not isinstance(row, (str, bytes))


def _shape(code: str, where: str, found: str, expected: str) -> Issue:
    fix = "Tag the tokens of the gold, all of them; a truncated sequence must be filled up with O."
    return Issue(code=code, where=where, found=found, expected=expected, fix=fix)


def _encode(rows: Sequence[Sequence[str]], vocabulary: defaultdict[str, int], size: int) -> Codes:
    try:
        return np.frombuffer(bytes(map(vocabulary.__getitem__, chain.from_iterable(rows))), dtype=np.uint8)
    except ValueError:  # more than 256 tags
        return np.fromiter(map(vocabulary.__getitem__, chain.from_iterable(rows)), dtype=np.int32, count=size)


def _tag_issues(rows: Sequence[Sequence[str]], scheme: str, name: str) -> Iterator[Issue]:
    prefixes = ", ".join(f"{prefix}-TYPE" for prefix in _PREFIXES[scheme])
    for number, row in enumerate(rows):
        for at, tag in enumerate(row):
            if split_tag(tag, scheme) is None:
                yield Issue(
                    code="tag-unknown",
                    where=f"{name}, sequence {number}, token {at}",
                    found=repr(tag)[:60],
                    expected=f"O, {prefixes} ({scheme})",
                    fix="Name the scheme that the tags are written in, or mend the tag.",
                )


class _Legend(msgspec.Struct, frozen=True):
    """For each code, what its prefix does (−1 for O) and which type it has (−1 for O)."""

    acts: NDArray[np.int8]
    types: NDArray[np.int32]
    names: tuple[str, ...]


def _legend(vocabulary: Sequence[str], scheme: str) -> _Legend:
    parts = [split_tag(tag, scheme) for tag in vocabulary]
    if None in parts:
        raise KhabarError(_tag_issues([vocabulary], scheme, "vocabulary"))
    names = tuple(sorted({name for _, name in filter(None, parts) if name}))
    place = {name: number for number, name in enumerate(names)}
    acts = [_PREFIXES[scheme].get(prefix, -1) for prefix, _ in filter(None, parts)]
    types = [place.get(name, -1) for _, name in filter(None, parts)]
    return _Legend(np.array(acts, dtype=np.int8), np.array(types, dtype=np.int32), names)


class _Runs(msgspec.Struct, frozen=True):
    """The runs of a block: first and last token, type, and whether the run is a whole chunk of the scheme."""

    first: Ints
    last: Ints
    type: NDArray[np.int32]
    whole: NDArray[np.bool_]

    def keep(self, mode: str) -> _Runs:
        if mode == "default":
            return self
        return _Runs(self.first[self.whole], self.last[self.whole], self.type[self.whole], self.whole[self.whole])


def count_codes(
    *,
    gold: Codes,
    pred: Codes,
    lengths: Sequence[int] | Ints,
    vocabulary: Sequence[str],
    scheme: str = "IOB2",
    mode: str = "strict",
    units: Sequence[int] | NDArray[np.integer] | None = None,
) -> TagCounts:
    """Count the chunks of tags that are numbers already.

    Args:
        gold: one code a token, sequences one after another.
        pred: as many.
        lengths: tokens of each sequence.
        vocabulary: code → tag.
        scheme: of SCHEMES.
        mode: of MODES; "default" for IOB2 only.
        units: for each sequence the number of its document; its own number by default.

    Returns:
        The counts. Cost and memory: blocks of BLOCK tokens, linear in the tokens.

    Raises:
        KhabarError: usage, tokens-differ, tag-unknown.
    """
    check_mode(scheme, mode)
    sizes = np.asarray(lengths, dtype=np.int64)
    if not len(gold) == len(pred) == sizes.sum():
        found = f"{len(gold)} gold and {len(pred)} predicted codes"
        raise KhabarError(_shape("tokens-differ", "codes", found, f"{sizes.sum()}, the sum of the lengths"))
    legend = _legend(vocabulary, scheme)
    places = _place_units(units, len(sizes))
    table = np.zeros((int(places.max(initial=-1)) + 1, len(legend.names), 3), dtype=np.int64)
    broken = np.zeros((2, 2), dtype=np.int64)
    for part, tokens in _blocks(np.cumsum(sizes)):
        sides = [_find_runs(side[tokens], sizes[part], legend, scheme) for side in (gold, pred)]
        _count_block(table, sides, np.repeat(places[part], sizes[part]), mode)
        broken += [_broken(runs, sizes[part]) for runs in sides]
    invalid, sequences = broken.T.tolist()
    return TagCounts(
        types=legend.names,
        table=table,
        scheme=scheme,
        mode=mode,
        sequences=len(sizes),
        tags=(len(gold), len(pred)),
        invalid=(invalid[0], invalid[1]),
        invalid_sequences=(sequences[0], sequences[1]),
    )


def _place_units(units: Sequence[int] | NDArray[np.integer] | None, sequences: int) -> NDArray[np.int32]:
    places = np.asarray(np.arange(sequences) if units is None else units)
    fits = places.shape == (sequences,) and (not sequences or places.dtype.kind in "iu")
    if not fits or (sequences and not 0 <= places.min() <= places.max() < np.iinfo(np.int32).max):
        fix = "Give each sequence the number of its document, from 0."
        found = f"{places.shape} of {places.dtype}"
        raise KhabarError(
            Issue(code="usage", where="units", found=found, expected=f"{sequences} whole numbers", fix=fix)
        )
    return places.astype(np.int32)


def _blocks(ends: Ints) -> Iterator[tuple[slice, slice]]:
    """Cut the sequences, and their tokens, into stretches of about BLOCK tokens; a longer sequence is one of its own."""
    first, before = 0, 0
    while first < len(ends):
        last = max(first + 1, int(np.searchsorted(ends, before + BLOCK, side="right")))
        after = int(ends[last - 1])
        yield slice(first, last), slice(before, after)
        first, before = last, after


def _find_runs(codes: Codes, sizes: Ints, legend: _Legend, scheme: str) -> _Runs:
    outside = np.flatnonzero(legend.acts < 0)
    # Mostly there is one O, and comparing is faster than looking up.
    inside = np.flatnonzero(codes != outside[0] if len(outside) == 1 else legend.acts[codes] >= 0)
    chosen = codes[inside]
    acts, types = legend.acts[chosen], legend.types[chosen]
    opens = np.zeros(len(codes) + 1, dtype=np.bool_)
    opens[np.cumsum(sizes)] = True
    goes_on = np.zeros(len(inside), dtype=np.bool_)
    if len(inside):
        follows = (np.diff(inside) == 1) & ~opens[inside[1:]] & (types[1:] == types[:-1])
        # B and I can be gone on from, I and E go on: the numbers of the prefixes stand in that order.
        goes_on[1:] = follows & (acts[:-1] <= _INSIDE) & (acts[1:] >= _INSIDE) & (acts[1:] <= _END)
    heads = np.flatnonzero(~goes_on)
    tails = np.append(heads[1:], len(inside)) - 1 if len(heads) else heads
    whole = acts[heads] == _BEGIN
    if scheme != "IOB2":
        whole = (whole & (acts[tails] == _END)) | (acts[heads] == _SINGLE)
    return _Runs(inside[heads], inside[tails], types[heads], whole)


def _count_block(table: Ints, sides: Sequence[_Runs], units: NDArray[np.int32], mode: str) -> None:
    if not len(units):
        return
    # Only the rows of the block's units are touched, or the cost would grow with blocks times units.
    low, types = int(units.min()), table.shape[1]
    flat = table[low : int(units.max()) + 1].reshape(-1, 3)
    gold, pred = (runs.keep(mode) for runs in sides)
    cells = [(units[runs.first] - low).astype(np.int64) * types + runs.type for runs in (gold, pred)]
    for place, cell in ((2, cells[0]), (1, cells[1])):
        flat[:, place] += np.bincount(cell, minlength=len(flat))
    at_start = np.full(len(units), -1, dtype=np.int32)
    at_start[gold.first] = np.arange(len(gold.first), dtype=np.int32)
    partner = at_start[pred.first]
    found = partner >= 0
    left = partner[found]
    same = (gold.last[left] == pred.last[found]) & (gold.type[left] == pred.type[found])
    flat[:, 0] += np.bincount(cells[0][left[same]], minlength=len(flat))


def _broken(runs: _Runs, sizes: Ints) -> tuple[int, int]:
    """Count the tags in runs that are no whole chunk, and the sequences that have one."""
    bad = ~runs.whole
    if not bad.any():
        return 0, 0
    sequences = np.searchsorted(np.cumsum(sizes), runs.first[bad], side="right")
    return int((runs.last[bad] - runs.first[bad] + 1).sum()), len(np.unique(sequences))
