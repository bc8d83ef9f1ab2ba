"""A real Chromium, the portal and the simulator on sockets of this machine, and a person who looks at both."""

import json
import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait
from selenium_axe_python import Axe
from werkzeug.serving import make_server

from shipcrowd.simulator import Simulator
from shipcrowd.simulator.serving import SilentHandler
from tests.overheard import OVERHEARD

WIDE, NARROW = 1280, 390
PATIENCE = 40.0  # seconds
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
CHROMEDRIVER = shutil.which("chromedriver")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars"),
)
# What Chromium says when a person has focused something before a slow page could: hers stays, as it should.
FASTER_THAN_THE_PAGE = "Autofocus processing was blocked because a document already has a focused element."
# Where pictures of the screens go when somebody wants to look at them.
SHOTS = os.environ.get("SHIPCROWD_SHOTS", "")


class Person:
    """Looks at pages and presses what stands on them. Whatever the browser complains about is kept for `complaints`."""

    def __init__(self, driver: webdriver.Chrome, address: str) -> None:
        self.driver, self.address = driver, address
        self.elsewhere: list[str] = []
        self.complaints: list[str] = []

    def sees(self, width: int, scheme: str) -> None:
        """From now on the window is so wide, and the person's system light or dark."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 700}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})

    def becomes(self, session: str | None) -> None:
        """Whoever has this session, or nobody."""
        self.driver.delete_all_cookies()
        if session:
            cookie = {"name": "sessionid", "value": session, "domain": "127.0.0.1", "path": "/"}
            self.driver.execute_cdp_cmd("Network.setCookie", cookie)

    def opens(self, path: str) -> None:
        self.driver.get(self.address + path)
        self._hear()

    def waits_for(self, seen: Callable[[], Any]) -> Any:
        """Looks until there is something to see. While one page goes and the next comes, the driver throws whatever
        it happens to meet (stale elements, nodes of another document, no context): then it looks again."""
        waiting = WebDriverWait(self.driver, PATIENCE, ignored_exceptions=[WebDriverException])
        return waiting.until(lambda _driver: seen())

    def finds(self, selector: str) -> WebElement:
        return self.waits_for(lambda: next(iter(self.driver.find_elements(By.CSS_SELECTOR, selector)), None))

    def all(self, selector: str) -> list[WebElement]:
        self.finds(selector)
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def presses(self, selector: str) -> None:
        """Clicks, and waits until another page has come."""
        element = self.finds(selector)
        self.clicks(element)
        self.waits_until_gone(element)

    def waits_until_gone(self, element: WebElement) -> None:
        """Another page has come."""
        self.waits_for(lambda: _is_gone(element))
        self._hear()

    def enters(self, selector: str, text: str, *, until: str) -> None:
        """Types as a scanner does, Enter at the end, and waits for these words."""
        self.types(selector, text + Keys.ENTER)
        self.waits_for(lambda: until in self.text)
        self._hear()

    def ticks(self, selector: str) -> None:
        self.clicks(self.finds(selector))

    def clicks(self, element: WebElement) -> None:
        """In the middle of the window, where no bar that sticks to an edge lies over it."""
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def types(self, selector: str, text: str) -> None:
        self.finds(selector).send_keys(text)

    @property
    def text(self) -> str:
        return self.waits_for(lambda: self.driver.find_element(By.TAG_NAME, "body").text)

    @property
    def path(self) -> str:
        return urlsplit(self.driver.current_url).path

    def overflow(self) -> int:
        """Pixels by which the page is wider than the window."""
        script = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
        return int(self.driver.execute_script(script))

    def cannot_use(self) -> list[str]:
        """What axe finds that shuts people out (impact serious or critical): the rule, and where."""
        axe = Axe(self.driver)
        axe.inject()
        found = axe.run()["violations"]
        return [
            f"{one['id']} at {node['target']}: {node['failureSummary']}"
            for one in found
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        ]

    def takes_picture(self, name: str) -> None:
        if not SHOTS:
            return
        Path(SHOTS).mkdir(parents=True, exist_ok=True)
        self.driver.save_screenshot(f"{SHOTS}/{name}.png")

    def _hear(self) -> None:
        said = [line["message"] for line in self.driver.get_log("browser")]
        self.complaints += [message for message in said if FASTER_THAN_THE_PAGE not in message]
        for line in self.driver.get_log("performance"):
            message = json.loads(line["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                url = urlsplit(message["params"]["request"]["url"])
                if url.scheme not in ("data", "blob") and url.hostname != "127.0.0.1":
                    self.elsewhere.append(url.geturl())


def _is_gone(element: WebElement) -> bool:
    try:
        element.is_enabled()
    except StaleElementReferenceException:
        return True
    return False


@pytest.fixture(scope="session")
def driver() -> Iterator[webdriver.Chrome]:
    if not (CHROMIUM and CHROMEDRIVER):
        if os.environ.get("CI"):
            pytest.fail("CI is set and there is no chromium with its chromedriver: apt-get install chromium-driver")
        pytest.skip("no chromium with its chromedriver on this machine")
    logging.getLogger("selenium").setLevel(logging.INFO)  # its debug lines repeat whole pages
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    profile = tempfile.mkdtemp(prefix="shipcrowd-chromium-")
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    chromium = webdriver.Chrome(options=options, service=Service(CHROMEDRIVER))
    yield chromium
    chromium.quit()
    shutil.rmtree(profile, ignore_errors=True)


@pytest.fixture(scope="session")
def _no_idle_connections() -> Iterator[None]:
    """A browser keeps the server's threads: their connections would keep the test database from being dropped."""
    shared = connection.settings_dict
    before, shared["CONN_MAX_AGE"] = shared["CONN_MAX_AGE"], 0
    yield
    shared["CONN_MAX_AGE"] = before


@pytest.fixture
def person(driver: webdriver.Chrome, _no_idle_connections, live_server, settings) -> Iterator[Person]:
    """Nobody yet: with no cookies. What the browser complained about fails the test."""
    address = f"http://127.0.0.1:{urlsplit(live_server.url).port}"
    settings.PUBLIC_URL = address
    driver.delete_all_cookies()
    for log in ("browser", "performance"):
        driver.get_log(log)
    looking = Person(driver, address)
    yield looking
    assert looking.complaints == []
    assert looking.elsewhere == []


@pytest.fixture
def flipkart_on_a_socket(settings, live_server) -> Iterator[Simulator]:
    """The simulator as a place that a browser can go to, and that lets it come back."""
    address = f"http://127.0.0.1:{urlsplit(live_server.url).port}"
    simulator = Simulator(
        portal_secret=settings.FLIPKART_CLIENT_SECRET,
        redirect_uris=[f"{address}/auth/flipkart/callback"],
        calls_per_minute=None,
    )
    server = make_server("127.0.0.1", 0, simulator, threaded=True, request_handler=SilentHandler)
    settings.SIMULATOR_URL = f"http://127.0.0.1:{server.server_port}"
    directives = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
    settings.CONTENT_SECURITY_POLICY = {
        "DIRECTIVES": directives | {"form-action": [*directives["form-action"], settings.SIMULATOR_URL]}
    }
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield simulator
    server.shutdown()
    thread.join(PATIENCE)
    server.server_close()
    OVERHEARD.plant(simulator)
