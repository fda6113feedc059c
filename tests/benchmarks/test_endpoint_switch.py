"""What callers notice while an endpoint goes to another version and back: the local gateway's figure, at 50 requests a second.

Printed with its number of requests: `pytest -s tests/benchmarks/test_endpoint_switch.py`. A real endpoint is not measured by it.
"""

from __future__ import annotations

import itertools
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from bundleflow_models.promotion import Approval, Pace, PromotionRequest, RollbackRequest, open_workspace, promote, rollback

sys.path.insert(0, str(Path(__file__).parents[1] / "contract"))
from local_workspace import LocalWorkspace, clear_environment
from models_support import CATALOG, ROWS, SCHEMA, judge, mlflow_on, register

MODEL, ENDPOINT = f"{CATALOG}.{SCHEMA}.classifier", "classifier-main"
PER_SECOND = 50
CALLERS = 10
AT_LEAST = 250
PACE = Pace(poll_s=0.2, update_limit_s=120.0)


@dataclass
class Callers:
    """Ten callers, each of whom asks five times a second, whether the answer before came early or late."""

    url: str
    answers: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)
    over: threading.Event = field(default_factory=threading.Event)

    def ask(self, number: int) -> None:
        with httpx.Client(base_url=self.url, headers={"Authorization": "Bearer any-token"}, timeout=60.0, trust_env=False) as client:
            begun = time.monotonic() + number / PER_SECOND
            for turn in itertools.count():
                if self.over.wait(max(0.0, begun + turn * CALLERS / PER_SECOND - time.monotonic())):
                    return
                answer = self._answer(client)
                with self.lock:
                    self.answers[answer] += 1

    def wait(self, enough: Callable[[], bool]) -> None:
        """Let the callers go on until they have had enough answers, a minute at most."""
        until = time.monotonic() + 60
        while not enough() and time.monotonic() < until:
            time.sleep(0.1)

    def _answer(self, client: httpx.Client) -> str:
        try:
            found = client.post(f"/serving-endpoints/{ENDPOINT}/invocations", json=ROWS)
            return f"version {found.json()['predictions'][0]}" if found.status_code == 200 else f"{found.status_code}: {found.text[:200]}"
        except (httpx.HTTPError, ValueError, LookupError) as error:
            return f"{type(error).__name__}: {error}"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalWorkspace]:
    with pytest.MonkeyPatch.context() as patch:
        clear_environment(patch)
        with LocalWorkspace(tmp_path_factory.mktemp("switch")) as server:
            yield server


def test_no_request_is_lost_while_the_endpoint_is_switched(
    workspace: LocalWorkspace, record_property: Callable[[str, object], None]
) -> None:
    workspace.client().schemas.create(SCHEMA, CATALOG)
    place = open_workspace(workspace.client())
    callers = Callers(workspace.url)
    threads = [threading.Thread(target=callers.ask, args=(number,), daemon=True) for number in range(CALLERS)]

    def make_champion(number: int, digest: str) -> None:
        promote(place, PromotionRequest(MODEL, number, Approval("reviewer", "github", digest), ENDPOINT, "a test", PACE), tell=str)

    with mlflow_on(workspace) as client:
        assert [register(MODEL, answer) for answer in (1, 2)] == [1, 2]
        make_champion(1, judge(client, MODEL, 1, 1, champion=None))
        second = judge(client, MODEL, 2, 2, champion=1)
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    try:
        make_champion(2, second)
        callers.wait(lambda: callers.answers["version 2"] >= PER_SECOND)
        rollback(place, RollbackRequest(MODEL, ENDPOINT, "a test", pace=PACE), tell=str)
        callers.wait(lambda: callers.answers.total() >= AT_LEAST)
    finally:
        took = time.monotonic() - begun
        callers.over.set()
        for thread in threads:
            thread.join(timeout=60)
    asked, failed = callers.answers.total(), sum(count for answer, count in callers.answers.items() if not answer.startswith("version "))
    line = f"{failed} failed of {asked} requests in {took:.1f} s ({asked / took:.0f} a second); {dict(callers.answers)}"
    print(f"endpoint switched there and back, local gateway: {line}")
    record_property("endpoint switched there and back, local gateway", line)
    assert failed == 0, callers.answers
    assert asked >= AT_LEAST
    assert set(callers.answers) == {"version 1", "version 2"}
