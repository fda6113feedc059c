"""A verdict as a record: what was asked, every number and check, and the digest by which an approval names it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Literal, Self, TypeVar

T = TypeVar("T")

ARTIFACT_FOLDER = "bundleflow"
VERDICT_FILE = "verdict.json"
VERDICT_ARTIFACT = f"{ARTIFACT_FOLDER}/{VERDICT_FILE}"
PROBE_FILE = f"{ARTIFACT_FOLDER}/probe.json"

TAG_RESULT = "bundleflow_verdict"
TAG_SHA256 = "bundleflow_verdict_sha256"
TAG_CHAMPION = "bundleflow_verdict_champion"
TAG_RUN = "bundleflow_verdict_run"
TAG_HOLDOUT = "bundleflow_holdout_sha256"
VERDICT_TAGS = (TAG_RESULT, TAG_SHA256, TAG_CHAMPION, TAG_RUN, TAG_HOLDOUT)
"""Tags of a judged version (Unity Catalog allows none of `. , - = / :` in a tag's key). A copy of a version must not keep them."""

TAG_MODEL_CHAMPION = "bundleflow_champion"
"""Tag of the registered model: number of the version that was last made champion, so that a champion that vanished is seen."""

NO_CHAMPION = "none"
"""Value of `TAG_CHAMPION` and of a verdict's champion when there was none to compare with."""

UNKNOWN_CHAMPION = "unknown"
"""The same, where it could not be told which version is champion."""


class Result(StrEnum):
    """What a verdict says."""

    PASSED = "passed"
    REFUSED = "refused"
    UNDECIDED = "undecided"

    @property
    def exit_code(self) -> int:
        """What a command ends with."""
        return {Result.PASSED: 0, Result.REFUSED: 1, Result.UNDECIDED: 3}[self]


CheckState = Literal["passed", "failed", "noted", "undecided"]
"""`noted`: not asked for by the gate, or not needed, and said so."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Args:
        code: Stable word: why the version is refused or nothing was decided, when it is; else what was looked at.
        state: How it came out.
        text: One sentence.
        fix: What to do when it failed.
    """

    code: str
    state: CheckState
    text: str
    fix: str = ""


@dataclass(frozen=True)
class Interval:
    """A difference on the same rows, turned so that above 0 is better.

    Args:
        metric: Of which metric, in its units.
        difference: Challenger less the other one; the other way round where less is better.
        low: Lower end of the interval.
        high: Upper end of the interval.
        confidence: Of the two-sided interval, 0 to 1.
        against: `champion`, or the naive answer.
        bound: The lower end must be above it.
    """

    metric: str
    difference: float
    low: float
    high: float
    confidence: float
    against: str
    bound: float = 0.0

    @property
    def above(self) -> bool:
        """Whether the whole interval lies above its bound."""
        return self.low > self.bound


@dataclass(frozen=True)
class MetricLine:
    """One metric of the whole hold-out; None where there is no such value."""

    name: str
    higher_is_better: bool
    challenger: float | None
    champion: float | None = None
    floor: float | None = None


@dataclass(frozen=True)
class SliceLine:
    """The primary metric on the rows with one value of one column; None where it cannot be computed."""

    column: str
    value: str
    rows: int
    challenger: float | None
    champion: float | None = None


@dataclass(frozen=True)
class Confusion:
    """How often each class (row) was taken for each class (column): `counts[i][j]`, rows of the hold-out."""

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Verdict:
    """What the gate says about one version.

    Args:
        result: Passed, refused or undecided.
        model: Full name of the registered model; empty when only predictions were judged.
        version: The challenger's version; empty like the model.
        champion: Version compared with (without numbers: to be compared with), `none`, or `unknown`.
        gate_sha256: Digest of the gate file's content.
        holdout_sha256: Digest of the hold-out's rows, in any order; empty when there were none.
        holdout_rows: How many rows.
        holdout_source: Where they came from, in words.
        primary: Metric of the comparisons.
        rule: `superior` or `non-inferior`.
        checks: Everything that was looked at, in order.
        metrics: Each metric on the whole hold-out.
        intervals: Differences to the naive answers and to the champion.
        slices: Metrics by slice.
        confusion: For classification of at most 20 classes.
        training_run: Id of the MLflow run that made the version.
        run: Id of the MLflow run that holds the verdict; empty when it was not written.
        created: When, UTC, ISO 8601.
        software: Versions of what computed it, by package.
    """

    result: Result
    primary: str
    rule: str
    gate_sha256: str
    model: str = ""
    version: str = ""
    champion: str = NO_CHAMPION
    holdout_sha256: str = ""
    holdout_rows: int = 0
    holdout_source: str = ""
    checks: tuple[Check, ...] = ()
    metrics: tuple[MetricLine, ...] = ()
    intervals: tuple[Interval, ...] = ()
    slices: tuple[SliceLine, ...] = ()
    confusion: Confusion | None = None
    training_run: str = ""
    run: str = ""
    created: str = ""
    software: Mapping[str, str] = field(default_factory=dict)
    format: int = 1

    @property
    def codes(self) -> tuple[str, ...]:
        """Why it is refused or undecided: codes of the checks that were not passed."""
        return tuple(check.code for check in self.checks if check.state in ("failed", "undecided"))

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that were not passed."""
        return tuple(check for check in self.checks if check.state in ("failed", "undecided"))

    @property
    def sha256(self) -> str:
        """Digest of the canonical JSON: by it an approval names the verdict."""
        return hashlib.sha256(self.canonical_json().encode()).hexdigest()

    def as_dict(self) -> dict[str, Any]:
        """The verdict as plain values."""
        return {**asdict(self), "result": str(self.result)}

    def canonical_json(self) -> str:
        """The one text of this verdict: sorted keys, no blanks, no NaN."""
        return json.dumps(self.as_dict(), sort_keys=True, separators=(",", ":"), allow_nan=False)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The verdict that an artifact holds.

        Raises:
            ValueError: It is not a verdict of a format that this version knows.
        """
        if data.get("format") != 1:
            raise ValueError(f"verdict of format {data.get('format')!r}; this version reads format 1")
        try:
            confusion = data["confusion"]
            return cls(
                **{
                    **data,
                    "result": Result(data["result"]),
                    "checks": _each(Check, data["checks"]),
                    "metrics": _each(MetricLine, data["metrics"]),
                    "intervals": _each(Interval, data["intervals"]),
                    "slices": _each(SliceLine, data["slices"]),
                    "confusion": confusion and Confusion(tuple(confusion["labels"]), tuple(tuple(row) for row in confusion["counts"])),
                }
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a verdict: {error}") from error

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The verdict that an artifact's text holds.

        Raises:
            ValueError: It is not JSON, or not a verdict.
        """
        data = json.loads(text)
        if not isinstance(data, dict):
            raise ValueError("not a verdict: it is not a mapping")
        return cls.from_dict(data)


def _each(kind: type[T], values: Sequence[Mapping[str, Any]]) -> tuple[T, ...]:
    return tuple(kind(**value) for value in values)
