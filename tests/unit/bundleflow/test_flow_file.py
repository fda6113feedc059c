"""bundleflow.yml: what it means, and errors that name place, key, suggestion and fix."""

from __future__ import annotations

import json
import string
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from bundleflow.records.flow import SCHEMA_FILE, Flow, check_flow, is_branch_name, load_flow, load_schema
from bundleflow.records.policy import DEFAULT_PROTECTED, Allowance
from bundleflow.records.schema_problems import did_you_mean

STORY = """\
version: 1
bundles: ["."]
stages:
  dev:     {target: dev, environment: dev}
  test:    {target: test, environment: test, per-pull-request: true, run: [model_training]}
  staging: {target: staging, environment: staging, run: [model_training], then-propose: release}
  prod:    {target: prod, plan-environment: production-plan, environment: production, requires: staging, run: [model_training]}
tests: {unit: {path: tests, requirements: tests/requirements.txt}}
policy:
  protect: [registered_models]
models:
  classifier: {gate: gates/iris.yml, endpoint: iris}
"""
LEAST = "version: 1\nstages: {dev: {target: dev, environment: dev}}\n"


def flow_of(text: str, folder: Path) -> Flow:
    file = folder / "bundleflow.yml"
    file.write_text(text)
    return load_flow(file)


def error_of(text: str, folder: Path) -> BundleflowError:
    with pytest.raises(BundleflowError) as caught:
        flow_of(text, folder)
    assert caught.value.reason is FailureReason.FLOW_INVALID
    assert caught.value.exit_code is ExitCode.USAGE
    return caught.value


def test_everything_is_read(tmp_path: Path) -> None:
    flow = flow_of(STORY, tmp_path)
    assert list(flow.stages) == ["dev", "test", "staging", "prod"]
    prod = flow.stage("prod")
    assert (prod.target, prod.environment, prod.plan_environment, prod.requires) == ("prod", "production", "production-plan", "staging")
    assert flow.stage("test").per_pull_request
    assert flow.stage("staging").run == ("model_training",)
    assert flow.stage("staging").then_propose == "release"
    assert (flow.unit_tests.path, flow.unit_tests.requirements) == ("tests", "tests/requirements.txt")
    assert flow.policy.protect == ("registered_models",)
    assert (flow.models["classifier"].endpoint, flow.models["classifier"].promoter) == ("iris", "github")


ENTRY = "{resource: schemas.old, action: delete, reason: moved, expires: 2026-12-31}"


