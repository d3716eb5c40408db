"""Who has a command do what is kept on record, and what for.

Belongs here: the options that say so, and refusing what says nothing. Does not belong here: any
record.
"""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from cdp.commands.terminal import CommandFailed, Exit

Author = Annotated[
    str | None, typer.Option(help="Who says so; without it, the user who is logged in.")
]


def author_of(told: str | None) -> str:
    """Who it is: whom the option names, else the user who is logged in."""
    if told is not None:
        return told_by(told, "--author")
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:
        raise CommandFailed(
            "nobody knows who is logged in; say by `--author` who it is", Exit.WRONG_INPUT
        ) from error


def told_by(text: str, option: str) -> str:
    """What an option says, where it says anything."""
    if not text.strip():
        raise CommandFailed(f"`{option}` is empty; the record is for people", Exit.WRONG_INPUT)
    return text.strip()
