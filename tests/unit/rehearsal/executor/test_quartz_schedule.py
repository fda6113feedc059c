"""Quartz schedules: weekdays counted from Sunday, `?`, time zones, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from rehearsal.workspace.jobs.schedule import ScheduleError, check_schedule, next_time, translate

MONDAY = datetime(2026, 11, 16, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0 0 2 * * ?", "2026-11-16T02:00:00+00:00"),
        ("0 0/15 8-17 ? * MON-FRI", "2026-11-16T08:00:00+00:00"),
        ("0 0 6 ? * 2", "2026-11-16T06:00:00+00:00"),  # Quartz: 2 is Monday
        ("0 0 6 ? * 1", "2026-11-22T06:00:00+00:00"),
        ("0 0 6 ? * 7", "2026-11-21T06:00:00+00:00"),
        ("0 0 6 ? * 2-4", "2026-11-16T06:00:00+00:00"),
        ("0 0 6 ? * 2#1", "2026-12-07T06:00:00+00:00"),
        ("0 0 6 L * ?", "2026-11-30T06:00:00+00:00"),
        ("30 5 6 1 1 ? 2028", "2028-01-01T06:05:30+00:00"),
    ],
)
def test_the_next_time(expression: str, expected: str) -> None:
    assert next_time(expression, "UTC", MONDAY).isoformat() == expected


def test_a_time_zone_counts() -> None:
    assert next_time("0 0 2 * * ?", "Europe/Brussels", MONDAY).astimezone(UTC).isoformat() == "2026-11-16T01:00:00+00:00"


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("0 0 2 * *", "has 5 fields"),
        ("0 0 2 * * *", "exactly one"),
        ("0 0 2 ? * ?", "exactly one"),
        ("0 0 2 ? * 8", "between 1"),
        ("0 0 2 ? * 6L", "not imitated"),
        ("0 0 2 LW * ?", "not imitated"),
        ("0 0 99 * * ?", "not valid"),
    ],
)
def test_what_is_no_quartz_or_not_imitated_is_refused(expression: str, words: str) -> None:
    with pytest.raises(ScheduleError, match=words):
        check_schedule({"quartz_cron_expression": expression, "timezone_id": "UTC"})


def test_an_unknown_time_zone_is_refused() -> None:
    with pytest.raises(ScheduleError, match="Mars/Base"):
        check_schedule({"quartz_cron_expression": "0 0 2 * * ?", "timezone_id": "Mars/Base"})


def test_numbers_of_weekdays_become_names() -> None:
    assert translate("0 0 6 ? * 1,3-5/2") == "0 0 6 * * SUN,TUE-THU/2"
