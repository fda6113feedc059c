"""What the Databricks CLI prints on standard error, as data, and which failure reason it stands for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason, LoginError

_HEAD = re.compile(r"(Error|Warning|Recommendation): (.*)")
_PLACE = re.compile(r" {2}in (.+?):(\d+):(\d+)$")
_PATH = re.compile(r" {2}at (\S.*)$")


@dataclass(frozen=True)
class Diagnostic:
    """One error, warning or recommendation.

    Args:
        severity: `Error`, `Warning` or `Recommendation`.
        message: Its first line.
        detail: What follows.
        file: File that it is about, relative to the bundle; empty when it names none.
        line: Line in it, from 1.
        column: Column, from 1.
        path: Where in the configuration, such as `resources.jobs.train`.
    """

    severity: str
    message: str
    detail: str = ""
    file: str = ""
    line: int = 0
    column: int = 0
    path: str = ""


def parse_diagnostics(text: str) -> tuple[Diagnostic, ...]:
    """Read what the CLI printed; lines that belong to no diagnostic are left out."""
    found: list[Diagnostic] = []
    for block in _blocks(text):
        head = _HEAD.fullmatch(block[0])
        assert head is not None
        places = [match for line in block if (match := _PLACE.match(line))]
        paths = [match[1] for line in block if (match := _PATH.match(line))]
        detail = "\n".join(line for line in block[1:] if not _PLACE.match(line) and not _PATH.match(line)).strip()
        file, line, column = (places[0][1], int(places[0][2]), int(places[0][3])) if places else ("", 0, 0)
        found.append(Diagnostic(head[1], head[2], detail, file, line, column, paths[0] if paths else ""))
    return tuple(found)


def _blocks(text: str) -> list[list[str]]:
    blocks: list[list[str]] = []
    for line in text.splitlines():
        if _HEAD.fullmatch(line):
            blocks.append([line])
        elif blocks:
            blocks[-1].append(line)
    return blocks


@dataclass(frozen=True)
class _Known:
    """A message that has its own reason."""

    pattern: str
    reason: FailureReason
    fix: str
    exit_code: ExitCode = ExitCode.FAILED
    login: bool = False


_KNOWN = (
    _Known(
        r"Failed to acquire deployment lock|deploy lock (?:force )?acquired by",
        FailureReason.LOCKED,
        "Wait for the other deployment. If it is dead (a cancelled job leaves its lock behind), remove the lock on purpose: "
        "`databricks bundle deploy --force-lock`.",
    ),
    _Known(
        r"no such target|target \S+ (?:not found|does not exist)|please specify target|: no such target",
        FailureReason.FLOW_MISMATCH,
        "Name a target that `databricks.yml` has, in the flow file or with `--target`.",
        ExitCode.USAGE,
    ),
    _Known(
        r"RESTRICTED_CODE_EXECUTION|not allowed when DATABRICKS_BUNDLE_RESTRICTED",
        FailureReason.VALIDATION_FAILED,
        "This job plans without running the bundle's own code (scripts, Python resources). Move such code into a job's task, "
        "or build it before the plan.",
    ),
    _Known(
        r"cannot configure default credentials|401 Unauthorized|UNAUTHENTICATED|invalid_client|invalid_grant|"
        r"cannot get access token|default auth:|oidc(?: auth)?: |OIDC token|federation policy|more than one authorization method|"
        r"Invalid (?:access )?token|/oidc/v1/token\b",
        FailureReason.AUTH_FAILED,
        "Check DATABRICKS_HOST and DATABRICKS_CLIENT_ID of the GitHub environment, `id-token: write` of the job, and the federation "
        "policy of the service principal (issuer, audience, subject).",
        login=True,
    ),
    _Known(
        r"403 Forbidden|PERMISSION_DENIED|\b403\b.*(?:denied|forbidden)",
        FailureReason.AUTH_FAILED,
        "Give the identity of this environment the missing right; the message above names the call that was refused.",
    ),
    _Known(
        r"connection refused|no such host|i/o timeout|context deadline exceeded|TLS handshake|network is unreachable|"
        r"(?:502|503|504) (?:Bad Gateway|Service Unavailable|Gateway Timeout)",
        FailureReason.OUTSIDE_TROUBLE,
        "The workspace could not be reached. Check DATABRICKS_HOST and the network, then run the job again.",
        ExitCode.TROUBLE,
    ),
)


def explain_failure(argv: Sequence[str], stderr: str, otherwise: FailureReason) -> BundleflowError:
    """The error for a call that failed: cause from the CLI's own message, reason and fix where the message is a known one.

    Args:
        argv: Arguments of the call.
        stderr: What it printed.
        otherwise: The reason when the message is not a known one.
    """
    errors = [each for each in parse_diagnostics(stderr) if each.severity == "Error"]
    first = errors[0] if errors else None
    place = f"{first.file}:{first.line}:{first.column}: " if first and first.file else ""
    message = f"{place}{first.message}" if first else (stderr.strip().splitlines() or ["it printed no message"])[-1]
    known = next((each for each in _KNOWN if re.search(each.pattern, stderr)), None)
    kind = LoginError if known and known.login else BundleflowError
    return kind(
        f"`databricks {' '.join(argv[:2])}` failed: {message}",
        fix=known.fix if known else _FIXES.get(otherwise, "Read the message of the Databricks CLI above."),
        reason=known.reason if known else otherwise,
        exit_code=known.exit_code if known else ExitCode.FAILED,
        details=stderr.strip()[-4000:],
    )


_FIXES = {
    FailureReason.VALIDATION_FAILED: "Correct the bundle's configuration; `databricks bundle validate --strict` shows every finding.",
    FailureReason.DEPLOY_FAILED: "What was done until then stays done. Correct the cause, plan again, and deploy again.",
}
