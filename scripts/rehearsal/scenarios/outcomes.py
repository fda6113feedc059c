"""What a scene can expect of what its job runs left: how tasks ended, what stands in tables, who got which mail."""

from __future__ import annotations

from dataclasses import dataclass

SCHEMA = "{schema}"
"""Stands in a query for the schema, which each project has by another name."""


@dataclass(frozen=True)
class TasksEnd:
    """Tasks of the newest run that the stage's job has had in this scene ended so.

    Args:
        stage: The stage.
        job: Key of the job.
        ends: Pairs of a task's key and its result; other tasks may be there.
        without: Tasks that must not be part of the run.
    """

    stage: str
    job: str
    ends: tuple[tuple[str, str], ...]
    without: tuple[str, ...] = ()


@dataclass(frozen=True)
class Queried:
    """An SQL query on the stage's tables gives exactly these rows.

    Args:
        stage: The stage.
        title: What it asks, in a few words.
        statement: The query; `{schema}` stands for the schema that the stage's jobs work in, by their parameters `catalog` and `schema`.
        rows: Its rows; every value as text.
    """

    stage: str
    title: str
    statement: str
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Mailed:
    """Somebody got a mail in this scene.

    Args:
        to: An address among its recipients.
        subject: Text that its subject holds.
        attachment: How the name of a file ends that is attached; empty: none is asked for.
        holds: Texts that the attached file holds.
    """

    to: str
    subject: str
    attachment: str = ""
    holds: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunEnds:
    """The newest run of the stage's job, whoever started it, ended so.

    Args:
        stage: The stage.
        job: Key of the job.
        result: Its result.
        trigger: What started it, such as `PERIODIC`; empty: anything.
        says: Texts that its report holds, as the kit writes it into a summary.
    """

    stage: str
    job: str
    result: str
    trigger: str = ""
    says: tuple[str, ...] = ()


OfJobRun = RunEnds | TasksEnd | Queried | Mailed
