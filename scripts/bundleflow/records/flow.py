"""The flow file `bundleflow.yml`: which stage deploys which target, with which environment, after which stage."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path, PurePosixPath
from typing import Any, Literal, cast

from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from bundleflow.records.policy import DEFAULT_PROTECTED, Allowance, Policy
from bundleflow.records.release_rules import ApprovalRule, SmokeCheck, approval_rule, smoke_check
from bundleflow.records.schema_problems import did_you_mean, schema_problems, shorten
from bundleflow.records.yaml_source import Position, YamlError, YamlProblem, YamlSource, parse_yaml

FLOW_FILE = "bundleflow.yml"
SCHEMA_FILE = Path(__file__).with_name("flow.schema.json")
TARGET_REFERENCE = "${bundle.target}"
ENDPOINT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")


@dataclass(frozen=True)
class Stage:
    """One stage of the promotion.

    Args:
        name: Its key in the flow file.
        target: Target of the bundle that is deployed.
        environment: GitHub environment of the deploying job (identity, variables, gate).
        plan_environment: GitHub environment of the read-only identity that makes the plan; None: `environment`.
        requires: Name of the stage that must have been deployed from the same tree; None: none.
        per_pull_request: Whether each pull request gets its own deployment.
        run: Keys of the jobs to run after the deployment, in order.
        then_propose: Branch that the release pull request is opened against; None: none.
        approval: Who may approve it, beyond the environment's required reviewers.
        smoke: Checks after the deployment, in order.
        promote: Keys of the models to promote once the stage is deployed and its jobs ran, in order.
        model_environment: GitHub environment of the job that promotes them, whose reviewers approve; None: the deploying job does it,
            and nobody is asked.
    """

    name: str
    target: str
    environment: str
    plan_environment: str | None = None
    requires: str | None = None
    per_pull_request: bool = False
    run: tuple[str, ...] = ()
    then_propose: str | None = None
    approval: ApprovalRule = field(default_factory=ApprovalRule)
    smoke: tuple[SmokeCheck, ...] = ()
    promote: tuple[str, ...] = ()
    model_environment: str | None = None


@dataclass(frozen=True)
class Model:
    """How one registered model becomes champion.

    Args:
        name: Key under `resources: registered_models:`.
        gate: File with the gate's floors, relative to the repository's root.
        endpoint: Serving endpoint that is switched, in which `${bundle.target}` stands for the target; None: none.
        promoter: Who moves the alias.
        deployment_job: Key under `resources: jobs:` of the deployment job that is connected to the model; None: none.
    """

    name: str
    gate: str
    endpoint: str | None = None
    promoter: Literal["github", "workspace"] = "github"
    deployment_job: str | None = None

    def endpoint_of(self, target: str) -> str | None:
        """Name of the serving endpoint in a target; None when none is switched."""
        return self.endpoint.replace(TARGET_REFERENCE, target) if self.endpoint else None


@dataclass(frozen=True)
class UnitTests:
    """Unit tests: `path` is given to pytest, `requirements` is a locked requirements file; both relative to the repository's root."""

    path: str = "tests/unit"
    requirements: str | None = None


@dataclass(frozen=True)
class Flow:
    """A valid flow file.

    Args:
        path: The file it was read from.
        stages: Stages by name, in the order of the file.
        bundles: Bundle folders or globs, relative to the repository's root.
        shared: Folder or file outside the bundles → globs of the bundles that it concerns.
        policy: What a plan may not do.
        models: Models by their key.
        unit_tests: Where the unit tests are.
        warnings: File of the accepted warnings, relative to the repository's root; None: no warning is accepted.
    """

    path: Path
    stages: Mapping[str, Stage]
    bundles: tuple[str, ...] = (".",)
    shared: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    policy: Policy = Policy()  # noqa: RUF009 (frozen, shared on purpose)
    models: Mapping[str, Model] = field(default_factory=dict)
    unit_tests: UnitTests = UnitTests()
    warnings: str | None = None
    version: int = 1

    def stage(self, name: str) -> Stage:
        """The stage called `name`.

        Raises:
            BundleflowError: `flow-mismatch` when the flow file has no such stage; names the nearest one.
        """
        if name in self.stages:
            return self.stages[name]
        known = ", ".join(f"`{stage}`" for stage in self.stages)
        raise BundleflowError(
            f"{self.path} has no stage `{name}`." if name else "No stage was given.",
            fix=did_you_mean(name, list(self.stages)) or f"Give one of its stages: {known}.",
            reason=FailureReason.FLOW_MISMATCH,
            exit_code=ExitCode.USAGE,
        )


