"""Strict JSON lines: whatever is wrong is said with file, line and path in the record."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from khabar.errors import Issue, KhabarError
from khabar.types import CANARY

Record = TypeVar("Record")
MAX_LINE = 64 * 2**20
_CANARY_LINE = f'{{"canary":"{CANARY}"}}'


def read_text(path: Path) -> str:
    """Read a file as UTF-8 without newline translation.

    Args:
        path: the file.

    Raises:
        KhabarError: file-missing, broken-utf8.
    """
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError as error:
        raise KhabarError(_missing(path)) from error
    except OSError as error:
        raise KhabarError(_unreadable(path, error)) from error
    except UnicodeDecodeError as error:
        raise KhabarError(
            Issue(
                code="broken-utf8",
                where=f"{path}, byte {error.start}",
                found=f"byte 0x{error.object[error.start]:02x}",
                expected="UTF-8",
                fix="Save the file as UTF-8.",
            )
        ) from error


def _missing(path: Path) -> Issue:
    return Issue(code="file-missing", where=str(path), found="no such file", expected="a file", fix="Check the path.")


def _unreadable(path: Path, error: OSError) -> Issue:
    return Issue(
        code="file-unreadable",
        where=str(path),
        found=error.strerror or str(error),
        expected="a file that can be read or written",
        fix="Check the path and its permissions.",
    )


def decode(data: str | bytes, kind: type[Record], *, where: str) -> Record:
    """Decode one JSON record into a type.

    Args:
        data: the JSON.
        kind: the type to build.
        where: what to call the place in an error.

    Raises:
        KhabarError: broken-json, wrong-shape.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        raise KhabarError(_misshapen(error, kind, where)) from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise KhabarError(
            Issue(
                code="broken-json",
                where=where,
                found=str(error),
                expected="one JSON value",
                fix="Mend or remove it.",
            )
        ) from error


def convert(value: Any, kind: type[Record], *, where: str) -> Record:
    """Turn plain values (dictionaries, lists, strings, numbers) into a type.

    Args:
        value: as JSON gives it.
        kind: the type to build.
        where: what to call the place in an error.

    Raises:
        KhabarError: wrong-shape.
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise KhabarError(_misshapen(error, kind, where)) from error


def _misshapen(error: msgspec.ValidationError, kind: Any, where: str) -> Issue:
    message, _, path = str(error).partition(" - at ")
    return Issue(
        code="wrong-shape",
        where=f"{where}, {path.strip('`') or '$'}",
        found=message,
        expected=f"a record of type {getattr(kind, '__name__', kind)}",
        fix="Mend the field; the formats are described in evaluation/PROTOCOL.md, section 2.",
    )


def read_lines(path: Path, *, limit: int | None = None) -> Iterator[tuple[int, str]]:
    """Yield each line of a UTF-8 file with its number, from 1; never more than one line is in memory.

    Args:
        path: the file.
        limit: how many bytes a line may have; MAX_LINE by default.

    Raises:
        KhabarError: file-missing, file-unreadable, broken-utf8, line-too-long.
    """
    longest = MAX_LINE if limit is None else limit
    try:
        with path.open("rb") as file:
            number = 0
            while raw := file.readline(longest + 1):
                number += 1
                if len(raw) > longest:
                    raise KhabarError(_too_long(path, number, longest))
                yield number, _decode_line(raw, path, number)
    except FileNotFoundError as error:
        raise KhabarError(_missing(path)) from error
    except OSError as error:
        raise KhabarError(_unreadable(path, error)) from error


def _decode_line(raw: bytes, path: Path, number: int) -> str:
    try:
        return raw.decode("utf-8").removesuffix("\n")
    except UnicodeDecodeError as error:
        raise KhabarError(
            Issue(
                code="broken-utf8",
                where=f"{path}:{number}, byte {error.start}",
                found=f"byte 0x{raw[error.start]:02x}",
                expected="UTF-8",
                fix="Save the file as UTF-8.",
            )
        ) from error


def _too_long(path: Path, number: int, limit: int) -> Issue:
    return Issue(
        code="line-too-long",
        where=f"{path}:{number}",
        found=f"a line of more than {limit:,} bytes",
        expected="one record a line",
        fix="Write a line break after each record.",
    )


def read_records(path: Path, kind: type[Record]) -> Iterator[tuple[int, Record]]:
    """Yield each record of a JSON lines file with its line number, from 1.

    Args:
        path: the file; blank lines are passed over, and a first line that holds the corpus's canary.
        kind: the type of a record.

    Raises:
        KhabarError: file-missing, broken-utf8, line-too-long, broken-json, wrong-shape, file-empty.
    """
    empty = True
    for number, line in read_lines(path):
        if line.strip() and not (number == 1 and line == _CANARY_LINE):
            empty = False
            yield number, decode(line, kind, where=f"{path}:{number}")
    if empty:
        raise KhabarError(
            Issue(
                code="file-empty",
                where=str(path),
                found="no record",
                expected="at least one JSON line",
                fix="Check that the file was written to its end.",
            )
        )


def read_list(path: Path, kind: type[Record]) -> list[Record]:
    """Read all records of a JSON lines file.

    Args:
        path: the file.
        kind: the type of a record.

    Raises:
        KhabarError: as `read_records`.
    """
    return [record for _, record in read_records(path, kind)]


def read_json(path: Path, kind: type[Record]) -> Record:
    """Read a file that holds one JSON value.

    Args:
        path: the file.
        kind: the type to build.

    Raises:
        KhabarError: file-missing, broken-utf8, file-empty, broken-json, wrong-shape.
    """
    data = read_text(path)
    if not data.strip():
        raise KhabarError(
            Issue(
                code="file-empty",
                where=str(path),
                found="an empty file",
                expected="one JSON value",
                fix="Write it again.",
            )
        )
    return decode(data, kind, where=str(path))


def write_bytes(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write a file whole or not at all: to a temporary neighbour, then rename.

    Args:
        path: the file; its folder is made where it is missing.
        data: the content.
        mode: who may read it in the end; until then only its owner may.

    Raises:
        KhabarError: file-unreadable.
    """
    try:
        _replace(path, data, mode)
    except OSError as error:
        raise KhabarError(_unreadable(path, error)) from error


