"""A job run as Markdown: result, task graph, errors with the end of their trace, times, the run before, compute, tables, details."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from bundleflow.records.run import Comparison, Lineage, RunRecord, TaskRecord
from bundleflow.report.html_format import day, plural
from bundleflow.report.markdown import block, code, duration, escape, fit, fold, html_text, link, table
from bundleflow.report.markdown_run_graph import graph, lineage_graph, timeline
from bundleflow.report.run_room import lineage_rows
from bundleflow.report.run_times import ATTEMPTS_SHOWN
from bundleflow.report.run_words import kind_of, mark, tone_of, words

TABLE_TASKS = 300
CHANGES_SHOWN = 50
TABLES_NAMED = 20


def run_markdown(run: RunRecord, *, limit: int) -> str:
    """Render one run.

    Args:
        run: The run.
        limit: Characters the text may have.
    """
    head = [f"### {mark(run.state, run.final)} Job {escape(run.title, 200)}: {escape(run.state)}", _facts(run)]
    if run.message and not run.succeeded:
        head.append(f"> {escape(run.message, 1000)}")
    head += [f"> {escape(note, 600)}" for note in run.notes]
    blocks = [
        graph(run),
        *(_error(task) for task in run.tasks if tone_of(task) == "bad"),
        _compared(run.comparison) if run.comparison else "",
        _table(run) if run.tasks else "",
        _folded("timeline", timeline(run)),
        _folded("compute", _compute(run)),
        _lineage(run, run.lineage) if run.lineage else "",
        _folded("attempts and repairs", _attempts(run)),
        *(_output(task) for task in run.tasks if task.output and not task.error),
    ]
    return fit(
        "\n\n".join(head), [each for each in blocks if each], "", limit=limit, left_out="_{count} more parts of the run did not fit here._"
    )


def _facts(run: RunRecord) -> str:
    facts = [link(f"run {run.run_id}", run.url) if run.url else f"run {run.run_id}"]
    made = run.deployment
    facts += [f"job {run.job_id}"] if run.job_id else []
    facts += [f"target {code(made.target, 60)}"] if made and made.target else []
    facts += [f"started {day(run.start_ms)}"] if run.start_ms else []
    facts += [f"took {duration(run.duration_ms)}"] if run.duration_ms else []
    facts += [f"trigger {code(run.trigger, 40)}"] if run.trigger else []
    facts += [f"schedule {code(run.schedule, 80)}"] if run.schedule else []
    facts += [f"by {code(run.creator, 100)}"] if run.creator and run.creator != run.run_as else []
    facts += [f"as {code(run.run_as, 100)}"] if run.run_as else []
    facts += [f"commit {code(made.commit[:12])}"] if made and made.commit else []
    text = " · ".join(facts)
    if made and made.note:
        text += f"\n\n{escape(made.note, 600)}"
    if run.parameters:
        text += "\n\nParameters: " + ", ".join(f"{code(name, 80)} = {code(value, 120)}" for name, value in run.parameters)
    return text


def _table(run: RunRecord) -> str:
    queued = any(task.queue_ms for task in run.tasks)
    rows = []
    for task in run.tasks[:TABLE_TASKS]:
        cells = [f"{mark(task.state, task.final)} {code(task.key, 100)}", escape(_state(task), 200), escape(kind_of(task), 60)]
        cells += [_time(task.queue_ms)] if queued else []
        cells += [_time(task.setup_ms), _time(task.execution_ms or task.duration_ms), escape(task.compute.words, 80)]
        rows.append([*cells, link(f"run {task.run_id}", task.url) if task.run_id else ""])
    header = ["task", "state", "kind", *(["queue"] if queued else []), "set-up", "time", "compute", "details"]
    lines = table(header, rows)
    if len(run.tasks) > TABLE_TASKS:
        lines.append(f"\n_… and {len(run.tasks) - TABLE_TASKS} more tasks._")
    return "\n".join(lines)


def _state(task: TaskRecord) -> str:
    parts = [task.state]
    parts += [task.iterations.words] if task.iterations.total else []
    parts += [f"is {task.outcome}"] if task.outcome else []
    parts += [f"attempt {task.attempt + 1}"] if task.attempt else []
    return ", ".join(parts)


def _compared(before: Comparison) -> str:
    """The run before, in a sentence and a table of the tasks that differ."""
    name = link(f"run {before.run_id}", before.url)
    took = f" after {duration(before.duration_ms)}" if before.duration_ms else ""
    text = f"**Compared with {name}** ({day(before.start_ms)}, {escape(words(before.state))}{took}): "
    if not before.changes:
        return text + "no task fails newly, and none took noticeably longer or shorter."
    signs = {"newly failing": "❌", "still failing": "❌", "slower": "🐢", "faster": "🐇", "fixed": "✅"}
    rows = [
        [f"{signs.get(each.change, '▫️')} {each.change}", code(each.key, 100), _time(each.before_ms), _time(each.now_ms)]
        for each in before.changes[:CHANGES_SHOWN]
    ]
    lines = [text, "", *table(["change", "task", "before", "now"], rows)]
    if len(before.changes) > CHANGES_SHOWN:
        lines.append(f"\n_… and {len(before.changes) - CHANGES_SHOWN} more._")
    return "\n".join(lines)


def _compute(run: RunRecord) -> str:
    """A line for each cluster, warehouse or environment."""
    tasks: dict[object, list[TaskRecord]] = defaultdict(list)
    for task in run.tasks:
        if task.compute.kind and tone_of(task) != "skip":
            tasks[task.compute].append(task)
    rows = []
    for found in tasks.values():
        compute = found[0].compute
        keys = ", ".join(code(task.key, 60) for task in found[:8]) + (f" and {len(found) - 8} more" if len(found) > 8 else "")
        rows.append(
            [escape(f"{compute.kind} {compute.name}", 80), escape(compute.node_type), escape(compute.nodes), escape(compute.runtime), keys]
        )
    return "\n".join(table(["compute", "node type", "nodes", "runtime", "tasks"], rows)) if rows else ""


def _lineage(run: RunRecord, lineage: Lineage) -> str:
    """Tables by task, and the picture of them."""
    note = f"\n\n{escape(lineage.note, 800)}" if lineage.note else ""
    shown, more = lineage_rows(lineage)
    rows = [
        [code(row.task, 100) if row.task else "the run", _names(row.read, row.more_read), _names(row.wrote, row.more_wrote)]
        for row in shown
    ]
    parts = [f"From {code(lineage.source, 120)}.{note}"]
    parts += [_named("Upstream, only read", lineage.upstream), _named("Downstream, written", lineage.downstream)]
    parts += [lineage_graph(run)] if rows else []
    parts += ["\n".join(table(["task", "read", "wrote"], rows))] if rows else []
    parts += [f"_… and {plural(more, 'more task')}._"] if more else []
    return fold(f"tables read and written ({len({use.name for use in lineage.uses})})", "\n\n".join(part for part in parts if part))


def _named(title: str, names: Sequence[str]) -> str:
    return f"{title}: {_names(names[:TABLES_NAMED], len(names) - TABLES_NAMED)}" if names else ""


def _names(names: Sequence[str], more: int) -> str:
    return ", ".join(code(name, 120) for name in names) + (f" and {more} more" if more > 0 else "")


def _attempts(run: RunRecord) -> str:
    lines = [
        f"* repair {repair.number} ({code(str(repair.id))}): {escape(words(repair.state))}, {day(repair.start_ms)}, "
        f"{len(repair.task_runs)} task runs"
        for repair in run.repairs
    ]
    for task in run.tasks:
        if len(task.earlier) > ATTEMPTS_SHOWN:
            lines.append(f"* {code(task.key, 100)}: {plural(len(task.earlier) - ATTEMPTS_SHOWN, 'earlier attempt')} before these")
        for each in task.earlier[-ATTEMPTS_SHOWN:]:
            when = f"{day(each.start_ms)}, {duration(each.duration_ms)}" + (f": {escape(each.message, 200)}" if each.message else "")
            lines.append(f"* {code(task.key, 100)} attempt {each.number + 1}: {escape(words(each.state))}, {when}")
    more = [f"\n_… and {len(lines) - TABLE_TASKS} more._"] if len(lines) > TABLE_TASKS else []
    return "\n".join([*lines[:TABLE_TASKS], *more])


def _error(task: TaskRecord) -> str:
    told = task.error or task.message
    head = f"**{code(task.key, 100)} failed" + (f":** {escape(told, 600)}" if told else ".**")
    return f"{head}\n\n{block(task.trace or task.error, limit=4000, keep_end=True)}" if task.trace or task.error else head


def _output(task: TaskRecord) -> str:
    return fold(f"output of <code>{html_text(task.key, 200)}</code>", block(task.output, limit=2000))


def _folded(title: str, body: str) -> str:
    return fold(title, body) if body else ""


def _time(milliseconds: int) -> str:
    return duration(milliseconds) if milliseconds else ""
