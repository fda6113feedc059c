"""A stand-in for the bundle commands of the Databricks CLI 1.13.0, for rehearsing and testing without it.

It reads a bundle, talks to the workspace given by DATABRICKS_HOST and answers as the recorded cases of the real one do.
What it does not support is refused by name.
"""

CLI_VERSION = "1.13.0"
"""The version whose behaviour is imitated; `databricks version` says it."""

STAND_IN = f"bundleflow's stand-in for the Databricks CLI {CLI_VERSION}"
"""What the program says of itself in `version` and `--help`."""
