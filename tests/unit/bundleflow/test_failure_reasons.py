"""The closed list of failure reasons: each is driven from its real cause by a test that is named here, and each has a page."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from bundleflow.records.errors import FailureReason

ROOT = Path(__file__).resolve().parents[3]
DRIVEN_BY = {
    FailureReason.VALIDATION_FAILED: "commands/test_kit_ci.py::test_strict_findings_fail_the_check_with_their_place",
    FailureReason.POLICY_DENIED: "commands/test_kit_ci.py::test_a_destructive_plan_is_shown_and_refused",
    FailureReason.PLAN_CHANGED: "commands/test_kit_deploy_stage.py::test_a_plan_that_changed_after_the_approval_stops_the_deployment",
    FailureReason.PLAN_DEPENDS_ON_IDENTITY: "commands/test_kit_deploy_stage.py::test_a_plan_that_depends_on_the_identity_is_refused",
    FailureReason.FLOW_INVALID: "kit/test_unit_tests.py::test_what_the_flow_file_names_must_exist",
    FailureReason.FLOW_MISMATCH: "commands/test_kit_deploy_stage.py::test_what_stops_it_before_any_login",
    FailureReason.NOT_ISOLATED: "commands/test_kit_ci.py::test_a_target_that_pull_requests_would_share_is_not_deployed",
    FailureReason.SUPERSEDED: "commands/test_kit_production.py::test_a_newer_commit_on_release_supersedes_the_one_that_waits",
    FailureReason.HELD: "commands/test_kit_production.py::test_a_failed_deployment_holds_further_releases_and_prints_the_way_back",
    FailureReason.NOT_APPROVED: "commands/test_kit_deploy_stage.py::test_nothing_is_deployed_that_nobody_approved",
    FailureReason.NO_EVIDENCE: "commands/test_kit_deploy_stage.py::test_a_release_without_evidence_is_not_even_planned",
    FailureReason.LOCKED: "commands/test_kit_with_stand_ins.py::test_a_held_lock_is_told_as_such",
    FailureReason.DEPLOY_FAILED: "commands/test_kit_deploy_stage.py::test_a_failed_deployment_is_recorded_as_such",
    FailureReason.CLEANUP_FAILED: "commands/test_kit_cleanup.py::test_a_state_that_names_somebody_elses_schema_is_not_followed",
    FailureReason.RUN_FAILED: "contract/test_run_engine.py::test_a_failed_run_fails_with_its_outputs_and_the_trace",
    FailureReason.RUN_TIMEOUT: "contract/test_run_engine.py::test_a_run_is_left_alone_after_the_time_given_and_followed_again",
    FailureReason.RUN_CANCELED: "contract/test_run_engine_stops.py::test_a_stopped_start_cancels_its_run",
    FailureReason.TESTS_FAILED: "kit/test_unit_tests.py::test_failing_test_is_annotated_where_it_fails",
    FailureReason.LINT_FAILED: "kit/test_lint.py::test_findings_are_told_everywhere",
    FailureReason.DOCTOR_FAILED: "kit/doctor/test_doctor_command.py::test_findings_are_told_everywhere",
    FailureReason.SMOKE_FAILED: "commands/test_kit_production.py::test_a_smoke_check_that_fails_fails_the_stage_after_the_deployment",
    FailureReason.NO_VERDICT: "unit/models/promotion/test_promotion.py::test_a_changed_or_lost_verdict_is_none",
    FailureReason.CHAMPION_CHANGED: "unit/models/promotion/test_promotion.py::test_a_writer_without_the_lock_is_found_and_left_alone",
    FailureReason.ENDPOINT_FAILED: "contract/test_workspace_models.py::test_a_model_is_promoted_and_rolled_back",
    FailureReason.MODEL_MISSING: "contract/test_workspace_models.py::test_models_tags_and_aliases",
    FailureReason.NEEDED_JOB_FAILED: "commands/test_required_check.py::test_failed_and_cancelled_jobs_do_not_pass",
    FailureReason.GATE_INVALID: "commands/test_kit_model_verdict.py::test_a_gate_file_that_cannot_be_used",
    FailureReason.VERDICT_REFUSED: "commands/test_kit_model_verdict.py::test_a_version_that_is_refused",
    FailureReason.VERDICT_UNDECIDED: "commands/test_kit_model_verdict.py::test_a_workspace_that_does_not_answer_leaves_it_undecided",
    FailureReason.AUTH_FAILED: "security/test_login.py::test_a_subject_in_the_other_form_is_explained_and_the_policy_lets_the_job_in",
    FailureReason.CLI_UNVERIFIED: "kit/test_install_cli.py::test_tampered_file_is_refused",
    FailureReason.CLI_FAILED: "kit/adapters/test_kit_databricks_cli.py::test_output_that_is_no_json_is_an_error_of_the_cli",
    FailureReason.GITHUB_FAILED: "commands/test_kit_deploy_stage.py::test_a_token_that_may_not_record_stops_it_before_the_deployment",
    FailureReason.WRONG_USE: "commands/test_kit_deploy_stage.py::test_what_stops_it_before_any_login",
    FailureReason.OUTSIDE_TROUBLE: "kit/test_install_cli.py::test_trouble_that_stays_ends_after_some_attempts",
}
"""Reason → the test that brings it about: file and function."""
PLACES = {"commands": "unit/bundleflow/commands", "kit": "unit/bundleflow"}


@pytest.mark.parametrize("reason", FailureReason)
def test_a_named_test_brings_it_about(reason: FailureReason) -> None:
    file, _, name = DRIVEN_BY[reason].partition("::")
    place, _, rest = file.partition("/")
    path = ROOT / "tests" / PLACES.get(place, place) / rest
    text = path.read_text(encoding="utf-8")
    (function,) = [each for each in ast.walk(ast.parse(text)) if isinstance(each, ast.FunctionDef) and each.name == name]
    first = min([function.lineno, *(each.lineno for each in function.decorator_list)])
    source = "\n".join(text.splitlines()[first - 1 : function.end_lineno])
    assert f"FailureReason.{reason.name}" in source or str(reason) in source, f"{name} does not look for `{reason}`"


@pytest.mark.parametrize("reason", FailureReason)
def test_it_has_a_page_with_causes_and_what_to_do(reason: FailureReason) -> None:
    text = (ROOT / "docs" / "failure-reasons" / f"{reason}.md").read_text(encoding="utf-8")
    assert text.startswith(f"# {reason}\n")
    assert "## Typical causes" in text
    assert "## What to do" in text
    index = (ROOT / "docs" / "failure-reasons" / "README.md").read_text(encoding="utf-8")
    assert f"[{reason}]({reason}.md)" in index


def test_every_page_is_of_a_reason() -> None:
    pages = {path.stem for path in (ROOT / "docs" / "failure-reasons").glob("*.md")} - {"README"}
    assert pages == set(map(str, FailureReason))
