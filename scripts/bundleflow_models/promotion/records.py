"""The nouns of a promotion, as data classes: model, version, endpoint, approval, request, result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from bundleflow_models.verdict.gate import Gate

CHAMPION = "champion"
PREVIOUS = "previous-champion"
CHALLENGER = "challenger"
KIT_TAGS = "bundleflow_"
"""How all tags of the kit begin (Unity Catalog allows none of `. , - = / :` in a tag's key)."""


@dataclass(frozen=True)
class ModelState:
    """A registered model.

    Args:
        name: Full name, `catalog.schema.model`.
        aliases: Version by alias.
        tags: Tags of the model.
        description: Its description; a change of anything else has to send it again, or it is lost.
        deployment_job: Id of the job that a new version starts; empty for none.
        deployment_job_state: What the workspace says of that job, such as `CONNECTED`; empty when it says nothing.
    """

    name: str
    aliases: Mapping[str, int] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    deployment_job: str = ""
    deployment_job_state: str = ""

    @property
    def champion(self) -> int | None:
        """The version that is champion."""
        return self.aliases.get(CHAMPION)


@dataclass(frozen=True)
class VersionState:
    """A version of a registered model.

    Args:
        model: Full name of the model.
        number: The version.
        status: `READY` once its files are there.
        tags: Tags of the version.
        run_id: MLflow run that made it; empty when it tells none.
        deployment_run: Id of the deployment job's run for it; 0 for none.
        deployment_state: State of that run: `RUNNING`, `APPROVAL`, `SUCCEEDED`, `FAILED`, ...; empty when there is none.
        deployment_task: Task that the run is at.
    """

    model: str
    number: int
    status: str = "READY"
    tags: Mapping[str, str] = field(default_factory=dict)
    run_id: str = ""
    deployment_run: int = 0
    deployment_state: str = ""
    deployment_task: str = ""


@dataclass(frozen=True)
class EndpointState:
    """A serving endpoint.

    Args:
        name: Its name.
        ready: Whether it answers.
        update: `NOT_UPDATING`, `IN_PROGRESS`, `UPDATE_FAILED` or `UPDATE_CANCELED`.
        config: The configuration in force, as the API shows it; empty when none ever was.
        pending: Whether another configuration is on its way while this one serves.
    """

    name: str
    ready: bool
    update: str
    config: Mapping[str, Any] = field(default_factory=dict)
    pending: bool = False


@dataclass(frozen=True)
class Approval:
    """Who agreed that one version becomes champion, having seen one verdict.

    Args:
        by: Login of the person; empty when nobody is asked.
        where: `github`, `workspace`, or `none` where the stage asks nobody.
        verdict: Digest of the verdict that was approved.
        link: Page of the approval, such as the workflow run's.
        comment: What the person wrote.
    """

    by: str
    where: str
    verdict: str
    link: str = ""
    comment: str = ""


@dataclass(frozen=True)
class Pace:
    """How an endpoint is switched.

    Args:
        candidate_percent: Share of the traffic that a candidate gets first, in percent (1 to 99).
        update_limit_s: Seconds that one update of the endpoint may take.
        poll_s: Seconds between two looks at it.
    """

    candidate_percent: int = 10
    update_limit_s: float = 1800.0
    poll_s: float = 5.0


@dataclass(frozen=True)
class PromotionRequest:
    """What is to be promoted.

    Args:
        model: Full name of the registered model.
        version: The version.
        approval: Who agreed.
        endpoint: Serving endpoint to switch; None: none.
        by: Who promotes, such as the service principal's name or the address of a workflow run.
        pace: How the endpoint is switched.
        gate: The gate file in force, by which the verdict must have been reached; None: who promotes does not know it.
    """

    model: str
    version: int
    approval: Approval
    endpoint: str | None = None
    by: str = ""
    pace: Pace = Pace()
    gate: Gate | None = None


@dataclass(frozen=True)
class Promotion:
    """What a promotion or a rollback has come to.

    Args:
        model: Full name of the model.
        champion: Version that is champion now; None for none.
        previous: Version that was champion before; None for none.
        verdict: Digest of the verdict that it rests on; empty for a rollback.
        approval: Who agreed; None for a rollback.
        endpoint: The endpoint that was switched; empty for none.
        at: When, ISO 8601 in UTC.
        notes: What else is worth saying, a sentence each.
        changed: Whether anything was changed.
    """

    model: str
    champion: int | None
    previous: int | None
    verdict: str = ""
    approval: Approval | None = None
    endpoint: str = ""
    at: str = ""
    notes: tuple[str, ...] = ()
    changed: bool = True

    def as_dict(self) -> dict[str, Any]:
        """The promotion as JSON has it."""
        return asdict(self)
