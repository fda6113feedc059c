"""What an answer must be, and waiting for the bundle's lock."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bundleflow.adapters.databricks_cli import CliResult, DatabricksCli
from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from bundleflow.records.release_rules import Expectation, SmokeCheck, smoke_check
from bundleflow.releases.lock_wait import LockHolder, deploy_when_free, lock_holder
from bundleflow.releases.smoke import SmokeResult, run_checks, unmet


@pytest.mark.parametrize(
    ("expect", "answer", "problem"),
    [
        (Expectation(), None, ""),
        (Expectation(contains="setosa"), {"predictions": ["setosa"]}, ""),
        (Expectation(contains="setosa"), "virginica", "does not contain `setosa`"),
        (Expectation(equals="ok"), "ok", ""),
        (Expectation(equals="ok"), "not ok", "is not `ok`"),
        (Expectation(equals=3), "3.0", ""),
        (Expectation(equals=3), "4", "is not 3"),
        (Expectation(at_least=1, at_most=2), "1.5", ""),
        (Expectation(at_least=1), 0, "less than 1"),
        (Expectation(at_most=1), 2, "more than 1"),
        (Expectation(at_least=1), "nan", "not a number"),
        (Expectation(at_least=0), None, "not a number"),
        (Expectation(at_least=0), True, "not a number"),
    ],
)
def test_what_an_answer_lacks(expect: Expectation, answer: Any, problem: str) -> None:
    found = unmet(expect, answer)
    assert problem in found
    assert bool(found) == bool(problem)


@pytest.mark.parametrize(
    ("reason", "given"),
    [(FailureReason.RUN_FAILED, FailureReason.SMOKE_FAILED), (FailureReason.OUTSIDE_TROUBLE, FailureReason.OUTSIDE_TROUBLE)],
)
def test_the_first_failed_check_stops_and_trouble_outside_keeps_its_reason(reason: FailureReason, given: FailureReason) -> None:
    checks = [smoke_check({"endpoint": name, "request": {"x": 1}}) for name in ("a", "b", "c")]
    asked: list[str] = []
    seen: list[SmokeResult] = []

    def ask(check: SmokeCheck) -> str:
        asked.append(check.subject)
        if check.subject == "b":
            raise BundleflowError("gone", reason=reason)
        return "fine"

    with pytest.raises(BundleflowError) as caught:
        run_checks(checks, ask, seen.append)
    assert caught.value.reason is given
    assert asked == ["a", "b"]
    assert [result.problem for result in seen] == ["", "gone"]


MESSAGE = "Failed to acquire deployment lock: deploy lock {}acquired by dev@example.com at 2026-01-02 03:04:05.678 +0000 UTC."


@pytest.mark.parametrize("forced", ["", "force "])
def test_holder_and_age_are_read_from_the_message(forced: str) -> None:
    holder = lock_holder(MESSAGE.format(forced))
    assert holder == LockHolder("dev@example.com", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert holder.words(datetime(2026, 1, 2, 3, 16, 6, tzinfo=UTC)) == "dev@example.com, since 2026-01-02 03:04:05 UTC (12 min)"
    assert lock_holder("something else").words(datetime.now(UTC)) == "somebody"


class Cli(DatabricksCli):
    """A CLI whose deployments fail as long as there are reasons left."""

    def __init__(self, *reasons: FailureReason) -> None:
        super().__init__(Path())
        self.reasons = list(reasons)
        self.forced: list[bool] = []

    def deploy(self, *, force_lock: bool = False) -> CliResult:
        self.forced.append(force_lock)
        if self.reasons:
            raise BundleflowError("no", reason=self.reasons.pop(0), details=MESSAGE.format(""))
        return CliResult(("bundle", "deploy"), ExitCode.OK, "", "", 0.0)


def wait_for(cli: Cli, limit_s: float = 60, *, force: bool = False) -> tuple[list[str], list[float]]:
    told: list[str] = []
    slept: list[float] = []
    deploy_when_free(cli, tell=told.append, force=force, limit_s=limit_s, pause_s=15, sleep=slept.append)
    return told, slept


def test_a_held_lock_is_waited_for() -> None:
    told, slept = wait_for(Cli(FailureReason.LOCKED, FailureReason.LOCKED))
    assert slept == [15, 15]
    assert "dev@example.com, since 2026-01-02" in told[0]
    assert "waited 15 of 60 s" in told[1]


def test_the_wait_has_a_limit() -> None:
    cli = Cli(*[FailureReason.LOCKED] * 9)
    with pytest.raises(BundleflowError, match=r"held by dev@example\.com, since .* waited 30 s") as caught:
        wait_for(cli, 44)
    assert caught.value.reason is FailureReason.LOCKED
    assert "force-lock" in caught.value.fix
    assert len(cli.forced) == 3


def test_other_failures_are_not_waited_for_and_force_does_not_wait() -> None:
    for cli, force in ((Cli(FailureReason.DEPLOY_FAILED), False), (Cli(FailureReason.LOCKED), True)):
        with pytest.raises(BundleflowError, match="no"):
            wait_for(cli, force=force)
        assert cli.forced == [force]
