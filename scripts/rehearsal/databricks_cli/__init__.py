"""A stand-in for the bundle commands of the Databricks CLI."""
