"""Looks through a project's workflows before the story begins: what would be refused is refused now, and the checks get names."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from rehearsal.actions import filters
from rehearsal.actions.model import JobSpec, RunFacts
from rehearsal.actions.render import Renderer
from rehearsal.actions.sources import Source, Sources
from rehearsal.rehearse.project import Project, workflow_documents


@dataclass
class Survey:
    """What the project's workflows do, by event.

    `jobs` maps an event, such as `pull_request` or `push:main`, to the jobs that it starts.
    """

    jobs: dict[str, list[JobSpec]] = field(default_factory=dict)

    def checks(self, event: str) -> list[str]:
        """Give the names of the checks that an event's jobs file, where they can be said beforehand."""
        return [job.name for job in self.jobs.get(event, []) if not job.has_matrix]


def look(project: Project, kit_root: Path, kit_sha: str, folder: Path, branches: list[str]) -> Survey:
    """Render every workflow once.

    Args:
        project: The project.
        kit_root: The kit's checkout.
        kit_sha: Its commit.
        folder: A folder for the copies.
        branches: Branches whose push is looked at.

    Raises:
        BundleflowError: A workflow that GitHub would refuse, or that the rehearsal cannot play.
    """
    survey = Survey()
    source = Source(project.repository, "survey", "0" * 40, project.root, folder / "project")
    for number, (path, document) in enumerate(workflow_documents(project.root).items()):
        sources = Sources(source, kit_root, folder / "kit", kit_sha)
        rendered = Renderer(sources, RunFacts(number, "", Path("begin.py"), {}), folder / str(number)).render(path)
        for branch in branches:
            occasions = {
                f"push:{branch}": filters.Occasion("push", "", f"refs/heads/{branch}", list),
                f"pull_request:{branch}": filters.Occasion("pull_request", "opened", f"refs/heads/{branch}", list),
            }
            for event, occasion in occasions.items():
                if filters.starts(document, occasion):
                    survey.jobs.setdefault(event, []).extend(rendered.jobs)
    return survey
