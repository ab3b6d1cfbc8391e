"""A real Label Studio for tests: one new database a run, copied for each test module that wants a server.

A new database takes half a minute, a copy four seconds. Copies have the template's accounts and tokens.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from khabar.label_studio import server

ACCOUNTS = (server.MANAGER, server.annotator_email("annotator-a"), server.annotator_email("annotator-b"))


def template(folder: Path) -> Path:
    """Start a new Label Studio, make accounts with live tokens, stop it: what `running` copies.

    The process has ended when `stop` returns, and with its last connection SQLite has put its write-ahead
    log into the database: nothing of it is left behind.
    """
    server.start(folder)
    try:
        for email in ACCOUNTS:
            server.ensure_account(folder, email)
    finally:
        server.stop(folder)
    assert not list(folder.glob("*.sqlite3-*")), "Label Studio has not closed its database"
    return folder


def copy(source: Path, folder: Path) -> Path:
    """Copy a stopped Label Studio's folder, on a port of its own."""
    state = server.stored_state(source)
    assert state is not None
    assert state.pid == 0, "it is running: its database may change while it is copied"
    shutil.copytree(source, folder)
    server.save_state(folder, msgspec.structs.replace(state, port=server.free_port()))
    return folder


@contextmanager
def running(source: Path, folder: Path) -> Iterator[Path]:
    """Run a copy of a stopped Label Studio, and stop it afterwards."""
    copy(source, folder)
    server.start(folder)
    try:
        yield folder
    finally:
        server.stop(folder)
