"""How the commands speak: tables for people, JSON for programs, progress on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec
import typer

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


def make_console() -> Console:
    """Make a console for standard output: as wide as the terminal, or 140 columns in a file."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 140)


def show_table(renderable: RenderableType) -> None:
    """Show a table or a text.

    Args:
        renderable: what rich can render.
    """
    make_console().print(renderable)


def show_json(value: object) -> None:
    """Show a value as JSON.

    Args:
        value: a struct or plain value.
    """
    typer.echo(msgspec.json.format(msgspec.json.encode(value), indent=1).decode())


@contextmanager
def working(what: str) -> Iterator[Callable[[str], None]]:
    """Say on a terminal what is being done; large files take longer than a reader likes to wait blindly.

    Args:
        what: is done first; the function that is given says what comes next.
    """
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console

    with Console(stderr=True).status(what) as status:
        yield status.update
