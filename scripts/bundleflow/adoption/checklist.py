"""What a person must click once on GitHub and Databricks, for exactly this proposal, as a Markdown checklist."""

from __future__ import annotations

import re
import subprocess
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bundleflow.adapters.login_claims import Claims, policy_command, subject_settings
from bundleflow.adoption.advice import DEVELOP, MAIN, RELEASE
from bundleflow.adoption.files import callers
from bundleflow.adoption.present import fitted
from bundleflow.adoption.proposal import Proposal, ProposedStage
from bundleflow.report.markdown import block, code, escape, table

ISSUER = "https://token.actions.githubusercontent.com"
AUDIENCE = "YOUR-DATABRICKS-ACCOUNT-ID"
SETTINGS = "Settings → Environments"
BRANCH_OF = {"dev": DEVELOP, "test": "", "staging": MAIN, "prod": RELEASE}
"""Stage → the branch whose runs use its environment; empty: pull requests do, so none can be named."""

WRITES: Mapping[str, str] = {
    "schemas": "`USE CATALOG` and `CREATE SCHEMA` on the catalog",
    "volumes": "`CREATE VOLUME` on the schema",
    "registered_models": "`CREATE MODEL` on the schema",
    "catalogs": "`CREATE CATALOG` on the metastore",
    "pipelines": "`USE CATALOG`, `USE SCHEMA` and `CREATE TABLE` where pipelines write",
    "model_serving_endpoints": "`EXECUTE` on the models that are served",
    "sql_warehouses": "the entitlement to create SQL warehouses",
    "clusters": "the entitlement to create clusters, or a cluster policy",
    "instance_pools": "the entitlement to create instance pools",
    "secret_scopes": "the right to create secret scopes",
}
"""Kind of resource → what its deployment needs. Source: Databricks' page "Unity Catalog privileges and securable objects"."""
READS: Mapping[str, str] = {
    "jobs": "*can view* on the jobs",
    "pipelines": "*can view* on the pipelines",
    "experiments": "*can read* on the experiments",
    "registered_models": "`EXECUTE` on the models",
    "schemas": "`USE CATALOG` and `USE SCHEMA`",
    "model_serving_endpoints": "*can view* on the endpoints",
}


@dataclass(frozen=True)
class Place:
    """The repository on GitHub, as far as it is known here.

    Args:
        repository: `owner/name`.
        owner_id: Number of the owner; `OWNER_ID` where it is not known.
        repository_id: Number of the repository; `REPOSITORY_ID` where it is not known.
        form: Which form of the subject GitHub says that the repository uses; empty: it was not asked.
    """

    repository: str = "OWNER/REPOSITORY"
    owner_id: str = "OWNER_ID"
    repository_id: str = "REPOSITORY_ID"
    form: str = ""

    @classmethod
    def of(cls, root: Path, env: Mapping[str, str]) -> Place:
        """By the job's environment on a runner, else by the remote `origin`."""
        name = env.get("GITHUB_REPOSITORY") or _remote(root) or cls.repository
        if not env.get("GITHUB_REPOSITORY_ID") or not env.get("GITHUB_REPOSITORY_OWNER_ID"):
            return cls(name)
        immutable = subject_settings(env).get("use_immutable_subject")
        form = "" if immutable is None else "names with ids" if immutable else "names only"
        return cls(name, env["GITHUB_REPOSITORY_OWNER_ID"], env["GITHUB_REPOSITORY_ID"], form)

    def subjects(self, environment: str) -> Mapping[str, str]:
        """The subject of a job in an environment: name of the form → subject."""
        claims = Claims(ISSUER, "", AUDIENCE, self.repository, self.owner_id, self.repository_id)
        return claims.subjects(environment)


def _remote(root: Path) -> str:
    argv = ["git", "-C", str(root), "remote", "get-url", "origin"]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    found = re.search(r"github\.com[:/]([\w.-]+/[\w.-]+?)(?:\.git)?/?\s*$", done.stdout)
    return found[1] if found else ""


def checklist(proposal: Proposal, place: Place) -> str:
    """The checklist.

    Args:
        proposal: What is proposed.
        place: The repository.
    """
    proposal = fitted(proposal)
    parts = [
        "## What a person clicks once",
        "\n".join(_environments(proposal)),
        "\n".join(_identities(proposal, place)),
        "\n".join(_grants(proposal)),
        "\n".join(_rules(proposal)),
    ]
    notes = [f"- **{escape(note.subject)}**: {with_code(note.text)}" + _added(note.add) for note in proposal.notes]
    if notes:
        parts.append("### Worth knowing\n\n" + "\n".join(notes))
    return "\n\n".join(parts)


def with_code(text: str) -> str:
    """A text in which names stand between backticks, as Markdown; all of it may come from others."""
    parts = text.split("`")
    return "".join(code(part) if number % 2 else _between(part) for number, part in enumerate(parts) if part)


def _between(text: str) -> str:
    """Text that stands beside code: escaping takes its outer blanks away, which part it from the code."""
    blanks = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
    return f"{' ' if blanks[0] else ''}{escape(text)}{' ' if blanks[1] and text.strip() else ''}"


def _added(text: str) -> str:
    if not text:
        return ""
    lines = block(text, "yaml").split("\n")
    return " For `databricks.yml`:\n\n" + "\n".join(f"  {line}" for line in lines) + "\n"


