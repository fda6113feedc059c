"""First step of every job in the copy: asks the driver to begin, waits for its answer, and sets what the job is given.

Runs with nothing but the standard library, in isolated mode, in the job's own process.
"""

import http.client
import json
import os
import secrets
import sys
import urllib.parse
from typing import Any


def ask() -> dict[str, Any]:
    """Send what this job is to the driver and wait for its answer."""
    groups = json.loads(os.environ["REHEARSAL_GROUPS"])
    for number, group in enumerate(groups):
        group["name"] = os.environ[f"REHEARSAL_GROUP_{number}"]
        group["cancel"] = os.environ[f"REHEARSAL_GROUP_{number}_CANCEL"] == "true"
    question = {
        "run": int(os.environ["REHEARSAL_RUN"]),
        "job": os.environ["REHEARSAL_JOB"],
        "name": os.environ["REHEARSAL_NAME"],
        "environment": os.environ["REHEARSAL_ENVIRONMENT"],
        "matrix": os.environ["REHEARSAL_MATRIX"],
        "groups": groups,
    }
    desk = urllib.parse.urlsplit(os.environ["REHEARSAL_DESK"])
    connection = http.client.HTTPConnection(desk.hostname or "", desk.port, timeout=6 * 3600)
    connection.request("POST", desk.path, json.dumps(question), {"Content-Type": "application/json"})
    answer: dict[str, Any] = json.loads(connection.getresponse().read())
    return answer


def main() -> int:
    """Ask, then leave the job's variables in `GITHUB_ENV`; exit 1 where the job is not let in."""
    answer = ask()
    print(f"rehearsal-job={answer['job_id']}", flush=True)
    if answer["refused"]:
        text = answer["refused"].replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
        print(f"::error::{text}", flush=True)
        return 1
    for value in answer["masks"]:
        print(f"::add-mask::{value}", flush=True)
    with open(os.environ["GITHUB_ENV"], "a", encoding="utf-8") as file:  # noqa: PTH123  # pathlib costs 10 ms in each job
        for name, value in answer["environment"].items():
            mark = f"END_{secrets.token_hex(8)}"
            file.write(f"{name}<<{mark}\n{value}\n{mark}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
