"""bundleflow: takes a Databricks bundle from development to staging to production."""

__version__ = "0.1.0"
