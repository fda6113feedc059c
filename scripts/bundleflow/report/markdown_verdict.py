"""A verdict as Markdown for a job summary: result, checks, metrics, and pictures drawn in text (GitHub shows no SVG of a summary)."""

from __future__ import annotations

from bundleflow.report.markdown import block, code, escape, fit, fold, prose, table
from bundleflow_models.verdict.record import NO_CHAMPION, UNKNOWN_CHAMPION, Result, Verdict
from bundleflow_models.verdict.text import confusion_rows, interval_bars, number

MARKS = {"passed": "✅", "failed": "❌", "undecided": "❔", "noted": "💬"}
_TITLES = {Result.PASSED: "✅ Passed", Result.REFUSED: "❌ Refused", Result.UNDECIDED: "❔ Undecided"}
TEXT_LIMIT = 600


def verdict_markdown(verdict: Verdict, *, limit: int) -> str:
    """The verdict for people who decide about it.

    Args:
        verdict: The verdict; every name and text in it is taken as untrusted.
        limit: Characters that the whole may have.
    """
    parts = [_checks(verdict)]
    if verdict.metrics:
        parts.append(_metrics(verdict))
    if verdict.intervals:
        parts.append(_intervals(verdict))
    if verdict.confusion is not None:
        parts.append(fold("Confusion: right class by predicted class", block("\n".join(confusion_rows(verdict.confusion)))))
    if verdict.slices:
        parts.append(_slices(verdict))
    return fit(_head(verdict), parts, _foot(verdict), limit=limit, left_out="{count} parts are left out here.")


def _head(verdict: Verdict) -> str:
    name = f"{code(verdict.model, 200)} version {escape(verdict.version, 20)}" if verdict.model else "the challenger"
    rows = f"; {verdict.holdout_rows} hold-out rows ({escape(verdict.holdout_source, 200)})" if verdict.holdout_rows else ""
    return f"### Verdict: {_TITLES[verdict.result]}\n\n{name}; {_against(verdict)}{rows}."


def _against(verdict: Verdict) -> str:
    if verdict.champion == UNKNOWN_CHAMPION:
        return "not compared with a champion"
    if verdict.champion == NO_CHAMPION:
        return "there is no champion yet"
    return f"champion: version {escape(verdict.champion, 20)}" + ("" if verdict.metrics else ", not compared")


def _checks(verdict: Verdict) -> str:
    rows = []
    for check in verdict.checks:
        fix = f"<br>{prose(check.fix, TEXT_LIMIT)}" if check.fix and check.state in ("failed", "undecided") else ""
        rows.append((MARKS[check.state], code(check.code), prose(check.text, TEXT_LIMIT) + fix))
    return "\n".join(table(("", "check", "what was found"), rows))


def _metrics(verdict: Verdict) -> str:
    rows = []
    for line in verdict.metrics:
        name = f"{escape(line.name)} {'↑' if line.higher_is_better else '↓'}"
        rows.append((name, number(line.challenger), number(line.champion), number(line.floor)))
    return "\n".join(table(("metric", "challenger", "champion", "floor"), rows))


def _intervals(verdict: Verdict) -> str:
    what = f"Difference of {code(verdict.primary)}, right is better; the bar must lie right of `│` (0, or minus `eps`):"
    return f"{what}\n\n{block(chr(10).join(interval_bars(verdict.intervals)))}"


def _slices(verdict: Verdict) -> str:
    rows = [
        (f"{code(line.column, 60)} = {code(line.value, 80)}", str(line.rows), number(line.challenger), number(line.champion))
        for line in verdict.slices
    ]
    return fold(f"By slice: {escape(verdict.primary)}", "\n".join(table(("slice", "rows", "challenger", "champion"), rows)))


def _foot(verdict: Verdict) -> str:
    run = f", MLflow run {code(verdict.run)}" if verdict.run else ", not written down"
    digests = {"Verdict": verdict.sha256, "gate file": verdict.gate_sha256, "hold-out": verdict.holdout_sha256}
    named = ", ".join(f"{what} {code(digest[:12] or '-')}" for what, digest in digests.items())
    return f"{named}, {escape(verdict.created)}{run}."
