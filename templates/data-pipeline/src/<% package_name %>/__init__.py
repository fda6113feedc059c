"""The data pipeline: everything that the notebooks do, as plain functions that can be tested without Spark."""
