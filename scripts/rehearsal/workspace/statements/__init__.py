"""The SQL statements API: statements run on the local Spark, and lineage is told from what tasks did."""
