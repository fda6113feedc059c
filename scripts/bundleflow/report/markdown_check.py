"""The pull request's check as Markdown: a section for each target, one line for all of them when nothing would change."""

from __future__ import annotations

from collections.abc import Sequence

from bundleflow.records.target_check import TargetCheck
from bundleflow.report.errors import error_markdown
from bundleflow.report.markdown import code, escape
from bundleflow.report.markdown_plan import Hide, PlanSection, plan_markdown
from bundleflow.report.markdown_policy import policy_markdown


def check_markdown(head: str, checks: Sequence[TargetCheck], tail: str, *, hide: Hide, limit: int, pointer: str) -> str:
    """Render the check of one bundle.

    Args:
        head: Title, Markdown already.
        checks: The targets, in the flow file's order.
        tail: Last line, Markdown already.
        hide: Masks secrets in values.
        limit: Characters the text may have; every target gets the same share of them.
        pointer: Where the whole plans are; Markdown.
    """
    if checks and all(each.clean for each in checks):
        names = ", ".join(code(each.target, 100) for each in checks)
        return "\n\n".join([head, f"**No changes** in any target ({names}).", tail])
    share = (limit - len(head) - len(tail) - 10) // max(len(checks), 1)
    return "\n\n".join([head, *(_section(each, share - 10, hide, pointer) for each in checks), tail])


def _section(check: TargetCheck, limit: int, hide: Hide, pointer: str) -> str:
    problem = "\n\n".join(error_markdown(each) for each in check.errors)
    if len(problem) > limit // 2:
        shown = check.errors[:10]
        room = max(40, min(1000, limit // (16 * len(shown))))
        problem = "\n\n".join(f"### ❌ {escape(each.cause, room)}\n\nFailure reason: `{each.reason}`" for each in shown)
    policy = policy_markdown(check.verdict)
    if len(policy) > limit // 4:
        policy = ""
    below = "\n\n".join(part for part in (policy, problem) if part)
    if check.plan is None:
        return f"### Target {escape(check.target, 200)}\n\n{below}"
    title = f"target {check.target} ({', '.join(check.stages)})"
    section = PlanSection.of(title, check.plan, check.configuration)
    text = plan_markdown(section, hide=hide, limit=limit - len(below) - 2, pointer=pointer)
    return f"{text}\n\n{below}" if below else text
