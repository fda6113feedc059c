"""Models as Markdown for a job summary: what could be promoted, and what a promotion or rollback has come to."""

from __future__ import annotations

from collections.abc import Sequence

from bundleflow.report.markdown import code, escape, link, table
from bundleflow_models.promotion.records import Promotion

CELL = 300


def candidates_markdown(rows: Sequence[tuple[str, int, int | None, str, str, str]]) -> str:
    """What could be promoted.

    Args:
        rows: For each model: full name, version (0: none), champion, digest of the verdict, state, why.
    """
    marks = {"ready": "✅ ready", "champion": "is champion", "none": "no challenger"}
    lines = table(
        ("model", "candidate", "champion", "verdict", "state"),
        [
            (
                code(name, CELL),
                f"version {version}" if version else "none",
                f"version {champion}" if champion is not None else "none",
                code(digest[:12]) if digest else "none",
                escape(why, CELL) if state == "none" and version else marks.get(state) or f"❌ {code(state)}: {escape(why, CELL)}",
            )
            for name, version, champion, digest, state, why in rows
        ],
    )
    return "### Models\n\n" + "\n".join(lines)


def promotion_markdown(done: Promotion, *, title: str) -> str:
    """What a promotion or a rollback has come to.

    Args:
        done: The result; every text in it is taken as untrusted.
        title: `Promoted`, `Rolled back`, ...
    """
    champion, previous = (f"version {each}" if each is not None else "none" for each in (done.champion, done.previous))
    rows = [("champion", champion), ("before", previous)]
    if done.endpoint:
        rows.append(("endpoint", code(done.endpoint, CELL)))
    if done.verdict:
        rows.append(("verdict", code(done.verdict)))
    if done.approval is not None:
        rows.append(("approved by", _approval(done)))
    lines = table(("", ""), rows)
    notes = "".join(f"\n\n> [!NOTE]\n> {escape(note, 1000)}" for note in done.notes)
    return f"### {title}: {code(done.model, CELL)}\n\n" + "\n".join(lines) + notes


def _approval(done: Promotion) -> str:
    approval = done.approval
    assert approval is not None
    who = code(approval.by, CELL) if approval.by else "nobody was asked" if approval.where == "none" else "somebody in the workspace"
    where = f" ({link(approval.where, approval.link)})" if approval.link else ""
    return who + where
