"""`python -m rehearsal.databricks_cli ARGS...` is `databricks ARGS...`, started with as little as possible."""

import sys

from rehearsal.databricks_cli.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
