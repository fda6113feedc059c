"""Up or down on day 15: everything that the notebooks do, as plain functions that can be tested without Spark."""
