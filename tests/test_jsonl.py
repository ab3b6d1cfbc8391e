import os
from pathlib import Path

import pytest

from khabar import jsonl
from khabar.errors import CODES, Issue, KhabarError
from khabar.types import Annotation

BROKEN = {
    "broken-utf8": b'{"doc_id": "d\xff"}\n',
    "broken-json": b'{"doc_id": "d1"\n',
    "file-empty": b"\n \n",
    "wrong-shape": b'{"doc_id": "d1"}\n{"doc_id": 7}\n',
}


@pytest.mark.parametrize("code", BROKEN)
def test_broken_files_have_their_code_and_place(code: str, tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(BROKEN[code])
    with pytest.raises(KhabarError) as caught:
        jsonl.read_list(path, Annotation)
    assert caught.value.code == code
    assert str(path) in str(caught.value)


def test_a_wrong_field_is_named_with_its_line_and_path(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(
        '{"doc_id": "d1"}\n{"doc_id": "d2", "mentions": [{"id": "m", "start": "1", "end": 2, "type": "X"}]}\n'
    )
    with pytest.raises(KhabarError, match=r"x\.jsonl:2, \$\.mentions\[0\]\.start: \[wrong-shape\]"):
        jsonl.read_list(path, Annotation)


def test_an_unknown_field_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"doc_id": "d1", "mention": []}\n')
    with pytest.raises(KhabarError, match="mention"):
        jsonl.read_list(path, Annotation)


def test_a_missing_file_and_a_folder_are_said_to_be_missing(tmp_path: Path) -> None:
    for path, code in ((tmp_path / "none.jsonl", "file-missing"), (tmp_path, "file-unreadable")):
        with pytest.raises(KhabarError) as caught:
            jsonl.read_text(path)
        assert caught.value.code == code


def test_line_ends_are_not_translated(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes(b"a\r\nb")
    assert jsonl.read_text(path) == "a\r\nb"


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.jsonl"
    jsonl.write_records(path, [Annotation(doc_id="old")])
    before = path.read_bytes()

    def fail(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(KeyboardInterrupt):
        jsonl.write_records(path, [Annotation(doc_id="new")] * 1000)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_records_that_cannot_be_encoded_write_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    with pytest.raises(TypeError):
        jsonl.write_records(path, [Annotation(doc_id="d1"), object()])
    assert list(tmp_path.iterdir()) == []


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    records = [Annotation(doc_id=f"وثيقة-{n}") for n in range(3)]
    jsonl.write_records(tmp_path / "x.jsonl", records)
    assert jsonl.read_list(tmp_path / "x.jsonl", Annotation) == records


def test_a_derived_file_is_compared_or_written(tmp_path: Path) -> None:
    path = tmp_path / "d"
    with pytest.raises(KhabarError) as caught:
        jsonl.put_bytes(path, b"1", check=True)
    assert caught.value.code == "derived-differs"
    assert not path.exists()
    assert jsonl.put_bytes(path, b"1", check=False) is False
    assert jsonl.put_bytes(path, b"1", check=True) is True
    with pytest.raises(KhabarError):
        jsonl.put_bytes(path, b"2", check=True)


def test_every_code_is_described_and_none_is_made_up() -> None:
    assert all(text for text in CODES.values())
    with pytest.raises(ValueError, match="unknown error code"):
        Issue(code="no-such", where="", found="", expected="", fix="")
