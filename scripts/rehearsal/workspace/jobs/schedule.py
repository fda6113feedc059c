"""Quartz cron schedules: checked, translated for croniter, and asked for their next time.

Quartz counts weekdays 1-7 from Sunday where cron counts 0-6, so a number is silently off by one without translation
(https://www.quartz-scheduler.org/documentation/quartz-2.3.0/tutorials/crontrigger.html).
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
FIELDS = ("seconds", "minutes", "hours", "day of month", "month", "day of week", "year")


class ScheduleError(ValueError):
    """A schedule that cannot be; the message names the expression, the field and the fix."""


def translate(expression: str) -> str:
    """Return a Quartz expression in the form croniter reads (seconds first, weekdays by name).

    Args:
        expression: Six or seven fields, with `?` in exactly one of day of month and day of week.

    Raises:
        ScheduleError: the expression is not Quartz, or uses `LW` or `nL`, which are not imitated.
    """
    fields = expression.split()
    if len(fields) not in (6, 7):
        raise ScheduleError(
            f"quartz_cron_expression {expression!r} has {len(fields)} fields; Quartz has six or seven: {', '.join(FIELDS)} (optional)."
        )
    day, weekday = fields[3], fields[5]
    if (day == "?") == (weekday == "?"):
        raise ScheduleError(
            f"quartz_cron_expression {expression!r}: exactly one of day of month (4th field) and day of week (6th field) must be '?'."
        )
    if "LW" in day.upper() or day.upper().startswith("L-"):
        raise ScheduleError(f"quartz_cron_expression {expression!r}: day of month {day} is not imitated; a real workspace knows it.")
    if re.fullmatch(r"\d+L|[A-Z]{3}L", weekday.upper()):
        raise ScheduleError(f"quartz_cron_expression {expression!r}: day of week {weekday} (last of the month) is not imitated.")
    fields[3] = "*" if day == "?" else day
    fields[5] = "*" if weekday == "?" else _weekday(weekday, expression)
    return " ".join(fields)


def _weekday(field: str, expression: str) -> str:
    parts = []
    for part in field.upper().split(","):
        body, slash, step = part.partition("/")
        days, hash_sign, which = body.partition("#")
        named = re.sub(r"\d+", lambda match: _day_name(match.group(), expression), days)
        if slash and re.fullmatch(r"[A-Z]{3}", named):
            named = f"{named}-SAT"  # Quartz: from this day to the end of the week
        parts.append(named + hash_sign + which + slash + step)
    return ",".join(parts)


def _day_name(number: str, expression: str) -> str:
    if not 1 <= int(number) <= 7:
        raise ScheduleError(f"quartz_cron_expression {expression!r}: day of week {number} is not between 1 (Sunday) and 7 (Saturday).")
    return WEEKDAYS[int(number) - 1]


def check_schedule(schedule: dict[str, Any]) -> None:
    """Refuse a job's `schedule` that Databricks refuses.

    Raises:
        ScheduleError: the expression or the time zone cannot be.
    """
    expression = translate(str(schedule.get("quartz_cron_expression", "")))
    _zone(str(schedule.get("timezone_id", "")))
    from croniter import croniter

    if not croniter.is_valid(expression, second_at_beginning=True):
        raise ScheduleError(f"quartz_cron_expression {schedule.get('quartz_cron_expression')!r} is not valid.")


def next_time(expression: str, timezone: str, after: datetime) -> datetime:
    """Return the first moment after `after` at which a schedule fires, in its time zone.

    Where clocks are set back, a time within the doubled hour fires twice (as croniter does; Quartz fires once).

    Args:
        expression: Quartz cron expression.
        timezone: Name such as `Europe/Brussels`.
        after: A moment with a time zone.

    Raises:
        ScheduleError: the expression or the time zone cannot be, or it never fires again.
    """
    from croniter import CroniterBadDateError, croniter

    zone = _zone(timezone)
    try:
        moment: datetime = croniter(translate(expression), after.astimezone(zone), second_at_beginning=True).get_next(datetime)
    except CroniterBadDateError as error:
        raise ScheduleError(f"quartz_cron_expression {expression!r} never fires after {after.isoformat()}.") from error
    return moment


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ScheduleError(f"timezone_id {name!r} is not a known time zone; write a name such as 'Europe/Brussels' or 'UTC'.") from error
