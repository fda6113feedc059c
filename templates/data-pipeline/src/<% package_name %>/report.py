"""The report: one self-contained HTML page from the tables of a load. Every text of a table is escaped."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from .landing import SAMPLE

if TYPE_CHECKING:
    import pandas as pd

    from .forecast import Scores

SHOWN_BAD_ROWS = 20
SHOWN_CUSTOMERS = 10
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1c2733; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; } td, th { padding: .3rem .8rem; border-bottom: 1px solid #d8dee4; text-align: left; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; } code { overflow-wrap: anywhere; }
"""


@dataclass(frozen=True)
class Contents:
    """What a report is made of; tables as the pipeline wrote them.

    Args:
        title: Its heading.
        loads: One row for each file: `source`, `origin`, `rows_in`, `rows_good`, `rows_quarantined`.
        quarantine: The bad rows: `source`, `line`, `reasons`, `text`.
        sales: `day`, `category`, `orders`, `revenue_cents`, `margin_cents`.
        forecasts: What `forecast.predict` gives for the held-out days.
        scores: How good the forecast is.
        customers: `customer_id`, `orders`, `revenue_cents`, `margin_cents`, `decile`; empty where that task is not part of the job.
    """

    title: str
    loads: pd.DataFrame
    quarantine: pd.DataFrame
    sales: pd.DataFrame
    forecasts: pd.DataFrame
    scores: Scores
    customers: pd.DataFrame


def page(contents: Contents) -> str:
    """Make the page."""
    parts = [
        f"<h1>{escape(contents.title)}</h1>",
        _origin(contents.loads),
        _sales(contents.sales),
        "<h2>Forecast</h2>",
        f"<p>On {contents.scores.rows} held-out rows the forecast is off by {_euro(contents.scores.error)} on average, last week's "
        f"value by {_euro(contents.scores.naive_error)}: {contents.scores.improvement:.0%} better.</p>",
        chart(contents.forecasts),
        _quality(contents.loads, contents.quarantine),
        _customers(contents.customers),
    ]
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(contents.title)}</title>'
    return f'<!doctype html>\n<html lang="en"><head>{head}<style>{STYLE}</style></head>\n<body>\n' + "\n".join(parts) + "\n</body></html>\n"


def _euro(cents: float) -> str:
    return f"{cents / 100:,.2f} €"


def _table(header: list[str], rows: list[list[object]], numbers: set[int]) -> str:
    """An HTML table; the columns of `numbers` (from 0) are aligned to the right."""

    def line(tag: str, cells: list[object]) -> str:
        kinds = [' class="n"' if place in numbers else "" for place in range(len(cells))]
        shown = (f"<{tag}{kind}>{escape(str(cell))}</{tag}>" for kind, cell in zip(kinds, cells, strict=True))
        return f"<tr>{''.join(shown)}</tr>"

    return f"<table>{line('th', list(header))}{''.join(line('td', row) for row in rows)}</table>"


def _sales(sales: pd.DataFrame) -> str:
    by_category = sales.groupby("category")[["orders", "revenue_cents", "margin_cents"]].sum().reset_index()
    rows: list[list[object]] = [
        [row.category, int(row.orders), _euro(row.revenue_cents), _euro(row.margin_cents)] for row in by_category.itertuples()
    ]
    days = f"<p>{sales['day'].min()} to {sales['day'].max()}</p>"
    return f"<h2>Sales</h2>{days}" + _table(["category", "orders", "revenue", "margin"], rows, {1, 2, 3})


def _origin(loads: pd.DataFrame) -> str:
    """What nobody may take for the company's numbers is said before any of them."""
    samples = ", ".join(sorted(loads.loc[loads["origin"] == SAMPLE, "source"]))
    return f"<p><strong>Made from {SAMPLE}:</strong> {escape(samples)} came with the project, and not from a feed.</p>" if samples else ""


def _quality(loads: pd.DataFrame, quarantine: pd.DataFrame) -> str:
    counted: list[list[object]] = [
        [row.source, row.origin, int(row.rows_in), int(row.rows_good), int(row.rows_quarantined)]
        for row in loads.sort_values("source").itertuples()
    ]
    parts = ["<h2>Data quality</h2>", _table(["file", "from", "rows in", "good", "set aside"], counted, {2, 3, 4})]
    if len(quarantine):
        ordered = quarantine.sort_values(["source", "line"]).head(SHOWN_BAD_ROWS)
        bad: list[list[object]] = [[row.source, int(row.line), row.reasons, row.text] for row in ordered.itertuples()]
        parts += [f"<p>Rows that were set aside ({len(bad)} of {len(quarantine)} shown; all are in the quarantine tables):</p>"]
        parts += [_table(["file", "line", "why", "row"], bad, {1})]
    return "".join(parts)


def _customers(customers: pd.DataFrame) -> str:
    if not len(customers):
        return "<h2>Customers</h2><p>Table customer_value has no row of this load: the JAR task is not part of this job.</p>"
    best = customers.sort_values(["revenue_cents", "customer_id"], ascending=[False, True]).head(SHOWN_CUSTOMERS)
    rows: list[list[object]] = [
        [row.customer_id, int(row.orders), _euro(row.revenue_cents), _euro(row.margin_cents), int(row.decile)] for row in best.itertuples()
    ]
    return "<h2>Customers</h2>" + _table(["customer", "orders", "revenue", "margin", "decile"], rows, {1, 2, 3, 4})


def chart(forecasts: pd.DataFrame) -> str:
    """Draw what was and what was forecast, all categories together, as SVG: a bar and a mark for each day."""
    days = forecasts.groupby("day")[["revenue_cents", "forecast_cents"]].sum().sort_index()
    highest = max(1, int(days.to_numpy().max()))
    width, height = 26 * len(days), 200
    marks = []
    for place, (day, row) in enumerate(days.iterrows()):
        left, bar, mark = 26 * place, height * row.revenue_cents / highest, height * row.forecast_cents / highest
        label = f"<title>{escape(str(day))}: {_euro(row.revenue_cents)}, forecast {_euro(row.forecast_cents)}</title>"
        marks.append(
            f'<g>{label}<rect x="{left + 4}" y="{height - bar:.1f}" width="18" height="{bar:.1f}" fill="#8fb3d9"/>'
            f'<line x1="{left}" x2="{left + 26}" y1="{height - mark:.1f}" y2="{height - mark:.1f}" stroke="#b3371f" stroke-width="2"/></g>'
        )
    told = "Revenue of each held-out day as a bar, its forecast as a line"
    drawn = "".join(marks)
    return f'<svg role="img" aria-label="{told}" viewBox="0 0 {width} {height}" width="100%">{drawn}</svg><p>{told}.</p>'
