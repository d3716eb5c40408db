"""Paginated REST APIs, through dlt's own `rest_api`.

Belongs here: turning a declaration into dlt's configuration, the session that guards addresses and
honours Retry-After. Does not belong here: keys and types of rows (`ingestion.rows`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
from dlt.common import jsonpath

from cdp.config.sources import Stream, resolve
from cdp.warehouse.store import Warehouse
from ingestion import json_text
from ingestion.addresses import check_address
from ingestion.cursor_bounds import is_ahead, tells_time
from ingestion.failures import SourceFailed
from ingestion.judging import RawRows
from ingestion.reading import Reading

TIMEOUT_SECONDS = 30
ATTEMPTS = 6
LONGEST_WAIT_SECONDS = 120
MANY_ROWS = 20
"""Of so many rows one at least has the cursor's declared type, or none ever has."""


def rest_rows(
    reading: Reading,
    warehouse: Warehouse,
    since: datetime | None,
    until: datetime | None,
) -> Iterator[Any]:
    """One dlt resource for each stream.

    A range of days is given to the API as the bounds of its incremental parameter; APIs that have
    none are read whole, and what is known already is a duplicate.
    """
    from dlt.sources.rest_api import rest_api_resources

    source = reading.source
    options = resolve(source.options, warehouse.settings)
    allow_private = bool(options.get("allow_private"))
    check_address(str(options["base_url"]), allow_private=allow_private)
    token_from = options.get("auth", {}).get("access_token_url")
    if token_from:
        check_address(str(token_from), allow_private=allow_private)
    client: dict[str, Any] = {
        "base_url": options["base_url"],
        "session": _session(
            source.name, allow_private, [str(options["base_url"]), str(token_from or "")]
        ),
    }
    for name in ("auth", "headers", "paginator"):
        if name in options:
            client[name] = options[name]
    for name, stream in source.streams.items():
        # A stream that has nothing to say has answered all the same.
        reading.rows_read[name] += 0
        asked = dict(resolve(stream.endpoint or {}, warehouse.settings))
        endpoint = _endpoint(asked, reading.now, since, until)
        look = _checked(source.name, endpoint.get("data_selector"))
        endpoint["response_actions"] = [*endpoint.get("response_actions", []), look]
        # dlt checks it while it runs; its typed form cannot be put together key by key.
        declared: Any = {
            "client": client,
            "resources": [{"name": f"{source.name}_{name}", "endpoint": endpoint}],
        }
        (resource,) = rest_api_resources(declared)
        news = _news(endpoint)
        if news is not None and since is None and until is None:
            resource.add_map(_within(news, reading.latest, source.name))
        yield _enveloped(resource, name, stream, reading)


def _endpoint(
    endpoint: dict[str, Any], now: datetime, since: datetime | None, until: datetime | None
) -> dict[str, Any]:
    """The endpoint, its incremental parameter bounded where a range of days is asked for.

    With an end, dlt neither looks at the place up to which news are known nor moves it. A row that
    does not tell its time is a row all the same, and would otherwise end every run.
    """
    include = {"on_cursor_value_missing": "include"}
    if "incremental" in endpoint:
        endpoint["incremental"] = {**include, **endpoint["incremental"]}
    if "params" in endpoint:
        endpoint["params"] = {
            name: {**include, **value} if _is_news(value) else value
            for name, value in endpoint["params"].items()
        }
    if since is None and until is None:
        return endpoint
    for name, value in dict(endpoint.get("params", {})).items():
        if _is_news(value):
            # The form that stands among the parameters knows no end; the other form says the same.
            moved = {key: item for key, item in value.items() if key != "type"}
            endpoint["incremental"] = {"start_param": name, **moved}
            endpoint["params"] = {
                other: item for other, item in endpoint["params"].items() if other != name
            }
    if "incremental" in endpoint:
        like = endpoint["incremental"].get("initial_value")
        bounds = {
            "initial_value": _told_as(like, since or _BEGINNING, days=True),
            "end_value": _told_as(like, until or now),
        }
        endpoint["incremental"] = {**endpoint["incremental"], **bounds}
    return endpoint


