"""What the kit talks to: the Databricks CLI, the workspace, GitHub, the runner, git."""
