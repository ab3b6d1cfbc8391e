"""The copies of Label Studio that other tests use, and SQLite under several people at once."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import msgspec
import pytest
import studio
from builders import document

from khabar.label_studio import desk, server
from khabar.label_studio.convert import to_result
from khabar.types import Annotation, Mention

PEOPLE, ROUNDS = 12, 3
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:label_studio_sdk")


def test_a_copy_has_the_secrets_but_not_the_port(tmp_path: Path) -> None:
    before = server.load_state(tmp_path / "one")
    (tmp_path / "one" / "label_studio.sqlite3").write_bytes(b"data")
    after = server.load_state(studio.copy(tmp_path / "one", tmp_path / "two"))
    assert msgspec.structs.replace(after, port=before.port) == before
    assert (tmp_path / "two" / "label_studio.sqlite3").read_bytes() == b"data"
    assert (tmp_path / "two" / server.STATE).stat().st_mode & 0o777 == 0o600


def test_a_running_one_is_not_copied(tmp_path: Path) -> None:
    state = server.load_state(tmp_path / "one")
    server.save_state(tmp_path / "one", msgspec.structs.replace(state, pid=5))
    with pytest.raises(AssertionError, match="running"):
        studio.copy(tmp_path / "one", tmp_path / "two")


@pytest.fixture(scope="module")
def data(studio_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with studio.running(studio_template, tmp_path_factory.mktemp("studio") / "data") as folder:
        yield folder


@pytest.mark.slow
def test_many_people_write_at_once_and_nobody_is_locked_out(data: Path) -> None:
    token = server.ensure_account(data, server.MANAGER).token
    client = desk.connect(server.load_state(data).url, token)
    documents = [document(f"Rebels shelled village {n}.", f"doc-{n}") for n in range(PEOPLE * ROUNDS)]
    project = desk.open_project(client, "many", documents)
    tasks = [task["id"] for task in desk.list_tasks(client, project)]
    rebels = Mention(id="m1", start=0, end=6, type="ARMED_GROUP")
    work = {"result": to_result(Annotation(doc_id="", mentions=(rebels,)), documents[0].text), "lead_time": 1.0}
    headers, url = client._client_wrapper.get_headers(), server.load_state(data).url
    answers: list[int] = []

    def person(number: int) -> None:
        with httpx.Client(base_url=url, headers=headers, timeout=60, trust_env=False) as page:
            for task in tasks[number::PEOPLE]:
                answers.append(page.get(f"/api/projects/{project}/next").status_code)
                answers.append(page.post(f"/api/tasks/{task}/drafts?project={project}", json=work).status_code)
                answers.append(page.post(f"/api/tasks/{task}/annotations?project={project}", json=work).status_code)

    people = [threading.Thread(target=person, args=(number,)) for number in range(PEOPLE)]
    for one in people:
        one.start()
    for one in people:
        one.join()
    assert sorted(answers) == [200] * len(tasks) + [201] * 2 * len(tasks)
    assert [len(task["annotations"]) for task in desk.list_tasks(client, project)] == [1] * len(tasks)
    # Label Studio tries again where SQLite refuses a write; that costs an annotator up to half a minute.
    assert "database is locked" not in (data / "server.log").read_text(encoding="utf-8")
    with closing(sqlite3.connect(data / "label_studio.sqlite3")) as line:
        assert line.execute("pragma journal_mode").fetchone() == ("wal",)
