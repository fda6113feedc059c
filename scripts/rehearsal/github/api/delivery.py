"""Endpoints of deployments, environments, variables, check runs, commit statuses and rules."""

from __future__ import annotations

from rehearsal.github import checks, deployments, environments, rules
from rehearsal.github.api.call import Answer, Call, Endpoint, no_content
from rehearsal.github.errors import GitHubError, invalid, not_found
from rehearsal.github.gitstore import GitStore
from rehearsal.github.model import Environment, Json, Rule
from rehearsal.github.model_actions import Deployment
from rehearsal.github.render import actions as render
from rehearsal.github.render import node_id, people

ADMIN = ("administration:write",)


def _commit(call: Call) -> str:
    sha = GitStore(call.repository.path).resolve(call.parts["ref"])
    if sha is None:
        raise GitHubError(422, f"No commit found for SHA: {call.parts['ref']}")
    return sha


# Deployments


def list_deployments(call: Call) -> Answer:
    """List deployments: `GET /deployments`."""
    found = [each for each in call.state.deployments.values() if each.repository == call.full_name]
    for key in ("sha", "ref", "task", "environment"):
        if call.query.get(key):
            found = [each for each in found if getattr(each, key) == call.query[key]]
    found.sort(key=lambda each: -each.id)
    return call.page(found, lambda each: render.deployment(call.state, call.repository, each))


def create_deployment(call: Call) -> Answer:
    """Create deployment: `POST /deployments`."""
    made = deployments.create(call.state, call.full_name, call.who, call.fields())
    if isinstance(made, str):
        return Answer({"message": made}, 202)
    return Answer(render.deployment(call.state, call.repository, made), 201)


def _deployment(call: Call) -> Deployment:
    return deployments.get(call.state, call.repository, call.number("id"))


def get_deployment(call: Call) -> Answer:
    """Give deployment: `GET /deployments/{id}`."""
    return Answer(render.deployment(call.state, call.repository, _deployment(call)))


def list_statuses(call: Call) -> Answer:
    """List statuses: `GET /deployments/{id}/statuses`."""
    of = _deployment(call)
    newest_first = list(reversed(of.statuses))
    return call.page(newest_first, lambda each: render.deployment_status(call.state, call.repository, of, each))


def create_status(call: Call) -> Answer:
    """Create status: `POST /deployments/{id}/statuses`."""
    made = deployments.add_status(call.state, call.full_name, call.number("id"), call.who, call.fields())
    return Answer(render.deployment_status(call.state, call.repository, _deployment(call), made), 201)


# Environments


def list_environments(call: Call) -> Answer:
    """List environments: `GET /environments`."""
    found = list(call.repository.environments.values())
    return call.page(found, lambda each: render.environment(call.state, call.repository, each), "environments")


def _environment(call: Call) -> Environment:
    return environments.get(call.repository, call.parts["environment"])


def get_environment(call: Call) -> Answer:
    """Give environment: `GET /environments/{environment}`."""
    return Answer(render.environment(call.state, call.repository, _environment(call)))


def put_environment(call: Call) -> Answer:
    """Set environment: `PUT /environments/{environment}`."""
    fields = call.fields()
    logins = []
    for each in fields.get("reviewers") or []:
        if each.get("type") != "User":
            raise GitHubError(422, "Teams are not imitated: every reviewer must have the type User.")
        logins += [user.login for user in call.state.users.values() if user.id == each.get("id")]
    policy = fields.get("deployment_branch_policy")
    if policy and policy.get("protected_branches") == policy.get("custom_branch_policies"):
        raise invalid(
            "Environment", "deployment_branch_policy", "custom", "protected_branches and custom_branch_policies cannot be the same"
        )
    custom = bool(policy and policy.get("custom_branch_policies"))
    known = call.repository.environments.get(call.parts["environment"])
    gate = environments.Gatekeeping(
        logins,
        bool(fields.get("prevent_self_review", False)),
        int(fields.get("wait_timer") or 0),
        ((known.branches or []) if known else []) if custom else None,
        (known.tags if known else []) if custom else [],
        bool(policy and policy.get("protected_branches")),
        known.can_admins_bypass if known else True,
    )
    made = environments.configure(call.state, call.full_name, call.parts["environment"], gate)
    return Answer(render.environment(call.state, call.repository, made))


def delete_environment(call: Call) -> Answer:
    """Delete environment: `DELETE /environments/{environment}`."""
    del call.repository.environments[_environment(call).name]
    return no_content()


def _policy(policy: tuple[int, str, str]) -> Json:
    return {"id": policy[0], "node_id": node_id("DBP", policy[0]), "name": policy[1], "type": policy[2]}


def list_policies(call: Call) -> Answer:
    """List policies: `GET /environments/{environment}/deployment-branch-policies`."""
    return call.page(environments.policies(call.state, _environment(call)), _policy, "branch_policies")


def create_policy(call: Call) -> Answer:
    """Create policy: `POST /environments/{environment}/deployment-branch-policies`."""
    kind = call.text("type", required=False) or "branch"
    if kind not in ("branch", "tag"):
        raise invalid("DeploymentBranchPolicy", "type")
    name = call.text("name")
    return Answer(_policy((environments.add_policy(call.state, _environment(call), name, kind), name, kind)))


