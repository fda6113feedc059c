"""Check of what workflows log in with: secrets that are stored, and handed to the kit, to a step or to the environment."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from bundleflow.doctor.finding import Finding, NotNeededError, docs_url, warning
from bundleflow.doctor.situation import Situation
from bundleflow.doctor.workflows import steps_of

SECRETS = ("databricks_token", "databricks_client_secret")
"""Inputs and variables that are a login, as `_bare` writes them."""
WHY = "It lasts until somebody renews it, and anybody who may push a branch can read a secret of the repository."
FIX = f"Log in by OIDC, as {docs_url('oidc.md')} says; then take the secret out."
_FROM_SECRETS = re.compile(r"\$\{\{[^}]*\bsecrets\s*[.\[]")


def stored_secrets(situation: Situation) -> Iterator[Finding]:
    """Workflows log in by OIDC, not with stored secrets."""
    if not situation.workflows:
        raise NotNeededError("there is no workflow here")
    for call in situation.calls:
        if call.secrets == ("inherit",):
            why = "Every secret of the repository is handed on, those too that have nothing to do with it."
            yield warning(f"{call.shown} has `secrets: inherit`.", why, "Name the secrets that it needs; a login by OIDC needs none.")
        for name in [each for each in call.secrets if _bare(each) in SECRETS]:
            yield warning(f"{call.shown} logs in with the stored secret `{name}`.", WHY, FIX)
    for file in situation.workflows:
        yield from _stored(f"{file.path}: `env`", file.env)
        for key, job in file.jobs.items():
            yield from _stored(f"{file.path}: job {key}: `env`", job.get("env"))
            for number, step in enumerate(steps_of(job), start=1):
                place = f"{file.path}: job {key}: step {step.get('name') or step.get('uses') or number}"
                yield from _stored(f"{place}: `with`", step.get("with"))
                yield from _stored(f"{place}: `env`", step.get("env"))


def _stored(place: str, given: object) -> Iterator[Finding]:
    for name, value in given.items() if isinstance(given, Mapping) else ():
        if _bare(str(name)) in SECRETS and _FROM_SECRETS.search(str(value)):
            yield warning(f"{place} gives the stored secret `{name}`.", WHY, FIX)


def _bare(name: str) -> str:
    """A name for comparing: GitHub does not tell apart how an input is spelt, and the kit's inputs have dashes."""
    return name.lower().replace("-", "_")
