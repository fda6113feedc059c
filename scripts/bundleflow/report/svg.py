"""A run's graph as an SVG file that stands alone: for a README or a web page, light or dark as its reader's system is."""

from __future__ import annotations

from functools import lru_cache

from bundleflow.records.run import RunRecord
from bundleflow.report.graph_svg import fits, graph_svg
from bundleflow.report.html import ASSETS
from bundleflow.report.run_graph import stage_nodes, task_nodes

ROOM = 1010
"""Width of a README on GitHub in pixels; a wider picture would be made smaller until it cannot be read."""


def graph_picture(run: RunRecord) -> str:
    """Draw the tasks of a run, or of a job that has not run (see `runs.planned`), by stages where there are too many to be read.

    Args:
        run: The run; every text of it is taken as untrusted.

    Returns:
        A complete SVG document without links, scripts or outside references; the same run gives the same bytes. A run of a single
        task is drawn as that one box.
    """
    nodes = task_nodes(run)
    if not fits(nodes):
        nodes = stage_nodes(run)
    what = "Tasks of the job" if not run.run_id else f"Run {run.run_id} of"
    spoken = ", ".join(f"{node.key}: {node.state}" for node in nodes[:50])
    namespace = 'xmlns="http://www.w3.org/2000/svg" '
    picture = graph_svg(nodes, f"{what} {run.title}. {spoken}", room=ROOM, attributes=namespace, style=_style(), least=1)
    return f"{picture}\n"


@lru_cache(maxsize=1)
def _style() -> str:
    """The colours of the pages and the looks of the graph, on one ground that both of them are readable on."""
    page = (ASSETS / "style.css").read_text(encoding="utf-8")
    colours = page[: page.index("* { box-sizing")].replace(":root", "svg")
    return colours + (ASSETS / "graph.css").read_text(encoding="utf-8")
