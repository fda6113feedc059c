"""The one kind of error that the imitated GitHub answers with, in GitHub's own shape."""

from __future__ import annotations

from collections.abc import Sequence

DOCUMENTATION = "https://docs.github.com/rest"


class GitHubError(Exception):
    """A refusal, as GitHub's REST API gives it.

    Args:
        status: The HTTP status, such as 404 or 422.
        message: GitHub's text, such as `Not Found`.
        errors: Details of a 422: objects with `resource`, `field`, `code` and perhaps `message`, or plain texts.
        headers: Further headers of the answer, such as `Retry-After`.
    """

    def __init__(
        self,
        status: int,
        message: str,
        errors: Sequence[dict[str, str] | str] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status} {message}" + (f" {list(errors)}" if errors else ""))
        self.status = status
        self.message = message
        self.errors = list(errors)
        self.headers = headers or {}

    def body(self) -> dict[str, object]:
        """Give the JSON body: `message`, `documentation_url`, `status`, and `errors` where there are any."""
        body: dict[str, object] = {"message": self.message, "documentation_url": DOCUMENTATION, "status": str(self.status)}
        if self.errors:
            body["errors"] = self.errors
        return body


def not_found() -> GitHubError:
    """Give the 404 for what is not there or may not be seen (GitHub does not tell the two apart)."""
    return GitHubError(404, "Not Found")


def no_permission(*needs: str) -> GitHubError:
    """Give the 403 for a token that lacks a permission, with the header that names those of which one would do (`key:level`)."""
    accepted = "; ".join(need.replace("-", "_").replace(":", "=") for need in needs)
    headers = {"X-Accepted-GitHub-Permissions": accepted} if accepted else {}
    return GitHubError(403, "Resource not accessible by integration", headers=headers)


def invalid(resource: str, field: str, code: str = "invalid", message: str = "") -> GitHubError:
    """Give the 422 for one wrong field.

    Args:
        resource: GitHub's name of the kind of thing, such as `PullRequest`.
        field: The field at fault.
        code: `missing`, `missing_field`, `invalid`, `already_exists` or `custom`.
        message: Text for `custom`.
    """
    detail = {"resource": resource, "field": field, "code": code}
    if message:
        detail["message"] = message
    return GitHubError(422, "Validation Failed", [detail])
