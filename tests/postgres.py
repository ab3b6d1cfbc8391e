"""A throw-away PostgreSQL of Debian's for tests: a folder of its own, a port on loopback, a password."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from khabar.errors import KhabarError
from khabar.label_studio.server import Database, free_port, reach

OWNER = "khabar"
# Nothing here outlives a test: no need to wait for the disk.
SETTINGS = ("-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "full_page_writes=off")


def programs() -> Path:
    """Find the newest installed PostgreSQL, or skip."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        pytest.skip("Debian's postgresql is not installed: Label Studio is tested on SQLite only")
    return found[-1].parent


def _account() -> dict[str, Any]:
    # The server refuses root: it then runs as an account that owns nothing else of ours.
    if os.getuid() != 0:
        return {}
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = known.get("postgres") or known["nobody"]
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


@contextmanager
def running() -> Iterator[Database]:
    """Start a new PostgreSQL and give its address; end it by its own number and remove its folder."""
    binaries, account = programs(), _account()
    folder = Path(tempfile.mkdtemp(prefix="khabar-postgres-"))
    try:
        password = secrets.token_urlsafe(12)
        (folder / "password").write_text(password)
        for path in (folder, folder / "password"):
            os.chown(path, account.get("user", -1), account.get("group", -1))
        made = ["-D", f"{folder}/data", "-U", OWNER, "-A", "scram-sha-256", "--pwfile", f"{folder}/password"]
        options = {"cwd": folder, "stdin": subprocess.DEVNULL, **account}
        subprocess.run(
            [str(binaries / "initdb"), *made, "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"],
            check=True,
            stdout=subprocess.DEVNULL,
            **options,
        )
        database = Database(name="postgres", user=OWNER, host="127.0.0.1", port=free_port(), password=password)
        address = ("-p", str(database.port), "-c", "listen_addresses=127.0.0.1")
        with (folder / "log").open("wb") as log:
            command = [str(binaries / "postgres"), "-D", f"{folder}/data", *address, *SETTINGS]
            process = subprocess.Popen(command, stdout=log, stderr=log, **options)
        try:
            _wait(process, database, folder / "log")
            yield database
        finally:
            process.send_signal(signal.SIGINT)  # "fast": it does not wait for clients
            process.wait(timeout=60)
    finally:
        shutil.rmtree(folder)


def _wait(process: subprocess.Popen[bytes], database: Database, log: Path) -> None:
    for _ in range(100):
        try:
            reach(database)
        except KhabarError:
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"PostgreSQL does not answer: {log.read_text()}")
