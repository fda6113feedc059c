"""All checks, in the order in which they are made: what is nearest to the project first, what needs a login last."""

from __future__ import annotations

from bundleflow.doctor import branches, callers, deployments, environments, identity, project, rights, stored_secrets
from bundleflow.doctor.check import Area, Check
from bundleflow.doctor.situation import Need

_FLOW, _GITHUB, _JOB, _HOST, _WORKSPACE = Need.FLOW, Need.GITHUB, Need.JOB, Need.HOST, Need.WORKSPACE
_PROJECT, _HUB, _IDENTITY, _SPACE = Area.PROJECT, Area.GITHUB, Area.IDENTITY, Area.WORKSPACE

CHECKS: tuple[Check, ...] = (
    Check("flow-file", "the flow file is there and valid", _PROJECT, (), project.flow_file),
    Check("bundles", "what the flow file names exists", _PROJECT, (_FLOW,), project.bundles),
    Check("targets", "every target can be deployed by a runner", _PROJECT, (_FLOW,), project.targets),
    Check("plan-identity", "a plan does not hang on who makes it", _PROJECT, (_FLOW,), project.plan_identity),
    Check("development-mode", "no stage deploys in development mode", _PROJECT, (_FLOW,), project.development_mode),
    Check("own-gates", "no gate is used by a stage that has none", _PROJECT, (_FLOW,), environments.own_gates),
    Check("gate-files", "every model has a gate file that can be used", _PROJECT, (_FLOW,), project.gate_files),
    Check("exceptions", "no exception has expired", _PROJECT, (_FLOW,), project.exceptions),
    Check("callers", "workflows fit the flow file and the kit", _PROJECT, (_FLOW,), callers.callers),
    Check("pins", "the kit is pinned by one commit, not an old one", _PROJECT, (), callers.pins),
    Check("stored-secrets", "workflows log in without stored secrets", _PROJECT, (), stored_secrets.stored_secrets),
    Check("runner", "the runner knows `uses: $/`", _PROJECT, (), callers.runner),
    Check("cli-version", "the Databricks CLI is one that the kit works with", _PROJECT, (), deployments.cli_version),
    Check("environments", "every environment exists", _HUB, (_FLOW, _GITHUB), environments.environments),
    Check("reviewers", "every gate has required reviewers", _HUB, (_FLOW, _GITHUB), environments.reviewers),
    Check("self-review", "nobody approves what they started", _HUB, (_FLOW, _GITHUB), environments.self_review),
    Check("admin-bypass", "administrators do not pass a gate unapproved", _HUB, (_FLOW, _GITHUB), environments.admin_bypass),
    Check("environment-branches", "only its own branch uses an environment", _HUB, (_FLOW, _GITHUB), environments.environment_branches),
    Check("variables", "every environment has host and identity", _HUB, (_FLOW, _GITHUB), environments.variables),
    Check("branch-rules", "nobody pushes past review", _HUB, (_FLOW, _GITHUB), branches.branch_rules),
    Check("release-merges", "releases are merged by merge commits", _HUB, (_FLOW, _GITHUB), branches.release_merges),
    Check("required-checks", "every required check comes", _HUB, (_FLOW, _GITHUB), branches.required_checks),
    Check("open-pull-requests", "workflows may open pull requests", _HUB, (_FLOW, _GITHUB), branches.pull_requests_by_actions),
    Check("held", "no release is held", _HUB, (_FLOW, _GITHUB), deployments.held),
    Check("expected-subjects", "the subject of each environment is known", _IDENTITY, (_FLOW,), identity.expected_subjects),
    Check("subject", "the job presents its environment's subject", _IDENTITY, (_FLOW, _JOB), identity.subject),
    Check("login", "the workspace lets this identity in", _IDENTITY, (_HOST,), identity.login),
    Check("root-folder", "the identity may use the deployment's folder", _SPACE, (_FLOW, _WORKSPACE), rights.root_folder),
    Check("deployed-objects", "the identity may change what is deployed", _SPACE, (_FLOW, _WORKSPACE), rights.deployed_objects),
    Check("grants", "the identity has the privileges that the bundle needs", _SPACE, (_FLOW, _WORKSPACE), rights.grants),
    Check("engine", "engine and CLI fit the deployment's state", _SPACE, (_FLOW, _WORKSPACE), deployments.engine),
    Check("deploy-lock", "no deployment left its lock behind", _SPACE, (_FLOW, _WORKSPACE), deployments.deploy_lock),
    Check("promotion-lock", "no promotion was left half done", _SPACE, (_FLOW, _WORKSPACE), deployments.promotion_lock),
)