def _replace(path: Path, data: bytes, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_records(path: Path, records: Iterable[Any], *, canary: bool = False) -> None:
    """Write records as JSON lines, whole or not at all.

    Args:
        path: the file.
        records: structs or plain values.
        canary: whether the first line is the corpus's canary.
    """
    write_bytes(path, _lines(records, canary=canary))


def has_canary(path: Path) -> bool:
    """Tell whether a file begins with the corpus's canary, so that whoever writes it anew can keep it.

    Args:
        path: a file, which may not exist.

    Raises:
        KhabarError: as `read_lines`.
    """
    return path.exists() and next((line for _, line in read_lines(path)), "") == _CANARY_LINE


def _lines(records: Iterable[Any], *, canary: bool) -> bytes:
    head = f"{_CANARY_LINE}\n".encode() if canary else b""
    return head + b"".join(msgspec.json.encode(record) + b"\n" for record in records)


def write_json(path: Path, value: Any) -> None:
    """Write one JSON value, indented, whole or not at all.

    Args:
        path: the file.
        value: a struct or plain value.
    """
    write_bytes(path, json_bytes(value))


def json_bytes(value: Any) -> bytes:
    """Encode one JSON value, indented.

    Args:
        value: a struct or plain value.
    """
    return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"


def array_bytes(values: Iterable[Any]) -> bytes:
    """Encode a JSON array with one value a line.

    Args:
        values: structs or plain values.
    """
    return b"[\n" + b",\n".join(msgspec.json.encode(value) for value in values) + b"\n]\n"


def put_bytes(path: Path, data: bytes, *, check: bool) -> bool:
    """Write a derived file, or check that the kept one is the same.

    Args:
        path: the file.
        data: what it should hold.
        check: compare only.

    Returns:
        Whether the kept file was the same.

    Raises:
        KhabarError: derived-differs, where it is checked and differs.
    """
    same = path.is_file() and path.read_bytes() == data
    if not same and check:
        raise KhabarError(
            Issue(
                code="derived-differs",
                where=str(path),
                found="other content" if path.is_file() else "no such file",
                expected="what its sources give, byte for byte",
                fix="Run make derived and look at the difference; never edit a derived file.",
            )
        )
    if not same:
        write_bytes(path, data)
    return same


def put_records(path: Path, records: Iterable[Any], *, check: bool, canary: bool = False) -> bool:
    """Write derived JSON lines, or check that the kept ones are the same.

    Args:
        path: the file.
        records: what it should hold.
        check: compare only.
        canary: whether the first line is the corpus's canary.

    Raises:
        KhabarError: derived-differs.
    """
    return put_bytes(path, _lines(records, canary=canary), check=check)