def custom_rules(call: Call) -> Answer:
    """Give the custom rules: `GET /environments/{environment}/deployment_protection_rules`."""
    _environment(call)
    return Answer({"total_count": 0, "custom_deployment_protection_rules": []})


# Variables


def _variables(call: Call) -> dict[str, str]:
    return _environment(call).variables if "environment" in call.parts else call.repository.variables


def _variable(call: Call, name: str) -> Json:
    value = _variables(call)[name]
    return {"name": name, "value": value, "created_at": call.repository.created_at, "updated_at": call.repository.created_at}


def _name(call: Call) -> str:
    name = call.parts["name"].upper()
    if name not in _variables(call):
        raise not_found()
    return name


def list_variables(call: Call) -> Answer:
    """List variables: `GET /.../variables`."""
    return call.page(sorted(_variables(call)), lambda name: _variable(call, name), "variables")


def get_variable(call: Call) -> Answer:
    """Give variable: `GET /.../variables/{name}`."""
    return Answer(_variable(call, _name(call)))


def create_variable(call: Call) -> Answer:
    """Create variable: `POST /.../variables`."""
    name = environments.check_variable_name(call.text("name"))
    if name in _variables(call):
        raise GitHubError(409, "Already exists - Variable already exists")
    _variables(call)[name] = call.text("value")
    return Answer({}, 201)


def update_variable(call: Call) -> Answer:
    """Change variable: `PATCH /.../variables/{name}`."""
    _variables(call)[_name(call)] = call.text("value")
    return no_content()


def delete_variable(call: Call) -> Answer:
    """Delete variable: `DELETE /.../variables/{name}`."""
    del _variables(call)[_name(call)]
    return no_content()


# Check runs and commit statuses


def create_check(call: Call) -> Answer:
    """Create check: `POST /check-runs`."""
    made = checks.create(call.state, call.repository, call.who, call.fields())
    return Answer(render.check_run(call.state, call.repository, made), 201)


def get_check(call: Call) -> Answer:
    """Give check: `GET /check-runs/{id}`."""
    return Answer(render.check_run(call.state, call.repository, checks.get(call.state, call.repository, call.number("id"))))


def update_check(call: Call) -> Answer:
    """Change check: `PATCH /check-runs/{id}`."""
    made = checks.update(call.state, call.repository, call.who, call.number("id"), call.fields())
    return Answer(render.check_run(call.state, call.repository, made))


def list_annotations(call: Call) -> Answer:
    """List annotations: `GET /check-runs/{id}/annotations`."""
    found = checks.get(call.state, call.repository, call.number("id")).annotations

    def render_one(each: Json) -> Json:
        optional = dict.fromkeys(("start_column", "end_column", "title", "raw_details"))
        return {**optional, "blob_href": "", **each}

    return call.page(found, render_one)


def list_checks(call: Call) -> Answer:
    """List checks: `GET /commits/{ref}/check-runs`."""
    latest = call.query.get("filter", "latest") != "all"
    found = checks.of_commit(call.state, call.repository, _commit(call), name=call.query.get("check_name", ""), latest=latest)
    if call.query.get("status"):
        found = [each for each in found if each.status == call.query["status"]]
    if call.query.get("app_id"):
        found = [each for each in found if str((people.app(call.state, each.app) or {}).get("id")) == call.query["app_id"]]
    return call.page(found, lambda each: render.check_run(call.state, call.repository, each), "check_runs")


def create_commit_status(call: Call) -> Answer:
    """Create commit status: `POST /statuses/{sha}`."""
    made = checks.set_status(call.state, call.repository, call.who, call.parts["sha"], call.fields())
    return Answer(render.status(call.state, call.repository, made), 201)


def list_commit_statuses(call: Call) -> Answer:
    """List commit statuses: `GET /commits/{ref}/statuses`."""
    found = checks.statuses_of(call.state, call.repository, _commit(call))
    return call.page(found, lambda each: render.status(call.state, call.repository, each))


def combined_status(call: Call) -> Answer:
    """Give the combined status: `GET /commits/{ref}/status`."""
    return Answer(render.combined_status(call.state, call.repository, _commit(call)))


# Rules


def _rule(rule: Rule) -> Json:
    return {"type": rule.type, **({"parameters": rule.parameters} if rule.parameters else {})}


def branch_rules(call: Call) -> Answer:
    """Give the branch rules: `GET /rules/branches/{branch}`."""
    source = {"ruleset_source_type": "Repository", "ruleset_source": call.full_name}
    found = rules.active(call.repository, call.parts["branch"])
    return call.page(found, lambda rule: {**_rule(rule), **source, "ruleset_id": rule.ruleset_id})


