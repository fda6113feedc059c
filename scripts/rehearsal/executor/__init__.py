"""Runs the tasks of jobs: notebooks, Python files, SQL, and more, in processes of their own."""
