"""The archive only grows, says when it was changed, and heals what a killed program left."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from khabar.campaign.archive import Archive, Version, content
from khabar.errors import KhabarError

NOW = "2026-01-01T00:00:00+00:00"
Item = tuple[Version, bytes]


def item(
    key: str, value: Any, *, at: str = "2026-01-01T10:00:00Z", kind: str = "annotation", project: str = "p"
) -> Item:
    name, data = content({"value": value})
    fields = {"project": project, "key": key, "doc_id": "d1", "account": "amal@khabar.invalid", "updated_at": at}
    return Version(kind=kind, object=name, **fields), data  # type: ignore[arg-type]


def filled(folder: Path, *items: Item) -> Archive:
    archive = Archive(folder)
    for one in items:
        archive.put([one], seen_at=NOW)
    return archive


def broken(archive: Archive) -> str:
    with pytest.raises(KhabarError) as caught:
        archive.versions()
    assert caught.value.code in ("archive-broken", "broken-json", "wrong-shape")
    return str(caught.value.issues[0].where)


def test_an_empty_archive_has_nothing(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "none")
    assert (archive.versions(), archive.latest(), archive.newest()) == ([], {}, {})
    assert archive.put([], seen_at=NOW) == []
    assert not archive.folder.exists()


def test_the_same_content_is_one_object(tmp_path: Path) -> None:
    archive = filled(tmp_path, item("a", 1), item("b", 1), item("a", 1, kind="draft"))
    assert len(archive.versions()) == 3
    assert len(list((tmp_path / "objects").rglob("*.json"))) == 1


def test_what_is_there_is_not_put_again(tmp_path: Path) -> None:
    archive = filled(tmp_path, item("a", 1), item("b", 2))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert archive.put([item("a", 1), item("b", 2)], seen_at="later") == []
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_the_log_only_grows(tmp_path: Path) -> None:
    archive = filled(tmp_path, item("a", 1))
    before = archive.log.read_bytes()
    new = archive.put([item("a", 1), item("a", 2), item("c", 3)], seen_at=NOW)
    assert [version.key for version in new] == ["a", "c"]
    assert archive.log.read_bytes().startswith(before)


def test_content_does_not_depend_on_the_order_of_fields() -> None:
    assert content({"a": 1, "b": {"c": 2, "d": 3}}) == content({"b": {"d": 3, "c": 2}, "a": 1})


def test_the_newest_is_not_the_last_seen_after_going_back(tmp_path: Path) -> None:
    old, new = item("a", "old", at="2026-01-01T10:00:00Z"), item("a", "new", at="2026-01-01T11:00:00Z")
    archive = filled(tmp_path, old, new, old)
    identity = old[0].identity
    assert len(archive.versions()) == 3
    assert archive.latest()[identity] == old[0]
    assert archive.newest()[identity] == new[0]


@given(st.lists(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 4)), max_size=4), max_size=6))
def test_every_version_stays_readable(rounds: list[list[tuple[str, int]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        archive, seen = Archive(Path(folder) / "archive"), set[Version]()
        for number, each in enumerate(rounds):
            items = [item(key, value, at=f"2026-01-01T10:00:0{value}Z") for key, value in each]
            if number == 2 and archive.log.exists():
                with archive.log.open("ab") as log:
                    log.write(b'{"torn')
            archive.put(items, seen_at=NOW)
            seen |= {version for version, _ in items}
        assert set(archive.versions()) == seen
        for version in seen:
            assert content(archive.read(version.object))[0] == version.object
        for identity, version in archive.newest().items():
            assert version.updated_at == max(v.updated_at for v in seen if v.identity == identity)


# ---------------------------------------------------------------- killed in the middle


def test_a_line_cut_anywhere_costs_that_line_only_and_the_next_put_heals(tmp_path: Path) -> None:
    items = [item("a", 1), item("b", 2), item("ج", "ثلاثة")]
    archive = filled(tmp_path, *items)
    whole = archive.log.read_bytes()
    start = whole.rindex(b"\n", 0, len(whole) - 1) + 1
    for cut in range(start, len(whole)):
        archive.log.write_bytes(whole[:cut])
        assert archive.versions() == [version for version, _ in items[:2]]
        assert archive.put(items, seen_at=NOW) == [items[2][0]]
        assert archive.log.read_bytes() == whole


def test_a_torn_line_goes_even_where_nothing_is_new(tmp_path: Path) -> None:
    archive = filled(tmp_path, item("a", 1))
    whole = archive.log.read_bytes()
    archive.log.write_bytes(whole + b'{"seen_at":"20')
    assert archive.put([item("a", 1)], seen_at=NOW) == []
    assert archive.log.read_bytes() == whole


def test_an_object_without_its_line_is_used_again(tmp_path: Path) -> None:
    archive = filled(tmp_path, item("a", 1), item("b", 2))
    lines = archive.log.read_bytes().splitlines(keepends=True)
    archive.log.write_bytes(lines[0])
    assert [version.key for version in archive.put([item("b", 2)], seen_at=NOW)] == ["b"]
    assert archive.log.read_bytes() == b"".join(lines)


# ---------------------------------------------------------------- changed by hand


def test_a_line_that_is_taken_out_is_found(tmp_path: Path) -> None:
    archive = filled(tmp_path, item("a", 1), item("b", 2), item("c", 3))
    lines = archive.log.read_bytes().splitlines(keepends=True)
    for gone in (0, 1):
        archive.log.write_bytes(b"".join(line for number, line in enumerate(lines) if number != gone))
        assert broken(archive).endswith(f":{gone + 1}")
    archive.log.write_bytes(b"".join([lines[1], lines[0], lines[2]]))
    assert broken(archive).endswith(":1")


def test_lines_that_are_cut_off_the_end_are_found_by_what_was_written_down(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    archive.require_grown(*archive.end())
    filled(tmp_path, item("a", 1), item("b", 2))
    end = archive.end()
    whole = archive.log.read_bytes()
    filled(tmp_path, item("c", 3))
    archive.require_grown(*end)
    for log in (whole[: whole.index(b"\n") + 1], b""):
        archive.log.write_bytes(log)
        filled(tmp_path, item("x", 1), item("y", 2))
        with pytest.raises(KhabarError) as caught:
            archive.require_grown(*end)
        assert caught.value.code == "archive-broken"


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("field", ["key", "account", "updated_at", "object", "doc_id", "project"])
def test_a_line_that_is_changed_is_found_also_the_last(tmp_path: Path, number: int, field: str) -> None:
    archive = filled(tmp_path, item("a", 1), item("b", 2), item("c", 3))
    lines = archive.log.read_text().splitlines(keepends=True)
    record = json.loads(lines[number])
    record["version"][field] = "another"
    lines[number] = json.dumps(record, separators=(",", ":")) + "\n"
    archive.log.write_text("".join(lines))
    assert broken(archive).endswith(f":{number + 1}")
    with pytest.raises(KhabarError):
        archive.put([item("d", 4)], seen_at=NOW)
    assert archive.log.read_text() == "".join(lines)


def test_an_object_that_was_changed_or_is_gone_is_found(tmp_path: Path) -> None:
    version, data = item("a", 1)
    archive = filled(tmp_path, (version, data))
    path = next((tmp_path / "objects").rglob("*.json"))
    path.write_bytes(data.replace(b"1", b"2"))
    with pytest.raises(KhabarError) as caught:
        archive.read(version.object)
    assert caught.value.code == "archive-broken"
    path.unlink()
    with pytest.raises(KhabarError) as caught:
        archive.read(version.object)
    assert caught.value.code == "file-missing"
