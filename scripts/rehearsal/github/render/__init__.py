"""Answers: each kind of thing as GitHub's published description of its REST API (OpenAPI) has it, every required field included."""

from __future__ import annotations

import base64


def node_id(kind: str, number: int) -> str:
    """Give a GraphQL id."""
    return f"{kind}_" + base64.urlsafe_b64encode(f"{kind}:{number}".encode()).decode().rstrip("=")