def _is_news(parameter: Any) -> bool:
    return isinstance(parameter, dict) and parameter.get("type") == "incremental"


def _news(endpoint: dict[str, Any]) -> dict[str, Any] | None:
    """What an endpoint declares of its news, in whichever form; None where it asks for all."""
    parameters = (value for value in endpoint.get("params", {}).values() if _is_news(value))
    found: dict[str, Any] | None = endpoint.get("incremental") or next(parameters, None)
    return found


def _within(news: dict[str, Any], latest: datetime, source: str) -> Callable[[Any], Any]:
    """A look at each row before dlt compares it: a cursor that is no place to go on from is none.

    It lies ahead, or is of another type than the first value, with which dlt cannot compare it. The
    row's text, which is what lands, keeps it. Where none of many rows is of the declared type, the
    declaration is wrong, and everything would be asked for at every run.
    """
    path, first = jsonpath.compile_path(str(news["cursor_path"])), news.get("initial_value")
    among_times = tells_time(first)
    alike, seen = 0, 0

    def look(row: Any) -> Any:
        nonlocal among_times, alike, seen
        values = jsonpath.find_values(path, row) if isinstance(row, json_text.Object) else []
        for value in values[:1]:
            among_times = among_times or tells_time(value)
            differs = first is not None and isinstance(first, str) != isinstance(value, str)
            alike, seen = alike + (not differs), seen + 1
            if seen == MANY_ROWS and not alike:
                raise SourceFailed(
                    f"source {source}: `initial_value` is {first!r}, and {news['cursor_path']} of "
                    f"the first {seen} rows holds such as {value!r}; declare it in the same form"
                )
            if differs or is_ahead(value, latest, among_times=among_times):
                path.update(row, None)
        return row

    return look


_BEGINNING = datetime(1970, 1, 1)
"""What a range without a beginning begins with; APIs refuse times before there were any."""


def _told_as(like: Any, moment: datetime, *, days: bool = False) -> Any:
    """A moment (naive UTC) in the form in which the declaration tells the first one.

    Args:
        like: the declared value: a number of seconds or milliseconds, a day, or a moment.
        days: tell the day alone where the declaration does; it comes before its moments.
    """
    if isinstance(like, int | float) and not isinstance(like, bool):
        seconds = moment.replace(tzinfo=UTC).timestamp()
        # Milliseconds of any year since 1973 have more digits than seconds of any until 5138.
        return int(seconds * 1000) if like > 99_999_999_999 else int(seconds)
    text = str(like or "")
    if days and re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        return moment.date().isoformat()
    zone = re.search(r"(Z|[+-]00:?00)$", text)
    return moment.isoformat() + (zone[0] if zone else "")


def _enveloped(resource: Any, name: str, stream: Stream, reading: Reading) -> Any:
    import dlt

    place = str((stream.endpoint or {}).get("path", name))

    @dlt.transformer(data_from=resource, name=f"{reading.source.name}_{name}_rows")
    def envelopes(items: Any) -> Iterator[pa.Table]:
        rows = items if isinstance(items, list) else [items]
        before = reading.ordinal
        texts = [_text(row) for row in rows]
        positions = [f"{place}:{before + index}" for index in range(len(rows))]
        yield from reading.add(
            RawRows(pa.array(texts, pa.binary()), pa.array(positions, pa.string())), name
        )
        yield from reading.flush()
        reading.rows_read[name] += len(rows)

    return resource | envelopes


def _text(row: Any) -> bytes:
    """A row as the server wrote it; what is no object is kept out anyway, and told in our words."""
    if isinstance(row, json_text.Object):
        return row.text
    return json.dumps(row, ensure_ascii=False, default=str).encode("utf-8", "surrogatepass")


def _may_see(url: str, declared: list[str]) -> bool:
    """Whether an address is of a server that the source declares, so that it may see secrets."""

    def server(address: str) -> tuple[str, str, int | None]:
        parts = urlsplit(address)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
        return parts.scheme, (parts.hostname or "").lower(), port

    asked = server(url)
    known = [server(address) for address in declared if address]
    # A server may send its callers on from http to https.
    return asked in known or asked in [("https", host, 443) for _, host, _ in known]


