"""Label Studio as a process on loopback, and its accounts."""

from __future__ import annotations

import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx
import msgspec

from khabar import jsonl
from khabar.errors import Issue, KhabarError

MANAGER = "manager@khabar.invalid"
STATE = "khabar.json"
# Where Label Studio must not send a request: its own list but for loopback, where a model is served. (Its switch
# for models alone, ML_BLOCK_LOCAL_IP, saves the model and then fails on the webhook that belongs to it.)
NOT_PUBLIC = (
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"),
    *("192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4"),
    *("::/128", "::ffff:0:0/96", "64:ff9b::/96", "2002::/16", "fc00::/7", "fe80::/10", "ff00::/8"),
)


class Account(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A login of a local Label Studio."""

    password: str
    token: str = ""


class Database(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A PostgreSQL database; without a password, libpq finds it (PGPASSWORD, ~/.pgpass) or needs none."""

    name: str
    user: str
    host: str
    port: int = 5432
    password: str = ""

    @property
    def address(self) -> str:
        """Give the address without the password."""
        return f"postgresql://{self.user}@{self.host}:{self.port}/{self.name}"


class State(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is needed to start the same Label Studio again; kept beside its database, readable by its owner only."""

    port: int
    secret_key: str
    accounts: dict[str, Account]
    pid: int = 0
    database: Database | None = None

    @property
    def url(self) -> str:
        """Give the address of the server."""
        return f"http://127.0.0.1:{self.port}"


def annotator_email(name: str) -> str:
    """Give the address under which an annotator logs in.

    Args:
        name: the annotator's name in annotators.json.
    """
    return f"{name}@khabar.invalid"


def load_state(folder: Path, *, port: int = 0, database: Database | None = None) -> State:
    """Read the state of a data folder, or make a new one with random secrets.

    Args:
        folder: Label Studio's data folder.
        port: the port to use; the stored one, or a free one, where it is 0.
        database: the PostgreSQL to use; the stored one, or SQLite in the folder, where it is None.

    Raises:
        KhabarError: database-changed, where the folder belongs to another database.
    """
    state = stored_state(folder)
    if state is not None:
        state = _on_database(folder, state, database) if database else state
        return msgspec.structs.replace(state, port=port) if port else state
    return save_state(
        folder,
        State(
            port=port or free_port(),
            secret_key=secrets.token_urlsafe(40),
            accounts={MANAGER: Account(secrets.token_urlsafe(12))},
            database=database,
        ),
    )


def _on_database(folder: Path, state: State, database: Database) -> State:
    # A password may change; the accounts and tokens that are kept here belong to one database.
    if state.database is None or state.database.address != database.address:
        raise KhabarError(
            Issue(
                code="database-changed",
                where=str(folder / STATE),
                found=database.address,
                expected=state.database.address if state.database else "SQLite in the folder",
                fix="Start without --database, or take a new data folder: each belongs to one database.",
            )
        )
    return msgspec.structs.replace(state, database=database) if database.password else state


def read_database(url: str, password: str = "") -> Database:
    """Read the address of a PostgreSQL database.

    Args:
        url: postgresql://user@host:port/name, or with ?host=FOLDER for a Unix socket.
        password: never part of the address, which anybody on the machine can see in the list of processes.

    Raises:
        KhabarError: usage (no such address, or a password in it).
    """
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = {key: str(value) for key, value in conninfo_to_dict(url).items()}
    except ProgrammingError as error:
        raise KhabarError(_bad_address(str(error).strip())) from error
    fields = {"name": "dbname", "user": "user", "host": "host", "port": "port"}
    found = {field: parts.pop(key) for field, key in fields.items() if key in parts}
    if parts:
        raise KhabarError(_bad_address(f"also {', '.join(sorted(parts))}"))
    port = found.pop("port", "5432")
    if found.keys() != {"name", "user", "host"} or not port.isdecimal():
        raise KhabarError(_bad_address(f"only {', '.join(sorted(found)) or 'nothing'}, port {port}"))
    return Database(**found, port=int(port), password=password)


def _bad_address(found: str) -> Issue:
    return Issue(
        code="usage",
        where="--database",
        found=found,
        expected="postgresql://user@host:port/name",
        fix="Put the password into PGPASSWORD or ~/.pgpass, never into the address.",
    )


def reach(database: Database) -> None:
    """Open a PostgreSQL database once, so that what is wrong with it is said before Label Studio starts.

    Args:
        database: where it is.

    Raises:
        KhabarError: database-refused.
    """
    import psycopg

    try:
        psycopg.connect(
            host=database.host,
            port=database.port,
            dbname=database.name,
            user=database.user,
            password=database.password or None,
            connect_timeout=10,
        ).close()
    except psycopg.OperationalError as error:
        raise KhabarError(
            Issue(
                code="database-refused",
                where=database.address,
                found=" ".join(str(error).split()),
                expected="a database that this account may open",
                fix="Start PostgreSQL, make the account and the database, or correct PGPASSWORD or ~/.pgpass.",
            )
        ) from error


def stored_state(folder: Path) -> State | None:
    """Read the state of a data folder; None where no server was ever started in it.

    Args:
        folder: Label Studio's data folder.
    """
    return jsonl.read_json(folder / STATE, State) if (folder / STATE).exists() else None


def save_state(folder: Path, state: State) -> State:
    """Write the state, readable by its owner only.

    Args:
        folder: Label Studio's data folder.
        state: what to keep.
    """
    jsonl.write_bytes(folder / STATE, jsonl.json_bytes(state), mode=0o600)
    return state


def free_port() -> int:
    """Find a port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(state: State) -> dict[str, str]:
    """Give the variables for an unattended start that asks nothing off the machine.

    Args:
        state: of the data folder.
    """
    return {
        **os.environ,
        "LABEL_STUDIO_USERNAME": MANAGER,
        "LABEL_STUDIO_PASSWORD": state.accounts[MANAGER].password,
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
        "COLLECT_ANALYTICS": "false",
        "LATEST_VERSION_CHECK": "false",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
        "FEATURE_FLAGS_OFFLINE": "true",
        "SECRET_KEY": state.secret_key,
        "USE_DEFAULT_BANNED_SUBNETS": "false",
        "USER_ADDITIONAL_BANNED_SUBNETS": ",".join(NOT_PUBLIC),
        **_database_environment(state.database),
    }


def _database_environment(database: Database | None) -> dict[str, str]:
    # The longer names go before the shorter ones, which the caller's shell may hold for something else.
    if database is None:
        return {"LABEL_STUDIO_DJANGO_DB": "sqlite", "DJANGO_SETTINGS_MODULE": "khabar.label_studio.settings"}
    return {
        "LABEL_STUDIO_DJANGO_DB": "default",
        "LABEL_STUDIO_POSTGRE_NAME": database.name,
        "LABEL_STUDIO_POSTGRE_USER": database.user,
        "LABEL_STUDIO_POSTGRE_PASSWORD": database.password,
        "LABEL_STUDIO_POSTGRE_HOST": database.host,
        "LABEL_STUDIO_POSTGRE_PORT": str(database.port),
    }


def start(
    folder: Path,
    *,
    port: int = 0,
    database: Database | None = None,
    tick: Callable[[float], None] = lambda _: None,
    timeout: float = 180,
) -> State:
    """Start Label Studio on loopback, or find it running, and wait until it answers.

    Args:
        folder: its data folder, made where it is missing.
        port: as `load_state`.
        database: as `load_state`.
        tick: called while waiting, with the seconds waited.
        timeout: seconds to wait.

    Returns:
        The state, with the process id.

    Raises:
        KhabarError: package-missing, server-lost (the process has ended or does not answer),
            database-refused, database-changed.
    """
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if database and stored_state(folder) is None:
        reach(database)  # before the folder is given to it
    state = load_state(folder, port=port, database=database)
    if state.pid and answers(state.url):
        return state
    if state.database:
        reach(state.database)
    process = _launch(folder, state)
    _wait(process, state.url, folder / "server.log", tick, timeout)
    return save_state(folder, msgspec.structs.replace(state, pid=process.pid))


def _launch(folder: Path, state: State) -> subprocess.Popen[bytes]:
    program = Path(sys.executable).with_name("label-studio")
    if not program.exists():
        raise KhabarError(_missing_program(program))
    command = [
        str(program),
        "start",
        "--no-browser",
        "--port",
        str(state.port),
        "--internal-host",
        "127.0.0.1",
        "--data-dir",
        str(folder),
    ]
    with (folder / "server.log").open("ab") as log:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment(state), start_new_session=True
        )


def _missing_program(program: Path) -> Issue:
    return Issue(
        code="package-missing",
        where=str(program),
        found="no such program",
        expected="Label Studio",
        fix="Install the extra: pip install 'khabar[annotate]'.",
    )


def _wait(process: subprocess.Popen[bytes], url: str, log: Path, tick: Callable[[float], None], timeout: float) -> None:
    begun = time.monotonic()
    while not answers(url):
        waited = time.monotonic() - begun
        if process.poll() is not None or waited > timeout:
            if process.poll() is None:
                process.terminate()
            raise KhabarError(
                Issue(
                    code="server-lost",
                    where=url,
                    found=f"no answer after {waited:.0f} s",
                    expected="Label Studio's health page",
                    fix=f"Read the end of {log}.",
                )
            )
        tick(waited)
        time.sleep(0.5)


def answers(url: str) -> bool:
    """Tell whether Label Studio answers there.

    Args:
        url: its address.
    """
    try:
        return httpx.get(f"{url}/health", timeout=5, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def stop(folder: Path) -> None:
    """End the process that `start` started in this folder, and wait until it is gone.

    Args:
        folder: its data folder.
    """
    state = stored_state(folder)
    if state is None or not state.pid:
        return
    if _is_ours(state.pid, folder):
        os.kill(state.pid, signal.SIGTERM)
        for _ in range(100):
            if _ended(state):
                break
            time.sleep(0.1)
    save_state(folder, msgspec.structs.replace(state, pid=0))


def _is_ours(pid: int, folder: Path) -> bool:
    # A number that was stored before a crash or a restart may be another program's by now.
    try:
        command = subprocess.run(
            ["ps", "-ww", "-o", "args=", "-p", str(pid)],  # noqa: S607
            capture_output=True,
            text=True,
            check=False,
        ).stdout
    except FileNotFoundError:
        command = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ") if Path(f"/proc/{pid}").exists() else ""
    return "label-studio" in command and str(folder.resolve()) in command


def _ended(state: State) -> bool:
    try:
        return os.waitpid(state.pid, os.WNOHANG)[0] != 0
    except ChildProcessError:  # it was started by another process
        return not answers(state.url)


def ensure_account(folder: Path, email: str) -> Account:
    """Give a login with a live token, making the account or the token where it is missing.

    Args:
        folder: the data folder of a running server.
        email: the manager's or an annotator's address.

    Raises:
        KhabarError: server-lost, server-refused.
    """
    state = load_state(folder)
    account = state.accounts.get(email) or Account(secrets.token_urlsafe(12))
    if account.token:
        return account
    if email not in state.accounts:
        state = save_state(folder, msgspec.structs.replace(state, accounts={**state.accounts, email: account}))
    try:
        with closing(_log_in(state, email, account.password)) as session:
            account = Account(account.password, _new_token(session))
    except httpx.HTTPError as error:
        raise KhabarError(lost(state.url, str(error))) from error
    save_state(folder, msgspec.structs.replace(state, accounts={**state.accounts, email: account}))
    return account


def lost(url: str, found: str) -> Issue:
    """Say that the server is gone.

    Args:
        url: its address.
        found: what the connection said.
    """
    return Issue(
        code="server-lost",
        where=url,
        found=found,
        expected="an answer from Label Studio",
        fix="Start it (scripts/serve_label_studio.py) and run the same command again; it goes on where it stopped.",
    )


def _session(state: State) -> httpx.Client:
    return httpx.Client(base_url=state.url, timeout=60, trust_env=False)


def _log_in(state: State, email: str, password: str) -> httpx.Client:
    session = _session(state)
    if _post_form(session, "/user/login/", email, password):
        return session
    session.close()
    # The form refuses a new account. Only an invitation opens the sign-up form.
    if email != MANAGER:
        with closing(_log_in(state, MANAGER, state.accounts[MANAGER].password)) as manager:
            invitation = manager.get("/api/invite").json()["invite_url"]
        session = _session(state)
        if _post_form(session, re.sub(r"^https?://[^/]+", "", invitation), email, password):
            return session
        session.close()
    raise KhabarError(
        Issue(
            code="server-refused",
            where=f"{state.url}, account {email}",
            found="the login form again",
            expected="to be logged in",
            fix="The password was changed on the server: reset it with `label-studio reset_password`.",
        )
    )


def _post_form(session: httpx.Client, path: str, email: str, password: str) -> bool:
    session.get(path)
    form = {"email": email, "password": password, "csrfmiddlewaretoken": session.cookies.get("csrftoken", "")}
    return session.post(path, data=form, headers={"Referer": str(session.base_url)}).status_code == 302


def _new_token(session: httpx.Client) -> str:
    headers = {"X-CSRFToken": str(session.cookies.get("csrftoken", "")), "Referer": str(session.base_url)}
    answer = session.post("/api/token/", headers=headers)
    if answer.status_code == 409:
        for row in session.get("/api/token/").json():
            session.post("/api/token/blacklist/", headers=headers, json={"refresh": row["token"]})
        answer = session.post("/api/token/", headers=headers)
    answer.raise_for_status()
    return str(answer.json()["token"])
