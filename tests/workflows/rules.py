"""The rules that hold for every workflow and action of the kit and its templates, one function each."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .files import KIT, ROOT, YamlFile
from .jobs import PROMOTE, commands, deploys, jobs_with_steps, logs_in, probes, publishes, scalars
from .registry import rule

THIRD_PARTY = {"actions/checkout", "actions/upload-artifact", "actions/download-artifact"}


@rule
def no_duplicate_keys(file: YamlFile) -> Iterator[str]:
    """YAML readers silently take the last of two equal keys."""
    yield from (f"line {problem.position.line}: {problem.cause}" for problem in file.source.problems)


@rule
def permissions_empty_at_the_top(file: YamlFile) -> Iterator[str]:
    """Nothing is granted to a job that does not ask."""
    if not file.is_action and file.data.get("permissions") != {}:
        yield "`permissions: {}` is missing at the top"


@rule
def permissions_of_each_job_with_reasons(file: YamlFile) -> Iterator[str]:
    """Each job asks for the least, one scope a line, and says why."""
    for name, job in file.jobs.items():
        permissions = job.get("permissions")
        if not isinstance(permissions, dict):
            yield f"job {name} has no `permissions:` by scope"
            continue
        for scope in permissions:
            line = file.line(("jobs", name, "permissions", scope))
            if not re.search(rf"{scope}:\s+(read|write|none)\s+# \w+", line):
                yield f"job {name}: `{scope}` has no comment with its reason"


@rule
def permissions_that_are_used(file: YamlFile) -> Iterator[str]:
    """id-token goes with a login, deployments with a deployment, pull-requests with a comment or proposal."""
    for name, job in jobs_with_steps(file):
        permissions = job.get("permissions") or {}
        if not isinstance(permissions, dict) or probes(job):
            continue
        done = commands(job)
        if ("id-token" in permissions) != logs_in(job):
            yield f"job {name}: `id-token: write` and a login to Databricks go together"
        if permissions.get("deployments") == "write" and not set(done) & {"deploy-stage", "record", PROMOTE}:
            yield f"job {name} may write deployments and files none"
        if permissions.get("deployments") == "read" and "plan-release" not in done:
            yield f"job {name} may read deployments and does not"
        if permissions.get("pull-requests") == "write" and not set(done) & {"ci", "propose-release", "comment"}:
            yield f"job {name} may write pull requests and does not"
        if permissions.get("contents") == "write" and not publishes(job):
            yield f"job {name} may change the repository"


@rule
def third_party_actions_few_and_pinned(file: YamlFile) -> Iterator[str]:
    """Full commit SHA and version comment; only GitHub's own checkout and artifacts."""
    uses = [(place, step["uses"]) for place, step in file.steps if "uses" in step]
    uses += [(("jobs", name), job["uses"]) for name, job in file.jobs.items() if "uses" in job]
    for place, used in uses:
        if used.startswith(("$/", "./")):
            continue
        line = file.line((*place, "uses"))
        if not re.search(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+\s*$", line):
            yield f"{used} is not pinned by a full SHA with its version as a comment"
        repository = "/".join(used.partition("@")[0].split("/")[:2])
        if repository not in THIRD_PARTY and not (file.is_template and repository == KIT):
            yield f"{used} is a third-party action that the kit does without"


@rule
def own_actions_of_the_same_commit(file: YamlFile) -> Iterator[str]:
    """`uses: $/actions/x` is this repository at this commit; the caller's checkout or a fixed ref is not."""
    if file.is_template:
        return
    uses = [step["uses"] for _, step in file.steps if "uses" in step] + [job["uses"] for job in file.jobs.values() if "uses" in job]
    for used in uses:
        if used.startswith(("./", KIT)):
            yield f"{used}: write `$/...`"
        if used.startswith("$/"):
            target = ROOT / used.removeprefix("$/")
            if not (target.is_file() or (target / "action.yml").is_file()):
                yield f"{used} does not exist"


@rule
def no_expression_in_run(file: YamlFile) -> Iterator[str]:
    """Values enter a script by its environment, never by substitution."""
    for place, step in file.steps:
        if "${{" in str(step.get("run", "")) + str(step.get("shell", "")) + str(step.get("working-directory", "")):
            yield f"step {place[-1]} has an expression in its script"


@rule
def no_expression_in_a_description(file: YamlFile) -> Iterator[str]:
    """A runner evaluates an action's file before anything is there: an expression in a text for people stops it."""
    texts = [file.data.get("description", "")] if file.is_action else []
    call = (file.data.get("on") or {}).get("workflow_call") or {}
    for part in (file.data if file.is_action else call,):
        texts += [entry.get("description", "") for kind in ("inputs", "outputs") for entry in (part.get(kind) or {}).values()]
    yield from (f"an expression in a description: {text[:60]}" for text in texts if "${{" in str(text))


@rule
def run_is_one_command(file: YamlFile) -> Iterator[str]:
    """Logic lies in the package, where it is tested: a step starts one program, without pipes, redirections or fallbacks."""
    allowed = r'((exec )?bundleflow|scripts/[\w-]+|python3 [\w/]+\.py|python3 "\$BUNDLEFLOW_ACTION_PATH/[\w./-]+")'
    allowed += r'( ((--[\w-]+=)?"\$[A-Z_]+"|[\w./-]+))*'
    for place, step in file.steps:
        if "run" in step and not re.fullmatch(allowed, step["run"].strip()):
            yield f"step {place[-1]} is more than one command: {step['run'].strip()[:80]}"


@rule
def timeouts(file: YamlFile) -> Iterator[str]:
    """Nothing hangs for GitHub's six hours; a step's limit leaves the job time to tell."""
    for name, job in jobs_with_steps(file):
        minutes = job.get("timeout-minutes")
        if not isinstance(minutes, int):
            yield f"job {name} has no `timeout-minutes`"
            continue
        for step in job["steps"]:
            if step.get("timeout-minutes", 0) >= minutes:
                yield f"job {name}: a step may take as long as the job"


@rule
def releases_are_bound_and_gated(file: YamlFile) -> Iterator[str]:
    """A release of the kit: started by a person, checked first, behind an environment's gate, from the commit of the run, one at a time."""
    for name, job in jobs_with_steps(file):
        if not publishes(job):
            continue
        if set(file.triggers) != {"workflow_dispatch"}:
            yield f"job {name} publishes in a workflow that something else than a person starts"
        if not job.get("environment"):
            yield f"job {name} publishes without an environment, so nobody is asked"
        checked = [
            key for key, other in jobs_with_steps(file) if any(step.get("run") == "scripts/release check" for step in other["steps"])
        ]
        if not set(checked) & set(job.get("needs", [])):
            yield f"job {name} publishes what no job before the gate has checked"
        if any("ref" in step.get("with", {}) for step in job["steps"]):
            yield f"job {name} checks out something else than the commit of the run"
        if (file.data.get("concurrency") or {}).get("cancel-in-progress") is not False:
            yield f"job {name}: two releases could be made at once, or one be cancelled half way"


@rule
def required_check_needs_every_job(file: YamlFile) -> Iterator[str]:
    """The job that sums up the others waits for each of them, runs in any case and looks at what they came to."""
    for name, job in jobs_with_steps(file):
        steps = [step for step in job["steps"] if "/actions/required-check" in str(step.get("uses", ""))]
        if not steps:
            continue
        needed = job.get("needs", [])
        if missing := set(file.jobs) - {name} - set([needed] if isinstance(needed, str) else needed):
            yield f"job {name} does not need {', '.join(sorted(missing))}"
        if job.get("if") != "${{ always() }}":
            yield f"job {name} is skipped when a job fails, and a skipped check counts as passed: `if: ${{{{ always() }}}}` is missing"
        if any(step.get("with", {}).get("needs") != "${{ toJSON(needs) }}" for step in steps):
            yield f"job {name} does not look at what the other jobs came to"


@rule
def credentials_not_persisted(file: YamlFile) -> Iterator[str]:
    """A checkout leaves no token in .git."""
    for place, step in file.steps:
        if str(step.get("uses", "")).startswith("actions/checkout@") and step.get("with", {}).get("persist-credentials") is not False:
            yield f"step {place[-1]}: `persist-credentials: false` is missing"


@rule
def deploying_jobs_take_turns(file: YamlFile) -> Iterator[str]:
    """A group of their own for each bundle and target (or pull request), and never cancelled."""
    for name, job in jobs_with_steps(file):
        if not deploys(job):
            continue
        concurrency = job.get("concurrency")
        if not isinstance(concurrency, dict):
            yield f"job {name} deploys without `concurrency`"
            continue
        group = str(concurrency.get("group", ""))
        own = {"test-integration", "cleanup"} & set(commands(job))
        kind = "github.event.pull_request.number" if own else "inputs.stage"
        if not re.match(r"[a-z]+-[a-z]+-", group) or kind not in group or "inputs.bundle-dir" not in group:
            yield f"job {name}: the group must begin literally and hold `{kind}` and `inputs.bundle-dir`"
        if concurrency.get("cancel-in-progress") is not False:
            yield f"job {name}: a running deployment can be cancelled"


@rule
def groups_that_cannot_clash(file: YamlFile) -> Iterator[str]:
    """`github.workflow` is the caller's name in a called workflow: two of them then lock each other out."""
    found = [("the workflow", file.data.get("concurrency"), False)]
    found += [(f"job {name}", job.get("concurrency"), deploys(job)) for name, job in file.jobs.items()]
    for what, concurrency, deploying in found:
        group = concurrency.get("group", "") if isinstance(concurrency, dict) else str(concurrency or "")
        if "github.workflow" in group:
            yield f"{what}: the group hangs on `github.workflow`"
        if concurrency is not None and not isinstance(concurrency, dict):
            yield f"{what}: say `cancel-in-progress` too"
        if not deploying and group.startswith("bundleflow-deploy-"):
            yield f"{what} shares a group with deployments, so it can cancel one"
        if file.call is not None and what == "the workflow" and concurrency is not None:
            yield "a called workflow's group belongs to the job, so that only what must wait waits"


@rule
def staging_queues_production_supersedes(file: YamlFile) -> Iterator[str]:
    """Each push to staging leaves its evidence; a newer release supersedes one that waits at the gate."""
    for name, job in jobs_with_steps(file):
        if "deploy-stage" in commands(job):
            queue = (job.get("concurrency") or {}).get("queue") if isinstance(job.get("concurrency"), dict) else None
            approved = any("BUNDLEFLOW_APPROVED_DIGEST" in step.get("env", {}) for step in job["steps"])
            if (queue == "max") == approved:
                yield f"job {name}: `queue: max` without a gate, none behind one"


@rule
def failures_are_told(file: YamlFile) -> Iterator[str]:
    """Each job runs the kit (which writes a summary whatever happens) and hands on its `failure-reason`."""
    if file.call is None or all(probes(job) for job in file.jobs.values()):
        return
    value = str(((file.call.get("outputs") or {}).get("failure-reason") or {}).get("value"))
    for name, job in jobs_with_steps(file):
        steps = {step.get("id"): step for step in job["steps"]}
        reason = str(job.get("outputs", {}).get("failure-reason"))
        if "setup" not in steps or steps["setup"].get("uses") != "$/actions/setup" or not commands(job):
            yield f"job {name} does not run the kit"
        if "steps.setup.outputs.failure-reason" not in reason or not any(
            f"steps.{id_}.outputs.failure-reason" in reason for id_, step in steps.items() if "run" in step
        ):
            yield f"job {name} does not give out `failure-reason`"
        if f"jobs.{name}.outputs.failure-reason" not in value:
            yield f"the workflow's `failure-reason` leaves out job {name}"


@rule
def interface_is_described(file: YamlFile) -> Iterator[str]:
    """Every input, secret and output says what it is; an input is required or has a default; texts are one sentence at least."""
    interface = file.data if file.is_action else file.call or {}
    for kind in ("inputs", "secrets", "outputs"):
        for name, each in (interface.get(kind) or {}).items():
            if len(str((each or {}).get("description", ""))) < 10:
                yield f"{kind[:-1]} {name} is not described"
            if kind == "inputs" and not file.is_template and ("default" in each) == (each.get("required") is True):
                yield f"input {name} is neither required nor has a default, or both"
    if not re.match(r"# \w.{20,}", file.text) and not file.is_action:
        yield "the first line does not say what it is for"
    if file.is_action and len(str(file.data.get("description", ""))) < 20:
        yield "the action is not described"


@rule
def required_checks_never_hang(file: YamlFile) -> Iterator[str]:
    """A required check that a path filter skips stays `expected` for ever; and each caller can be started by hand."""
    for event in ("pull_request", "push", "merge_group"):
        if isinstance(file.triggers.get(event), dict) and {"paths", "paths-ignore"} & set(file.triggers[event]):
            yield f"`{event}` has a path filter"
    if file.is_template and not file.is_action and "workflow_dispatch" not in file.triggers:
        yield "cannot be started by hand (`workflow_dispatch`)"


@rule
def versions_are_text(file: YamlFile) -> Iterator[str]:
    """3.10 without quotes is the number 3.1."""
    for value in scalars(file.data):
        if isinstance(value, float):
            yield f"{value} is a number here: quote it"


@rule
def runners_are_fixed(file: YamlFile) -> Iterator[str]:
    """A named image: `-latest` changes under one's feet."""
    for name, job in jobs_with_steps(file):
        if not re.fullmatch(r"ubuntu-\d\d\.\d\d", str(job.get("runs-on"))):
            yield f"job {name} runs on {job.get('runs-on')}"


@rule
def composite_steps_name_their_shell(file: YamlFile) -> Iterator[str]:
    """bash with pipefail, everywhere the same."""
    if file.is_action:
        yield from (f"step {place[-1]} has no `shell: bash`" for place, step in file.steps if "run" in step and step.get("shell") != "bash")
        yield from ("only composite actions" for _ in range(file.data["runs"].get("using") != "composite"))