def load_flow(path: Path | str = FLOW_FILE) -> Flow:
    """Read and check the flow file.

    Args:
        path: The file, usually `bundleflow.yml` at the repository's root.

    Returns:
        The flow; every default filled in.

    Raises:
        BundleflowError: `flow-invalid` (exit code 2) that names file:line:column, the key, a suggestion for a typo and the fix.
            Further problems are in its details, one a line.
    """
    path = Path(path)
    source, problems = check_flow(path)
    if problems:
        first, *rest = problems
        raise _error(
            f"{path}:{first.position.line}:{first.position.column}: {first.cause}", first.fix, [_line(path, each) for each in rest]
        )
    return _flow(path, cast("dict[str, Any]", source.data))


def check_flow(path: Path) -> tuple[YamlSource, list[YamlProblem]]:
    """Find every problem of a flow file (used by `bundleflow lint`, which shows them all).

    Returns:
        The parsed file and its problems in the order of the file; the source is empty when the file is not YAML.

    Raises:
        BundleflowError: `flow-invalid` when the file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise _error(
            f"There is no flow file {path}.", f"Run this at the repository's root, where `{FLOW_FILE}` is, or write one."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise _error(
            f"The flow file {path} cannot be read: {error}.", "Check that it is a text file in UTF-8 that you may read."
        ) from error
    try:
        source = parse_yaml(text)
    except YamlError as error:
        return YamlSource(), [error.problem]
    if source.data is None:
        return source, [YamlProblem(Position(1, 1), "the file is empty", "Give at least `version: 1` and `stages:`.")]
    problems = list(source.problems) + list(schema_problems(source, load_schema()))
    if not problems:
        problems = list(_meaning_problems(source))
    return source, sorted(problems, key=lambda problem: problem.position)


def load_schema() -> dict[str, Any]:
    """The JSON Schema of the flow file (also published for editors)."""
    import json

    return cast("dict[str, Any]", json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))


def _meaning_problems(source: YamlSource) -> Iterator[YamlProblem]:
    """What a schema cannot say: names that must exist, circles, stages that contradict themselves."""
    yield from _policy_problems(source)
    yield from _bundle_problems(source)
    stages: dict[str, dict[str, Any]] = source.data["stages"]
    for name, stage in stages.items():
        at = ("stages", name)
        required = stage.get("requires")
        if required is not None and required not in stages:
            fix = did_you_mean(required, list(stages)) or f"Stages of this file: {', '.join(f'`{each}`' for each in stages)}."
            yield YamlProblem(source.values[(*at, "requires")], f"stage `{name}` requires stage `{required}`, which does not exist", fix)
        elif required is not None and name in _chain(stages, required):
            yield YamlProblem(
                source.values[(*at, "requires")], f"stage `{name}` requires itself (by way of `{required}`)", "Break the circle."
            )
        elif required is not None and stages[required].get("per-pull-request"):
            cause = f"stage `{name}` requires `{required}`, which is deployed per pull request and leaves no evidence"
            yield YamlProblem(source.values[(*at, "requires")], cause, "Require a stage that a push deploys.")
        if stage.get("plan-environment") is not None and stage["plan-environment"].lower() == stage["environment"].lower():
            cause = f"stage `{name}` plans in the environment that it deploys in (`{stage['environment']}`)"
            fix = "Give `plan-environment` an environment of its own, with an identity that may only read, or leave the key out."
            yield YamlProblem(source.values[(*at, "plan-environment")], cause, fix)
        if "approval" in stage and stage.get("plan-environment") is None:
            cause = f"stage `{name}` has an `approval` and no `plan-environment`, so no approval is ever asked for"
            fix = "Give the stage a `plan-environment` (an identity that may only read), or leave `approval` out."
            yield YamlProblem(source.values[(*at, "approval")], cause, fix)
        branch = stage.get("then-propose")
        if branch is not None and not is_branch_name(branch):
            fix = "Name the branch, for example `release`."
            yield YamlProblem(source.values[(*at, "then-propose")], f"`{shorten(branch)}` cannot be the name of a branch", fix)
        yield from _promotion_problems(source, name, stage)
    yield from _model_problems(source)


def _bundle_problems(source: YamlSource) -> Iterator[YamlProblem]:
    """Patterns that lead out of the repository, or that are none."""
    for index, pattern in enumerate(source.data.get("bundles", ())):
        parts = PurePosixPath(pattern).parts
        fix = "Name the bundle's folder relative to the repository's root, without `..`, such as `bundles/*`."
        if pattern.startswith("/") or ".." in parts:
            yield YamlProblem(source.at(("bundles", index)), f"`{pattern}` of `bundles` leads out of the repository", fix)
        elif any("**" in part and part != "**" for part in parts):
            yield YamlProblem(source.at(("bundles", index)), f"`{pattern}` of `bundles` has a `**` beside other characters", fix)


def _promotion_problems(source: YamlSource, name: str, stage: Mapping[str, Any]) -> Iterator[YamlProblem]:
    """What a stage promotes must be a model of this file, and a stage behind a gate asks people about its models too."""
    at = ("stages", name)
    models = source.data.get("models", {})
    for index, key in enumerate(stage.get("promote", ())):
        if key not in models:
            fix = did_you_mean(key, list(models)) or "Add it under `models:`, with its `gate`."
            yield YamlProblem(source.at((*at, "promote", index)), f"stage `{name}` promotes `{key}`, which is not under `models:`", fix)
    environment = stage.get("model-environment")
    if environment is not None and not stage.get("promote"):
        cause = f"stage `{name}` has a `model-environment` and promotes no model"
        yield YamlProblem(source.values[(*at, "model-environment")], cause, "Say what to promote under `promote`, or leave the key out.")
    elif environment is not None and environment.lower() in (stage["environment"].lower(), (stage.get("plan-environment") or "").lower()):
        cause = f"stage `{name}` promotes in an environment that it deploys or plans in (`{environment}`)"
        fix = "Give `model-environment` an environment of its own: its reviewers approve the model after they have seen the verdict."
        yield YamlProblem(source.values[(*at, "model-environment")], cause, fix)
    elif environment is None and stage.get("promote") and stage.get("plan-environment") is not None:
        cause = f"stage `{name}` asks for approval of its plan, and would promote models that nobody approved"
        fix = "Give it a `model-environment` with required reviewers; they are asked when the verdict is there."
        yield YamlProblem(source.at((*at, "promote")), cause, fix)


def _model_problems(source: YamlSource) -> Iterator[YamlProblem]:
    """Models whose promoter does not fit what else they say."""
    for name, model in source.data.get("models", {}).items():
        at = ("models", name)
        by_workspace = model.get("promoter") == "workspace"
        if by_workspace and "deployment-job" not in model:
            cause = f"model `{name}` is promoted by the workspace, and no `deployment-job` is named"
            yield YamlProblem(source.values[(*at, "promoter")], cause, "Name the job (key under `resources: jobs:`) that promotes it.")
        elif not by_workspace and "deployment-job" in model:
            cause = f"model `{name}` has a `deployment-job` and is promoted by GitHub: one model has one promoter"
            yield YamlProblem(source.values[(*at, "deployment-job")], cause, "Write `promoter: workspace`, or leave `deployment-job` out.")
        endpoint = model.get("endpoint", "").replace(TARGET_REFERENCE, "x")
        if endpoint and not ENDPOINT_NAME.fullmatch(endpoint):
            cause = f"`{shorten(model['endpoint'])}` cannot be the name of a serving endpoint"
            fix = f"Use letters, digits, `-` and `_`, at most 63; only `{TARGET_REFERENCE}` is replaced."
            yield YamlProblem(source.values[(*at, "endpoint")], cause, fix)


def _policy_problems(source: YamlSource) -> Iterator[YamlProblem]:
    """Days that no calendar has, and entries that say the same twice."""
    seen: set[tuple[str, str]] = set()
    for index, each in enumerate(source.data.get("policy", {}).get("allow", ())):
        at = ("policy", "allow", index)
        if not is_day(each["expires"]):
            yield YamlProblem(source.at((*at, "expires")), f"`{each['expires']}` is no day of the calendar", "Write it as `YYYY-MM-DD`.")
        if (each["resource"], each["action"]) in seen:
            cause = f"`policy: allow` has two entries for {each['action']} of `{each['resource']}`"
            yield YamlProblem(source.at((*at, "resource")), cause, "Keep one of them.")
        seen.add((each["resource"], each["action"]))


def is_day(text: str) -> bool:
    """Whether a text of the form `YYYY-MM-DD` is a day of the calendar."""
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _chain(stages: Mapping[str, Mapping[str, Any]], start: str) -> set[str]:
    """`start` and every stage that it requires, directly or not."""
    found: set[str] = set()
    name: str | None = start
    while name is not None and name in stages and name not in found:
        found.add(name)
        name = stages[name].get("requires")
    return found


def is_branch_name(name: str) -> bool:
    """Whether git takes `name` as a branch (rules: `git help check-ref-format`)."""
    if not name or name == "@" or name.startswith(("-", "/")) or name.endswith(("/", ".", ".lock")):
        return False
    if re.search(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//", name):
        return False
    return not any(part.startswith(".") or part.endswith(".lock") for part in name.split("/"))


def _flow(path: Path, data: Mapping[str, Any]) -> Flow:
    unit = data.get("tests", {}).get("unit", {})
    return Flow(
        path=path,
        stages={
            name: Stage(
                name=name,
                target=stage["target"],
                environment=stage["environment"],
                plan_environment=stage.get("plan-environment"),
                requires=stage.get("requires"),
                per_pull_request=stage.get("per-pull-request", False),
                run=tuple(stage.get("run", ())),
                then_propose=stage.get("then-propose"),
                approval=approval_rule(stage.get("approval", {})),
                smoke=tuple(smoke_check(each) for each in stage.get("smoke", ())),
                promote=tuple(stage.get("promote", ())),
                model_environment=stage.get("model-environment"),
            )
            for name, stage in data["stages"].items()
        },
        bundles=tuple(data.get("bundles", (".",))),
        shared={folder: tuple(patterns) for folder, patterns in data.get("shared", {}).items()},
        policy=_policy(data.get("policy", {})),
        models={
            name: Model(name, model["gate"], model.get("endpoint"), model.get("promoter", "github"), model.get("deployment-job"))
            for name, model in data.get("models", {}).items()
        },
        unit_tests=UnitTests(path=unit.get("path", "tests/unit"), requirements=unit.get("requirements")),
        warnings=data.get("warnings"),
    )


def _policy(data: Mapping[str, Any]) -> Policy:
    return Policy(
        protect=tuple(data.get("protect", DEFAULT_PROTECTED)),
        allow=tuple(
            Allowance(each["resource"], each["action"], each["reason"], date.fromisoformat(each["expires"]))
            for each in data.get("allow", ())
        ),
        max_deletes=data.get("max-deletes"),
        fail_on_active_runs=data.get("fail-on-active-runs", False),
    )


def _error(cause: str, fix: str, further: list[str] | None = None) -> BundleflowError:
    return BundleflowError(cause, fix=fix, reason=FailureReason.FLOW_INVALID, exit_code=ExitCode.USAGE, details="\n".join(further or []))


def _line(path: Path, problem: YamlProblem) -> str:
    return f"{path}:{problem.position.line}:{problem.position.column}: {problem.cause}. {problem.fix}"
