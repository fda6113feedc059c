"""A plan as Markdown: what is lost comes first, secrets stay hidden, a thousand resources fit GitHub's limits quickly."""

from __future__ import annotations

from pathlib import Path

import pytest

from bundleflow.records.plan import Action, FieldChange, Plan, PlanEntry
from bundleflow.releases.digest import hide_secrets
from bundleflow.releases.read_plan import read_plan_file
from bundleflow.report.markdown import COMMENT_LIMIT
from bundleflow.report.markdown_plan import PlanSection, plan_markdown
from bundleflow.report.terminal import plan_text

PLANS = Path(__file__).parents[2] / "data" / "plans"


def render(plan: Plan, limit: int = COMMENT_LIMIT, **more: str) -> str:
    return plan_markdown(PlanSection("prod", plan, **more), hide=hide_secrets, limit=limit, pointer="See the summary.")


def test_nothing_to_do_is_said_shortly() -> None:
    assert render(read_plan_file(PLANS / "nothing-to-do.json")) == "### Plan of prod\n\n**No changes.**"


def test_what_is_lost_is_said_first() -> None:
    entries = (
        PlanEntry("resources.jobs.a", Action.CREATE),
        PlanEntry("resources.schemas.z", Action.DELETE),
        PlanEntry("resources.jobs.b", Action.UPDATE, (FieldChange("name", Action.UPDATE, old="x", new="y", remote="x"),)),
    )
    text = render(Plan(2, "1.13.0", entries))
    lost, changed, made = "| 🛑 **delete** | `schemas.z` |", "| ✏️ change | `jobs.b` |", "create | `jobs.a` |"
    assert text.index("> [!CAUTION]") < text.index(lost) < text.index(changed) < text.index(made)
    assert "| configuration | `name`: `x` → `y` |" in text


def test_drift_is_told_from_configuration() -> None:
    text = render(read_plan_file(PLANS / "drift.json"))
    assert "| ↩ drift | `max_concurrent_runs`: `7` in the workspace → `1` ↩<br>" in text
    assert "behind the bundle's back" in text
    assert "↩" not in render(read_plan_file(PLANS / "one-field.json"))


def test_what_somebody_deleted_in_the_workspace_is_drift_and_not_new() -> None:
    plan = Plan(2, "1.13.0", (PlanEntry("resources.jobs.a", Action.CREATE), PlanEntry("resources.jobs.b", Action.CREATE)))
    section = PlanSection("prod", plan, deployed=frozenset({"jobs.a"}))
    text = plan_markdown(section, hide=hide_secrets, limit=COMMENT_LIMIT)
    assert "create | `jobs.a` | ↩ drift (deleted in the workspace) |" in text
    assert "create | `jobs.b` | configuration |" in text
    assert "back: 1 of the resources" in text


def test_a_resource_links_to_its_page_and_to_nothing_else() -> None:
    plan = Plan(2, "1.13.0", tuple(PlanEntry(f"resources.jobs.{name}", Action.DELETE) for name in "abc"))
    links = {"jobs.a": "https://example.com/jobs/1?w=2", "jobs.b": "javascript:alert(1)", "jobs.c": "https://x/|a"}
    text = plan_markdown(PlanSection("prod", plan, links=links), hide=hide_secrets, limit=COMMENT_LIMIT)
    assert "| [`jobs.a`](https://example.com/jobs/1?w=2) |" in text
    assert "javascript" not in text
    assert "| `jobs.c` |" in text


def test_what_differs_by_nature_is_not_shown() -> None:
    changes = (
        FieldChange("deployment.metadata_file_path", Action.UPDATE, old="/a", new="/b", remote="/a"),
        FieldChange("name", Action.UPDATE, old="x", new="y", remote="x"),
    )
    plan = Plan(2, "1.13.0", (PlanEntry("resources.jobs.j", Action.UPDATE, changes),))
    for text in (render(plan), plan_text(plan, "prod", hide=hide_secrets, colour=False)):
        assert "metadata_file_path" not in text
        assert "name" in text


@pytest.mark.parametrize("limit", [300, 500, 700, 1000, 2000, 5000])
def test_a_cut_never_breaks_the_table(limit: int) -> None:
    changes = tuple(FieldChange(f"a|b`{i}", Action.UPDATE, old="x\ny|z", new="</details>", remote="x\ny|z") for i in range(7))
    plan = Plan(2, "1.13.0", tuple(PlanEntry(f"resources.jobs.j{number}", Action.UPDATE, changes) for number in range(30)))
    text = render(plan, limit)
    assert len(text) <= limit
    rest = text.partition("| --- | --- | --- | --- |")[2]
    rows = [line for line in rest.splitlines() if line.startswith("|")]
    assert all(row.count("|") == 5 and row.endswith("</details> |") for row in rows)
    assert (30 - len(rows) == 0) or f"_{30 - len(rows)} more resources did not fit" in text


def test_secrets_do_not_reach_the_text() -> None:
    changes = (
        FieldChange("spark_env_vars.DB_PASSWORD", Action.UPDATE, old="hunter1", new="hunter2", remote="hunter1"),
        FieldChange("new_cluster", Action.UPDATE, old={"spark_env_vars": {"API_TOKEN": "hunter3"}}, new={}),
    )
    plan = Plan(2, "1.13.0", (PlanEntry("resources.jobs.j", Action.UPDATE, changes),))
    assert "hunter" not in render(plan)
    assert "hunter" not in plan_text(plan, "prod", hide=hide_secrets, colour=False)


def test_a_thousand_resources_fit_a_comment() -> None:
    changes = tuple(FieldChange(f"tasks[task_key='t{i}'].timeout_seconds", Action.UPDATE, old=i, new=i + 1, remote=i) for i in range(8))
    plan = Plan(2, "1.13.0", tuple(PlanEntry(f"resources.jobs.job_{number:04}", Action.UPDATE, changes) for number in range(1000)))
    text = render(plan)
    assert COMMENT_LIMIT - 2000 < len(text) <= COMMENT_LIMIT
    assert text.count("<details>") == text.count("</details>") > 50
    assert text.endswith("more resources did not fit here. See the summary._")


@pytest.mark.parametrize("name", sorted(path.stem for path in PLANS.glob("*.json")))
def test_the_terminal_shows_every_changed_resource(name: str) -> None:
    plan = read_plan_file(PLANS / f"{name}.json")
    text = plan_text(plan, "prod", hide=hide_secrets, colour=False)
    assert str(plan.summary) in text
    assert all(entry.short_key in text for entry in plan.changed)
    assert "\033" not in text