def users(proposal: Proposal) -> list[tuple[str, ProposedStage, bool]]:
    """Each environment with its stage, and whether it only plans."""
    found = []
    for stage in proposal.stages:
        if stage.plan_environment:
            found.append((stage.plan_environment, stage, True))
        found.append((stage.environment, stage, False))
    return found


def _environments(proposal: Proposal) -> Iterator[str]:
    yield f"### Environments ({SETTINGS})\n"
    for name, stage, plans in users(proposal):
        policy = _branches(proposal, stage, plans=plans)
        gate = "; required reviewers, *prevent self-review*, no bypass by administrators" if stage.name == "prod" and not plans else ""
        yield f"- [ ] {code(name)} for target {code(stage.target)}{' (plans only)' if plans else ''}: {policy}{gate}"
    yield ""
    yield "Each with two *variables* (no secrets: GitHub empties every output that holds a secret's value):\n"
    rows = [(code(name), "`DATABRICKS_HOST`, `DATABRICKS_CLIENT_ID`", _whose(stage, plans)) for name, stage, plans in users(proposal)]
    yield from table(("environment", "variables", "client id of"), rows)


def _branches(proposal: Proposal, stage: ProposedStage, *, plans: bool) -> str:
    branch = BRANCH_OF[stage.name]
    if not branch:
        return "any branch: pull requests use it"
    if plans and proposal.stage("staging") and not stage.one_identity:
        return f"deployment branches: only {code(MAIN)} (the plan is previewed there) and {code(branch)}"
    return f"deployment branches: only {code(branch)}"


def _whose(stage: ProposedStage, plans: bool) -> str:
    if plans and stage.one_identity:
        return f"the principal of {code(stage.environment)}, until the target no longer hangs on who deploys"
    if plans:
        return "a principal of its own that may only read"
    if stage.name == "test" and not stage.per_pull_request:
        return "a principal of its own: pull requests run with it, so nothing it may do may hurt"
    return "a principal of its own"


def _identities(proposal: Proposal, place: Place) -> Iterator[str]:
    yield "### A federation policy for each environment\n"
    said = f" GitHub says that this repository uses the form *{place.form}*." if place.form else ""
    yield (
        "A policy holds one subject, and the whole of it must be equal. Repositories made, renamed or moved since July 2026 use the form "
        f"with ids.{said}"
    )
    if place.owner_id == Place.owner_id:
        yield "\nThe two numbers: " + code(f"gh api repos/{place.repository} --jq .owner.id,.id")
    yield ""
    rows = [
        (code(name), code(place.subjects(name)["names only"]), code(place.subjects(name)["names with ids"]))
        for name, _, _ in users(proposal)
    ]
    yield from table(("environment", "subject, names only", "subject, names with ids"), rows)
    yield ""
    yield "An account administrator makes each, here for the first, with the number (not the application id) of the service principal:\n"
    form = "names with ids" if place.form == "names with ids" else "names only"
    yield block(policy_command(ISSUER, AUDIENCE, place.subjects(users(proposal)[0][0])[form]), "sh")


def _grants(proposal: Proposal) -> Iterator[str]:
    bundles = [each for each in proposal.survey.bundles if each.folder in proposal.bundles]
    kinds = {kind for each in bundles for kind in each.kinds}
    roots: dict[str, list[str]] = defaultdict(list)
    for target in [target for each in bundles for target in each.targets]:
        roots[target.name].append("the deployer's own folder" if "${workspace.current_user" in target.root_path else code(target.root_path))
    yield "### Grants on Databricks\n"
    for name, stage, plans in users(proposal):
        root = ", ".join(dict.fromkeys(roots[stage.target]))
        if plans and stage.one_identity:
            continue
        needs = [READS[kind] for kind in READS if kind in kinds] if plans else [WRITES[kind] for kind in WRITES if kind in kinds]
        first = f"*can view* on {root}" if plans else f"*can manage* on {root}"
        if stage.name == "test" and not stage.per_pull_request:
            first, needs = f"*can edit* on {root} (validation makes the folder once), nothing else", []
        elif not plans and any(each.run_as for each in bundles):
            needs.append("*service principal user* on the principals that `run_as` names")
        yield f"- [ ] {code(name)}: {'; '.join([first, *needs])}"


def _rules(proposal: Proposal) -> Iterator[str]:
    yield "### Branches and rules\n"
    if proposal.stage("dev"):
        yield f"- [ ] branch {code(DEVELOP)}: a push to it is deployed"
    yield f"- [ ] branch {code(MAIN)}: a pull request, and these required checks: {', '.join(_checks(proposal))}"
    if proposal.stage("prod"):
        one = "`cd-staging / deploy`" if len(proposal.bundles) == 1 else "`cd-staging (FOLDER) / deploy` of each bundle"
        needed = f"; required check {one}" if proposal.stage("staging") else ""
        yield f"- [ ] branch {code(RELEASE)}, made once from what production runs today: a pull request, *merge commits only*{needed}"
    if proposal.stage("staging"):
        yield "- [ ] Settings → Actions → General: *Allow GitHub Actions to create and approve pull requests*, for the release pull request"


def _checks(proposal: Proposal) -> Iterator[str]:
    """The checks of a pull request that always come."""
    yield "`lint / lint`"
    several = len(proposal.bundles) > 1
    names = callers(proposal)
    if "bundle-ci" in names:
        yield "`bundle-ci required`" if several else "`bundle-ci / bundle-ci`"
    if "run-tests" in names:
        yield from ["`run-tests required`"] if several else ["`run-tests / unit`", "`run-tests / integration`"]
