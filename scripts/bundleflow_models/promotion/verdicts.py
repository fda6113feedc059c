"""Reads the verdict of a version and checks that it is whole, that it passed, and that it still holds."""

from __future__ import annotations

from datetime import UTC, datetime

from bundleflow_models.errors import ModelsError
from bundleflow_models.promotion.interfaces import Registry
from bundleflow_models.promotion.records import ModelState, VersionState
from bundleflow_models.verdict.gate import Gate
from bundleflow_models.verdict.record import NO_CHAMPION, TAG_CHAMPION, TAG_RESULT, TAG_RUN, TAG_SHA256, VERDICT_ARTIFACT, Result, Verdict

SINCE_TAG = "bundleflow_champion_since"
"""Tag of a model: when the kit made its champion champion, ISO 8601."""


def read_verdict(registry: Registry, version: VersionState) -> Verdict:
    """The verdict of a version, found whole: the tags, the artifact and its digest say the same.

    Args:
        registry: The registry.
        version: The version.

    Raises:
        ModelsError: `no-verdict`: there is none, or what the tags say is not what the artifact says.
    """
    label = f"version {version.number} of {version.model}"
    result, digest, run_id = (version.tags.get(key, "") for key in (TAG_RESULT, TAG_SHA256, TAG_RUN))
    if not (result and digest and run_id):
        raise _none(f"There is no verdict on {label}.")
    content = registry.artifact(run_id, VERDICT_ARTIFACT)
    if content is None:
        raise _none(f"The verdict on {label} is gone: the MLflow run {run_id} has no file {VERDICT_ARTIFACT}.")
    try:
        verdict = Verdict.from_json(content.decode())
    except ValueError as error:
        raise _none(f"The verdict on {label} cannot be read: {error}.") from error
    if verdict.sha256 != digest:
        raise _none(f"The verdict on {label} was changed: its file has the digest {verdict.sha256[:12]}, its tag says {digest[:12]}.")
    said = (verdict.model.lower(), verdict.version, str(verdict.result), verdict.champion)
    if said != (version.model.lower(), str(version.number), result, version.tags.get(TAG_CHAMPION, "")):
        raise _none(f"The verdict of the MLflow run {run_id} is not the one that the tags of {label} tell of.")
    return verdict


def check_passed(verdict: Verdict) -> None:
    """Check that a verdict is for the version.

    Raises:
        ModelsError: `verdict-refused`, or `verdict-undecided`.
    """
    label = f"version {verdict.version} of {verdict.model}"
    why = "; ".join(check.text for check in verdict.failed)
    if verdict.result is Result.REFUSED:
        raise ModelsError(
            "verdict-refused",
            f"The verdict on {label} is `refused`{f': {why}' if why else '.'}",
            fix="See its report. The champion stays.",
        )
    if verdict.result is not Result.PASSED:
        raise ModelsError(
            "verdict-undecided",
            f"The verdict on {label} is `{verdict.result}`: nothing was decided{f' ({why})' if why else ''}.",
            fix="Correct what its report names, and judge again.",
        )


def check_gate(verdict: Verdict, gate: Gate) -> None:
    """Check that a verdict was reached by the gate file that is in force, and on the table that it names.

    Args:
        verdict: The verdict.
        gate: The gate file; one without a table leaves the hold-out to who judges.

    Raises:
        ModelsError: `no-verdict`: another gate file or another hold-out was used.
    """
    label = f"version {verdict.version} of {verdict.model}"
    if verdict.gate_sha256 != gate.sha256:
        raise ModelsError(
            "no-verdict",
            f"The verdict on {label} was reached by another gate file than the one in force (digest {verdict.gate_sha256[:12]}; the file "
            f"in force has {gate.sha256[:12]}).",
            fix="Judge the version by the model's gate file (`gate:` in the flow file), as it is in the commit that promotes.",
        )
    table = gate.table(verdict.model)
    if table is not None and _plain(verdict.holdout_source) != _plain(f"table {table}"):
        raise ModelsError(
            "no-verdict",
            f"The verdict on {label} was not reached on the hold-out that the gate file names, the table {table}, but on rows of another "
            f"place: {verdict.holdout_source or 'unknown'}.",
            fix="Judge the version without giving a hold-out (`--holdout`): the gate file's own table is taken then.",
        )


def check_compared(verdict: Verdict, model: ModelState) -> None:
    """Check that the champion is still the one that a verdict compared with, and has been since before it.

    Raises:
        ModelsError: `champion-changed`.
    """
    then = "with no champion" if verdict.champion == NO_CHAMPION else f"with version {verdict.champion}"
    now = f"version {model.champion} is champion" if model.champion is not None else "no version is champion"
    since = model.tags.get(SINCE_TAG, "")
    if verdict.champion != (str(model.champion) if model.champion is not None else NO_CHAMPION):
        why = f"it compared {then}, and now {now}"
    elif model.champion is not None and since and _moment(since) > _moment(verdict.created):
        why = f"it was made at {verdict.created}, and the champion was changed at {since}"
    else:
        return
    raise ModelsError(
        "champion-changed",
        f"The verdict on version {verdict.version} of {verdict.model} does not hold any more: {why}.",
        fix="Judge the version again (`bundleflow model verdict`), then have it approved again.",
    )


def _plain(place: str) -> str:
    """A table's name as others write the same: without the quotes, and case does not count."""
    return place.replace("`", "").lower()


def _moment(text: str) -> datetime:
    """A time of ISO 8601; one that is not there, or is something else, is before all others."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _none(cause: str) -> ModelsError:
    return ModelsError("no-verdict", cause, fix="Judge the version (`bundleflow model verdict`); only a passed verdict promotes.")
