"""Switches a serving endpoint to another version: a share of the traffic, a look at its answers, then all; or back as it was."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bundleflow_models.errors import ModelsError
from bundleflow_models.promotion.interfaces import Endpoints
from bundleflow_models.promotion.records import EndpointState

ENTITY_FIELDS = (
    "name", "entity_name", "entity_version", "workload_size", "workload_type", "scale_to_zero_enabled", "environment_vars",
    "instance_profile_arn", "min_provisioned_throughput", "max_provisioned_throughput", "min_provisioned_concurrency",
    "max_provisioned_concurrency", "provisioned_model_units", "burst_scaling_enabled", "external_model",
)  # fmt: skip
"""What an entity is given by; the API's answers hold more (https://docs.databricks.com/api/workspace/servingendpoints)."""
CAPTURE_FIELDS = ("catalog_name", "schema_name", "table_name_prefix", "enabled")
NEW_ENTITY: Mapping[str, Any] = {"workload_size": "Small", "scale_to_zero_enabled": True}
RELATIVE_TOLERANCE = 1e-6
Config = Mapping[str, Any]
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Switch:
    """One switch of an endpoint.

    Args:
        endpoints: The workspace's endpoints.
        name: The endpoint.
        model: Full name of the model that it serves.
        percent: Share that a candidate gets first.
        limit_s: Seconds that one update may take.
        poll_s: Seconds between two looks.
        keep: Called at each look and before each change; gives the lock's sign of life, and ends the switch where the lock is lost.
        tell: Takes a line for people.
        notes: Takes what is worth saying at the end.
    """

    endpoints: Endpoints
    name: str
    model: str
    percent: int = 10
    limit_s: float = 1800.0
    poll_s: float = 5.0
    keep: Callable[[], None] = lambda: None
    tell: Tell = lambda _: None
    notes: list[str] = field(default_factory=list)

    def now(self) -> EndpointState | None:
        """The endpoint as it is once no update is on its way; None when there is none.

        Raises:
            ModelsError: `endpoint-failed`: somebody else's update does not end; wrong use when it serves another model.
        """
        deadline = time.monotonic() + self.limit_s
        while True:
            state = self.endpoints.get(self.name)
            if state is None or (state.update != "IN_PROGRESS" and not state.pending):
                break
            self._wait(deadline, "an update that was on its way did not end")
        if state is not None:
            others = {str(each.get("entity_name")) for each in entities(state.config)} - {self.model}
            if others:
                raise ModelsError(
                    "flow-mismatch",
                    f"The endpoint {self.name} also serves {', '.join(sorted(others))}; only endpoints of one model are switched.",
                    fix=f"Give {self.model} an endpoint of its own in the flow file.",
                )
        return state

    def to(self, version: int, probe: Mapping[str, Any], *, before: EndpointState | None, at_once: bool = False) -> None:
        """Let a version serve, alone in the end.

        Args:
            version: The version.
            probe: `{"request": ..., "predictions": [...]}`: rows, and the answers that are right; empty for none.
            before: The endpoint as it is; None when there is none.
            at_once: Without a share of the traffic first (the way back).

        Raises:
            ModelsError: `endpoint-failed`.
        """
        if not probe:
            self.notes.append(f"The verdict keeps no rows to ask with: of {self.name} only the state was checked, not an answer.")
        old = [each for each in entities(before.config) if str(each.get("entity_version")) != str(version)] if before else []
        alone = self._alone(version, before)
        entity = str(entities(alone)[0]["name"])
        if before is None:
            self.tell(f"endpoint {self.name}: is made, serving version {version}")
            self.keep()
            self.endpoints.create(self.name, alone)
        elif serves(before, version):
            self.tell(f"endpoint {self.name}: serves version {version} already")
        else:
            if old and before.ready and not at_once:
                self.tell(f"endpoint {self.name}: version {version} gets {self.percent} % of the traffic")
                self._update(self._candidate(before, old, entities(alone)[0]))
                self._look(entity, probe)
            self.tell(f"endpoint {self.name}: version {version} gets all the traffic")
            self._update(alone)
        self.until(alone)
        self._look(entity, probe)
        self._look("", probe)

    def back(self, before: EndpointState | None) -> None:
        """Bring the endpoint back to what it was.

        Raises:
            ModelsError: `endpoint-failed`.
        """
        now = self.now()
        if before is None:
            if now is not None:
                self.tell(f"endpoint {self.name}: is removed, it was not there before")
                self.endpoints.delete(self.name)
        elif now is None:
            self.tell(f"endpoint {self.name}: is made again as it was")
            self.endpoints.create(self.name, as_input(before.config))
            self.until(before.config)
        elif not same(now.config, before.config) or (before.ready and not now.ready):
            self.tell(f"endpoint {self.name}: goes back to what it served")
            self._update(as_input(before.config), wait=before.ready)

    def until(self, wanted: Config) -> None:
        """Wait until a configuration is in force and ready: the old one goes on serving while a new one is on its way.

        Raises:
            ModelsError: `endpoint-failed`: it failed or did not come in time.
        """
        deadline = time.monotonic() + self.limit_s
        while True:
            state = self.endpoints.get(self.name)
            if state is None:
                raise self._failed("it was removed while it was being changed")
            if state.update in ("UPDATE_FAILED", "UPDATE_CANCELED"):
                raise self._failed(f"its new configuration ended with {state.update}")
            if state.ready and state.update == "NOT_UPDATING" and not state.pending and same(state.config, wanted):
                return
            self._wait(deadline, "its new configuration was not ready in time")

    def _update(self, config: Config, *, wait: bool = True) -> None:
        self.keep()
        self.endpoints.update(self.name, config)
        if wait:
            self.until(config)

    def _look(self, entity: str, probe: Mapping[str, Any]) -> None:
        """Ask an entity (empty: whoever gets the traffic) and compare its answers with those that the verdict saw."""
        if not probe:
            return
        answer = self.endpoints.ask(self.name, probe["request"], entity)
        predictions, expected = answer.get("predictions"), probe.get("predictions")
        if predictions is None:
            raise self._failed(f"{entity or 'it'} answered without `predictions`")
        if expected is None:
            return
        wrong = differing(predictions, expected)
        if wrong is None or wrong:
            said = "another number of rows" if wrong is None else f"{wrong} of {len(expected)} rows differently"
            raise self._failed(f"{entity or 'it'} answers {said} than the version did when it was judged")

    def _alone(self, version: int, before: EndpointState | None) -> dict[str, Any]:
        """The configuration in which one version gets everything, otherwise as the endpoint is now."""
        known = entities(before.config) if before else []
        like = dict(next((each for each in known if str(each.get("entity_version")) == str(version)), known[0] if known else NEW_ENTITY))
        name = f"{self.model.rpartition('.')[2]}-{version}"
        entity = like | {"name": name, "entity_name": self.model, "entity_version": str(version)}
        rest = {key: value for key, value in as_input(before.config).items() if key == "auto_capture_config"} if before else {}
        return {"served_entities": [entity], "traffic_config": _routes([(name, 100)]), **rest}

    def _candidate(self, before: EndpointState, old: Sequence[Mapping[str, Any]], entity: Mapping[str, Any]) -> dict[str, Any]:
        """What serves now, scaled down, and the candidate beside it."""
        shares = {name: share for name, share in traffic(before.config).items() if name in {str(each["name"]) for each in old}}
        shares = shares if sum(shares.values()) else {str(old[0]["name"]): 100}
        total, left = sum(shares.values()), 100 - self.percent
        routes = [(name, share * left // total) for name, share in shares.items()]
        name, share = routes[0]
        routes[0] = (name, share + left - sum(each for _, each in routes))
        rest = {key: value for key, value in as_input(before.config).items() if key == "auto_capture_config"}
        return {"served_entities": [*old, entity], "traffic_config": _routes([*routes, (str(entity["name"]), self.percent)]), **rest}

    def _wait(self, deadline: float, late: str) -> None:
        self.keep()
        if time.monotonic() + self.poll_s > deadline:
            raise self._failed(f"{late} ({self.limit_s:.0f} s)")
        time.sleep(self.poll_s)

    def _failed(self, what: str) -> ModelsError:
        return ModelsError(
            "endpoint-failed",
            f"The endpoint {self.name} of {self.model} was not switched: {what}.",
            fix="Look at the endpoint's events and logs in the workspace, then promote again.",
        )


def entities(config: Config) -> list[dict[str, Any]]:
    """The served entities of a configuration as they are given, each with its name."""
    found = []
    for each in config.get("served_entities") or config.get("served_models") or []:
        entity = {key: each[key] for key in ENTITY_FIELDS if each.get(key) is not None}
        entity.setdefault("entity_name", each.get("model_name"))
        entity.setdefault("entity_version", each.get("model_version"))
        entity.setdefault("name", f"{str(entity['entity_name']).rpartition('.')[2]}-{entity['entity_version']}")
        found.append(entity)
    return found


def traffic(config: Config) -> dict[str, int]:
    """Percent of the traffic by served entity."""
    named = entities(config)
    shares: dict[str, int] = {}
    for route in (config.get("traffic_config") or {}).get("routes") or []:
        name = route.get("served_entity_name") or route.get("served_model_name") or (str(named[0]["name"]) if named else "")
        shares[str(name)] = int(route.get("traffic_percentage") or 0)
    return shares or ({str(named[0]["name"]): 100} if len(named) == 1 else {})


def as_input(config: Config) -> dict[str, Any]:
    """A configuration as it is given, from how the API shows it; the shape of `PUT .../config`, and of a journal."""
    given: dict[str, Any] = {"served_entities": entities(config), "traffic_config": _routes(list(traffic(config).items()))}
    capture = {key: value for key, value in (config.get("auto_capture_config") or {}).items() if key in CAPTURE_FIELDS}
    return given | ({"auto_capture_config": capture} if capture else {})


def same(one: Config, other: Config) -> bool:
    """Whether two configurations send the same shares to the same versions."""
    return _shares(one) == _shares(other)


def serves(state: EndpointState, version: int) -> bool:
    """Whether an endpoint is ready and sends everything to one version."""
    settled = state.ready and state.update != "IN_PROGRESS" and not state.pending
    return settled and {number for number, _ in _shares(state.config)} == {str(version)}


def differing(answers: Any, expected: Sequence[Any]) -> int | None:
    """How many rows are answered differently, numbers to one part in a million; None when their number differs."""
    if not isinstance(answers, list) or len(answers) != len(expected):
        return None
    return sum(not _equal(one, other) for one, other in zip(answers, expected, strict=True))


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_equal(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    numbers = isinstance(one, int | float) and isinstance(other, int | float)
    return math.isclose(one, other, rel_tol=RELATIVE_TOLERANCE, abs_tol=RELATIVE_TOLERANCE) if numbers else bool(one == other)


def _shares(config: Config) -> set[tuple[str, int]]:
    shares = traffic(config)
    versions = {str(each["name"]): str(each["entity_version"]) for each in entities(config)}
    return {(versions.get(name, name), share) for name, share in shares.items()} | {
        (versions[name], shares.get(name, 0)) for name in versions
    }


def _routes(shares: Sequence[tuple[str, int]]) -> dict[str, Any]:
    return {"routes": [{"served_model_name": name, "traffic_percentage": share} for name, share in shares]}
