"""GitHub's settings of a repository, read only: environments, branch rules, Actions, subjects; what a token may not read is told so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from bundleflow.adapters.github import GitHubError
from bundleflow.adapters.github_release import ReleaseApi

ACTIONS_APP = "github-actions"


@dataclass(frozen=True)
class EnvironmentSettings:
    """An environment as GitHub protects it.

    Args:
        name: Its name.
        reviewers: Logins and team names of the required reviewers.
        prevent_self_review: Whether who started a run may not approve it.
        admins_bypass: Whether administrators may pass the gate; None: GitHub did not say.
        branches: Patterns of the branches that may use it; empty: protected branches only; None: any branch.
    """

    name: str
    reviewers: tuple[str, ...]
    prevent_self_review: bool
    admins_bypass: bool | None
    branches: tuple[str, ...] | None


class SettingsApi(ReleaseApi):
    """One repository on GitHub, its settings."""

    def environment(self, name: str) -> EnvironmentSettings | None:
        """An environment; None where there is none of this name.

        Raises:
            GitHubError: It may not be read (`actions: read`).
        """
        try:
            gate = self.gate(name)
            data = self._get(f"/environments/{quote(name, safe='')}", "actions: read")
            branches = self.branch_patterns(name)
        except GitHubError as error:
            if error.status == 404:
                return None
            raise
        bypass = data.get("can_admins_bypass")
        return EnvironmentSettings(name, gate.reviewers, gate.prevent_self_review, bypass if isinstance(bypass, bool) else None, branches)

    def environment_variables(self, name: str) -> Mapping[str, str] | None:
        """Variables of an environment, those of the repository beneath them; None where the token may not read them.

        No job's token may: a person's with write access can.
        """
        found: dict[str, str] = {}
        for path in ("/actions/variables", f"/environments/{quote(name, safe='')}/variables"):
            try:
                found |= {each["name"]: each.get("value", "") for each in self._pages(path, "variables", "variables: read")}
            except GitHubError as error:
                if error.status in (403, 404):
                    return None
                raise
        return found

    def protected_the_older_way(self, branch: str) -> bool | None:
        """Whether a branch has a protection that is no rule; None where there is no such branch."""
        try:
            return bool(self._get(f"/branches/{quote(branch, safe='/')}", "contents: read").get("protected"))
        except GitHubError as error:
            if error.status == 404:
                return None
            raise

    def older_protection(self, branch: str) -> Mapping[str, Any] | None:
        """The older kind of branch protection; None where there is none, or the token may not read it (a job's may not)."""
        try:
            found = self._get(f"/branches/{quote(branch, safe='/')}/protection", "administration: read")
        except GitHubError as error:
            if error.status in (403, 404):
                return None
            raise
        return found if isinstance(found, Mapping) else None

    def foreign_checks(self, ref: str) -> frozenset[str]:
        """Names of checks and statuses on a commit that did not come from GitHub Actions.

        Raises:
            GitHubError: They may not be read (`checks: read`, `statuses: read`).
        """
        where = f"/commits/{quote(ref, safe='/')}"
        runs = self._pages(f"{where}/check-runs", "check_runs", "checks: read")
        names = {str(each.get("name")) for each in runs if (each.get("app") or {}).get("slug") != ACTIONS_APP}
        return frozenset(names | {str(each.get("context")) for each in self._pages(f"{where}/statuses", "", "statuses: read")})

    def actions_may_open_pull_requests(self) -> bool | None:
        """Whether workflows may open pull requests; None where the token may not know (a job's may not)."""
        try:
            found = self._get("/actions/permissions/workflow", "administration: read")
        except GitHubError as error:
            if error.status in (403, 404):
                return None
            raise
        return bool(found.get("can_approve_pull_request_reviews"))

    def subject_form(self) -> Mapping[str, Any]:
        """How the repository forms the subject of its OIDC tokens: `use_default`, `include_claim_keys`, `use_immutable_subject`."""
        found = self._get("/actions/oidc/customization/sub", "actions: read")
        return found if isinstance(found, Mapping) else {}

    def default_branch(self) -> str:
        """The repository's default branch."""
        return str(self._get("", "metadata: read").get("default_branch") or "main")

    def numbers(self) -> tuple[str, str]:
        """The numbers of the owner and of the repository, which stand in subjects."""
        found = self._get("", "metadata: read")
        return str((found.get("owner") or {}).get("id") or ""), str(found.get("id") or "")
