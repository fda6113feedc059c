"""Login of the Databricks SDK by the job's OIDC token, with a token that is kept until it is about to expire.

The SDK's own `github-oidc` (0.156) asks GitHub for a new token at every call and fails in long jobs (databricks-sdk-py #1564), so its
caching token source is fed by GitHub's tokens here. Imports the SDK: import this module only where the SDK is needed anyway.
"""

from __future__ import annotations

from databricks.sdk import oidc
from databricks.sdk.core import Config
from databricks.sdk.credentials_provider import CredentialsProvider, CredentialsStrategy, oidc_credentials_provider
from databricks.sdk.oidc_token_supplier import GitHubOIDCTokenSupplier


class GitHubIdTokens(oidc.IdTokenSource):
    """A fresh ID token from GitHub whenever the workspace's token has to be renewed.

    Args:
        audience: Audience that the workspace's federation policy expects.
    """

    def __init__(self, audience: str) -> None:
        self.audience = audience

    def id_token(self) -> oidc.IdToken:
        """Ask GitHub for a token.

        Raises:
            ValueError: The job has no right to it.
        """
        token = GitHubOIDCTokenSupplier().get_oidc_token(self.audience)
        if not token:
            raise ValueError("GitHub gave no OIDC token; the job needs `permissions: {id-token: write}`")
        return oidc.IdToken(jwt=token)


class GitHubOidc(CredentialsStrategy):
    """The strategy `github-oidc` with a kept token; the same environment variables as the Databricks CLI's."""

    def auth_type(self) -> str:
        """Name of the strategy, as the SDK reports it."""
        return "github-oidc"

    def __call__(self, cfg: Config) -> CredentialsProvider:
        """The source of request headers for this configuration.

        Raises:
            ValueError: No token can be had.
        """
        endpoints = cfg.databricks_oidc_endpoints
        audience = cfg.token_audience or (endpoints.token_endpoint if endpoints else "")
        source = GitHubIdTokens(audience)
        source.id_token()  # says what is wrong; the provider below would only give nothing
        provider = oidc_credentials_provider(cfg, source)
        if provider is None:
            raise ValueError("GitHub gave an OIDC token once and then no more")
        return provider
