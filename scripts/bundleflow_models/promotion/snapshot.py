"""What stood before a promotion's first change: kept in the lock while it lasts, and brought back when it fails or dies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from bundleflow_models.errors import ModelsError
from bundleflow_models.promotion.endpoint import Switch, as_input
from bundleflow_models.promotion.interfaces import Registry
from bundleflow_models.promotion.records import CHAMPION, PREVIOUS, EndpointState, ModelState, VersionState
from bundleflow_models.promotion.verdicts import SINCE_TAG
from bundleflow_models.verdict.record import TAG_MODEL_CHAMPION

AT_TAG = "bundleflow_promoted_at"
BY_TAG = "bundleflow_promoted_by"
VERDICT_TAG = "bundleflow_promoted_verdict"
REPLACED_TAG = "bundleflow_replaced"
"""Tag of a version: the champion that it replaced."""
ROLLED_BACK_TAG = "bundleflow_rolled_back_at"
"""Tag of a version: when it was rolled back, ISO 8601."""
ROLLED_BACK_BY_TAG = "bundleflow_rolled_back_by"
"""Tag of a version: who rolled it back."""
PROMOTION_TAGS = (AT_TAG, BY_TAG, VERDICT_TAG, REPLACED_TAG, ROLLED_BACK_TAG, ROLLED_BACK_BY_TAG)
"""What promotion and rollback write to a version."""


@dataclass(frozen=True)
class Snapshot:
    """What stood before.

    Args:
        model: Full name of the model.
        version: Version that is to become champion.
        champion: Version that was champion; None: none.
        previous: Version that was `previous-champion`; None: none.
        endpoint: Endpoint that is to be switched; empty: none.
        existed: Whether the endpoint was there.
        ready: Whether it answered.
        config: Its configuration.
        tags: The model's tags about its champion.
        version_tags: By the version that is written to, its tags about earlier promotions.
    """

    model: str
    version: int
    champion: int | None
    previous: int | None
    endpoint: str = ""
    existed: bool = False
    ready: bool = False
    config: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    version_tags: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, model: ModelState, version: int, endpoint: str | None, state: EndpointState | None, *written: VersionState) -> Self:
        """What stands now.

        Args:
            model: The model.
            version: Version that is to become champion.
            endpoint: Endpoint that is to be switched; None: none.
            state: The endpoint; None: there is none.
            written: The versions whose tags will be written.
        """
        return cls(
            model.name,
            version,
            model.champion,
            model.aliases.get(PREVIOUS),
            endpoint or "",
            state is not None,
            bool(state and state.ready),
            as_input(state.config) if state else {},
            champion_tags(model),
            {str(each.number): promotion_tags(each) for each in written},
        )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """From the journal of a lock.

        Raises:
            ModelsError: `locked`: it is no journal of this version of the kit.
        """
        try:
            return cls(**data)
        except TypeError as error:
            raise ModelsError(
                "locked",
                f"The journal in the lock cannot be read: {error}.",
                fix="It was written by another version of the kit: roll back with that one.",
            ) from error

    def as_dict(self) -> dict[str, Any]:
        """As the journal has it."""
        return asdict(self)

    @property
    def state(self) -> EndpointState | None:
        """The endpoint as it was; None when there was none."""
        return EndpointState(self.endpoint, self.ready, "NOT_UPDATING", self.config) if self.existed else None

    def restore_aliases(self, registry: Registry, tell: Callable[[str], None]) -> list[str]:
        """Bring the aliases back. A champion that somebody else has set in the meantime is left alone.

        Returns:
            What is worth saying, a sentence each.
        """
        model, notes = registry.model(self.model), list[str]()
        if model.champion == self.version != self.champion:
            _put(registry, self.model, CHAMPION, self.champion)
            tell(f"{self.model}: champion is {word(self.champion)} again")
        elif model.champion != self.champion:
            notes.append(f"The alias champion was set to {word(model.champion)} by somebody who did not take the lock; it was left there.")
            tell(notes[-1])
        if model.aliases.get(PREVIOUS) != self.previous:
            _put(registry, self.model, PREVIOUS, self.previous)
        self._restore_tags(registry, model)
        return notes

    def _restore_tags(self, registry: Registry, model: ModelState) -> None:
        now = champion_tags(model)
        for key in now.keys() - self.tags.keys():
            registry.delete_model_tag(self.model, key)
        for key, value in self.tags.items():
            if now.get(key) != value:
                registry.set_model_tag(self.model, key, value)
        for number, tags in self.version_tags.items():
            restore_promotion_tags(registry, self.model, int(number), tags)

    def restore_endpoint(self, switch: Switch) -> None:
        """Bring the endpoint back.

        Raises:
            ModelsError: `endpoint-failed`.
        """
        switch.back(self.state)


def champion_tags(model: ModelState) -> dict[str, str]:
    """What a model's tags say of its champion."""
    return {key: model.tags[key] for key in (TAG_MODEL_CHAMPION, SINCE_TAG) if key in model.tags}


def promotion_tags(version: VersionState) -> dict[str, str]:
    """What a version's tags say of its promotions."""
    return {key: version.tags[key] for key in PROMOTION_TAGS if key in version.tags}


def restore_promotion_tags(registry: Registry, model: str, number: int, tags: Mapping[str, str]) -> None:
    """Let a version's tags say of its promotions what they said before; one that is gone has none.

    Raises:
        ModelsError: The workspace did not answer.
    """
    try:
        now = promotion_tags(registry.version(model, number))
    except ModelsError as error:
        if error.code != "model-missing":
            raise
        return
    for key in now.keys() - tags.keys():
        registry.delete_version_tag(model, number, key)
    for key, value in tags.items():
        if now.get(key) != value:
            registry.set_version_tag(model, number, key, value)


def word(version: int | None) -> str:
    """A version in words."""
    return f"version {version}" if version is not None else "no version"


def _put(registry: Registry, model: str, alias: str, number: int | None) -> None:
    if number is None:
        registry.delete_alias(model, alias)
    else:
        registry.set_alias(model, alias, number)
