"""Following a run on the terminal.

Belongs here: one line for each thing that a run tells, and its end as text or JSON. Does not belong
here: running anything.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer
from rich.markup import escape
from rich.status import Status

from cdp.commands.terminal import Exit, answer, err, moment

if TYPE_CHECKING:
    from orchestration.progress import News
    from orchestration.running import Outcome

_GOOD, _BAD = "[green]✓[/]", "[red]✗[/]"


class Follower:
    """Prints what a run tells: a line for what is over, a moving one for what is under way."""

    def __init__(self, status: Status | None) -> None:
        self._status = status
        self._since = time.monotonic()

    def __call__(self, news: News) -> None:
        if self._status is None:
            return
        if news.what == "model":
            if not news.ok:
                self._line(False, f"{news.name} could not be built")
            self._status.update(f"building {news.name}")
        elif news.what == "waiting":
            self._status.update("another run holds the warehouse; waiting for it")
        elif news.what == "started":
            self._since = time.monotonic()
            self._line(True, f"run {news.detail.run_number}, as of {moment(news.detail.as_of)} UTC")
        elif news.what == "untrained":
            self.said(
                f"the matching model '{news.name}' has not been trained and proposes nothing; "
                f"`cdp identity train {news.name}` trains it",
                ok=False,
            )
        elif news.what == "landed":
            report = news.detail
            self.said(
                f"landed {news.name}: {report.rows_read:,} read = {report.rows_landed:,} landed + "
                f"{report.rows_duplicate:,} duplicate + {report.rows_quarantined:,} quarantined"
            )
        elif news.what == "seeded":
            self.said("seeds loaded")
        elif news.what == "built":
            quiet = " (nothing new: the rest holds as it is)" if news.detail["quiet"] else ""
            self.said(f"built {news.name}: {news.detail['tables']} tables{quiet}")
        elif news.what == "gate":
            self.said(f"gate {news.name}", news.ok)
        elif news.what == "published":
            self.said(f"published {news.name}" if news.ok else str(news.detail), news.ok)

    def said(self, text: str, ok: bool = True) -> None:
        """Print a line for something that is over, with the time since the one before."""
        now = time.monotonic()
        self._line(ok, f"{escape(text)} [dim]{now - self._since:.1f} s[/]")
        self._since = now

    def _line(self, ok: bool, text: str) -> None:
        if self._status is not None:
            err.print(f"{_GOOD if ok else _BAD} {text}")
            self._status.update("working")


@contextmanager
def follow(*, quiet: bool) -> Iterator[Follower]:
    """A listener for a run, showing it unless `quiet`."""
    if quiet:
        yield Follower(None)
        return
    with err.status("getting ready") as status:
        yield Follower(status)


def outcome_as_data(outcome: Outcome) -> dict[str, Any]:
    """A run's outcome for machines."""
    published = next((n for n in outcome.news if n.what == "published" and n.ok), None)
    return {
        "run_id": outcome.run_id,
        "success": outcome.success,
        "seconds": round(outcome.seconds, 3),
        "published_set": published.name if published else None,
        "refused_at": outcome.refused,
        "failed_steps": list(outcome.failed),
        "failed_checks": [
            {
                "stage": verdict.stage,
                "table": check.table,
                "check": check.name,
                "observed": check.observed,
            }
            for verdict in outcome.closed
            for check in verdict.failed
        ],
        "errors": list(outcome.errors),
        "loads": [
            {
                "source": news.name,
                "load_id": news.detail.load_id,
                "rows_read": news.detail.rows_read,
                "rows_landed": news.detail.rows_landed,
                "rows_duplicate": news.detail.rows_duplicate,
                "rows_quarantined": news.detail.rows_quarantined,
            }
            for news in outcome.news
            if news.what == "landed"
        ],
    }


def tell_outcome(outcome: Outcome, *, as_json: bool) -> None:
    """Say how a run ended, and exit accordingly where it failed."""
    if as_json:
        answer(outcome_as_data(outcome))
    elif outcome.success:
        err.print(f"[green]done[/] in {outcome.seconds:.1f} s, run {outcome.run_id}")
    else:
        complain(outcome)
    if not outcome.success:
        raise typer.Exit(Exit.REFUSED if outcome.refused else Exit.FAILED)


def complain(outcome: Outcome) -> None:
    """Say what went wrong in a run."""
    for sentence in outcome.errors:
        err.print(f"[red]error:[/] {escape(sentence)}", soft_wrap=True)
    err.print("What was published before stays as it is. `cdp status` shows how each stage stands.")
