"""Looks into the text of SQL statements: comments, statements of a file, and the clauses of CREATE TABLE that Sail does not know."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

CREATE = re.compile(
    r"CREATE\s+(?P<replace>OR\s+REPLACE\s+)?(?:EXTERNAL\s+)?TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?(?P<name>(?:`[^`]+`|[\w-]+)(?:\.(?:`[^`]+`|[\w-]+))*)\s*",
    re.IGNORECASE,
)
TABLE_CONSTRAINT = re.compile(
    r"(?:CONSTRAINT\s+(?P<name>`[^`]+`|\w+)\s+)?(?P<kind>PRIMARY\s+KEY|FOREIGN\s+KEY)\s*\((?P<columns>[^)]*)\)(?P<rest>.*)", re.I | re.S
)
INLINE_KEY = re.compile(
    r"(?:\s+CONSTRAINT\s+(?P<name>`[^`]+`|\w+))?\s+PRIMARY\s+KEY(?:\s+(?:NOT\s+ENFORCED|RELY|NORELY|DEFERRABLE|INITIALLY\s+DEFERRED))*",
    re.I,
)
INLINE_REFERENCE = re.compile(
    r"(?:\s+CONSTRAINT\s+(?P<name>`[^`]+`|\w+))?\s+(?:FOREIGN\s+KEY\s+)?REFERENCES\s+(?P<parent>[\w.`]+)(?:\s*\([^)]*\))?"
    r"(?:\s+(?:NOT\s+ENFORCED|RELY|NORELY))*",
    re.I,
)
CLUSTER = re.compile(r"\bCLUSTER\s+BY\s*(?:\([^)]*\)|AUTO|NONE)", re.I)
PROPERTIES = re.compile(r"\bTBLPROPERTIES\s*\((?P<body>[^)]*)\)", re.I)
UNKNOWN_PROPERTIES = (
    "delta.enablechangedatafeed", "delta.feature.", "delta.autooptimize.", "delta.columnmapping.", "delta.minreaderversion",
    "delta.minwriterversion", "delta.enabledeletionvectors", "delta.enablerowtracking",
)  # fmt: skip


@dataclass
class CreateTable:
    """A CREATE TABLE statement without the clauses that Sail does not know.

    Attributes:
        text: The statement that is left.
        name: The table, as written.
        replaces: Whether it says OR REPLACE.
        constraints: Keys, in the words of Unity Catalog's API (`table_constraints`).
        properties: Table properties that were taken out.
        removed: The clauses that were taken out, as written.
    """

    text: str
    name: str
    replaces: bool
    constraints: list[dict[str, Any]] = field(default_factory=list)
    properties: dict[str, str] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)


def create_table(text: str) -> CreateTable | None:
    """Take a CREATE TABLE statement apart; None when the text is none."""
    head = CREATE.match(text)
    if head is None:
        return None
    plan = CreateTable(text, head["name"], bool(head["replace"]))
    rest = text[head.end() :]
    columns = ""
    if rest.startswith("("):
        end = closing(rest, 0)
        elements = [_element(element, plan) for element in split(rest[1:end], ",")]
        kept = [element for element in elements if element]
        columns, rest = f"({', '.join(kept)})", rest[end + 1 :]
    plan.text = f"{head.group(0).rstrip()} {columns}{' ' if columns else ''}{_tail(rest, plan)}".strip()
    return plan


def _element(element: str, plan: CreateTable) -> str:
    element = element.strip()
    constraint = constraint_of(element)
    if constraint is not None:
        plan.constraints.append(constraint)
        plan.removed.append(" ".join(element.split()))
        return ""
    column = element.split(None, 1)[0].strip("`") if element else ""
    for pattern, make in ((INLINE_KEY, _primary), (INLINE_REFERENCE, _foreign)):
        match = pattern.search(_blanked(element))
        if match:
            plan.constraints.append(make(match.groupdict(), [column], plan.name))
            plan.removed.append(f"{column}{element[match.start() : match.end()]}")
            element = element[: match.start()] + element[match.end() :]
    return element


def _primary(groups: dict[str, str | None], columns: list[str], table: str) -> dict[str, Any]:
    name = (groups.get("name") or f"{table.split('.')[-1].strip('`')}_pk").strip("`")
    return {"primary_key_constraint": {"name": name, "child_columns": columns}}


def _foreign(groups: dict[str, str | None], columns: list[str], table: str) -> dict[str, Any]:
    name = (groups.get("name") or f"{table.split('.')[-1].strip('`')}_fk").strip("`")
    parent = (groups.get("parent") or "").replace("`", "")
    return {"foreign_key_constraint": {"name": name, "child_columns": columns, "parent_table": parent, "parent_columns": []}}


def constraint_of(text: str) -> dict[str, Any] | None:
    """Return a table constraint (`[CONSTRAINT n] PRIMARY KEY (...)` or FOREIGN KEY) as the API has it; None when it is none."""
    match = TABLE_CONSTRAINT.fullmatch(text.strip())
    if match is None:
        return None
    raw = [column.strip() for column in match["columns"].split(",")]
    columns = [column.split()[0].strip("`") for column in raw if column]
    time_series = [column.split()[0].strip("`") for column in raw if re.search(r"\sTIMESERIES\b", column, re.I)]
    name = (match["name"] or "").strip("`")
    if match["kind"].upper().startswith("PRIMARY"):
        key = {"name": name or "pk", "child_columns": columns}
        return {"primary_key_constraint": key | ({"timeseries_columns": time_series} if time_series else {})}
    target = re.search(r"REFERENCES\s+([\w.`]+)\s*(?:\(([^)]*)\))?", match["rest"], re.I)
    parent = target.group(1).replace("`", "") if target else ""
    parents = [column.strip(" `") for column in (target.group(2) or "").split(",") if column.strip()] if target else []
    return {"foreign_key_constraint": {"name": name or "fk", "child_columns": columns, "parent_table": parent, "parent_columns": parents}}


def added_constraint(rest: str) -> dict[str, Any] | None:
    """Return the key that `ALTER TABLE t <rest>` adds, or None when it adds none."""
    match = re.match(r"ADD\s+", rest, re.I)
    return constraint_of(rest[match.end() :]) if match else None


def _tail(rest: str, plan: CreateTable) -> str:
    body = re.search(r"\bAS\s+(?:SELECT|WITH|\(|VALUES|TABLE|FROM)\b", _blanked(rest), re.I)
    options, query = (rest[: body.start()], rest[body.start() :]) if body else (rest, "")
    for match in list(CLUSTER.finditer(options)):
        plan.removed.append(" ".join(match.group(0).split()))
    options = CLUSTER.sub("", options)
    properties = PROPERTIES.search(options)
    if properties:
        options = options[: properties.start()] + _properties(properties["body"], plan) + options[properties.end() :]
    return f"{options.strip()} {query}".strip()


def _properties(body: str, plan: CreateTable) -> str:
    kept = []
    for entry in split(body, ","):
        key, _, value = entry.partition("=")
        if key.strip(" '\"`").lower().startswith(UNKNOWN_PROPERTIES):
            plan.properties[key.strip(" '\"`")] = value.strip(" '\"")
            plan.removed.append(f"TBLPROPERTIES {entry.strip()}")
        elif entry.strip():
            kept.append(entry.strip())
    return f"TBLPROPERTIES ({', '.join(kept)})" if kept else ""


def scan(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield (position, character, state) over SQL text; state is `code`, `quote` (within quotes) or `comment`."""
    position, quote = 0, ""
    while position < len(text):
        character = text[position]
        pair = text[position : position + 2]
        if quote:
            yield position, character, "quote"
            if character == "\\" and quote != "`" and position + 1 < len(text):
                position += 1
                yield position, text[position], "quote"
            elif character == quote:
                quote = ""
        elif pair == "--" or pair == "/*":
            end = text.find("\n" if pair == "--" else "*/", position)
            end = len(text) if end < 0 else end + (0 if pair == "--" else 2)
            for inner in range(position, end):
                yield inner, text[inner], "comment"
            position = end
            continue
        else:
            if character in "'\"`":
                quote = character
            yield position, character, "quote" if quote else "code"
        position += 1


