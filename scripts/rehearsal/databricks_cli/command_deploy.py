"""`bundle deploy`: uploads libraries and files, then makes the workspace what the bundle says."""

from __future__ import annotations

from pathlib import PurePosixPath

from rehearsal.databricks_cli import approval, libraries, saved_plan, scripts, state
from rehearsal.databricks_cli.apply import DONE, Applier, Outcome
from rehearsal.databricks_cli.args import Invocation
from rehearsal.databricks_cli.bundle import Bundle
from rehearsal.databricks_cli.command_plan import check_branch, selection
from rehearsal.databricks_cli.diagnostics import CommandError, Diagnostics
from rehearsal.databricks_cli.permissions import FOLDER_LEVELS, PRINCIPALS
from rehearsal.databricks_cli.plan import Plan
from rehearsal.databricks_cli.planner import Planner
from rehearsal.databricks_cli.prepare import ready_bundle
from rehearsal.databricks_cli.sync_files import Snapshot


def run(invocation: Invocation, diagnostics: Diagnostics) -> int:
    """Run the command.

    Args:
        invocation: The command line.
        diagnostics: Takes the remarks; they are printed.

    Returns:
        0 when everything was done.

    Raises:
        StopCommand: Something failed; the errors are among the diagnostics, and the state has what was done.
        CommandError: It was refused.
        ApiError: The workspace refused something other than a resource.
    """
    plan_file = invocation.text("plan")
    bundle = ready_bundle(invocation, diagnostics, check=True, build=not plan_file)
    resources = state.pull(bundle)
    saved = saved_plan.read(plan_file, bundle, resources) if plan_file else None
    if saved is None:
        check_branch(bundle, force=invocation.on("force"))
        _check_active_runs(invocation, bundle, resources)
    files = state.pull_files(bundle, remote=saved is None)
    scripts.run(bundle, "predeploy")
    with state.Lock(bundle, force=invocation.on("force-lock")):
        _Deployment(invocation, bundle, resources, files).run(saved)
    return 0


class _Deployment:
    """One deployment, while the lock is held."""

    def __init__(self, invocation: Invocation, bundle: Bundle, resources: state.ResourceState, files: state.FileList) -> None:
        self.invocation = invocation
        self.bundle = bundle
        self.resources = resources
        self.files = files
        self.quiet = invocation.count("quiet")

    def run(self, saved: Plan | None) -> None:
        """Deploy, and say at the end how much was done, also when it failed half-way."""
        libraries.upload(self.bundle)
        uploaded, deleted = self._upload_files()
        totals = [f"Files: {uploaded} uploaded, {deleted} deleted"]
        try:
            self._share_folder()
            planner = Planner(self.bundle, self.resources) if saved is None else None
            plan = planner.plan(selection(self.invocation)) if planner else saved
            assert plan is not None
            approval.approve_deployment(self.bundle, plan, approved=self.invocation.on("auto-approve"))
            configs = {key: item.config for key, item in planner.wanted.items() if item.config} if planner else {}
            outcome = Applier(self.bundle, self.resources, configs, "deploying").apply(plan)
            state.push(self.bundle, self.resources, written=outcome.written)
            self.bundle.diagnostics.stop_on_error()
            state.push_metadata(self.bundle, self.resources)
            scripts.run(self.bundle, "postdeploy")
            totals = [*self._done(outcome), *totals, self._resource_totals(plan)]
        except CommandError as problem:
            self.bundle.diagnostics.items.append(problem.diagnostic)
            self.bundle.diagnostics.stop_on_error()
        finally:
            self.bundle.diagnostics.flush()
            if self.quiet < 2:
                self.bundle.diagnostics.log("\n".join(totals))

    def _upload_files(self) -> tuple[int, int]:
        root = self.bundle.config.text("workspace", "file_path")
        if self.quiet < 2:
            self.bundle.diagnostics.log(f"Uploading bundle files to {root}...")
        if self.bundle.workspace.status(root) is None:
            self.bundle.workspace.mkdirs(root)
        snapshot = Snapshot(self.bundle, self.files.files, trusted=self.files.local)
        present, uploaded, deleted = snapshot.synchronize()
        state.push_files(self.bundle, self.files, present)
        return uploaded, deleted

    def _share_folder(self) -> None:
        """Give the bundle's permissions on its folder, and on folders of it that lie elsewhere."""
        given = self.bundle.config.plain("permissions") or []
        if not given:
            return
        workspace = self.bundle.workspace
        paths = [
            self.bundle.config.text("workspace", name)
            for name in ("root_path", "file_path", "state_path", "artifact_path", "resource_path")
        ]
        outside = [path for path in paths[1:] if not PurePosixPath(path).is_relative_to(paths[0]) and path.startswith("/Workspace/")]
        entries = [
            {name: item[name] for name in PRINCIPALS if item.get(name)} | {"permission_level": FOLDER_LEVELS[item["level"]]}
            for item in given
        ]
        for path in dict.fromkeys([paths[0], *outside]):
            folder = workspace.status(path)
            if folder is not None:
                target = f"/api/2.0/permissions/directories/{folder['object_id']}"
                workspace.http.request("PUT", target, body={"access_control_list": entries})

    def _done(self, outcome: Outcome) -> list[str]:
        return [] if self.quiet else sorted(f"{DONE[entry.action]} {entry.short}" for entry in outcome.done)

    def _resource_totals(self, plan: Plan) -> str:
        text = "Resources: {created} created, {changed} changed, {deleted} deleted, {unchanged} unchanged".format(**plan.counts())
        return text if plan.not_selected is None else f"{text}, {plan.not_selected} not selected"


def _check_active_runs(invocation: Invocation, bundle: Bundle, resources: state.ResourceState) -> None:
    if not (invocation.on("fail-on-active-runs") or bundle.config.plain("bundle", "deployment", "fail_on_active_runs")):
        return
    for key in resources.entries:
        if key.startswith("resources.jobs.") and key.count(".") == 2:
            query = {"job_id": resources.identity(key), "active_only": "true"}
            if bundle.workspace.http.get("/api/2.2/jobs/runs/list", query).get("runs"):
                raise CommandError(f"job {resources.identity(key)} is running")
