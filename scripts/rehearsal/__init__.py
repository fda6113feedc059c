"""The imitated outside world (GitHub, a Databricks workspace, its CLI) and the stage director that rehearses a project in it."""
