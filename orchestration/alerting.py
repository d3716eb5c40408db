"""Which failures are told to people, and that each is told once."""

from typing import Any


def alert_of_gate(held: Any, verdict: Any) -> None: ...


def alert_of_failure(*arguments: Any) -> None: ...
