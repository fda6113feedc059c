"""Each rule over every YAML file, and each rule on a file that breaks it."""

from __future__ import annotations

import pytest

from . import rules, rules_of_access  # noqa: F401 - fill the register
from .files import KIT, ROOT, SHA, YamlFile, all_files, parse
from .registry import RULES

FILES = {file.name: file for file in all_files()}
CHECKOUT = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1"

# rule, file, what is replaced, by what: the file then breaks the rule.
BROKEN = [
    ("no-duplicate-keys", "lint", "permissions: {}\n", "permissions: {}\npermissions: {}\n"),
    ("permissions-empty-at-the-top", "lint", "permissions: {}\n", ""),
    ("permissions-empty-at-the-top", "lint", "permissions: {}\n", "permissions: read-all\n"),
    ("permissions-of-each-job-with-reasons", "lint", "    permissions:\n      contents: read # check out the commit\n", ""),
    ("permissions-of-each-job-with-reasons", "lint", "contents: read # check out the commit", "contents: read"),
    (
        "permissions-of-each-job-with-reasons",
        "lint",
        "    permissions:\n      contents: read # check out the commit\n",
        "    permissions: write-all\n",
    ),
    ("permissions-that-are-used", "lint", "contents: read #", "id-token: write # for later\n      contents: read #"),
    ("permissions-that-are-used", "cd-dev", "      id-token: write # log in to Databricks by OIDC\n", ""),
    ("permissions-that-are-used", "bundle-ci", "id-token: write #", "deployments: write # why not\n      id-token: write #"),
    ("permissions-that-are-used", "lint", "contents: read #", "contents: write #"),
    ("permissions-that-are-used", "lint", "contents: read #", "pull-requests: write # why not\n      contents: read #"),
    ("third-party-actions-few-and-pinned", "lint", CHECKOUT, "actions/checkout@v7"),
    ("third-party-actions-few-and-pinned", "lint", " # v7.0.1", ""),
    ("third-party-actions-few-and-pinned", "lint", "actions/checkout@", "somebody/checkout@"),
    ("own-actions-of-the-same-commit", "lint", "$/actions/setup", "./actions/setup"),
    ("own-actions-of-the-same-commit", "lint", "$/actions/setup", f"{KIT}/actions/setup@{SHA} # v0.1.0"),
    ("own-actions-of-the-same-commit", "lint", "$/actions/setup", "$/actions/set-up"),
    ("no-expression-in-run", "lint", "run: bundleflow lint", "run: bundleflow lint ${{ github.head_ref }}"),
    ("no-expression-in-a-description", "deploy-cicd", "with commas between them.", "as ${{ toJSON(x) }} gives them."),
    ("run-is-one-command", "lint", "run: bundleflow lint", "run: bundleflow lint || true"),
    ("run-is-one-command", "lint", "run: bundleflow lint", "run: bundleflow lint; exit 0"),
    ("timeouts", "lint", "    timeout-minutes: 10\n", ""),
    ("timeouts", "cd-dev", "timeout-minutes: 170", "timeout-minutes: 180"),
    ("releases-are-bound-and-gated", "self-release", "  workflow_dispatch:\n", "  push: {tags: [v*]}\n  workflow_dispatch:\n"),
    ("releases-are-bound-and-gated", "self-release", "    environment: release\n", ""),
    ("releases-are-bound-and-gated", "self-release", "    needs: [check]\n", ""),
    (
        "releases-are-bound-and-gated",
        "self-release",
        "persist-credentials: false\n      - name: Publish",
        "ref: main\n      - name: Publish",
    ),
    ("releases-are-bound-and-gated", "self-release", "cancel-in-progress: false", "cancel-in-progress: true"),
    ("permissions-that-are-used", "self-release", "contents: read #", "contents: write #"),
    ("credentials-not-persisted", "lint", "        with:\n          persist-credentials: false\n", ""),
    ("credentials-not-persisted", "lint", "persist-credentials: false", "persist-credentials: true"),
    ("deploying-jobs-take-turns", "cd-staging", "      queue: max\n      cancel-in-progress: false\n", "      cancel-in-progress: true\n"),
    ("deploying-jobs-take-turns", "cd-staging", "bundleflow-deploy-${{ inputs.stage }}-${{ inputs.bundle-dir }}", "deploy"),
    (
        "deploying-jobs-take-turns",
        "run-tests",
        "bundleflow-integration-${{ github.event.pull_request.number || github.run_id }}",
        "integration",
    ),
    ("groups-that-cannot-clash", "cd-prod", "group: bundleflow-deploy-", "group: ${{ github.workflow }}-"),
    ("groups-that-cannot-clash", "bundle-ci", "group: bundleflow-ci-", "group: bundleflow-deploy-"),
    (
        "groups-that-cannot-clash",
        "lint",
        "permissions: {}\n",
        "permissions: {}\n\nconcurrency:\n  group: lint\n  cancel-in-progress: true\n",
    ),
    ("staging-queues-production-supersedes", "cd-staging", "      queue: max\n", ""),
    (
        "staging-queues-production-supersedes",
        "cd-prod",
        "      cancel-in-progress: false\n",
        "      queue: max\n      cancel-in-progress: false\n",
    ),
    ("values-at-step-level-only", "cd-prod", "permissions: {}\n", "permissions: {}\n\nenv:\n  X: ${{ vars.X }}\n"),
    ("values-at-step-level-only", "lint", "    steps:\n", "    env:\n      X: y\n    steps:\n"),
    ("values-at-step-level-only", "lint", "    name: lint\n", "    name: ${{ vars.NAME }}\n"),
    ("secrets-by-name", "cd-dev", "secrets.databricks-token }}\n", "secrets.PROD_TOKEN }}\n"),
    ("secrets-by-name", "cd-dev", "${{ secrets.databricks-token }}\n", "${{ toJSON(secrets) }}\n"),
    ("oidc-first", "cd-dev", "${{ vars.DATABRICKS_HOST }}", "${{ secrets.databricks-token }}"),
    ("oidc-first", "cd-dev", "|| 'github-oidc'", "|| 'pat'"),
    ("environment-of-each-login", "cd-prod", "    environment:\n      name: ${{ inputs.environment }}\n", ""),
    ("environment-of-each-login", "cd-prod", "name: ${{ inputs.environment }}\n", "name: production\n"),
    ("environment-of-each-login", "bundle-ci", "      deployment: false # validates and plans only: files no deployment record\n", ""),
    ("environment-of-each-login", "lint", "    name: lint\n", "    name: lint\n    environment:\n      name: ${{ inputs.environment }}\n"),
    (
        "gate-before-production",
        "cd-prod",
        "There is no default.\n        type: string\n        required: true",
        "None.\n        type: string\n        default: ''",
    ),
    ("gate-before-production", "cd-prod", "name: ${{ inputs.plan-environment }}", "name: ${{ inputs.environment }}"),
    ("gate-before-production", "cd-prod", "          BUNDLEFLOW_APPROVED_DIGEST: ${{ needs.plan.outputs.digest }}\n", ""),
    ("gate-before-a-champion", "promote-model", "name: ${{ inputs.model-environment }}", "name: ${{ inputs.plan-environment }}"),
    ("gate-before-a-champion", "cd-prod", "needs.deploy.outputs.candidates }}\n", "inputs.stage }}\n"),
    ("pull-requests-cannot-reach-production", "lint", "  workflow_call:\n", "  pull_request_target:\n  workflow_call:\n"),
    ("integration-is-destroyed", "run-tests", "(cancelled() || failure())", "failure()"),
    ("clean-up-waits-for-the-test", "cleanup", "group: bundleflow-integration-", "group: bundleflow-cleanup-"),
    ("clean-up-waits-for-the-test", "cleanup", "      actions: read # see whether the run that made a deployment is still at work\n", ""),
    ("failures-are-told", "cd-prod", "jobs.plan.outputs.failure-reason || ", ""),
    (
        "failures-are-told",
        "lint",
        "      failure-reason: ${{ steps.lint.outputs.failure-reason || steps.setup.outputs.failure-reason }}\n",
        "      x: y\n",
    ),
    ("interface-is-described", "lint", "        description: Folder of databricks.yml, relative to the repository's root.\n", ""),
    ("interface-is-described", "cd-dev", "        required: true\n", ""),
    ("interface-is-described", "lint", "# Checks workflows", "name: x\n# Checks workflows"),
    ("required-checks-never-hang", "lint", "  workflow_call:\n", "  pull_request:\n    paths: [src/**]\n  workflow_call:\n"),
    ("required-check-needs-every-job", "self-ci", "    needs: [test, mlflow]\n", ""),
    ("required-check-needs-every-job", "self-ci", "    if: ${{ always() }}\n", ""),
    ("versions-are-text", "run-tests", 'default: ""', "default: 3.10"),
    ("runners-are-fixed", "lint", "ubuntu-24.04", "ubuntu-latest"),
]


