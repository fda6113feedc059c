"""The two external files: orders (CSV) and products (XML), how their rows are taken apart, and what a good row is."""

from __future__ import annotations

import csv
import re
from datetime import UTC, datetime
from xml.etree import ElementTree

from .quality import RawRow, Rule

ORDER_FIELDS = ["order_id", "ordered_at", "customer_id", "product_id", "quantity", "unit_price"]
LARGEST_QUANTITY = 10_000
AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,2})?")
"""Euros and cents. Twelve digits are more than any price; times `LARGEST_QUANTITY` they still fit into BIGINT."""
DEEPEST_ELEMENT = 100
"""How deep the elements of an XML file may be nested; a catalog needs three levels."""


class UnreadableFileError(ValueError):
    """A file of which no row can be told from another; the message says where and why."""


def order_rows(content: bytes) -> list[RawRow]:
    """Take a CSV file apart: a header, then one order a line (no line breaks within fields), so that a bad line spoils no other.

    Raises:
        UnreadableFileError: The header is not `ORDER_FIELDS`.
    """
    header, *lines = (line.rstrip("\r") for line in content.decode("utf-8-sig", errors="replace").split("\n"))
    if header.split(",") != ORDER_FIELDS:
        raise UnreadableFileError(f"The first line must be {','.join(ORDER_FIELDS)}, not {header[:200]!r}.")
    return [_order(number, line) for number, line in enumerate(lines, 2) if line.strip()]


def _order(number: int, line: str) -> RawRow:
    if "\N{REPLACEMENT CHARACTER}" in line:
        return RawRow(number, line, None, "row: not UTF-8")
    try:
        (fields,) = csv.reader([line], strict=True)
    except (csv.Error, ValueError) as error:
        return RawRow(number, line, None, f"row: not CSV ({error})")
    if len(fields) != len(ORDER_FIELDS):
        return RawRow(number, line, None, f"row: {len(fields)} fields instead of {len(ORDER_FIELDS)}")
    return RawRow(number, line, dict(zip(ORDER_FIELDS, fields, strict=True)))


def product_rows(content: bytes) -> list[RawRow]:
    """Take an XML file apart: elements `product` with attribute `id` and elements `name`, `category`, `unit_cost`.

    Raises:
        UnreadableFileError: It is not UTF-8, is not XML (line and column are named), declares a document type, which could hold
            entities that never end, or nests elements deeper than `DEEPEST_ELEMENT`.
    """
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableFileError(f"The file is not UTF-8: byte {error.start} cannot be read.") from error
    if "<!DOCTYPE" in text:
        raise UnreadableFileError("The file declares a document type (<!DOCTYPE), which is not taken from outside.")
    try:
        catalog = _parsed(text)
    except ElementTree.ParseError as error:
        raise UnreadableFileError(f"The file is not XML: {error}.") from error
    return [_product(number, element) for number, element in enumerate(catalog, 1)]


def _parsed(text: str) -> ElementTree.Element:
    """The root element. Depth is counted on the events, because whatever walks through an element recurses."""
    parser = ElementTree.XMLPullParser(("start", "end"))  # without a document type there are no entities of its own
    parser.feed(text)
    parser.close()
    open_elements: list[ElementTree.Element] = []
    for event, element in parser.read_events():
        if event == "end":
            root = open_elements.pop()
            continue
        open_elements.append(element)
        if len(open_elements) > DEEPEST_ELEMENT:
            raise UnreadableFileError(f"The file nests elements deeper than {DEEPEST_ELEMENT} levels.")
    return root


def _product(number: int, element: ElementTree.Element) -> RawRow:
    text = ElementTree.tostring(element, encoding="unicode").strip()
    if element.tag != "product":
        return RawRow(number, text, None, f"row: element {element.tag!r} instead of `product`")
    fields = {"product_id": element.get("id", "")}
    fields |= {name: (element.findtext(name) or "").strip() for name in ("name", "category", "unit_cost")}
    return RawRow(number, text, fields)


def name(text: str) -> str:
    """A text that is not empty."""
    if not text.strip():
        raise ValueError("missing")
    return text.strip()


def moment(text: str) -> datetime:
    """A moment such as 2026-05-01T12:30:00Z.

    Returns:
        The moment in UTC.
    """
    try:
        found = datetime.fromisoformat(name(text))
    except ValueError as error:
        raise ValueError(f"{text!r} is no moment such as 2026-05-01T12:30:00Z") from error
    if found.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    try:
        return found.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{text!r} is outside the years 1 to 9999 in UTC") from error


def quantity(text: str) -> int:
    """A whole number from 1 to `LARGEST_QUANTITY`."""
    if not text.strip().isdecimal() or not 1 <= int(text) <= LARGEST_QUANTITY:
        raise ValueError(f"{text!r} is no whole number from 1 to {LARGEST_QUANTITY}")
    return int(text)


def cents(text: str) -> int:
    """An amount in euros, above 0, with at most twelve digits and two decimals.

    Returns:
        The amount in cents, exactly.
    """
    amount = text.strip()
    if not AMOUNT.fullmatch(amount) or not amount.strip("0."):
        raise ValueError(f"{text!r} is no amount above 0 with at most twelve digits and two decimals")
    euros, _, decimals = amount.partition(".")
    return int(euros) * 100 + int(decimals.ljust(2, "0"))


ORDER_RULES: dict[str, Rule] = {
    "order_id": name,
    "ordered_at": moment,
    "customer_id": name,
    "product_id": name,
    "quantity": quantity,
    "unit_price": cents,
}
PRODUCT_RULES: dict[str, Rule] = {"product_id": name, "name": name, "category": name, "unit_cost": cents}