def _session(source: str, allow_private: bool, declared: list[str]) -> Any:
    """A session that asks no address inside, waits as long as the server says, and gives up.

    It gives up at once where the server asks for more patience than a run has. It shows its secrets
    to the declared servers alone, wherever a link or a redirect leads.
    """
    import requests
    import tenacity
    from dlt.sources.helpers.requests.session import Session

    patience = tenacity.wait_exponential_jitter(0.5, max=LONGEST_WAIT_SECONDS)

    def wait(state: tenacity.RetryCallState) -> float:
        asked = _retry_after(_answer(state))
        return patience(state) if asked is None else asked

    def again(state: tenacity.RetryCallState) -> bool:
        answer = _answer(state)
        if answer is not None:
            passes = bool(answer.status_code == 429 or answer.status_code >= 500)
            if passes:
                _refuse_to_wait(source, _retry_after(answer))
            return passes
        error = state.outcome.exception() if state.outcome else None
        passing = (
            requests.exceptions.ConnectionError,
            requests.exceptions.Timeout,
            requests.exceptions.ChunkedEncodingError,
        )
        return isinstance(error, passing)

    retrying = tenacity.Retrying(
        wait=wait,
        retry=again,
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
    )

    class Guarded(Session):
        def send(self, request: Any, **arguments: Any) -> Any:
            # A redirect is sent through here too, as a part of the try that met it.
            if arguments.get("allow_redirects") is False:
                return self.once(request, **arguments)
            return retrying(self.once, request, **arguments)

        def once(self, request: Any, **arguments: Any) -> Any:
            check_address(str(request.url), allow_private=allow_private)
            if not _may_see(str(request.url), declared):
                raise SourceFailed(
                    "the API names an address of another server as its next; what the source's "
                    "secrets open is asked at its `base_url` alone"
                )
            return super().send(request, **arguments)  # type: ignore[no-untyped-call]

    return Guarded(timeout=TIMEOUT_SECONDS, raise_for_status=False)


def _answer(state: Any) -> Any:
    """What the server answered to a try, also where that was raised as an error."""
    error = state.outcome.exception()
    return getattr(error, "response", None) if error else state.outcome.result()


def _retry_after(answer: Any) -> float | None:
    """Seconds for which a server asked to be left alone: a number, or a date (RFC 9110, 10.2.3)."""
    told = "" if answer is None else str(answer.headers.get("Retry-After", "")).strip()
    if told.isascii() and told.isdigit():
        return float(told)
    try:
        moment = parsedate_to_datetime(told)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _refuse_to_wait(source: str, seconds: float | None) -> None:
    """End where a server asks to be left alone for longer than the warehouse may be held.

    Raises:
        SourceFailed: says until when.
    """
    if seconds is None or seconds <= LONGEST_WAIT_SECONDS:
        return
    until = datetime.now(UTC) + timedelta(seconds=min(seconds, 365 * 86_400))
    raise SourceFailed(
        f"source {source}: the API asks to be left alone until {until:%Y-%m-%d %H:%M:%S} UTC, "
        f"longer than the {LONGEST_WAIT_SECONDS} seconds that a run waits; run again after that"
    )


def _checked(source: str, selector: str | None) -> Any:
    """A look at each answer before its rows are taken from it.

    Rows keep their texts, and an answer without the declared rows is an error: dlt would take it
    for one that has none.
    """

    def check(response: Any, *_: Any, **__: Any) -> Any:
        if response.status_code >= 400 or response.is_redirect:
            return response
        try:
            body = json_text.parse(response.content)
        except ValueError as error:
            raise SourceFailed(
                f"source {source}: the API answered with no JSON; look at `base_url` and `auth`"
            ) from error
        if selector and not jsonpath.find_values(selector, body):
            raise SourceFailed(
                f"source {source}: the answer has nothing at `{selector}`; set `data_selector` to "
                "where the rows are"
            )
        response.json = lambda **_: body
        return response

    return check
