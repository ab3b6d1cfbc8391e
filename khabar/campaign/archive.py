"""Every version of every annotation that was ever seen: content-addressed, append-only, in files.

`objects/<sha256>.json` holds what Label Studio said, and `log.jsonl` one line for each version met.
An object is written before its line. Each line holds a hash of itself and of the line before it, so that a
line that was changed, or taken out from between others, is found. Lines that are cut off the end are found by
`Archive.require_grown`, from what the last synchronisation wrote down of the end.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import msgspec

from khabar import jsonl
from khabar.errors import Issue, KhabarError

Json = dict[str, Any]
Kind = Literal["annotation", "draft", "task"]
START = "0" * 64


class Version(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One version of an annotation, a draft or a task: where it was, whose it is, and the hash of its content."""

    kind: Kind
    project: str
    key: str
    doc_id: str
    account: str
    updated_at: str
    object: str

    @property
    def identity(self) -> tuple[str, str, str]:
        """Give what stays the same while the content changes."""
        return self.kind, self.project, self.key


class Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line of the log."""

    seen_at: str
    version: Version
    chain: str


class Archive(msgspec.Struct, frozen=True):
    """The archive in a folder."""

    folder: Path

    @property
    def log(self) -> Path:
        """Give the path of the log."""
        return self.folder / "log.jsonl"

    def versions(self) -> list[Version]:
        """Read all versions in the order in which they were seen.

        Raises:
            KhabarError: archive-broken, where a line was changed or taken out.
        """
        return [line.version for line in _read_log(self.log)]

    def latest(self) -> dict[tuple[str, str, str], Version]:
        """Give the version seen last of each annotation, draft and task."""
        return {version.identity: version for version in self.versions()}

    def newest(self) -> dict[tuple[str, str, str], Version]:
        """Give the newest version ever seen of each, which is not the last seen once an old database was brought back."""
        found: dict[tuple[str, str, str], Version] = {}
        for version in self.versions():
            known = found.get(version.identity)
            if known is None or known.updated_at <= version.updated_at:
                found[version.identity] = version
        return found

    def end(self) -> tuple[int, str]:
        """Give the number of lines and the hash of the last, by which a log that was cut can be told."""
        lines = list(_read_log(self.log))
        return len(lines), lines[-1].chain if lines else START

    def require_grown(self, lines: int, chain: str) -> None:
        """Refuse a log that does not begin with what was there before.

        Args:
            lines: how many there were.
            chain: the hash of the last of them.

        Raises:
            KhabarError: archive-broken.
        """
        there = list(_read_log(self.log))
        if lines and (len(there) < lines or there[lines - 1].chain != chain):
            found = f"{len(there)} lines, which do not begin with the {lines} of the last synchronisation"
            raise KhabarError(_broken(str(self.log), found))

    def read(self, name: str) -> Json:
        """Read an object by its hash.

        Args:
            name: the hash.

        Raises:
            KhabarError: file-missing; archive-broken, where the content is not what its name says.
        """
        path = self._path(name)
        text = jsonl.read_text(path)
        if sha256(text.encode()).hexdigest() != name:
            raise KhabarError(_broken(str(path), "other content than its name says"))
        return jsonl.decode(text, dict[str, Any], where=str(path))

    def _path(self, name: str) -> Path:
        return self.folder / "objects" / name[:2] / f"{name}.json"

    def put(self, items: Iterable[tuple[Version, bytes]], *, seen_at: str) -> list[Version]:
        """Keep versions that are not the last seen of their kind; what was kept is never touched.

        Args:
            items: versions with their content, as `content` gives it.
            seen_at: when, in ISO 8601.

        Returns:
            The versions that were new.
        """
        _drop_torn_line(self.log)
        latest = self.latest()
        fresh = [(version, data) for version, data in items if latest.get(version.identity) != version]
        for version, data in fresh:
            path = self._path(version.object)
            if not path.exists():
                jsonl.write_bytes(path, data)
        _append(self.log, [version for version, _ in fresh], seen_at)
        return [version for version, _ in fresh]


def content(value: Json) -> tuple[str, bytes]:
    """Encode an object as it is kept, the same bytes for the same content.

    Args:
        value: what Label Studio said.

    Returns:
        Its hash and its bytes.
    """
    data = msgspec.json.encode(value, order="sorted")
    return sha256(data).hexdigest(), data


def _read_log(path: Path) -> Iterator[Line]:
    if not path.exists():
        return
    previous = START
    data = path.read_bytes()
    # A last line without its end was being written when the program was killed; its object is there.
    for number, raw in enumerate(data[: data.rfind(b"\n") + 1].splitlines(), 1):
        line = jsonl.decode(raw, Line, where=f"{path}:{number}")
        if line != _line(previous, line.seen_at, line.version):
            raise KhabarError(_broken(f"{path}:{number}", "a line that was changed, or does not follow the one before"))
        previous = line.chain
        yield line


def _line(previous: str, seen_at: str, version: Version) -> Line:
    chain = sha256(previous.encode() + msgspec.json.encode((seen_at, version))).hexdigest()
    return Line(seen_at=seen_at, version=version, chain=chain)


def _drop_torn_line(path: Path) -> None:
    if path.exists():
        data = path.read_bytes()
        if data and not data.endswith(b"\n"):
            with path.open("r+b") as file:
                file.truncate(data.rfind(b"\n") + 1)


def _append(path: Path, versions: Sequence[Version], seen_at: str) -> None:
    if not versions:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    previous = START
    for line in _read_log(path):
        previous = line.chain
    with path.open("ab") as file:
        for version in versions:
            line = _line(previous, seen_at, version)
            previous = line.chain
            file.write(msgspec.json.encode(line) + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _broken(where: str, found: str) -> Issue:
    return Issue(
        code="archive-broken",
        where=where,
        found=found,
        expected="an archive that only grows",
        fix="Bring the file back from a copy; do not edit the archive.",
    )
