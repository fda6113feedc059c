"""The copy for act: what is changed, that it is listed, and what is refused before anything runs."""

import json

import pytest

from bundleflow.records.errors import BundleflowError, ExitCode
from rehearsal.actions import kit, yamltext
from rehearsal.actions.sources import Sources

from .conftest import CALLEE, CALLER, SHA, World


def test_jobs_of_called_workflows_are_known_with_what_the_driver_needs(world: World):
    first, second = world.render().jobs
    assert (first.path, first.name, first.log_name, first.key) == ("call/first", "call / first", "call~first", "first")
    assert first.permissions == {"contents": "read", "id-token": "write"}
    assert (first.timeout_s, first.has_environment, first.deployment) == (420.0, True, False)
    assert first.workflow_ref == f"bundleflow/bundleflow/.github/workflows/callee.yml@{SHA}"
    assert first.workflow_sha == SHA
    assert (second.needs, second.permissions, second.has_environment) == (("call/first",), {}, False)


def test_what_act_refuses_or_ignores_is_taken_out_of_the_copy(world: World):
    world.render()
    job = world.copy_of_callee()["jobs"]["first"]
    assert {"environment", "concurrency", "permissions"}.isdisjoint(job)
    assert job["runs-on"] == "ubuntu-latest"
    assert job["name"] == "call~first"


def test_the_first_step_carries_what_only_act_can_evaluate(world: World):
    world.render()
    begin = world.copy_of_callee()["jobs"]["first"]["steps"][0]
    assert begin["env"]["REHEARSAL_ENVIRONMENT"] == "${{ inputs.environment }}"
    assert begin["env"]["REHEARSAL_NAME"] == "call / deploy to ${{ inputs.environment }}"
    assert begin["env"]["REHEARSAL_GROUP_0"] == "deploy-${{ inputs.environment }}"
    assert json.loads(begin["env"]["REHEARSAL_GROUPS"]) == [{"holder": "call/first", "queue": True}]


def test_names_that_act_gives_to_all_jobs_alike_are_replaced(world: World):
    world.render()
    _, checkout, say, last = world.copy_of_callee()["jobs"]["first"]["steps"]
    assert checkout["uses"] == "actions/checkout@f548e57e544ee9d14de6ab5beeb10c3e4ba7da25"
    assert say["uses"] == f"bundleflow/bundleflow/actions/say@{SHA}"
    assert say["with"]["what"] == "${{ env.REHEARSAL_VAR_WORD }}"
    assert last["env"] == {"TOKEN": "${{ env.REHEARSAL_GITHUB_TOKEN }}", "WORKFLOW_SHA": f"${{{{ '{SHA}' }}}}"}
    assert last["if"] == "env.REHEARSAL_BEGUN == 'true' && (always())"


def test_the_callee_runs_under_the_name_of_its_caller(world: World):
    run = world.render()
    assert world.copy_of_callee()["name"] == run.name == "cd"


def test_every_difference_is_listed(world: World):
    places = {(change.file, change.where) for change in world.render().changes}
    callee = "bundleflow/bundleflow: .github/workflows/callee.yml"
    for place in ("environment", "concurrency", "permissions", "name", "runs-on", "steps", "steps[1]", "steps[2]"):
        assert (callee, f"jobs.first.{place}") in places
    assert (".github/workflows/cd.yml", "jobs.call.uses") in places
    assert (".github/workflows/cd.yml", "permissions") in places


def test_nothing_else_is_changed(world: World):
    world.render()
    original, copy = yamltext.load(CALLEE, "callee"), world.copy_of_callee()
    assert copy["on"] == original["on"]
    assert copy["jobs"]["second"]["needs"] == "first"
    assert copy["jobs"]["second"]["steps"][1:] == original["jobs"]["second"]["steps"]
    assert copy["jobs"]["first"]["outputs"] == original["jobs"]["first"]["outputs"]


def test_values_of_a_jobs_env_that_are_its_own_move_into_the_steps(world: World):
    world.write(
        ".github/workflows/cd.yml",
        "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    env: {HOST: '${{ vars.HOST }}', OTHER: x}\n    steps: [{run: env}]\n",
    )
    world.render()
    job = yamltext.load_file(world.scratch / "run" / "workflow.yml")["jobs"]["a"]
    assert job["env"] == {"OTHER": "x"}
    assert job["steps"][1]["env"] == {"HOST": "${{ env.REHEARSAL_VAR_HOST }}"}


