"""The serving endpoints of the local workspace."""
