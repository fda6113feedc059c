"""One request to the REST API and its answer: parameters, paging, and what every endpoint is declared by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlencode

from rehearsal.github import access
from rehearsal.github.api.fields import check_types
from rehearsal.github.errors import GitHubError
from rehearsal.github.model import Json, Repository
from rehearsal.github.model_actions import Token
from rehearsal.github.oidc import Keys
from rehearsal.github.state import State

DEFAULT_PER_PAGE = 30
MAX_PER_PAGE = 100
PAGING = ("per_page", "page")

T = TypeVar("T")


@dataclass(frozen=True)
class Answer:
    """An answer: JSON (or None for none), or bytes with a content type in the headers."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Call:
    """A request: who asks (None: nobody), the path's parts, the query and the JSON body."""

    state: State
    keys: Keys
    token: Token | None
    parts: dict[str, str]
    query: dict[str, str]
    body: Any
    url: str
    """The request's address without its query."""

    @property
    def full_name(self) -> str:
        """The repository's `owner/name`, with the capitals it was created with."""
        return self.repository.full_name

    @property
    def repository(self) -> Repository:
        """The repository; 404 where there is none or it may not be seen."""
        return self.state.repository(f"{self.parts['owner']}/{self.parts['repo']}")

    @property
    def who(self) -> Token:
        """Who asks; 401 for nobody."""
        if self.token is None:
            raise GitHubError(401, "Requires authentication")
        return self.token

    def number(self, name: str) -> int:
        """Give a part of the path that is a number; 404 for anything else, since no such thing can be there."""
        text = self.parts[name]
        if not text.isascii() or not text.isdigit():
            raise GitHubError(404, "Not Found")
        return int(text)

    def fields(self) -> Json:
        """Give the JSON body as an object (an empty one for none)."""
        if self.body is None:
            return {}
        if not isinstance(self.body, dict):
            raise GitHubError(400, "Body should be a JSON object")
        return self.body

    def text(self, name: str, *, required: bool = True) -> str:
        """Give a text from the body."""
        value = self.fields().get(name)
        if value is None and not required:
            return ""
        if not isinstance(value, str):
            raise GitHubError(422, f'Invalid request.\n\n"{name}" wasn\'t supplied or is not a string.')
        return value

    def flag(self, name: str) -> bool:
        """Give a query parameter that is true or false."""
        return self.query.get(name, "").lower() in ("1", "true")

    def require(self, *needs: str) -> None:
        """Refuse who has none of the permissions (see `access.require`)."""
        access.require(self.state, self.token, self.repository, *needs)

    def page(self, items: Sequence[T], render: Callable[[T], Any], wrap: str = "") -> Answer:
        """Give one page of a list, with its `Link` header.

        Args:
            items: All of them, in order.
            render: Makes JSON of one.
            wrap: Name of the list inside an object with `total_count`; empty for a bare list.
        """
        per_page = min(self._count("per_page", DEFAULT_PER_PAGE), MAX_PER_PAGE)
        number = self._count("page", 1)
        last = max(1, -(-len(items) // per_page))
        shown = [render(item) for item in items[(number - 1) * per_page : number * per_page]]
        links: dict[str, int] = {}
        if number > 1:
            links.update(prev=min(number - 1, last), first=1)
        if number < last:
            links.update(next=number + 1, last=last)
        header = ", ".join(f'<{self.url}?{urlencode({**self.query, "page": page})}>; rel="{rel}"' for rel, page in links.items())
        body: Any = {"total_count": len(items), wrap: shown} if wrap else shown
        return Answer(body, headers={"Link": header} if header else {})

    def _count(self, name: str, default: int) -> int:
        text = self.query.get(name, "")
        return max(1, int(text)) if text.isascii() and text.isdigit() else default


@dataclass(frozen=True)
class Endpoint:
    """An endpoint.

    Args:
        method: HTTP method.
        path: Path in Starlette's form; one that begins with `~` stands under `/repos/{owner}/{repo}`.
        handler: Answers it.
        needs: Permissions of which one is needed (`key:read`, `key:write`, `metadata`); empty: checked by the handler.
        body: The fields of the body that are heeded; any other is refused by name. None: any.
        query: The query parameters that are heeded, beside those of paging; any other is refused by name.
        locked: Whether the state's lock is held meanwhile.
    """

    method: str
    path: str
    handler: Callable[[Call], Answer]
    needs: tuple[str, ...] = ()
    body: tuple[str, ...] | None = ()
    query: tuple[str, ...] = ()
    locked: bool = True

    @property
    def full_path(self) -> str:
        """The path from the root."""
        return "/repos/{owner}/{repo}" + self.path[1:] if self.path.startswith("~") else self.path

    def check(self, call: Call) -> None:
        """Refuse fields and parameters that are not heeded, and who may not.

        Raises:
            GitHubError: 422 names the field; 401, 403 and 404 as `access.require`.
        """
        if self.needs:
            call.require(*self.needs)
        if self.body is not None and isinstance(call.body, dict):
            for name in sorted(set(call.body) - set(self.body)):
                raise GitHubError(422, f'Invalid request.\n\n"{name}" is not a permitted key.')
            check_types(call.body)
        for name in sorted(set(call.query) - {*self.query, *PAGING}):
            raise GitHubError(422, f"Invalid request.\n\nThe query parameter `{name}` is not known to this imitation of {self.path}.")


def no_content() -> Answer:
    """Give an empty answer."""
    return Answer(None, 204)
