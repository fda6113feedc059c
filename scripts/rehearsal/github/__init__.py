"""The imitated GitHub: REST API, git repositories, events, gates, OIDC tokens."""