def test_secrets_come_from_the_environment_first(world: World):
    world.write(
        ".github/workflows/cd.yml",
        "on: push\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: env, env: {S: '${{ secrets.KEY }}', T: '${{ secrets.a-b }}'}}]}}\n",
    )
    world.render()
    step = yamltext.load_file(world.scratch / "run" / "workflow.yml")["jobs"]["a"]["steps"][1]
    assert step["env"] == {"S": "${{ (env.REHEARSAL_SECRET_KEY || secrets.KEY) }}", "T": "${{ secrets.a-b }}"}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [("secrets.key", {"KEY"}), ("vars.KEY", set()), ("toJSON(secrets)", None), ("secrets.*", None), ("secrets['KEY']", None)],
)
def test_a_job_is_known_by_the_secrets_that_it_reads(world: World, expression: str, expected: set[str] | None):
    step = f'{{run: env, env: {{S: "${{{{ {expression} }}}}"}}}}'
    world.write(".github/workflows/cd.yml", f"on: push\njobs: {{a: {{runs-on: ubuntu-latest, steps: [{step}]}}}}\n")
    assert world.render().jobs[0].secrets == expected


def test_the_kits_actions_are_rendered_once_and_its_package_is_linked(world: World):
    world.write("scripts/tool", "x", kit=True)
    sources: Sources = world.sources()
    (world.scratch / "kit").mkdir(parents=True)
    changes = kit.prepare(sources)
    action = yamltext.load_file(world.scratch / "kit" / "actions" / "say" / "action.yml")
    assert action["inputs"]["token"]["default"] == ""
    assert action["runs"]["steps"][0]["env"]["TOKEN"] == "${{ (inputs.token || env.REHEARSAL_GITHUB_TOKEN) }}"
    assert {change.where for change in changes} == {"inputs.token.default"}
    assert (world.scratch / "kit" / "scripts" / "tool").read_text() == "x"


def test_a_cli_of_another_version_is_taken_as_it_is(world: World):
    world.write("actions/setup/action.yml", "inputs: {cli-version: {default: ''}}\nruns: {using: composite, steps: []}\n", kit=True)
    (world.scratch / "kit").mkdir(parents=True)
    changes = kit.prepare(world.sources(), "1.12.3")
    action = yamltext.load_file(world.scratch / "kit" / "actions" / "setup" / "action.yml")
    assert action["inputs"]["cli-version"]["default"] == "1.12.3"
    assert "inputs.cli-version.default" in {change.where for change in changes}


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("with: {environment: staging}", "with: {}", "`environment`"),
        ("with: {environment: staging}", "with: {environment: staging, stagee: x}", "`stagee`"),
        ("with: {environment: staging}", "with: {environment: staging, times: many}", "no number"),
        ("permissions: {contents: read, id-token: write}", "permissions: {contents: read}", "id-token: write"),
        ("with: {environment: staging}", "with: {environment: staging}\n    secrets: {password: x}", "`password`"),
        ("workflows/callee.yml", "workflows/calle.yml", "calle.yml"),
        ("bundleflow/bundleflow/", "someone/else/", "someone/else"),
    ],
)
def test_what_github_refuses_before_a_run_starts_is_refused(world: World, old: str, new: str, named: str):
    assert old in CALLER
    world.write(".github/workflows/cd.yml", CALLER.replace(old, new))
    with pytest.raises(BundleflowError, match=r"cd\.yml") as caught:
        world.render()
    assert named in caught.value.cause
    assert caught.value.fix
    assert caught.value.exit_code == ExitCode.USAGE


@pytest.mark.parametrize(
    ("job", "named"),
    [
        ("{runs-on: ubuntu-latest, container: 'node:20', steps: []}", "`container:`"),
        ("{runs-on: ubuntu-latest, services: {db: {image: x}}, steps: []}", "`services:`"),
        ("{runs-on: windows-2022, steps: []}", "windows-2022"),
        ("{runs-on: ubuntu-latest, steps: [{uses: 'docker://alpine'}]}", "docker://alpine"),
        ("{runs-on: ubuntu-latest, steps: [{uses: 'actions/setup-go@v5'}]}", "actions/setup-go@v5"),
        ("{runs-on: ubuntu-latest, steps: [{uses: '$/actions/none'}]}", "actions/none"),
    ],
)
def test_what_cannot_be_rehearsed_is_refused_by_name(world: World, job: str, named: str):
    world.write(".github/workflows/cd.yml", f"on: push\njobs: {{only: {job}}}\n")
    with pytest.raises(BundleflowError, match="job `only`") as caught:
        world.render()
    assert named in caught.value.cause


def test_a_project_may_use_its_own_actions_and_workflows(world: World):
    world.write("actions/mine/action.yml", "runs: {using: composite, steps: []}\n")
    world.write(".github/workflows/inner.yml", "on: workflow_call\njobs: {x: {runs-on: ubuntu-latest, steps: [{uses: $/actions/mine}]}}\n")
    world.write(".github/workflows/cd.yml", "on: push\njobs: {a: {uses: ./.github/workflows/inner.yml}}\n")
    run = world.render()
    assert [job.path for job in run.jobs] == ["a/x"]
    assert run.repositories == {f"team/iris@{'1' * 40}": world.scratch / "project"}


def test_a_file_that_is_no_yaml_is_named(world: World):
    world.write(".github/workflows/cd.yml", "on: [push\n")
    with pytest.raises(BundleflowError, match=r"cd\.yml is not valid YAML"):
        world.render()
