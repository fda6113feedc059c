"""The rules about who may reach what: identities, secrets, environments and gates."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .files import YamlFile
from .jobs import LOGIN, PROMOTE, commands, deploys, jobs_with_steps, logs_in, probes, publishes, scalars
from .registry import rule


@rule
def values_at_step_level_only(file: YamlFile) -> Iterator[str]:
    """Logins, tokens and variables are seen by the one step that needs them, not by a whole job."""
    if "env" in file.data:
        yield "the workflow has an `env:` of its own"
    for name, job in file.jobs.items():
        if "env" in job:
            yield f"job {name} has an `env:` of its own"
    for name, job in file.jobs.items():
        outside = {key: value for key, value in job.items() if key not in ("steps", "secrets", "with")}
        if any(re.search(r"\b(vars|secrets)\.|github\.token", str(value)) for value in scalars(outside)):
            yield f"job {name} uses vars, secrets or the token outside its steps"


@rule
def secrets_by_name(file: YamlFile) -> Iterator[str]:
    """Named, never inherited or listed; a called workflow uses only what it declares; no token but the job's own."""
    declared = set((file.call or {}).get("secrets") or {})
    for name, job in file.jobs.items():
        if job.get("secrets") == "inherit":
            yield f"job {name} inherits all secrets"
    for secret in re.findall(r"\bsecrets(?:\.([\w-]+)|\s*\)|\[)", "\n".join(str(value) for value in scalars(file.data))):
        if not secret:
            yield "secrets are used as a whole"
        elif secret not in declared and not file.is_template:
            yield f"secret {secret} is not declared by this workflow"


@rule
def oidc_first(file: YamlFile) -> Iterator[str]:
    """Host and client id are variables; the way to log in is OIDC unless a fallback secret is given."""
    for place, step in file.steps:
        env = step.get("env", {})
        if LOGIN not in env:
            continue
        own = "inputs.databricks-" if file.is_action else "vars.DATABRICKS_"
        for key in (LOGIN, "DATABRICKS_CLIENT_ID"):
            if own not in str(env.get(key)):
                yield f"step {place[-1]}: {key} must come from `{own}`"
        if not re.search(r"'github-oidc'\s*}}$|^github-oidc$", str(env.get("DATABRICKS_AUTH_TYPE"))):
            yield f"step {place[-1]}: DATABRICKS_AUTH_TYPE must fall back to github-oidc"


@rule
def environment_of_each_login(file: YamlFile) -> Iterator[str]:
    """Who logs in names an environment: identity, variables and gate hang on it. Who only plans or tests files no record."""
    for name, job in jobs_with_steps(file):
        environment = job.get("environment")
        if probes(job):
            continue
        if not logs_in(job):
            if environment is not None and not publishes(job):
                yield f"job {name} names an environment and does not log in"
            continue
        name_of = str(environment.get("name")) if isinstance(environment, dict) else ""
        if not isinstance(environment, dict) or not re.fullmatch(r"\$\{\{ inputs\.(plan-|model-)?environment \}\}", name_of):
            yield f"job {name} logs in without `environment: {{name: ${{{{ inputs.environment }}}}}}`"
            continue
        if (environment.get("deployment") is False) == bool({"deploy-stage", PROMOTE} & set(commands(job))):
            yield f"job {name}: `deployment: false` for jobs that plan or test, and only for them"


@rule
def gate_before_production(file: YamlFile) -> Iterator[str]:
    """Behind a plan that is approved stands an environment that the caller must name; the plan has an identity of its own."""
    for name, job in jobs_with_steps(file):
        gate = ((file.call or {}).get("inputs") or {}).get("environment") or {"default": ""}
        if "deploy-stage" in commands(job) and file.call is not None and "default" in gate:
            yield f"job {name}: input `environment` has a default, which skips the gate"
    planning = [name for name, job in jobs_with_steps(file) if "plan-release" in commands(job)]
    for name in planning:
        if "plan-environment" not in str(file.jobs[name].get("environment")):
            yield f"job {name} plans with the identity that deploys"
        waiting = [job for _, job in jobs_with_steps(file) if name in str(job.get("needs", "")) and "deploy-stage" in commands(job)]
        digest = f"needs.{name}.outputs.digest"
        if not any(digest in str(step.get("env", {}).get("BUNDLEFLOW_APPROVED_DIGEST")) for job in waiting for step in job["steps"]):
            yield f"what {name} planned is not what is deployed"


@rule
def gate_before_a_champion(file: YamlFile) -> Iterator[str]:
    """What is promoted was shown by the job before, and stands behind an environment of its own."""
    for name, job in jobs_with_steps(file):
        if PROMOTE not in commands(job) or file.is_action:
            continue
        if "inputs.model-environment" not in str(job.get("environment")):
            yield f"job {name} promotes outside `model-environment`"
        before = str(job.get("needs"))
        if not any(f"needs.{before}.outputs.candidates" in str(step.get("env", {}).get("BUNDLEFLOW_CANDIDATES")) for step in job["steps"]):
            yield f"job {name} promotes something else than what was shown"


@rule
def pull_requests_cannot_reach_production(file: YamlFile) -> Iterator[str]:
    """Work of a pull request has the test identity only, and never runs with the rights of the base branch."""
    if "pull_request_target" in file.triggers or "workflow_run" in file.triggers:
        yield "runs a stranger's change with this repository's rights"
    if "pull_request" not in file.triggers:
        return
    for name, job in file.jobs.items():
        named = [str(job.get("environment", "")), *(str(value) for value in job.get("with", {}).values())]
        named += [str(value) for value in scalars(job) if re.search(r"\b(secrets|vars)\.", str(value))]
        if any(re.search(r"prod|staging", value, re.IGNORECASE) for value in named):
            yield f"job {name} of a pull request reaches for staging or production"


@rule
def integration_is_destroyed(file: YamlFile) -> Iterator[str]:
    """A pull request's deployment goes away also when its run is cancelled or breaks."""
    for name, job in jobs_with_steps(file):
        if "test-integration" not in commands(job) and not (deploys(job) and "pull_request" in file.triggers):
            continue
        last = job["steps"][-1]
        if (
            "--destroy-only" not in str(last.get("run"))
            or "cancelled()" not in str(last.get("if"))
            or "failure()" not in str(last.get("if"))
        ):
            yield f"job {name} does not destroy in any case"


@rule
def clean_up_waits_for_the_test(file: YamlFile) -> Iterator[str]:
    """What is removed when a pull request is closed takes turns with its integration test, and GitHub can be asked for runs."""
    for name, job in jobs_with_steps(file):
        if "cleanup" not in commands(job):
            continue
        if "bundleflow-integration-${{ github.event.pull_request.number ||" not in str(job.get("concurrency")):
            yield f"job {name} does not share the group of the pull request's integration test"
        if "actions" not in (job.get("permissions") or {}):
            yield f"job {name} cannot see whether a run is at work"
