"""The picture of the asset graph in the documentation.

`python -m tests.browser.asset_graph_picture HOME` opens the UI over a data home that has been run
(`make demo` leaves one in .cdp), and writes docs/images/asset-graph.png.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

from cdp.warehouse.settings import PROJECT_ROOT
from tests.browser.ui import PAGE_SECONDS, button, dagster_ui, open_page, text_of, wait_for
from tests.services.browser import SWITCHES

PICTURE = PROJECT_ROOT / "docs" / "images" / "asset-graph.png"


def take(home: Path) -> None:
    """Write the picture."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("chromium-browser") or ""
    for switch in SWITCHES:
        options.add_argument(switch)
    driver = webdriver.Chrome(
        options=options, service=webdriver.ChromeService(shutil.which("chromedriver") or "")
    )
    with tempfile.TemporaryDirectory() as folder, dagster_ui(home, Path(folder) / "log") as address:
        try:
            driver.set_window_size(1700, 760)
            open_page(driver, f"{address}/asset-groups")
            wait_for(lambda: "serving" in text_of(driver), PAGE_SECONDS, "the graph")
            hide = button(driver, "Hide navigation")
            if hide:
                hide.click()
            # The graph is laid out and moved into view before it stands still.
            time.sleep(5)
            PICTURE.parent.mkdir(parents=True, exist_ok=True)
            driver.save_screenshot(str(PICTURE))
        finally:
            driver.quit()


if __name__ == "__main__":
    take(Path(sys.argv[1] if len(sys.argv) > 1 else ".cdp").absolute())
    print(f"written: {PICTURE}")
