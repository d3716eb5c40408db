"""What it is called when a source cannot be read.

Belongs here: from the errors of the libraries that read to one sentence that a person can act on,
without any value of a row and without an address's secrets. Does not belong here: rows that are
kept out, which are no failures (`judging`).
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import urlsplit


class SourceFailed(RuntimeError):
    """A source could not be read to its end; nothing of this reading landed."""


@contextmanager
def reading(source: str, place: str = "") -> Iterator[None]:
    """Around whatever asks a source: its errors leave as what they are called here.

    Args:
        source: its name.
        place: the folder or bucket of its files, for sources of files.

    Raises:
        SourceFailed: the source could not be read; nothing of this reading lands.
    """
    failure: BaseException | None = None
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever it is, it is named here
        failure = _told(error, source, place)
    if failure is not None:
        # Without its cause, whose text may hold what no log may.
        raise failure from None


class LoadingFailed(RuntimeError):
    """What was read could not be loaded into the inbox; it waits on disk for the next run."""


@contextmanager
def loading(source: str) -> Iterator[None]:
    """Around loading into tables: what an engine says of rows is told to nobody.

    Raises:
        LoadingFailed: nothing of it is lost.
    """
    failure: BaseException | None = None
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever it is, its text may hold a row
        chain = list(_chain(error))
        root = chain[-1]
        number = getattr(root, "errno", None)
        failure = _of_a_program(chain) or LoadingFailed(
            f"source {source}: loading it into the warehouse ended with {type(root).__name__}"
            f"{f' {number}' if number else ''} (its text may hold values of rows, and is told "
            "nowhere); what was read waits on this machine, and the next run loads it"
        )
    if failure is not None:
        raise failure from None


def _told(error: BaseException, source: str, place: str) -> BaseException:
    """What to raise for an error that a reader ended with.

    Errors of this project and faults of programs stay what they are. Those of databases, servers
    and files become sentences: their own texts may hold rows, addresses with keys, or passwords.
    """
    chain = list(_chain(error))
    return _of_a_program(chain) or SourceFailed(f"source {source}: {_sentence(chain, place)}")


def _of_a_program(chain: Sequence[BaseException]) -> BaseException | None:
    """An error of this project, or a fault of a program, in the way to an error; it stays."""
    for each in chain:
        if type(each).__module__.partition(".")[0] in ("ingestion", "cdp"):
            return each
    root = chain[-1]
    faults = ImportError | AttributeError | TypeError | LookupError | AssertionError
    return root if isinstance(root, faults) else None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and what it came from, the first cause last."""
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        yield at
        at = at.__cause__ or getattr(at, "exception", None) or at.__context__


def _sentence(chain: list[BaseException], place: str) -> str:
    import requests
    from sqlalchemy import exc as database

    for each in reversed(chain):
        if isinstance(each, database.NoSuchTableError):
            return f"the database has no table or view called {each}"
        if isinstance(each, database.DBAPIError) and _state(each) == "57014":
            return (
                "the database took longer for a query than `statement_timeout` allows: give it an "
                "index on the cursor's column, or more time"
            )
        if isinstance(each, database.DBAPIError) and _is_refusal(each):
            return (
                "the database could not be reached, or refused: look at its address, name and "
                f"password, and whether it runs ({type(each).__name__})"
            )
        if isinstance(each, database.SQLAlchemyError):
            return (
                "the database refused the query: look at the columns and rights of the tables "
                f"that are declared ({type(each).__name__})"
            )
        if isinstance(each, requests.exceptions.HTTPError) and each.response is not None:
            status = each.response.status_code
            return f"{_place(each.response.url)} answered {status}{_advice(status)}"
        if isinstance(each, requests.exceptions.Timeout):
            return f"{_place(_asked(each))} did not answer in time"
        if isinstance(each, requests.exceptions.JSONDecodeError):
            return "the API answered with no JSON"
        if isinstance(each, requests.exceptions.RequestException):
            return f"{_place(_asked(each))} could not be reached ({type(each).__name__})"
        if place and isinstance(each, FileNotFoundError | PermissionError):
            gone = isinstance(each, FileNotFoundError)
            return f"{place} {'is not there' if gone else 'may not be read'}: look at `location`"
    root = chain[-1]
    if isinstance(root, TimeoutError):
        return "it did not answer in time: look at whether it runs, and at its address"
    if isinstance(root, OSError) and root.strerror:
        return f"{root.filename or 'a file'}: {root.strerror}"
    frames = traceback.extract_tb(root.__traceback__)
    where = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return f"reading it ended with {type(root).__name__}{where}"


def _is_refusal(error: object) -> bool:
    """Whether a database did not let anybody in; by the driver's class, or by the SQLSTATE, which
    is 28 for passwords, 3D for names of databases, 53 and 57 for servers that are full or going."""
    kinds = ("OperationalError", "InterfaceError")
    return type(error).__name__ in kinds or _state(error)[:2] in ("28", "3D", "53", "57")


def _state(error: object) -> str:
    """The SQLSTATE with which a server refused; empty where it told none."""
    orig = getattr(error, "orig", None)
    state = str(getattr(orig, "sqlstate", "") or getattr(orig, "pgcode", "") or "")
    for each in getattr(orig, "args", ()):
        state = str(each.get("C", "")) if isinstance(each, dict) else state
    return state


def _asked(error: object) -> str:
    request = getattr(error, "request", None)
    return str(getattr(request, "url", None) or "")


def _place(url: str) -> str:
    """An address without what may be secret in it: name and password, query, fragment."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}" if url else "the API"


def _advice(status: int) -> str:
    if status in (401, 403):
        return ": look at the source's `auth`"
    if status == 404:
        return ": look at `base_url` and the endpoint's `path`"
    if status == 429:
        return " to every try: ask less often, or for more rows at a time"
    return " to every try" if status >= 500 else ""
