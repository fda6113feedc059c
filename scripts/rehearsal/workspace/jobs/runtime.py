"""Makes a workspace's run engine and ties it to the server's end."""

from __future__ import annotations

from rehearsal.workspace.jobs.engine import Engine
from rehearsal.workspace.jobs.mailbox import Mailbox
from rehearsal.workspace.jobs.notifications import Notifier
from rehearsal.workspace.jobs.store import JobStore
from rehearsal.workspace.jobs.tasks import TaskRunner
from rehearsal.workspace.services import Services


def make_engine(services: Services) -> Engine:
    """Return a run engine on the workspace's database and executor; it ends its runs when the server ends."""
    store = JobStore(services.database)
    mailbox = Mailbox(services.data / "mail")
    notifier = Notifier(mailbox.send)
    runner = TaskRunner(services, store, services.executor)
    runner.specs.mailbox = mailbox
    runner.on_task_event = notifier.task_event
    engine = Engine(services, store, runner, notifier)

    async def stop() -> None:
        await engine.close()
        await mailbox.close()

    services.on_stop.append(stop)
    return engine
