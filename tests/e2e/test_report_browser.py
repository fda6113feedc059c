"""Reports in a real headless browser: shown without an error, without a request, readable on a phone, links lead somewhere."""

from __future__ import annotations

import json
import os
import runpy
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bundleflow.records.run_json import run_of
from bundleflow.report.html import rehearsal_page, run_page

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
BROWSER = os.environ.get("CHROME_PATH") or next((found for name in BROWSERS if (found := shutil.which(name))), None)
EXAMPLES = Path(__file__).parents[1] / "unit" / "report"
EXAMPLE, RUNS = (runpy.run_path(str(EXAMPLES / name)) for name in ("report_example.py", "run_examples.py"))
SECONDS = 60

pytestmark = pytest.mark.browser
if BROWSER is None:
    pytest.skip("no Chromium found (apt-get install chromium, or set CHROME_PATH)", allow_module_level=True)


class Browser:
    """A headless Chromium, spoken to over its debugging pipe (file descriptors 3 and 4): no port, no driver."""

    def __init__(self, profile: Path) -> None:
        to_browser, self._out = os.pipe()
        self._in, from_browser = os.pipe()
        self._out_file, self._in_file = os.fdopen(self._out, "wb", buffering=0), os.fdopen(self._in, "rb")

        def wire() -> None:
            os.dup2(to_browser, 1003)
            os.dup2(from_browser, 1004)
            os.dup2(1003, 3)
            os.dup2(1004, 4)

        options = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--no-first-run",
            "--remote-debugging-pipe",
        ]
        self._process = subprocess.Popen(
            [str(BROWSER), *options, f"--user-data-dir={profile}", "about:blank"],
            preexec_fn=wire,
            close_fds=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._timer = threading.Timer(SECONDS, self.close)  # a read that waits too long ends with the process
        self._timer.start()
        self._number = 0
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.page(f"{domain}.enable")

    def call(self, method: str, *, session: str = "", **params: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        self._out_file.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def page(self, method: str, **params: Any) -> dict[str, Any]:
        return self.call(method, session=self._session, **params)

    def wait_for(self, event: str) -> None:
        while not any(each.get("method") == event for each in self.events):
            self.events.append(self._read())

    def evaluate(self, expression: str) -> Any:
        result = self.page("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def open(self, file: Path, *, width: int, dark: bool) -> None:
        self.page("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600)
        self.page("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.events.clear()
        self.page("Page.navigate", url=file.as_uri())
        self.wait_for("Page.loadEventFired")

    def press(self, key: str, code: int, **more: str) -> None:
        for kind in ("keyDown", "keyUp"):
            self.page("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **more)

    def of(self, method: str) -> list[dict[str, Any]]:
        return [each["params"] for each in self.events if each.get("method") == method]

    def close(self) -> None:
        self._timer.cancel()
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(timeout=10)

    def _read(self) -> dict[str, Any]:
        data = bytearray()
        while (byte := self._in_file.read(1)) != b"\0":
            assert byte, "the browser has gone (or was ended after its time)"
            data += byte
        return json.loads(data)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("reports")
    pages = {
        "rehearsal": rehearsal_page(EXAMPLE["rehearsal"]()),
        "failed": rehearsal_page(EXAMPLE["rehearsal"](ok=False)),
        "run": run_page(EXAMPLE["job_run"]()),
        "pipeline": run_page(RUNS["pipeline"]()),
        "thousand": run_page(run_of(RUNS["pages_of_a_thousand"]())),
    }
    for name, page in pages.items():
        (folder / f"{name}.html").write_text(page, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in pages}


LOOKS = [(name, width, dark) for name in ("rehearsal", "failed", "run", "pipeline") for width in (1280, 390) for dark in (False, True)]


@pytest.mark.parametrize(
    ("name", "width", "dark"),
    [*LOOKS, ("thousand", 390, True)],  # which has too many rows to be looked at four times
)
def test_shown_without_error_request_or_sideways_scrolling(
    browser: Browser, reports: dict[str, Path], name: str, width: int, dark: bool
) -> None:
    browser.open(reports[name], width=width, dark=dark)
    asked = [each["request"]["url"] for each in browser.of("Network.requestWillBeSent")]
    assert [url for url in asked if not url.startswith("data:")] == [reports[name].as_uri()]
    assert browser.of("Log.entryAdded") == []
    assert browser.of("Runtime.exceptionThrown") == []
    assert browser.of("Runtime.consoleAPICalled") == []
    browser.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
    assert browser.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    assert browser.evaluate(UNREADABLE) == []
    assert browser.evaluate(UNREADABLE_DRAWN) == []


def test_key_texts_are_seen(browser: Browser, reports: dict[str, Path]) -> None:
    browser.open(reports["rehearsal"], width=1280, dark=False)
    text = browser.evaluate("document.body.innerText")
    for expected in (
        "Iris, from a branch to production",
        "Everything went as expected",
        "stopped as expected",
        "setosa (1.00)",
        "Stand-ins",
    ):
        assert expected in text
    browser.open(reports["failed"], width=1280, dark=False)
    assert "What did not go as expected" in browser.evaluate("document.body.innerText")


def test_a_link_opens_the_folded_part_that_it_leads_to(browser: Browser, reports: dict[str, Path]) -> None:
    browser.open(reports["rehearsal"], width=1280, dark=False)
    folded = "document.querySelector('#run-5').closest('details').open"
    assert browser.evaluate(folded) is False
    browser.evaluate("document.querySelector('a[href=\"#run-5\"]').click()")
    assert browser.evaluate(folded) is True
    assert browser.evaluate("location.hash") == "#run-5"


def test_a_task_is_opened_from_the_graph_by_keyboard_alone(browser: Browser, reports: dict[str, Path]) -> None:
    browser.open(reports["pipeline"], width=1280, dark=False)
    card = "document.querySelector('#t5').closest('details').open"
    assert browser.evaluate(card) is False
    for _ in range(60):
        browser.press("Tab", 9)
        if browser.evaluate("document.activeElement.getAttribute('href')") == "#t5" and browser.evaluate(IN_GRAPH):
            break
    assert browser.evaluate("document.activeElement.getAttribute('aria-label')").startswith("enough_rows: rows > 1000: true")
    browser.press("Enter", 13, text="\r")
    assert browser.evaluate("location.hash") == "#t5"
    assert browser.evaluate(card) is True


def test_a_phone_sees_the_narrow_graph_and_a_timeline_within_its_width(browser: Browser, reports: dict[str, Path]) -> None:
    seen = "[...document.querySelectorAll('.graph')].map(each => each.getBoundingClientRect().width).filter(width => width > 0)"
    browser.open(reports["pipeline"], width=1280, dark=False)
    wide = browser.evaluate(seen)
    browser.open(reports["pipeline"], width=390, dark=False)
    narrow = browser.evaluate(seen)
    assert len(wide) == len(narrow) == 2, "the graph of the tasks and that of the tables, each once"
    assert max(narrow) <= 390 < max(wide)


@pytest.mark.parametrize("name", ["rehearsal", "pipeline"])
def test_reached_by_keyboard_and_named_for_screen_readers(browser: Browser, reports: dict[str, Path], name: str) -> None:
    browser.open(reports[name], width=1280, dark=False)
    browser.press("Tab", 9)
    assert browser.evaluate("document.activeElement.textContent") == "Skip to the content"
    nodes = browser.page("Accessibility.getFullAXTree")["nodes"]
    named = {(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes if not node["ignored"]}
    roles = {role for role, _ in named}
    assert {"navigation", "main", "heading", "list"} <= roles
    assert not [role for role, name in named if role in ("link", "button", "img", "image", "DisclosureTriangle") and not name]


IN_GRAPH = "document.activeElement.closest('svg.graph') !== null"

# Texts whose contrast with what is behind them is below 4.5 (3 for large ones): WCAG 2.2, 1.4.3.
_COLOURS = """
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = colour => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
"""
UNREADABLE = """
(() => {
  __HELPERS__
  const behind = element => {
    for (let each = element; each; each = each.parentElement) {
      const colour = rgba(getComputedStyle(each).backgroundColor);
      if (colour[3] > 200) return colour;
    }
    return [255, 255, 255, 255];
  };
  const found = [];
  for (const element of document.querySelectorAll('body *')) {
    if (element.closest('.hidden, .skip-link') || element.closest('svg, canvas')) continue;
    if (![...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim())) continue;
    const style = getComputedStyle(element);
    const [one, two] = [light(rgba(style.color)), light(behind(element))];
    const ratio = (Math.max(one, two) + .05) / (Math.min(one, two) + .05);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
    if (ratio < (large ? 3 : 4.5)) found.push(element.className + ': ' + element.textContent.trim().slice(0, 30) + ' ' + ratio.toFixed(2));
  }
  return found;
})()
""".replace("__HELPERS__", _COLOURS)

# The same for texts of boxes that are drawn, against the box that they stand in.
UNREADABLE_DRAWN = """
(() => {
  __HELPERS__
  const found = [];
  for (const text of document.querySelectorAll('.graph .node > text, .graph .branch > text')) {
    if (!text.getBoundingClientRect().width) continue;
    const box = text.parentElement.querySelector(':scope > rect:not(.behind-it)');
    const [one, two] = [light(rgba(getComputedStyle(text).fill)), light(rgba(getComputedStyle(box).fill))];
    const ratio = (Math.max(one, two) + .05) / (Math.min(one, two) + .05);
    if (ratio < 4.5) found.push(text.textContent + ' ' + ratio.toFixed(2));
  }
  return found;
})()
""".replace("__HELPERS__", _COLOURS)
