"""Jobs and runs in the workspace's database; active runs are also kept as objects, which the engine changes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from rehearsal.workspace.database import Database
from rehearsal.workspace.jobs.model import Job, JobRun, State, TaskRun

MIGRATIONS: Sequence[str] = (
    "CREATE TABLE jobs (job_id INTEGER PRIMARY KEY, name TEXT NOT NULL, body TEXT NOT NULL)",
    """CREATE TABLE job_runs (run_id INTEGER PRIMARY KEY, job_id INTEGER NOT NULL, active INTEGER NOT NULL, start_ms INTEGER NOT NULL,
        run_type TEXT NOT NULL, body TEXT NOT NULL)""",
    "CREATE INDEX job_runs_by_job ON job_runs (job_id, start_ms)",
    "CREATE TABLE task_runs (run_id INTEGER PRIMARY KEY, job_run_id INTEGER NOT NULL, position INTEGER NOT NULL, body TEXT NOT NULL)",
    "CREATE INDEX task_runs_by_run ON task_runs (job_run_id, position)",
    "CREATE TABLE job_run_tokens (token TEXT PRIMARY KEY, run_id INTEGER NOT NULL) WITHOUT ROWID",
)
INTERRUPTED = "The workspace was stopped while this run was active."


class JobStore:
    """Reads and writes jobs and runs.

    Args:
        database: The workspace's database. Runs that were active when it was last closed are marked as ended.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self.live: dict[int, JobRun] = {}
        database.migrate("jobs", MIGRATIONS)
        self._end_interrupted()

    def _end_interrupted(self) -> None:
        for row in self.database.rows("SELECT run_id FROM job_runs WHERE active = 1"):
            run = self.run(int(row["run_id"]))
            if run is None:
                continue
            for task in run.tasks:
                if task.state.active:
                    task.state = State("INTERNAL_ERROR", "FAILED", INTERRUPTED, "INTERNAL_ERROR")
                    self.save_task(task)
            run.state = State("INTERNAL_ERROR", "FAILED", INTERRUPTED, "INTERNAL_ERROR")
            run.end_ms = run.end_ms or run.start_ms
            self.save_run(run)

    # Jobs

    def save_job(self, job: Job) -> None:
        """Store a job under its id."""
        body = json.dumps({"creator": job.creator, "created_ms": job.created_ms, "settings": job.settings})
        self.database.execute("INSERT OR REPLACE INTO jobs VALUES (?, ?, ?)", (job.job_id, str(job.settings.get("name", "")), body))

    def job(self, job_id: int) -> Job | None:
        """One job, or None."""
        row = self.database.row("SELECT * FROM jobs WHERE job_id = ?", (job_id,))
        return Job(job_id, **json.loads(row["body"])) if row else None

    def delete_job(self, job_id: int) -> bool:
        """Remove a job (its runs stay); says whether it was there."""
        return self.database.execute("DELETE FROM jobs WHERE job_id = ?", (job_id,)).rowcount > 0

    def jobs(self, name: str | None, limit: int, offset: int) -> list[Job]:
        """A page of jobs, the newest first; `name` compares without regard to case."""
        condition, values = ("WHERE lower(name) = lower(?)", [name]) if name else ("", [])
        rows = self.database.rows(f"SELECT * FROM jobs {condition} ORDER BY job_id DESC LIMIT ? OFFSET ?", [*values, limit, offset])  # noqa: S608 - two fixed texts
        return [Job(int(row["job_id"]), **json.loads(row["body"])) for row in rows]

    # Runs

    def save_run(self, run: JobRun) -> None:
        """Store a run without its tasks; one that is active stays in memory, too."""
        if run.state.active:
            self.live[run.run_id] = run
        else:
            self.live.pop(run.run_id, None)
        self.database.execute(
            "INSERT OR REPLACE INTO job_runs VALUES (?, ?, ?, ?, ?, ?)",
            (run.run_id, run.job_id, int(run.state.active), run.start_ms, run.run_type, json.dumps(run.to_json())),
        )

    def save_task(self, task: TaskRun, position: int | None = None) -> None:
        """Store a task run; `position` is its place in the run, needed the first time."""
        if position is None:
            self.database.execute("UPDATE task_runs SET body = ? WHERE run_id = ?", (json.dumps(task.to_json()), task.run_id))
        else:
            self.database.execute(
                "INSERT INTO task_runs VALUES (?, ?, ?, ?)", (task.run_id, task.job_run_id, position, json.dumps(task.to_json()))
            )

    def run(self, run_id: int) -> JobRun | None:
        """One run with its tasks, or None."""
        if run_id in self.live:
            return self.live[run_id]
        row = self.database.row("SELECT body FROM job_runs WHERE run_id = ?", (run_id,))
        return JobRun.from_json(json.loads(row["body"]), self._tasks(run_id)) if row else None

    def _tasks(self, run_id: int) -> list[TaskRun]:
        rows = self.database.rows("SELECT body FROM task_runs WHERE job_run_id = ? ORDER BY position", (run_id,))
        tasks = [TaskRun.from_json(json.loads(row["body"])) for row in rows]
        return [task for task in tasks if not task.iteration_of]

    def task_run(self, run_id: int) -> TaskRun | None:
        """One task run (also an iteration of a for-each task), or None."""
        row = self.database.row("SELECT body FROM task_runs WHERE run_id = ?", (run_id,))
        return TaskRun.from_json(json.loads(row["body"])) if row else None

    def runs(self, query: dict[str, Any], limit: int, offset: int) -> list[JobRun]:
        """A page of runs, the newest first.

        Args:
            query: Any of `job_id`, `active` (bool), `run_type`, `from_ms`, `to_ms`.
            limit: At most this many.
            offset: Skip this many.
        """
        columns = {
            "job_id": "job_id = ?",
            "active": "active = ?",
            "run_type": "run_type = ?",
            "from_ms": "start_ms >= ?",
            "to_ms": "start_ms <= ?",
        }
        given = [(columns[name], value) for name, value in query.items() if value is not None]
        where = " AND ".join(condition for condition, _ in given) or "1"
        rows = self.database.rows(
            f"SELECT run_id FROM job_runs WHERE {where} ORDER BY start_ms DESC, run_id DESC LIMIT ? OFFSET ?",  # noqa: S608 - fixed texts
            [*(value for _, value in given), limit, offset],
        )
        found = [self.run(int(row["run_id"])) for row in rows]
        return [run for run in found if run is not None]

    def active_runs(self, job_id: int) -> list[JobRun]:
        """The runs of a job that have not ended, the oldest first."""
        return sorted((run for run in self.live.values() if run.job_id == job_id), key=lambda run: (run.start_ms, run.run_id))

    def delete_run(self, run_id: int) -> None:
        """Forget an ended run and its tasks."""
        self.database.execute("DELETE FROM task_runs WHERE job_run_id = ?", (run_id,))
        self.database.execute("DELETE FROM job_runs WHERE run_id = ?", (run_id,))

    def run_of_token(self, token: str) -> int | None:
        """The run that an idempotency token started, or None."""
        row = self.database.row("SELECT run_id FROM job_run_tokens WHERE token = ?", (token,))
        return int(row["run_id"]) if row else None

    def remember_token(self, token: str, run_id: int) -> None:
        """Keep which run an idempotency token started."""
        self.database.execute("INSERT INTO job_run_tokens VALUES (?, ?)", (token, run_id))
