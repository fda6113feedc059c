"""Talks HTTP to the workspace: connections that stay open, one for each thread; errors with their codes; retries."""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from rehearsal.databricks_cli.diagnostics import CommandError

RETRY_SECONDS = 15 * 60
"""For how long a workspace that cannot be reached is tried again, as the real CLI does."""
TIMEOUT_SECONDS = 90
"""For how long an answer is waited for."""
_RETRIED_STATUS = (429, 503)


class ApiError(Exception):
    """The workspace answered with an error.

    Args:
        status: HTTP status.
        code: `error_code` of the answer, such as `RESOURCE_DOES_NOT_EXIST`.
        message: Its message.
        endpoint: Method and URL, for the error's text.
    """

    def __init__(self, status: int, code: str, message: str, endpoint: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.endpoint = endpoint

    @property
    def missing(self) -> bool:
        """Whether the error says that the thing does not exist."""
        return self.status == 404 or self.code == "RESOURCE_DOES_NOT_EXIST"

    def headline(self) -> str:
        """Return the message with status and code."""
        return f"{self.message} ({self.status} {self.code})"

    def detail(self) -> str:
        """Return the lines that are shown below the headline."""
        phrase = http.client.responses.get(self.status, "")
        lines = [f"Endpoint: {self.endpoint}", f"HTTP Status: {self.status} {phrase}", f"API error_code: {self.code}"]
        return "\n".join([*lines, f"API message: {self.message}"])


@dataclass(frozen=True)
class Reply:
    """An answer with a status below 300."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """Return the body as a JSON object; empty when there is none."""
        if not self.body.strip():
            return {}
        parsed = json.loads(self.body)
        return parsed if isinstance(parsed, dict) else {"value": parsed}


class HttpClient:
    """A client of one host.

    Args:
        host: `http://...` or `https://...`, without a path.
        authorization: Returns the value of the Authorization header; asked for every request.
        user_agent: The User-Agent header.
    """

    def __init__(self, host: str, authorization: Callable[[], str | None], user_agent: str) -> None:
        self.host = host
        self._url = urlsplit(host)
        self._authorization = authorization
        self._user_agent = user_agent
        self._local = threading.local()
        self._open: list[http.client.HTTPConnection] = []

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Send a GET and return the JSON answer; raises `ApiError`."""
        return self.request("GET", path, query=query).json()

    def post(self, path: str, body: Any = None, query: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Send a POST and return the JSON answer; raises `ApiError`."""
        return self.request("POST", path, query=query, body=body).json()

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        retry: bool = True,
    ) -> Reply:
        """Send a request, again while the workspace cannot be reached or asks to wait.

        Args:
            method: GET, POST, PUT, PATCH or DELETE.
            path: Path of the URL, already quoted.
            query: Parameters; lists are not used.
            body: Bytes are sent as they are, anything else as JSON.
            headers: More headers.
            retry: Whether to try again at all.

        Raises:
            ApiError: The answer has a status of 300 or more.
            CommandError: The host's name is unknown, or it could not be reached in time.
        """
        target = path + ("?" + urlencode(query, quote_via=quote) if query else "")
        data, content_type = (body, "application/octet-stream") if isinstance(body, bytes) else (_dump(body), "application/json")
        sent = {"User-Agent": self._user_agent, "Accept": "application/json"}
        if data is not None:
            sent["Content-Type"] = content_type
        if authorization := self._authorization():
            sent["Authorization"] = authorization
        sent |= headers or {}
        deadline = time.monotonic() + RETRY_SECONDS
        pause = 0.2
        while True:
            try:
                status, reply_headers, content = self._once(method, target, data, sent)
            except socket.gaierror as problem:
                host = self._url.hostname
                raise CommandError(f'{method.title()} "{self.host}{target}": dial tcp: lookup {host}: no such host') from problem
            except (OSError, http.client.HTTPException) as problem:
                if not retry or time.monotonic() > deadline:
                    raise CommandError(f'{method.title()} "{self.host}{target}": {problem}') from problem
                time.sleep(pause)
                pause = min(pause * 2, 10)
                continue
            if status in _RETRIED_STATUS and retry and time.monotonic() < deadline:
                time.sleep(_retry_after(reply_headers, pause))
                pause = min(pause * 2, 10)
                continue
            if status >= 300:
                raise _error(status, content, f"{method} {self.host}{target}" + ("" if query or method != "GET" else "?"))
            return Reply(status, reply_headers, content)

    def close(self) -> None:
        """Close all connections."""
        for connection in self._open:
            connection.close()

    def _once(self, method: str, target: str, data: bytes | None, headers: dict[str, str]) -> tuple[int, Mapping[str, str], bytes]:
        connection, fresh = self._connection()
        while True:
            try:
                connection.request(method, self._prefix() + target, body=data, headers=headers)
                response = connection.getresponse()
                return response.status, dict(response.headers.items()), response.read()
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError, http.client.CannotSendRequest):
                connection.close()  # a connection that the server closed while it was idle is opened anew, once
                if fresh:
                    raise
                fresh = True
            except Exception:
                connection.close()
                raise

    def _connection(self) -> tuple[http.client.HTTPConnection, bool]:
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is not None:
            return connection, connection.sock is None
        connection = self._new_connection()
        self._local.connection = connection
        self._open.append(connection)
        return connection, True

    def _new_connection(self) -> http.client.HTTPConnection:
        host, secure = self._url.hostname or "", self._url.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        proxy = urlsplit(self._proxy()) if self._proxy() else None
        if proxy is None or not proxy.hostname:
            return kind(host, self._url.port, timeout=TIMEOUT_SECONDS)
        connection = kind(proxy.hostname, proxy.port or 80, timeout=TIMEOUT_SECONDS)
        if secure:
            connection.set_tunnel(host, self._url.port or 443)
        return connection

    def _proxy(self) -> str:
        """The proxy the environment asks for; never one for this machine itself."""
        host = self._url.hostname or ""
        if is_loopback(host):
            return ""
        from urllib.request import getproxies, proxy_bypass

        return "" if proxy_bypass(host) else getproxies().get(self._url.scheme, "")

    def _prefix(self) -> str:
        return self.host if self._url.scheme == "http" and self._proxy() else ""


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


def _dump(body: Any) -> bytes | None:
    return None if body is None else json.dumps(body).encode()


def _retry_after(headers: Mapping[str, str], default: float) -> float:
    try:
        return min(float({name.lower(): value for name, value in headers.items()}.get("retry-after", "")), 60)
    except ValueError:
        return default


def _error(status: int, content: bytes, endpoint: str) -> ApiError:
    phrase = http.client.responses.get(status, "")
    try:
        parsed = json.loads(content)
    except ValueError:
        parsed = {}
    answer = parsed if isinstance(parsed, dict) else {}
    code = str(answer.get("error_code") or answer.get("error") or phrase.upper().replace(" ", "_"))
    message = str(answer.get("message") or answer.get("error_description") or answer.get("detail") or phrase)
    return ApiError(status, code, message, endpoint)
