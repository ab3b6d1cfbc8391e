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


class Account(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A login of a local Label Studio."""

    password: str
    token: str = ""


class State(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is needed to start the same Label Studio again; kept beside its database, readable by its owner only."""

    port: int
    secret_key: str
    accounts: dict[str, Account]
    pid: int = 0

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


def load_state(folder: Path, *, port: int = 0) -> State:
    """Read the state of a data folder, or make a new one with random secrets.

    Args:
        folder: Label Studio's data folder.
        port: the port to use; the stored one, or a free one, where it is 0.
    """
    state = stored_state(folder)
    if state is not None:
        return msgspec.structs.replace(state, port=port) if port else state
    accounts = {MANAGER: Account(secrets.token_urlsafe(12))}
    return save_state(folder, State(port=port or free_port(), secret_key=secrets.token_urlsafe(40), accounts=accounts))


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
    }


def start(
    folder: Path, *, port: int = 0, tick: Callable[[float], None] = lambda _: None, timeout: float = 180
) -> State:
    """Start Label Studio on loopback, or find it running, and wait until it answers.

    Args:
        folder: its data folder, made where it is missing.
        port: as `load_state`.
        tick: called while waiting, with the seconds waited.
        timeout: seconds to wait.

    Returns:
        The state, with the process id.

    Raises:
        KhabarError: package-missing, server-lost (the process has ended or does not answer).
    """
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    state = load_state(folder, port=port)
    if state.pid and answers(state.url):
        return state
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
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment(state), start_new_session=True
        )
    _wait(process, state.url, folder / "server.log", tick, timeout)
    return save_state(folder, msgspec.structs.replace(state, pid=process.pid))


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
