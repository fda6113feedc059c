"""What is known of one run from pages of at most 100 tasks: which page to read next, and when all is known."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bundleflow.records.run import RunPage, RunRecord, TaskRecord, in_order

SETTLED = frozenset({"SUCCESS", "EXCLUDED"})
"""Results after which a task is not tried again while its run goes on."""


@dataclass
class _Page:
    token: str
    settled: bool = False
    read_after_end: bool = False


class RunView:
    """One run, put together page by page, so that a run of 1,000 tasks is followed with one call at a time.

    Every page of `jobs/runs/get` (2.2) carries the run's own state, and a token for the page after it. Pages on which every task
    succeeded are not read again; the others are read in turn, and once more after the run's end.

    Args:
        run_id: The run.
        key: Key of the job in the bundle; may be empty.
    """

    def __init__(self, run_id: int, key: str = "") -> None:
        self._top = RunRecord(run_id, key=key)
        self._tasks: dict[str, TaskRecord] = {}
        self._pages = [_Page("")]
        self._unread = True
        self._turn = 0
        self._swept_again = False

    @property
    def whole(self) -> bool:
        """Whether every page has been read at least once."""
        return not self._unread

    @property
    def open_pages(self) -> int:
        """Number of pages on which something may still change."""
        return sum(not page.settled for page in self._pages)

    @property
    def ended(self) -> bool:
        """Whether the run has ended and the last state of every task is known."""
        return self._top.final and self.whole and all(page.settled or page.read_after_end for page in self._pages)

    @property
    def run(self) -> RunRecord:
        """The run as far as it is known, its tasks in the order of their start."""
        return replace(self._top, tasks=in_order(self._tasks.values()))

    def next_page(self) -> str:
        """Token of the page to read next; empty for the first."""
        if self._unread:
            self._turn = len(self._pages) - 1
        else:
            count = len(self._pages)
            order = [(self._turn + step) % count for step in range(1, count + 1)]
            self._turn = next((index for index in order if self._wanted(self._pages[index])), 0)
        return self._pages[self._turn].token

    def take(self, page: RunPage) -> None:
        """Take in the page that `next_page` named."""
        parameters, repairs = self._top.parameters or page.run.parameters, page.run.repairs or self._top.repairs
        self._top = replace(page.run, key=self._top.key, tasks=(), parameters=parameters, repairs=repairs)
        for task in page.run.tasks:
            known = self._tasks.get(task.key)
            self._tasks[task.key] = task if known is None else known.with_attempt(task)
        here = self._pages[self._turn]
        here.settled = bool(page.run.tasks) and all(task.final and task.result_state in SETTLED for task in page.run.tasks)
        here.read_after_end = page.run.final
        self._link(page.next_page)
        if self.ended and not self._swept_again and not all(task.final for task in self._tasks.values()):
            # A new attempt may have pushed tasks onto a page that was thought to be settled.
            self._swept_again = True
            for each in self._pages:
                each.settled = each.read_after_end = False

    def begin_again(self) -> None:
        """Read from the first page on, because the workspace does not take its page tokens any more."""
        self._pages, self._unread, self._turn = [_Page("")], True, 0

    def _link(self, token: str) -> None:
        if not token:
            del self._pages[self._turn + 1 :]
            self._unread = False
        elif self._turn + 1 == len(self._pages):
            self._pages.append(_Page(token))
            self._unread = True
        else:
            self._pages[self._turn + 1].token = token

    def _wanted(self, page: _Page) -> bool:
        return not page.settled and not (self._top.final and page.read_after_end)