def _ruleset(call: Call, ruleset_id: int) -> Json:
    found = [rule for rule in call.repository.rules if rule.ruleset_id == ruleset_id]
    if not found:
        raise not_found()
    patterns = sorted({p if p.startswith(("~", "refs/")) else f"refs/heads/{p}" for rule in found for p in rule.branches})
    own = call.state.api_url("repos", call.full_name, "rulesets", ruleset_id)
    return {
        "id": ruleset_id,
        "node_id": node_id("RRS", ruleset_id),
        "name": "rules",
        "target": "branch",
        "source_type": "Repository",
        "source": call.full_name,
        "enforcement": "active",
        "conditions": {"ref_name": {"include": patterns, "exclude": []}},
        "rules": [_rule(rule) for rule in found],
        "created_at": call.repository.created_at,
        "updated_at": call.repository.created_at,
        "_links": {"self": {"href": own}},
    }


def list_rulesets(call: Call) -> Answer:
    """List rulesets: `GET /rulesets`."""
    ids = sorted({rule.ruleset_id for rule in call.repository.rules})

    def summary(ruleset_id: int) -> Json:
        return {key: value for key, value in _ruleset(call, ruleset_id).items() if key not in ("rules", "conditions")}

    return call.page(ids, summary)


def get_ruleset(call: Call) -> Answer:
    """Give ruleset: `GET /rulesets/{id}`."""
    return Answer(_ruleset(call, call.number("id")))


_DEPLOYMENT = (
    "ref", "task", "auto_merge", "required_contexts", "payload", "environment", "description",
    "transient_environment", "production_environment",
)  # fmt: skip
_STATUS = ("state", "target_url", "log_url", "description", "environment", "environment_url", "auto_inactive")
_ENVIRONMENT = ("wait_timer", "prevent_self_review", "reviewers", "deployment_branch_policy")
_CHECK = ("name", "details_url", "external_id", "status", "started_at", "conclusion", "completed_at", "output")
_DEPLOY_READ, _DEPLOY_WRITE = ("deployments:read",), ("deployments:write",)
# A name may have slashes; so this pattern stands after those that it would swallow.
_ENV = "~/environments/{environment:path}"


def _variable_endpoints(prefix: str, key: str) -> list[Endpoint]:
    read, write = (f"{key}:read",), (f"{key}:write",)
    return [
        Endpoint("GET", prefix, list_variables, read),
        Endpoint("POST", prefix, create_variable, write, ("name", "value")),
        Endpoint("GET", prefix + "/{name}", get_variable, read),
        Endpoint("PATCH", prefix + "/{name}", update_variable, write, ("name", "value")),
        Endpoint("DELETE", prefix + "/{name}", delete_variable, write),
    ]


ENDPOINTS = [
    Endpoint("GET", "~/deployments", list_deployments, _DEPLOY_READ, query=("sha", "ref", "task", "environment")),
    Endpoint("POST", "~/deployments", create_deployment, _DEPLOY_WRITE, _DEPLOYMENT),
    Endpoint("GET", "~/deployments/{id}", get_deployment, _DEPLOY_READ),
    Endpoint("GET", "~/deployments/{id}/statuses", list_statuses, _DEPLOY_READ),
    Endpoint("POST", "~/deployments/{id}/statuses", create_status, _DEPLOY_WRITE, _STATUS),
    Endpoint("GET", "~/environments", list_environments, ("actions:read",)),
    Endpoint("GET", _ENV + "/deployment-branch-policies", list_policies, ("actions:read",)),
    Endpoint("POST", _ENV + "/deployment-branch-policies", create_policy, ADMIN, ("name", "type")),
    Endpoint("GET", _ENV + "/deployment_protection_rules", custom_rules, ("actions:read",)),
    *_variable_endpoints(_ENV + "/variables", "environments"),
    *_variable_endpoints("~/actions/variables", "variables"),
    Endpoint("GET", _ENV, get_environment, ("actions:read",)),
    Endpoint("PUT", _ENV, put_environment, ADMIN, _ENVIRONMENT),
    Endpoint("DELETE", _ENV, delete_environment, ADMIN),
    Endpoint("POST", "~/check-runs", create_check, ("checks:write",), (*_CHECK, "head_sha")),
    Endpoint("GET", "~/check-runs/{id}", get_check, ("checks:read",)),
    Endpoint("PATCH", "~/check-runs/{id}", update_check, ("checks:write",), _CHECK),
    Endpoint("GET", "~/check-runs/{id}/annotations", list_annotations, ("checks:read",)),
    Endpoint("GET", "~/commits/{ref:path}/check-runs", list_checks, ("checks:read",), query=("check_name", "status", "filter", "app_id")),
    Endpoint("POST", "~/statuses/{sha}", create_commit_status, ("statuses:write",), ("state", "target_url", "description", "context")),
    Endpoint("GET", "~/commits/{ref:path}/statuses", list_commit_statuses, ("statuses:read",)),
    Endpoint("GET", "~/commits/{ref:path}/status", combined_status, ("statuses:read",)),
    Endpoint("GET", "~/rules/branches/{branch:path}", branch_rules, ("metadata",)),
    Endpoint("GET", "~/rulesets", list_rulesets, ("metadata",), query=("includes_parents", "targets")),
    Endpoint("GET", "~/rulesets/{id}", get_ruleset, ("metadata",), query=("includes_parents",)),
]
