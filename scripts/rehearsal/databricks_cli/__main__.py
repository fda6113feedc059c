"""`python -m rehearsal.databricks_cli ARGS...` is `databricks ARGS...`, started with as little as possible."""

import os
import sys
import time

from rehearsal.databricks_cli.main import main


def _timed(path: str) -> int:
    """Leave a line with workflow run, job and seconds in a file, for the rehearsal that started this."""
    begun = time.monotonic() - time.process_time()  # what was computed so far is the program's start
    try:
        return main(sys.argv[1:])
    finally:
        with open(path, "a", encoding="utf-8") as file:  # noqa: PTH123  # pathlib is not loaded otherwise
            file.write(f"{os.environ.get('GITHUB_RUN_ID', '')} {os.environ.get('GITHUB_JOB', '')} {time.monotonic() - begun:.3f}\n")


if __name__ == "__main__":
    times = os.environ.pop("REHEARSAL_CLI_TIMES", "")
    sys.exit(_timed(times) if times else main(sys.argv[1:]))
