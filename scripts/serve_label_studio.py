"""Start or stop Label Studio on loopback, with its database in a folder of its own."""

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from khabar.cli import run
from khabar.label_studio import server


def main(
    data: Annotated[Path, typer.Option(help="the data folder")] = Path(".khabar/label_studio"),
    port: Annotated[int, typer.Option(help="0: the port of last time, or a free one")] = 0,
    database: Annotated[
        str,
        typer.Option(
            help="postgresql://user@host:port/name instead of SQLite; the password in PGPASSWORD or ~/.pgpass"
        ),
    ] = "",
    who: Annotated[bool, typer.Option("--who", help="print where to log in, and as whom")] = False,
    stop: Annotated[bool, typer.Option("--stop", help="end the server that was started in this folder")] = False,
) -> None:
    """Start Label Studio, or stop it; print where it is and how the manager logs in."""
    if stop:
        server.stop(data)
        typer.echo(f"stopped: {data}")
        return
    if who:
        state = server.stored_state(data)
        if state is None or not server.answers(state.url):
            typer.echo(f"no Label Studio is running in {data}")
            raise typer.Exit(1)
        typer.echo(f"Label Studio is running: {state.url}")
        for email, account in state.accounts.items():
            typer.echo(f"  {email}  {account.password}")
        typer.echo(f"stop it with: python scripts/serve_label_studio.py --data {data} --stop")
        return
    with Console(stderr=True).status("starting Label Studio") as status:
        state = server.start(
            data,
            port=port,
            database=server.read_database(database, os.environ.get("PGPASSWORD", "")) if database else None,
            tick=lambda waited: status.update(f"starting Label Studio ({waited:.0f} s)"),
        )
    server.ensure_account(data, server.MANAGER)
    typer.echo(f"Label Studio: {state.url}")
    typer.echo(f"accounts and passwords: {data / server.STATE} (readable by you only)")


if __name__ == "__main__":
    run(main)
