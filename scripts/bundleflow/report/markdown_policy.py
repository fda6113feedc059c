"""The verdict of policy as a Markdown table."""

from __future__ import annotations

from bundleflow.records.policy import PolicyVerdict
from bundleflow.report.markdown import code, escape, table

_WORDS = {"denied": "❌ denied", "allowed": "✅ allowed", "note": "note"}
FINDINGS_SHOWN = 50


def policy_markdown(verdict: PolicyVerdict) -> str:
    """A verdict's findings, those that deny first; empty when there is nothing to say."""
    if not verdict.findings:
        return ""
    rows = [
        [_WORDS[each.outcome], code(each.rule), code(each.resource, 200) if each.resource else "", escape(each.text, 500)]
        for each in verdict.findings[:FINDINGS_SHOWN]
    ]
    lines = ["**Policy: " + ("denied" if verdict.denied else "passed") + "**", "", *table(["verdict", "rule", "resource", "what"], rows)]
    if len(verdict.findings) > FINDINGS_SHOWN:
        lines += ["", f"_… and {len(verdict.findings) - FINDINGS_SHOWN} more findings._"]
    return "\n".join(lines)
