"""Label Studio on PostgreSQL: the core of the round trip, and what can be wrong with a database."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import postgres
import pytest
import test_label_studio_server as round_trip

from khabar.errors import Issue, KhabarError
from khabar.label_studio import server
from khabar.label_studio.server import Database

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "scripts" / "serve_label_studio.py"
ELSEWHERE = Database(name="desk", user="khabar", host="127.0.0.1", port=1)

pytestmark = round_trip.pytestmark[1:]


def serve(data: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), "--data", str(data), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **env})


def refused(data: Path, database: Database) -> Issue:
    with pytest.raises(KhabarError) as caught:
        server.start(data, database=database)
    (issue,) = caught.value.issues
    return issue


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with postgres.running() as made:
        yield made


@pytest.fixture(scope="module")
def office(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[round_trip.Office]:
    """Start Label Studio as the documentation says: by the script, with the password in the environment."""
    data = tmp_path_factory.mktemp("postgres") / "data"
    try:
        done = serve(data, "--database", database.address, PGPASSWORD=database.password)
        assert done.returncode == 0, done.stderr
        yield round_trip.Office(data)
    finally:
        server.stop(data)


# ---------------------------------------------------------------- the round trip, as on SQLite

awkward, title = round_trip.awkward, round_trip.title
CORE = (
    round_trip.test_awkward_offsets_come_back_as_they_went_in,
    round_trip.test_label_studio_counts_code_points,
    round_trip.test_everything_twice_changes_nothing,
    round_trip.test_each_annotator_saves_under_its_own_account,
    round_trip.test_a_change_by_another_account_is_found,
    round_trip.test_a_killed_server_loses_nothing_and_repeats_nothing,
)
globals().update({test.__name__: pytest.mark.slow(test) for test in CORE})


@pytest.mark.slow
def test_all_of_it_is_in_postgresql(office: round_trip.Office, database: Database) -> None:
    import psycopg

    with psycopg.connect(
        host=database.host, port=database.port, dbname=database.name, user=database.user, password=database.password
    ) as line:
        (count,) = line.execute("select count(*) from task_completion").fetchone() or (0,)
    assert count >= 8
    assert not list(office.data.glob("*.sqlite3"))


@pytest.mark.slow
def test_the_password_is_kept_for_the_next_start_and_seen_by_nobody(
    office: round_trip.Office, database: Database
) -> None:
    state = server.load_state(office.data)
    assert state.database == database
    assert (office.data / server.STATE).stat().st_mode & 0o777 == 0o600
    seen = subprocess.run(["ps", "axww", "-o", "args="], capture_output=True, text=True, check=True).stdout
    assert str(office.data) in seen
    assert database.password not in seen


@pytest.mark.slow
def test_the_folder_of_one_database_is_not_started_on_another(office: round_trip.Office, database: Database) -> None:
    issue = refused(office.data, msgspec.structs.replace(database, name="template1"))
    assert (issue.code, issue.expected) == ("database-changed", database.address)
    assert server.load_state(office.data).database == database
    assert server.start(office.data, database=database).database == database


# ---------------------------------------------------------------- what can be wrong with a database


def test_a_wrong_password_is_said_before_anything_is_made(database: Database, tmp_path: Path) -> None:
    issue = refused(tmp_path, msgspec.structs.replace(database, password="wrong"))
    assert issue.code == "database-refused"
    assert "password authentication failed" in issue.found
    assert "wrong" not in issue.where
    issue = refused(tmp_path, msgspec.structs.replace(database, name="gone"))
    assert (issue.code, "does not exist" in issue.found) == ("database-refused", True)
    assert list(tmp_path.iterdir()) == []


def test_libpq_finds_the_password_itself(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "pgpass"
    file.write_text(f"127.0.0.1:{database.port}:*:{database.user}:{database.password}\n")
    file.chmod(0o600)
    bare = msgspec.structs.replace(database, password="")
    with pytest.raises(KhabarError, match="no password supplied"):
        server.reach(bare)
    monkeypatch.setenv("PGPASSFILE", str(file))
    server.reach(bare)


def test_a_database_that_does_not_answer_is_named(tmp_path: Path) -> None:
    issue = refused(tmp_path, ELSEWHERE)
    assert (issue.code, issue.where) == ("database-refused", "postgresql://khabar@127.0.0.1:1/desk")
    assert "refused" in issue.found


def test_a_folder_on_sqlite_is_not_started_on_postgresql(tmp_path: Path) -> None:
    server.load_state(tmp_path)
    issue = refused(tmp_path, ELSEWHERE)
    assert (issue.code, issue.expected) == ("database-changed", "SQLite in the folder")


def test_a_state_of_before_is_still_read(tmp_path: Path) -> None:
    old = '{"port": 8080, "secret_key": "s", "accounts": {"manager@khabar.invalid": {"password": "p"}}, "pid": 5}'
    (tmp_path / server.STATE).write_text(old)
    state = server.load_state(tmp_path)
    assert (state.port, state.pid, state.database) == (8080, 5, None)
    assert server.environment(state)["LABEL_STUDIO_DJANGO_DB"] == "sqlite"


def test_a_new_password_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    server.load_state(tmp_path, database=msgspec.structs.replace(ELSEWHERE, password="old"))
    for given, kept in (("", "old"), ("new", "new")):
        state = server.load_state(tmp_path, database=msgspec.structs.replace(ELSEWHERE, password=given))
        assert state.database == msgspec.structs.replace(ELSEWHERE, password=kept)
    assert server.environment(state)["LABEL_STUDIO_POSTGRE_PASSWORD"] == "new"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://khabar@127.0.0.1:1/desk", ELSEWHERE),
        ("postgres://khabar@[::1]/desk", Database(name="desk", user="khabar", host="::1")),
        ("postgresql://a%20b@/d?host=/run/postgresql", Database(name="d", user="a b", host="/run/postgresql")),
    ],
)
def test_addresses_are_read(url: str, expected: Database) -> None:
    assert server.read_database(url) == expected
    assert server.read_database(url, "secret") == msgspec.structs.replace(expected, password="secret")
    assert "secret" not in server.read_database(url, "secret").address


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://khabar:secret@127.0.0.1/desk",
        "postgresql://khabar@127.0.0.1",
        "postgresql://127.0.0.1/desk",
        "postgresql://khabar@127.0.0.1:x/desk",
        "mysql://khabar@127.0.0.1/desk",
        "desk",
    ],
)
def test_an_address_that_is_none_is_refused(url: str, tmp_path: Path) -> None:
    done = serve(tmp_path, "--database", url)
    assert done.returncode == 1
    assert "[usage]" in done.stderr
    assert "secret" not in done.stderr
    assert list(tmp_path.iterdir()) == []
