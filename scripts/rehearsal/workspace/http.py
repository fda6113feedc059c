"""Small helpers of the API modules: reading bodies and parameters, required fields, and pages as Databricks makes them."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse

from rehearsal.workspace.errors import ApiError, invalid

T = TypeVar("T")
Json = dict[str, Any]


async def body(request: Request) -> Json:
    """The JSON object in a request's body; an empty body is an empty object.

    Raises:
        ApiError: MALFORMED_REQUEST when it is not a JSON object.
    """
    raw = await request.body()
    if not raw.strip():
        return {}
    try:
        content = json.loads(raw)
    except ValueError as problem:
        raise ApiError("MALFORMED_REQUEST", f"Could not parse request object: {problem}") from problem
    if not isinstance(content, dict):
        raise ApiError("MALFORMED_REQUEST", "Could not parse request object: expected a JSON object")
    return content


def required(values: Json, field: str) -> Any:
    """A field that must be there and not empty.

    Raises:
        ApiError: INVALID_PARAMETER_VALUE that names the field.
    """
    value = values.get(field)
    if value is None or value == "":
        raise invalid(f"Missing required field: {field}")
    return value


def query(request: Request, name: str) -> str:
    """A query parameter that must be there.

    Raises:
        ApiError: INVALID_PARAMETER_VALUE that names it.
    """
    value = request.query_params.get(name)
    if not value:
        raise invalid(f"Missing required field: {name}")
    return value


def flag(value: Any) -> bool:
    """A truth value as query strings, forms and JSON carry it."""
    return value is True or str(value).lower() == "true"


def number(value: Any, field: str) -> int:
    """A whole number from a query string or JSON.

    Raises:
        ApiError: INVALID_PARAMETER_VALUE that names the field.
    """
    try:
        return int(value)
    except (TypeError, ValueError) as problem:
        raise invalid(f"{field} must be a number, not {value!r}") from problem


def page(request: Request, items: Sequence[T], *, default: int, largest: int, size_name: str = "max_results") -> tuple[list[T], str]:
    """One page of a list, by the request's `page_token` and size.

    Args:
        request: The request.
        items: The whole list, in a stable order.
        default: The page's size when the request does not say it (0 counts as not said).
        largest: The most that a page may have; more is cut to it.
        size_name: The parameter that says the size.

    Returns:
        The page, and the token of the next one (empty on the last).

    Raises:
        ApiError: INVALID_PARAMETER_VALUE for a token that this server did not make, or a negative size.
    """
    size = number(request.query_params.get(size_name) or 0, size_name)
    if size < 0:
        raise invalid(f"{size_name} must not be negative")
    size = min(size or default, largest)
    start = _offset(request.query_params.get("page_token", ""))
    more = start + size < len(items)
    return list(items[start : start + size]), page_token(start + size) if more else ""


def page_token(offset: int) -> str:
    """An opaque token that stands for an offset."""
    return base64.urlsafe_b64encode(json.dumps({"offset": offset}).encode()).decode().rstrip("=")


def _offset(token: str) -> int:
    if not token:
        return 0
    try:
        return int(json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))["offset"])
    except (ValueError, KeyError, TypeError) as problem:
        raise invalid("page_token is not valid") from problem


def ok(content: Json | None = None) -> JSONResponse:
    """The usual answer: 200 with a JSON object."""
    return JSONResponse(content if content is not None else {})
