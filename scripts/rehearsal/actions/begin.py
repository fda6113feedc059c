"""First step of every job in the copy: asks the driver to begin, waits for its answer, and sets what the job is given.

Runs with nothing but the standard library, in isolated mode, in the job's own process.
"""

import json
import os
import socket
import sys
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
    # By hand, because importing a client takes longer than all else that this script does.
    host, port, path = os.environ["REHEARSAL_DESK"].removeprefix("http://").replace("/", ":", 1).split(":", 2)
    body = json.dumps(question).encode()
    head = f"POST /{path} HTTP/1.0\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=6 * 3600) as connection:
        connection.sendall(head.encode() + body)
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    answer: dict[str, Any] = json.loads(received.split(b"\r\n\r\n", 1)[1])
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
            mark = f"END_{os.urandom(8).hex()}"
            file.write(f"{name}<<{mark}\n{value}\n{mark}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