def broken(name: str, old: str, new: str) -> YamlFile:
    path = f".github/workflows/{name}.yml"
    text = (ROOT / path).read_text()
    assert old in text, f"{path} no longer holds what this test replaces"
    return parse(path, text.replace(old, new))


@pytest.mark.parametrize("file", FILES.values(), ids=list(FILES))
@pytest.mark.parametrize("rule", RULES)
def test_every_file_keeps_the_rule(rule: str, file: YamlFile) -> None:
    assert list(RULES[rule](file)) == [], RULES[rule].__doc__


@pytest.mark.parametrize(("rule", "name", "old", "new"), BROKEN, ids=[f"{row[0]}-{index}" for index, row in enumerate(BROKEN)])
def test_rule_finds_what_breaks_it(rule: str, name: str, old: str, new: str) -> None:
    assert list(RULES[rule](broken(name, old, new)))


def test_composite_rule_finds_a_step_without_a_shell_and_other_kinds_of_action() -> None:
    text = "name: x\ndescription: twenty characters and more\nruns:\n  using: composite\n  steps:\n    - run: bundleflow lint\n"
    assert list(RULES["composite-steps-name-their-shell"](parse("actions/x/action.yml", text)))
    assert list(RULES["composite-steps-name-their-shell"](parse("action.yml", "runs: {using: node24, main: index.js}\n")))


