"""Start, follow, cancel and repair job runs."""
