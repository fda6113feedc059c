"""Adoption: what a repository holds, the flow file and callers that fit it, the pull request that brings them, and later updates."""
