"""Errors in the shapes and with the codes that Databricks answers; every API module raises these."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

STATUS_OF_CODE: dict[str, int] = {
    "BAD_REQUEST": 400,
    "INVALID_PARAMETER_VALUE": 400,
    "MALFORMED_REQUEST": 400,
    "INVALID_STATE": 400,
    "RESOURCE_ALREADY_EXISTS": 400,
    "DIRECTORY_NOT_EMPTY": 400,
    "MAX_READ_SIZE_EXCEEDED": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "RESOURCE_DOES_NOT_EXIST": 404,
    "NOT_FOUND": 404,
    "ENDPOINT_NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "RESOURCE_CONFLICT": 409,
    "REQUEST_LIMIT_EXCEEDED": 429,
    "INTERNAL_ERROR": 500,
    "FEATURE_DISABLED": 501,
    "NOT_IMPLEMENTED": 501,
    "TEMPORARILY_UNAVAILABLE": 503,
}
"""The HTTP status that goes with an error code when an API says nothing else."""


class ApiError(Exception):
    """An answer that is an error: a code of Databricks, a message, and the HTTP status.

    Args:
        code: The `error_code`, such as `RESOURCE_DOES_NOT_EXIST`.
        message: What a reader of the client's output sees.
        status: The HTTP status; by default the one that belongs to the code.
        details: Further objects for `details`, such as google.rpc.ErrorInfo.
        headers: Headers of the answer, such as `Retry-After`.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int | None = None,
        details: list[dict[str, Any]] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status or STATUS_OF_CODE.get(code, 400)
        self.details = details or []
        self.headers = headers or {}


def does_not_exist(message: str) -> ApiError:
    """A 404 of the code that most APIs use for a missing object."""
    return ApiError("RESOURCE_DOES_NOT_EXIST", message)


def invalid(message: str) -> ApiError:
    """A 400 for a field's value; the message names the field."""
    return ApiError("INVALID_PARAMETER_VALUE", message)


def denied(message: str) -> ApiError:
    """A 403: known, but not allowed."""
    return ApiError("PERMISSION_DENIED", message)


def catalog_error(reason: str, message: str, *, status: int | None = None) -> ApiError:
    """An error of Unity Catalog, whose code names the kind of object and which repeats it in `details`.

    Args:
        reason: Such as `SCHEMA_DOES_NOT_EXIST` or `CATALOG_ALREADY_EXISTS`.
        message: Such as `Schema 'main.gold' does not exist.`
        status: By default 404 for `..._DOES_NOT_EXIST`, 409 for `..._ALREADY_EXISTS`, else 400.
    """
    default = 404 if reason.endswith("_DOES_NOT_EXIST") else 409 if reason.endswith("_ALREADY_EXISTS") else 400
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "unity-catalog.databricks.com"}
    return ApiError(reason, message, status=status or default, details=[info])


def not_imitated(method: str, path: str) -> ApiError:
    """The refusal, by name, of a request that this stand-in does not serve."""
    return ApiError(
        "FEATURE_DISABLED",
        f"The local workspace does not imitate `{method} {path}`. It is a stand-in for rehearsing; this request needs a real workspace.",
    )


def answer(error: ApiError) -> Response:
    """The HTTP answer of an error: `{"error_code", "message", "details"}`."""
    content: dict[str, Any] = {"error_code": error.code, "message": error.message}
    if error.details:
        content["details"] = error.details
    return JSONResponse(content, status_code=error.status, headers=error.headers)


async def handle(_: Request, error: Exception) -> Response:
    """Starlette's exception handler for `ApiError`."""
    assert isinstance(error, ApiError)
    return answer(error)
