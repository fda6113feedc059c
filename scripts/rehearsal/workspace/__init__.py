"""The imitated Databricks workspace: an HTTP server on 127.0.0.1."""
