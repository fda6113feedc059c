"""Deploys when the bundle's lock is free: waits for its holder with a limit, and says who that is and since when."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from bundleflow.adapters.databricks_cli import CliResult, DatabricksCli
from bundleflow.records.errors import BundleflowError, FailureReason

LIMIT_S = 600.0
PAUSE_S = 15.0

# `deploy lock acquired by USER at 2026-01-02 03:04:05.6 +0000 UTC. ...` (message of the Databricks CLI)
_HOLDER = re.compile(r"deploy lock (?:force )?acquired by (\S+) at (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.\d+)? \+0000")


@dataclass(frozen=True)
class LockHolder:
    """Who holds the lock since when (UTC); None where the message does not say."""

    user: str = ""
    since: datetime | None = None

    def words(self, now: datetime) -> str:
        """`USER, since TIME (12 min)`."""
        if self.since is None:
            return self.user or "somebody"
        minutes = max(0, int((now - self.since).total_seconds() // 60))
        return f"{self.user}, since {self.since:%Y-%m-%d %H:%M:%S} UTC ({minutes} min)"


def lock_holder(message: str) -> LockHolder:
    """Read the holder from the CLI's message."""
    found = _HOLDER.search(message)
    return LockHolder(found[1], datetime.strptime(found[2], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)) if found else LockHolder()


def deploy_when_free(
    cli: DatabricksCli,
    *,
    tell: Callable[[str], None],
    force: bool = False,
    limit_s: float = LIMIT_S,
    pause_s: float = PAUSE_S,
    sleep: Callable[[float], None] = time.sleep,
) -> CliResult:
    """Deploy; while somebody else holds the lock, try again.

    Args:
        cli: The CLI for the bundle and target.
        tell: Says who is waited for.
        force: Take the lock away from whoever holds it, without waiting.
        limit_s: Seconds to wait at most.
        pause_s: Seconds between two tries.
        sleep: Waits.

    Raises:
        BundleflowError: `locked` with holder and age when the limit is over; or why the deployment failed.
    """
    waited = 0.0
    while True:
        try:
            return cli.deploy(force_lock=force)
        except BundleflowError as error:
            if error.reason is not FailureReason.LOCKED or force:
                raise
            words = lock_holder(error.details).words(datetime.now(UTC))
            if waited + pause_s > limit_s:
                raise _locked(error, words, waited) from error
        tell(f"the bundle's lock is held by {words}; trying again in {pause_s:.0f} s (waited {waited:.0f} of {limit_s:.0f} s)")
        sleep(pause_s)
        waited += pause_s


def _locked(error: BundleflowError, words: str, waited: float) -> BundleflowError:
    return BundleflowError(
        f"The bundle's lock is held by {words}; waited {waited:.0f} s for it.",
        fix="Wait for that deployment and run the job again. If it is dead (a killed runner leaves its lock behind), start the workflow "
        "by hand with the input `force-lock` switched on: its plan says so and is approved like any other.",
        reason=FailureReason.LOCKED,
        details=error.details,
    )
