"""How a run is followed: how often it is looked at, for how long, and which results are good enough."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from bundleflow.records.errors import BundleflowError, ExitCode

POLL_SECONDS = 1.0
"""The least time between two calls about one run: at most one call per second and run."""
POLL_SECONDS_MAX = 10.0
TIME_LIMIT_SECONDS = 5.5 * 3600
"""A hosted job ends after six hours; a run that lasts longer is left alone before that and followed again later."""
TROUBLE_SECONDS = 900.0
"""How long a run is followed that cannot be read; it goes on meanwhile, so giving up early would only lose it."""
RESULTS = (
    "CANCELED", "DISABLED", "EXCLUDED", "FAILED", "MAXIMUM_CONCURRENT_RUNS_REACHED", "SUCCESS", "SUCCESS_WITH_FAILURES", "TIMEDOUT",
    "UPSTREAM_CANCELED", "UPSTREAM_FAILED",
)  # fmt: skip
"""Results of the Jobs API 2.2 (`RunResultState`)."""
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True)
class FollowOptions:
    """How a run is followed.

    Args:
        poll_s: Seconds between two calls about one run at least; the pause between two looks grows to `poll_max_s` while nothing changes.
        poll_max_s: Seconds between two looks at most.
        time_limit_s: Seconds until the run is left alone (it goes on).
        accept: Results other than SUCCESS that count as success, such as `SUCCESS_WITH_FAILURES`.
        trouble_s: Seconds without a readable answer until following ends.
    """

    poll_s: float = POLL_SECONDS
    poll_max_s: float = POLL_SECONDS_MAX
    time_limit_s: float = TIME_LIMIT_SECONDS
    accept: frozenset[str] = frozenset()
    trouble_s: float = TROUBLE_SECONDS

    def after(self, spent_s: float) -> FollowOptions:
        """Give the options for a run that begins `spent_s` seconds into the time limit; it is looked at once at least."""
        return replace(self, time_limit_s=max(self.poll_s, self.time_limit_s - spent_s))

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ, *, accept: Iterable[str] = (), detach_after: str = "") -> FollowOptions:
        """Options by BUNDLEFLOW_POLL_SECONDS, BUNDLEFLOW_DETACH_AFTER and BUNDLEFLOW_ALLOW_RESULTS.

        Args:
            env: Environment variables.
            accept: Results that count as success beside SUCCESS and those of the variable.
            detach_after: A length of time such as `90m`; goes before the variable's.

        Raises:
            BundleflowError: One of them is not what it should be.
        """
        poll = duration_s(env.get("BUNDLEFLOW_POLL_SECONDS") or str(POLL_SECONDS), "BUNDLEFLOW_POLL_SECONDS")
        given = detach_after or env.get("BUNDLEFLOW_DETACH_AFTER", "")
        name = "--detach-after" if detach_after else "BUNDLEFLOW_DETACH_AFTER"
        limit = duration_s(given, name) if given else TIME_LIMIT_SECONDS
        allowed = [*accept, *env.get("BUNDLEFLOW_ALLOW_RESULTS", "").replace(",", " ").split()]
        return cls(poll, max(poll, min(POLL_SECONDS_MAX, poll * 10)), limit, frozenset(_result(each) for each in allowed))


def duration_s(text: str, name: str) -> float:
    """A length of time in seconds.

    Args:
        text: A number of seconds, or numbers with units: `90`, `90s`, `5h30m`.
        name: Option or variable that it comes from, for the message.

    Raises:
        BundleflowError: It is no length of time, or not positive.
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)([dhms]?)", text)
    value = sum(float(number) * _UNITS[unit] for number, unit in parts)
    units = [unit for _, unit in parts]
    if "".join(number + unit for number, unit in parts) != text or value <= 0 or len(set(units)) != len(units):
        raise BundleflowError(
            f"{name} is `{text}`, which is not a positive length of time.",
            fix=f"Give {name} seconds, or numbers with units, such as 1, 90s, 45m or 5h30m.",
            exit_code=ExitCode.USAGE,
        )
    return value


def _result(text: str) -> str:
    name = text.upper()
    if name not in RESULTS:
        from difflib import get_close_matches

        close = get_close_matches(name, RESULTS, n=1)
        raise BundleflowError(
            f"`{text}` is not a result of a run, so it cannot be allowed.",
            fix=f"Did you mean `{close[0]}`?" if close else f"The results are {', '.join(RESULTS)}.",
            exit_code=ExitCode.USAGE,
        )
    return name
