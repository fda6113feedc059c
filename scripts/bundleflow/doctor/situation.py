"""What there is to look at: the repository, its flow file and callers, and how GitHub and the workspace are reached, where they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path

from bundleflow.adapters.databricks_cli import cli_program
from bundleflow.adapters.github_settings import EnvironmentSettings, SettingsApi
from bundleflow.adapters.workspace_access import AccessWorkspace, not_answering
from bundleflow.adoption.checklist import Place
from bundleflow.adoption.resolution import merged, target_configuration
from bundleflow.adoption.survey import Bundle, Survey, survey
from bundleflow.doctor.finding import NotMadeError, docs_url
from bundleflow.doctor.workflows import KitCall, WorkflowFile, kit_calls, workflow_files
from bundleflow.records.errors import BundleflowError
from bundleflow.records.flow import FLOW_FILE, Flow, Stage, load_flow
from bundleflow.records.yaml_source import YamlProblem
from bundleflow.releases.bundle_reach import find_bundles
from bundleflow.releases.bundle_yaml import read_bundle


class Need(StrEnum):
    """What a check cannot be made without."""

    FLOW = "a valid flow file"
    GITHUB = "GitHub"
    HOST = "the address of a workspace"
    JOB = "a job on a runner"
    STAGE = "a stage"
    WORKSPACE = "the workspace of a stage"


@dataclass(frozen=True)
class Deployed:
    """One bundle in the target of the stage that is looked at.

    Args:
        bundle: The bundle.
        target: Name of the target.
        configuration: Its configuration as far as the files alone say it (see `adoption.resolution`).
    """

    bundle: Bundle
    target: str
    configuration: Mapping[str, object]

    @property
    def shown(self) -> str:
        """How it is told of."""
        return f"target `{self.target}` of `{self.bundle.folder}`"


@dataclass(frozen=True)
class Situation:
    """What there is to look at.

    Args:
        root: The repository's root.
        env: Environment variables: of a job, or of a shell.
        offline: Ask nobody, whatever the environment has.
        stage_name: Stage whose workspace the environment leads to; empty: none was named.
        environment: GitHub environment of this job; empty: none was named.
    """

    root: Path
    env: Mapping[str, str]
    offline: bool = False
    stage_name: str = ""
    environment: str = ""

    def require(self, need: Need) -> None:
        """Make sure that something is there.

        Raises:
            NotMadeError: It is not, and why.
        """
        if need in self.unreachable:
            raise NotMadeError(self.unreachable[need])
        if need is Need.FLOW:
            _ = self.flow
        elif need is Need.GITHUB:
            _ = self.github
        elif need is Need.HOST:
            _ = self.client
        elif need is Need.JOB:
            if self.env.get("GITHUB_ACTIONS") != "true":
                raise NotMadeError(
                    f"this is no job on a GitHub runner: run the doctor as a job too, as {docs_url('actions/doctor.md')} says"
                )
        elif need is Need.STAGE:
            _ = self.stage
        else:
            _ = self.workspace

    @cached_property
    def unreachable(self) -> dict[Need, str]:
        """What could not be reached, or did not let this token in, and why: it is not asked again, since each try may take a minute."""
        return {}

    # The repository

    @cached_property
    def flow_or_problem(self) -> Flow | BundleflowError:
        """The flow file, or what is wrong with it."""
        try:
            return load_flow(self.root / FLOW_FILE)
        except BundleflowError as error:
            return error

    @property
    def flow(self) -> Flow:
        """The flow file.

        Raises:
            NotMadeError: There is none, or it is not valid.
        """
        found = self.flow_or_problem
        if isinstance(found, BundleflowError):
            raise NotMadeError("there is no valid `bundleflow.yml` (see flow-file)")
        return found

    @property
    def survey(self) -> Survey:
        """All bundles of the repository, those too that the flow file does not name.

        Raises:
            NotMadeError: They cannot be looked through.
        """
        found = self.survey_or_problem
        if isinstance(found, BundleflowError):
            raise NotMadeError(f"{found.cause} (see bundles)") from found
        return found

    @cached_property
    def survey_or_problem(self) -> Survey | BundleflowError:
        """The repository looked through, or why it cannot be."""
        try:
            return survey(self.root)
        except BundleflowError as error:
            return error

    @cached_property
    def bundles(self) -> tuple[Bundle, ...]:
        """The bundles that the flow file names.

        Raises:
            NotMadeError: There is no valid flow file, one of its patterns finds nothing, or one of the bundles cannot be used.
        """
        unusable = self.unusable_bundles
        if unusable:
            listing = ", ".join(f"`{folder}`" for folder in unusable)
            raise NotMadeError(f"the bundle in {listing} cannot be used (see bundles)")
        return tuple(each for each in self.survey.bundles if each.folder in self.named_folders)

    @cached_property
    def named_folders(self) -> tuple[str, ...]:
        """Folders of the bundles that the flow file names, relative to the root, sorted.

        Raises:
            NotMadeError: There is no valid flow file, or one of its patterns finds nothing.
        """
        try:
            return tuple(find_bundles(self.root, self.flow.bundles))
        except BundleflowError as error:
            raise NotMadeError(f"{error.cause} (see bundles)") from error

    @property
    def unusable_bundles(self) -> Mapping[str, str]:
        """Folder of a bundle that the flow file names → why nothing can be said of it."""
        read = {each.folder for each in self.survey.bundles}
        unseen = "git ignores it, or it lies in a template of the Databricks CLI"
        return {folder: self.survey.left_out.get(folder, unseen) for folder in self.named_folders if folder not in read}

    def configuration(self, bundle: Bundle, target: str) -> Mapping[str, object]:
        """A target's configuration as far as the files alone say it."""
        sources = read_bundle(self.root / bundle.folder, self.root).sources.values()
        return target_configuration(merged([source.data for source in sources]), target)

    @cached_property
    def workflows(self) -> tuple[WorkflowFile, ...]:
        """The workflows of the repository that can be read."""
        return workflow_files(self.root)[0]

    @cached_property
    def broken_workflows(self) -> Mapping[str, YamlProblem]:
        """File → why it cannot be read."""
        return workflow_files(self.root)[1]

    @cached_property
    def calls(self) -> tuple[KitCall, ...]:
        """The jobs that call a workflow of the kit."""
        return tuple(kit_calls(self.workflows))

    @property
    def cli(self) -> str | None:
        """The Databricks CLI of this machine; None where there is none."""
        return cli_program(self.env)

    # GitHub

    @cached_property
    def place(self) -> Place:
        """The repository on GitHub, as far as it is known here."""
        return Place.of(self.root, self._job_env)

    @property
    def _job_env(self) -> Mapping[str, str]:
        """What a job says of itself without anybody being asked."""
        names = ("GITHUB_REPOSITORY", "GITHUB_REPOSITORY_ID", "GITHUB_REPOSITORY_OWNER_ID")
        return {name: self.env[name] for name in names if self.env.get(name)}

    @cached_property
    def github(self) -> SettingsApi:
        """The repository on GitHub.

        Raises:
            NotMadeError: It may not be asked, is not known, or there is no token.
        """
        if self.offline:
            raise NotMadeError("--offline: GitHub is not asked")
        if self.place.repository == Place.repository:
            raise NotMadeError("the repository on GitHub is not known: no remote `origin` on github.com; set GITHUB_REPOSITORY=OWNER/NAME")
        token = self.env.get("GITHUB_TOKEN") or self.env.get("GH_TOKEN")
        if not token:
            raise NotMadeError("no token for GitHub: `GITHUB_TOKEN=$(gh auth token) bundleflow doctor`")
        return SettingsApi(self.place.repository, token, self.env.get("GITHUB_API_URL") or SettingsApi.api_url)

    @cached_property
    def environments_seen(self) -> dict[str, EnvironmentSettings | None]:
        """Environments that were asked for: several checks look at each."""
        return {}

    @cached_property
    def rules_seen(self) -> dict[str, object]:
        """Branch → its rules, as `doctor.branches` read them."""
        return {}

    # The workspace

    @cached_property
    def stage(self) -> Stage:
        """The stage whose workspace the environment leads to.

        Raises:
            NotMadeError: None was named, and there are several.
        """
        stages = self.flow.stages
        if not self.stage_name:
            if len(stages) == 1:
                return next(iter(stages.values()))
            raise NotMadeError(f"no stage was named: give `--stage` one of {', '.join(stages)}, and the login of its environment")
        return self.flow.stage(self.stage_name)

    @property
    def plans_only(self) -> bool:
        """Whether this job's identity is the one that only plans."""
        plan_environment = self.stage.plan_environment or ""
        return bool(self.environment) and self.environment.lower() == plan_environment.lower()

    @property
    def deployed(self) -> tuple[Deployed, ...]:
        """Each bundle in the target of the stage."""
        target = self.stage.target
        return tuple(Deployed(each, target, self.configuration(each, target)) for each in self.bundles)

    @property
    def host(self) -> str:
        """The workspace that the environment names; empty: none."""
        return self.env.get("DATABRICKS_HOST", "")

    @cached_property
    def login(self) -> BundleflowError | None:
        """Why the workspace does not let this identity in; None: it does. Asked once."""
        try:
            _ = self.client.me
        except BundleflowError as error:
            return error
        return None

    @cached_property
    def client(self) -> AccessWorkspace:
        """The workspace, logged in or not.

        Raises:
            NotMadeError: It may not be asked, or the environment names none.
        """
        if self.offline:
            raise NotMadeError("--offline: the workspace is not asked")
        if not self.host:
            raise NotMadeError("no login for a workspace: DATABRICKS_HOST is not set")
        silent = not_answering(self.host)
        if silent:
            self.unreachable[Need.WORKSPACE] = f"the workspace {self.host} cannot be reached: {silent}"
            raise NotMadeError(self.unreachable[Need.WORKSPACE])
        return AccessWorkspace(self.env)

    @cached_property
    def workspace(self) -> AccessWorkspace:
        """The workspace of the stage, logged in.

        Raises:
            NotMadeError: It may not be asked, no stage was named, or the login failed.
        """
        client = self.client
        _ = self.stage
        if self.login is not None:
            raise NotMadeError("the login failed (see login)")
        return client