def without_comments(text: str) -> str:
    """Return SQL text without its comments."""
    return "".join(character for _, character, state in scan(text) if state != "comment")


def _blanked(text: str) -> str:
    """Return SQL text of the same length whose quoted parts and comments are blank."""
    return "".join(character if state == "code" else " " for _, character, state in scan(text))


def split(text: str, separator: str) -> list[str]:
    """Split SQL text at a separator that stands outside of quotes, comments and brackets."""
    parts, depth, start = [], 0, 0
    for position, character, state in scan(text):
        if state != "code":
            continue
        if character in "([":
            depth += 1
        elif character in ")]":
            depth -= 1
        elif character == separator and depth == 0:
            parts.append(text[start:position])
            start = position + 1
    return [*parts, text[start:]]


def closing(text: str, opening: int) -> int:
    """Return the position of the bracket that closes the one at `opening`.

    Raises:
        ValueError: it is never closed.
    """
    depth = 0
    for position, character, state in scan(text):
        if state != "code" or position < opening:
            continue
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 0:
            return position
    raise ValueError(f"A bracket is not closed in: {text[:80]}")


def statements(text: str) -> list[str]:
    """Return the statements of an SQL file."""
    return [part.strip() for part in split(text, ";") if without_comments(part).strip()]


def is_query(text: str) -> bool:
    """Return whether a statement only reads."""
    return bool(re.match(r"\s*(?:\(\s*)*(?:SELECT|WITH|VALUES|FROM|TABLE)\b", without_comments(text), re.I))


def with_values(text: str, values: dict[str, Any]) -> str:
    """Return a statement whose named parameters (`:name`, outside of quotes and comments) are literals.

    Raises:
        ValueError: a value has no literal here (a Column, say).
    """
    blank = _blanked(text)
    parts, last = [], 0
    for match in re.finditer(r"(?<![:\w]):(\w+)", blank):
        if match.group(1) in values:
            parts += [text[last : match.start()], as_literal(values[match.group(1)])]
            last = match.end()
    return "".join([*parts, text[last:]])


def as_literal(value: Any) -> str:
    """Return a Python value as an SQL literal.

    Raises:
        ValueError: it has none here.
    """
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, datetime):
        return f"TIMESTAMP '{value.isoformat(sep=' ')}'"
    if isinstance(value, date):
        return f"DATE '{value.isoformat()}'"
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    raise ValueError(f"A parameter of type {type(value).__name__} cannot be used in this statement.")


def literal(text: str) -> str:
    """Return the value of an SQL string literal; NULL is empty."""
    text = text.strip()
    return "" if text.upper() == "NULL" else text[1:-1].replace("\\'", "'").replace("''", "'") if text[:1] in "'\"" else text
