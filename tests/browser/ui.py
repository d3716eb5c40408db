"""Dagster's UI as a person meets it: started by `cdp dev`, used through a browser.

Belongs here: starting and ending the UI, telling its daemon to leave something be, and the few
gestures on its pages. Does not belong here: any assertion.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import httpx

from cdp.warehouse.settings import PROJECT_ROOT
from tests.services.ports import free_port

if TYPE_CHECKING:
    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

START_SECONDS = 180
RUN_SECONDS = 300
PAGE_SECONDS = 180

Found = TypeVar("Found")


@contextmanager
def dagster_ui(home: Path, log: Path) -> Iterator[str]:
    """The UI over a data home, with its daemon; gives its address."""
    port = free_port()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "cdp", "dev", "--port", str(port)],
            cwd=PROJECT_ROOT,
            env={**os.environ, "CDP_HOME": str(home)},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        address = f"http://127.0.0.1:{port}"
        try:
            wait_for(lambda: _answers(address, process), START_SECONDS, "the UI to answer")
            yield address
        finally:
            # Its webserver, daemon and code servers are of its group, and end with it.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGINT)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _answers(address: str, process: subprocess.Popen[bytes]) -> bool:
    if process.poll() is not None:
        raise RuntimeError(f"the UI ended with code {process.returncode} before it answered")
    try:
        return httpx.get(f"{address}/server_info", timeout=5).is_success
    except httpx.TransportError:
        return False


def stop_sensor(address: str, name: str) -> None:
    """Do what the switch beside a sensor does, so that nothing but a person starts a run."""
    selector = {
        "repositoryLocationName": "tributary",
        "repositoryName": "__repository__",
        "sensorName": name,
    }
    sensor = _ask(
        address,
        "query($selector: SensorSelector!) "
        "{answer: sensorOrError(sensorSelector: $selector) {... on Sensor {id}}}",
        {"selector": selector},
    )
    stopped = _ask(
        address,
        "mutation($id: String) {answer: stopSensor(id: $id) "
        "{... on StopSensorMutationResult {instigationState {status}}}}",
        {"id": sensor["id"]},
    )
    if stopped["instigationState"]["status"] != "STOPPED":
        raise RuntimeError(f"the sensor {name} could not be stopped: {stopped}")


def _ask(address: str, query: str, variables: dict[str, Any]) -> dict[str, Any]:
    body = {"query": query, "variables": variables}
    answer = httpx.post(f"{address}/graphql", json=body, timeout=60).json()
    found: dict[str, Any] = answer["data"]["answer"]
    return found


def wait_for(look: Callable[[], Found | None], seconds: float, what: str) -> Found:
    """Look again and again until something is found."""
    from selenium.common.exceptions import StaleElementReferenceException

    until = time.monotonic() + seconds
    while True:
        # A page that draws itself anew takes away what was just found.
        with suppress(StaleElementReferenceException):
            if found := look():
                return found
        if time.monotonic() > until:
            raise TimeoutError(f"waited {seconds:g} seconds for {what}")
        time.sleep(0.25)


def button(browser: Chrome, text: str) -> WebElement | None:
    """The button of that text, when the page has it."""
    from selenium.webdriver.common.by import By

    return next(
        (each for each in browser.find_elements(By.TAG_NAME, "button") if each.text == text), None
    )


def open_page(browser: Chrome, address: str) -> None:
    """Open a page of the UI."""
    browser.get(address)


def linked_runs(browser: Chrome) -> list[str]:
    """The ids of the runs that the page links to."""
    from selenium.webdriver.common.by import By

    links = [each.get_attribute("href") or "" for each in browser.find_elements(By.TAG_NAME, "a")]
    return [link.split("/runs/")[1][:36] for link in links if "/runs/" in link]


def text_of(browser: Chrome) -> str:
    """All text that the page shows."""
    from selenium.webdriver.common.by import By

    return browser.find_element(By.TAG_NAME, "body").text
