"""Makes the sample files orders.csv and products.xml: the same bytes at every call, with known bad rows among them.

python3 sample_data/make.py
"""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

FOLDER = Path(__file__).parent
SEED = 20260101
FIRST_DAY = datetime(2026, 3, 2, tzinfo=UTC)
DAYS = 182
CATEGORIES = {"Coffee": 1.0, "Tea": 0.7, "Cups": 0.45}
"""Category → how much of it is sold."""

WEEKDAYS = [0.7, 0.75, 0.8, 0.95, 1.3, 1.7, 1.1]
"""Monday to Sunday: the pattern that a forecast can find."""

BAD_PRODUCTS = ['<product id="P98"><name>Unpriced tin</name><category>Tea</category></product>']
BAD_ORDERS = {
    40: "O-9001,2026-03-05T10:00:00Z,C-007,P01,zero,8.90",
    310: "O-9002,2026-03-28T09:30:00Z,C-011,P02,-2,7.40",
    580: "O-9003,yesterday,C-003,P03,1,12.50",
    870: "O-9004,2026-05-30T11:00:00Z,,P04,1,5.20",
    1150: "O-9005,2026-06-18T15:45:00Z,C-020,P05,2",
    1400: "O-0017,2026-07-05T08:15:00Z,C-020,P05,2,6.10",
}
"""Line → the bad row that stands there: quantities, a date, a missing customer, a missing field, an id that occurs twice."""


def products(chance: random.Random) -> list[tuple[str, str, str, int]]:
    """Twelve products: id, name, category, price in cents."""
    names = {"Coffee": ["House", "Dark", "Decaf", "Single"], "Tea": ["Green", "Black", "Herbal", "White"]}
    names["Cups"] = ["Small", "Large", "Travel", "Glass"]
    listed = [(f"{name} {category.lower()}", category) for category in CATEGORIES for name in names[category]]
    return [(f"P{n:02d}", name, category, chance.randrange(480, 1990, 10)) for n, (name, category) in enumerate(listed, 1)]


def catalog_xml(listed: list[tuple[str, str, str, int]]) -> str:
    """The product catalog."""
    lines = [
        f'<product id="{key}"><name>{name}</name><category>{category}</category><unit_cost>{price * 0.006:.2f}</unit_cost></product>'
        for key, name, category, price in listed
    ]
    return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', "<catalog>", *lines, *BAD_PRODUCTS, "</catalog>", ""])


def orders_csv(listed: list[tuple[str, str, str, int]], chance: random.Random) -> str:
    """The orders of half a year, in the order of time."""
    rows: list[str] = []
    for day in range(DAYS):
        date = FIRST_DAY + timedelta(days=day)
        for category, share in CATEGORIES.items():
            expected = 5.2 * share * WEEKDAYS[date.weekday()] * (1 + 0.15 * math.sin(day / 29))
            for _ in range(max(0, round(chance.gauss(expected, 0.9)))):
                key, _, _, price = chance.choice([product for product in listed if product[2] == category])
                at = date + timedelta(minutes=chance.randrange(7 * 60, 20 * 60))
                customer, pieces = chance.randrange(1, 61), chance.choice((1, 1, 1, 2, 2, 3))
                rows.append(f"{at:%Y-%m-%dT%H:%M:%SZ},C-{customer:03d},{key},{pieces},{price / 100:.2f}")
    lines = ["order_id,ordered_at,customer_id,product_id,quantity,unit_price"]
    lines += [f"O-{number:04d},{row}" for number, row in enumerate(sorted(rows), 1)]
    for place, row in BAD_ORDERS.items():
        lines.insert(place - 1, row)
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write both files."""
    chance = random.Random(SEED)  # noqa: S311 - sample data
    listed = products(chance)
    (FOLDER / "products.xml").write_text(catalog_xml(listed), encoding="utf-8", newline="\n")
    (FOLDER / "orders.csv").write_text(orders_csv(listed, chance), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
