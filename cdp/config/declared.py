"""What declarations have in common: values as people write them, and references to secrets.

Belongs here: types that several declarations are made of. Does not belong here: any declaration.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from cdp.warehouse.settings import secret

_DURATION = re.compile(r"^\s*(\d+)\s*(second|minute|hour|day|week)s?\s*$")


def duration(value: Any) -> timedelta:
    """A duration as people write it: `26 hours`, `30 minutes`, `1 day`."""
    if isinstance(value, timedelta):
        return value
    found = _DURATION.match(str(value))
    if not found:
        raise ValueError("expected a duration such as '30 minutes', '26 hours' or '1 day'")
    return timedelta(**{f"{found[2]}s": int(found[1])})


Duration = Annotated[timedelta, BeforeValidator(duration)]


def lag(value: Any) -> timedelta | int:
    """How far back: a duration on a clock, or a whole number of what is counted."""
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 1:
            raise ValueError("expected a number of 1 or more")
        return value
    try:
        back = duration(value)
    except ValueError:
        raise ValueError(
            "expected a duration such as '10 minutes', or a number where the cursor counts"
        ) from None
    if not back:
        raise ValueError("expected a duration of 1 second or more; drop `lag` where none is wanted")
    return back


Lag = Annotated[timedelta | int, BeforeValidator(lag)]


def _plain(text: str) -> str:
    """Text that stands in files of dbt, which would take these marks for its own."""
    if any(mark in text for mark in ("{{", "{%", "{#")):
        raise ValueError("may not contain {{, {% or {#")
    return text


Text = Annotated[str, AfterValidator(_plain)]


class Declared(BaseModel):
    """A declaration, or a part of one: fixed, and without keys that nobody knows."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class EnvReference(Declared):
    """A value that stands in the environment, not in the file."""

    env: str = Field(pattern="^[A-Z][A-Z0-9_]*$")

    def reveal(self) -> str:
        """The value; raises `MissingSecret` where the environment does not hold it."""
        return secret(self.env)
