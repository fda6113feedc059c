"""Lets Python code in a task send mail by `smtplib` to any server: it arrives in the workspace's own mailbox, on this machine."""

from __future__ import annotations

import functools
import smtplib
import socket
from collections.abc import Callable
from typing import Any

HERE = ("127.0.0.1", "::1", "localhost")


def install(address: str, say: Callable[[str], None]) -> None:
    """Teach this process's `smtplib` the mailbox; for the rest of its life.

    A server on this machine is spoken to as it is. To any other, encryption is agreed to without being done: the connection ends on
    this machine.

    Args:
        address: Host and port of the mailbox, as `HOST:PORT`.
        say: Gets a line for each server that the mailbox stands in for.
    """
    host, _, port = address.rpartition(":")

    def connect(self: smtplib.SMTP, wanted: str, wanted_port: int, timeout: Any) -> socket.socket:
        say(f"Mail for {wanted}:{wanted_port} is delivered to this workspace's own mailbox; login and encryption are imitated.")
        self._bundleflow_here = True  # type: ignore[attr-defined]
        return socket.create_connection((host, int(port)), timeout if isinstance(timeout, int | float) else None)

    for kind in (smtplib.SMTP, smtplib.SMTP_SSL):
        kind._get_socket = _unless_here(kind._get_socket, connect)  # type: ignore[union-attr]
    real_starttls = smtplib.SMTP.starttls

    @functools.wraps(real_starttls)
    def starttls(self: smtplib.SMTP, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
        if getattr(self, "_bundleflow_here", False):
            self.ehlo_or_helo_if_needed()
            return 220, b"imitated"
        return real_starttls(self, *args, **kwargs)

    smtplib.SMTP.starttls = starttls  # type: ignore[method-assign]


def _unless_here(real: Callable[..., Any], other: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(real)
    def choose(self: Any, host: str, port: int, timeout: Any) -> Any:
        return real(self, host, port, timeout) if host in HERE else other(self, host, port, timeout)

    return choose