def test_policy_in_full(tmp_path: Path) -> None:
    text = f"policy: {{allow: [{ENTRY}], max-deletes: 2, fail-on-active-runs: true}}\nwarnings: accepted.yml\n"
    flow = flow_of(LEAST + text, tmp_path)
    assert flow.policy.allow == (Allowance("schemas.old", "delete", "moved", date(2026, 12, 31)),)
    assert (flow.policy.max_deletes, flow.policy.fail_on_active_runs, flow.warnings) == (2, True, "accepted.yml")


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        (ENTRY.replace("2026-12-31", "2026-02-30"), "`2026-02-30` is no day of the calendar"),
        (ENTRY.replace("2026-12-31", "soon"), "expires"),
        (ENTRY.replace("reason: moved, ", ""), "reason"),
        (ENTRY.replace("action: delete", "action: update"), "action"),
        (ENTRY.replace("schemas.old", "schemas"), "resource"),
        (f"{ENTRY}, {ENTRY}", "two entries for delete of `schemas.old`"),
    ],
)
def test_an_allowance_that_is_not_whole_is_refused(entries: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(BundleflowError) as caught:
        flow_of(LEAST + f"policy: {{allow: [{entries}]}}\n", tmp_path)
    assert said in caught.value.cause
    assert "bundleflow.yml:3:" in caught.value.cause


def test_defaults_are_those_of_the_schema(tmp_path: Path) -> None:
    flow = flow_of(LEAST, tmp_path)
    properties = load_schema()["properties"]
    assert list(flow.bundles) == properties["bundles"]["default"]
    assert list(flow.policy.protect) == list(DEFAULT_PROTECTED) == properties["policy"]["properties"]["protect"]["default"]
    assert flow.unit_tests.path == load_schema()["$defs"]["unit-tests"]["properties"]["path"]["default"]
    assert flow.unit_tests.requirements is None
    stage = flow.stage("dev")
    assert (stage.run, stage.per_pull_request, stage.requires, stage.then_propose, stage.plan_environment) == ((), False, None, None, None)
    assert dict(flow.models) == {}


def test_schema_is_one_and_describes_every_key_with_its_default() -> None:
    schema = json.loads(SCHEMA_FILE.read_text())
    Draft202012Validator.check_schema(schema)

    def walk(node: object, where: str) -> None:
        if isinstance(node, dict):
            for name, each in node.get("properties", {}).items():
                if "$ref" not in each:
                    assert len(each.get("description", "")) > 20, f"{where}.{name}"
                    required = name in node.get("required", [])
                    assert required or "default" in each or "Left out" in each["description"], f"{where}.{name} tells no default"
                walk(each, f"{where}.{name}")
            for name, each in node.get("$defs", {}).items():
                walk(each, name)

    walk(schema, "")


@pytest.mark.parametrize(
    ("text", "place", "cause", "fix"),
    [
        (LEAST.replace("environment", "enviroment"), "2:29", "unknown key `enviroment` in `stages.dev`", "Did you mean `environment`?"),
        (LEAST.replace("stages", "stage"), "2:1", "unknown key `stage`", "Did you mean `stages`?"),
        (LEAST + "colour: red\n", "3:1", "unknown key `colour`", "Known keys here: `version`"),
        ("version: 1\nstages: {dev: {target: dev}}\n", "2:10", "key `environment` is missing in `stages.dev`", "Add `environment:`"),
        (LEAST.replace("environment: dev", 'environment: " "'), "2:29", "is empty", "GitHub environment"),
        (LEAST.replace("version: 1", "version: 2"), "1:1", "`version` must be 1, not 2", "format"),
        (LEAST.replace("target: dev", "target: 3"), "2:16", "must be a text, not 3", "Key under `targets:`"),
        (LEAST.replace("dev}", "dev, per-pull-request: maybe}"), "2:47", "must be `true` or `false`", "own"),
        (LEAST.replace("dev}", "dev, run: training}"), "2:47", "must be a list", "Jobs"),
        (LEAST + "models: {m: {gate: g.yml, promoter: githb}}\n", "3:27", "must be one of `github`, `workspace`", "Did you mean `github`?"),
        (LEAST + "stages: {}\n", "3:1", "key `stages` is given twice (first in line 2)", "Keep one"),
        ("version: 1\nstages: {dev: [}\n", "2:16", "did not find expected node content", "Check the indentation"),
        ("", "1:1", "the file is empty", "Give at least"),
        ("- a\n", "1:1", "the file must be a mapping", "Maps the stages"),
        ("version: 1\nstages: {}\n", "2:1", "`stages` is empty", "The stages"),
        ("version: 1\nstages: {a b: {target: t, environment: e}}\n", "2:10", "`a b` cannot be a name in `stages`", "Use letters"),
        ("version: 1\nstages: {a: {target: t, environment: e, run: [j, j]}}\n", "2:41", "names the same thing twice", "Jobs"),
        ("a: &a [*a]\n", "1:", "", ""),
        ("version: !!python/object:os.system {}\nstages: {}\n", "1:10", "could not determine a constructor", ""),
    ],
)
def test_error_names_place_key_and_fix(text: str, place: str, cause: str, fix: str, tmp_path: Path) -> None:
    error = error_of(text, tmp_path)
    assert f"bundleflow.yml:{place}" in error.cause
    assert cause in error.cause
    assert fix in error.fix


@pytest.mark.parametrize(
    ("stages", "cause", "fix"),
    [
        ("staging: {T}\n  prod: {T, requires: stagin}", "requires stage `stagin`, which does not exist", "Did you mean `staging`?"),
        ("a: {T, requires: b}\n  b: {T, requires: a}", "stage `a` requires itself (by way of `b`)", "circle"),
        ("a: {T, requires: a}", "stage `a` requires itself", "circle"),
        ("a: {T, per-pull-request: true}\n  b: {T, requires: a}", "leaves no evidence", "Require a stage that a push deploys"),
        ("a: {target: t, environment: Prod, plan-environment: prod}", "plans in the environment that it deploys in", "of its own"),
        ("a: {T, then-propose: 'a..b'}", "cannot be the name of a branch", "release"),
    ],
)
def test_contradictions_are_named(stages: str, cause: str, fix: str, tmp_path: Path) -> None:
    error = error_of(f"version: 1\nstages:\n  {stages}\n".replace("T", "target: t, environment: e"), tmp_path)
    assert cause in error.cause
    assert fix in error.fix


@pytest.mark.parametrize(
    ("pattern", "cause"),
    [
        ("/abs/x", "leads out of the repository"),
        ("../q1", "leads out of the repository"),
        ("apps/../../q1", "leads out of the repository"),
        ("apps/**x", "has a `**` beside other characters"),
    ],
)
def test_bundles_lie_in_the_repository(pattern: str, cause: str, tmp_path: Path) -> None:
    error = error_of(f"bundles: [a, {pattern!r}]\n{LEAST}", tmp_path)
    assert f"bundleflow.yml:1:14: `{pattern}` of `bundles` {cause}" in error.cause
    assert "relative to the repository's root" in error.fix
    assert flow_of(f"bundles: [a, 'x/**', './', a..b]\n{LEAST}", tmp_path).bundles == ("a", "x/**", "./", "a..b")


def test_all_problems_are_told_and_a_misspelt_key_is_one(tmp_path: Path) -> None:
    error = error_of("version: 2\nstages: {dev: {targt: dev, environment: dev}}\npolcy: {}\n", tmp_path)
    assert error.cause.count("version") == 1
    assert len(error.details.splitlines()) == 2
    assert "Did you mean `target`?" in error.details
    assert "Did you mean `policy`?" in error.details


def test_missing_and_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(BundleflowError, match="There is no flow file"):
        load_flow(tmp_path / "bundleflow.yml")
    with pytest.raises(BundleflowError, match="cannot be read"):
        load_flow(tmp_path)
    (tmp_path / "latin").write_bytes(b"version: 1 # caf\xe9\n")
    with pytest.raises(BundleflowError, match="cannot be read"):
        load_flow(tmp_path / "latin")


def test_unknown_stage_is_a_mismatch_with_a_suggestion(tmp_path: Path) -> None:
    flow = flow_of(STORY, tmp_path)
    with pytest.raises(BundleflowError, match="has no stage `stagin`") as caught:
        flow.stage("stagin")
    assert caught.value.reason is FailureReason.FLOW_MISMATCH
    assert caught.value.fix == "Did you mean `staging`?"
    with pytest.raises(BundleflowError, match="No stage was given"):
        flow.stage("")


def test_aliases_cannot_blow_up(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    error = error_of("\n".join(lines), tmp_path)
    assert "spreads out" in error.cause


@pytest.mark.parametrize("text", ["[" * 200_000, "- " * 200_000, "{a: " * 200_000], ids=["flow lists", "block lists", "mappings"])
def test_deep_nesting_is_an_error_and_not_the_end_of_the_process(text: str, tmp_path: Path) -> None:
    assert "nested more than 100 deep" in error_of(text, tmp_path).cause


def test_aliases_and_merge_keys_work(tmp_path: Path) -> None:
    flow = flow_of("version: 1\nstages:\n  a: &a {target: t, environment: e, run: [j]}\n  b: {<<: *a, target: u}\n", tmp_path)
    assert flow.stage("b").run == ("j",)
    assert flow.stage("b").target == "u"


@given(st.text(alphabet=string.printable, max_size=60))
def test_any_text_is_a_flow_or_has_problems(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    file = tmp_path_factory.getbasetemp() / "any.yml"
    file.write_text(text)
    source, problems = check_flow(file)
    assert problems or "stages" in source.data


@pytest.mark.parametrize("name", ["release", "release/1.0", "a-b", "ümlaut"])
def test_branch_names(name: str) -> None:
    assert is_branch_name(name)


@pytest.mark.parametrize(
    "name", ["", "@", "-a", "a b", "a..b", "a~1", "a^", "a:b", "a//b", "/a", "a/", "a.lock", ".a", "a/.b", "a@{1", "a\\b", "a*"]
)
def test_names_that_git_refuses(name: str) -> None:
    assert not is_branch_name(name)


def test_suggestions_see_through_underscores_and_capitals() -> None:
    assert did_you_mean("then_propose", ["then-propose", "target"]) == "Did you mean `then-propose`?"
    assert did_you_mean("Target", ["then-propose", "target"]) == "Did you mean `target`?"
    assert did_you_mean("registered-models", ["registered_models"]) == "Did you mean `registered_models`?"
    assert did_you_mean("zzz", ["target"]) == ""


RELEASED = """\
version: 1
stages:
  prod:
    target: prod
    plan-environment: production-plan
    environment: production
    approval: {independent: true, weaker-gate: No reviewers in our plan.}
    smoke:
      - {job: inference, task: score, expect: {contains: setosa}}
      - {endpoint: iris, request: {dataframe_records: [{x: 1}]}}
      - {sql: select 1, warehouse: abc, expect: {at-least: 1, at-most: 2}}
"""


def test_approval_and_smoke_checks_are_read(tmp_path: Path) -> None:
    stage = flow_of(RELEASED, tmp_path).stage("prod")
    assert (stage.approval.independent, stage.approval.weaker_gate) == (True, "No reviewers in our plan.")
    assert [(each.kind, each.subject) for each in stage.smoke] == [("job", "inference"), ("endpoint", "iris"), ("sql", "select 1")]
    assert (stage.smoke[0].task, stage.smoke[0].expect.contains, stage.smoke[2].warehouse) == ("score", "setosa", "abc")
    assert (stage.smoke[2].expect.at_least, stage.smoke[2].expect.at_most) == (1, 2)
    assert flow_of(LEAST, tmp_path).stage("dev").approval.independent is False


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    plan-environment: production-plan\n", ""),
        ("weaker-gate: No reviewers in our plan.", "weaker-gate: true"),
        ("weaker-gate: No reviewers in our plan.", "weaker-gate: yes!"),
        ("request: {dataframe_records: [{x: 1}]}", "task: score"),
        ("{sql: select 1, warehouse: abc,", "{sql: select 1,"),
        ("{job: inference,", "{job: inference, endpoint: iris,"),
        ("expect: {at-least: 1, at-most: 2}", "expect: {}"),
    ],
)
def test_approval_and_smoke_checks_that_say_nothing_clear_are_refused(tmp_path: Path, old: str, new: str) -> None:
    assert old in RELEASED
    error_of(RELEASED.replace(old, new), tmp_path)


MODELS = """\
version: 1
stages:
  staging: {target: staging, environment: staging, promote: [classifier]}
  prod:
    target: prod
    plan-environment: production-plan
    environment: production
    promote: [classifier]
    model-environment: production-model
models:
  classifier: {gate: g.yml, endpoint: "iris-${bundle.target}", promoter: workspace, deployment-job: model_deployment}
"""


def test_what_a_stage_promotes_is_read(tmp_path: Path) -> None:
    flow = flow_of(MODELS, tmp_path)
    model = flow.models["classifier"]
    assert (model.promoter, model.deployment_job) == ("workspace", "model_deployment")
    assert model.endpoint_of("prod") == "iris-prod"
    assert (flow.stage("prod").promote, flow.stage("prod").model_environment) == (("classifier",), "production-model")
    assert flow.stage("staging").model_environment is None
    assert flow_of(LEAST, tmp_path).stage("dev").promote == ()


@pytest.mark.parametrize(
    ("old", "new", "cause"),
    [
        ("staging, promote: [classifier]", "staging, promote: [clasifier]", "promotes `clasifier`, which is not under `models:`"),
        ("    model-environment: production-model\n", "", "would promote models that nobody approved"),
        ("production-model", "production", "promotes in an environment that it deploys or plans in"),
        ("production-model", "Production-Plan", "promotes in an environment that it deploys or plans in"),
        ("    promote: [classifier]\n", "", "has a `model-environment` and promotes no model"),
        (", deployment-job: model_deployment", "", "no `deployment-job` is named"),
        ("promoter: workspace", "promoter: github", "one model has one promoter"),
        ("iris-${bundle.target}", "iris-${bundle.name}", "cannot be the name of a serving endpoint"),
    ],
)
def test_promotions_that_contradict_themselves_are_refused(tmp_path: Path, old: str, new: str, cause: str) -> None:
    assert old in MODELS
    assert cause in error_of(MODELS.replace(old, new), tmp_path).cause