def test_pull_request_that_reaches_for_production_is_found() -> None:
    text = "on: pull_request\njobs:\n  a:\n    uses: x/y/.github/workflows/z.yml@main\n    with:\n      environment: production\n"
    assert list(RULES["pull-requests-cannot-reach-production"](parse("templates/x/.github/workflows/a.yml", text)))


SUMMED_UP = """
on: pull_request
jobs:
  detect: {steps: [{run: bundleflow detect}]}
  plan: {steps: [{run: bundleflow plan}]}
  passed:
    needs: [detect, plan]
    if: ${{ always() }}
    steps:
      - uses: $/actions/required-check
        with:
          needs: ${{ toJSON(needs) }}
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("needs: [detect, plan]", "needs: [detect]"),
        ("needs: [detect, plan]", "needs: plan"),
        ("    if: ${{ always() }}\n", ""),
        ("if: ${{ always() }}", "if: ${{ success() }}"),
        ("needs: ${{ toJSON(needs) }}", "needs: '{}'"),
    ],
)
def test_a_required_check_that_does_not_sum_up_every_job_is_found(old: str, new: str) -> None:
    rule = RULES["required-check-needs-every-job"]
    assert not list(rule(parse("templates/x/.github/workflows/a.yml", SUMMED_UP)))
    assert old in SUMMED_UP
    assert list(rule(parse("templates/x/.github/workflows/a.yml", SUMMED_UP.replace(old, new))))


def test_caller_that_cannot_be_started_by_hand_is_found() -> None:
    assert list(
        RULES["required-checks-never-hang"](parse("templates/x/.github/workflows/a.yml", "on: {push: {branches: [main]}}\njobs: {}\n"))
    )


def test_each_rule_has_a_file_that_breaks_it() -> None:
    shown = {row[0] for row in BROKEN} | {"composite-steps-name-their-shell"}
    assert shown == set(RULES)


def test_all_files_are_found() -> None:
    names = set(FILES)
    public = {"lint", "bundle-ci", "run-tests", "cleanup", "cd-dev", "cd-staging", "cd-prod"}
    assert {f".github/workflows/{name}.yml" for name in public} <= names
    assert {f"templates/iris/.github/workflows/{name}.yml.jinja" for name in public} <= names
    on_disk = {str(path.relative_to(ROOT)) for path in ROOT.glob("actions/*/action.yml")}
    assert "actions/setup/action.yml" in on_disk
    assert on_disk <= names
