"""Real processes of the command line without its start-up: torch is imported once, and each command runs in a fork.

Reads one JSON request a line from stdin and answers with one a line. {"run": {...}} forks and answers with the child's
process id; {"wait": ID} answers with its exit code, or minus the signal that ended it. Nothing is computed before the
fork, so that a child has no threads of its parent to miss.
"""

import json
import os
import resource
import signal
import sys

import weakspot.api  # noqa: F401  # the costly import, made before any fork
from weakspot.cli import main

NUMBERS = {"stdin": 0, "stdout": 1, "stderr": 2}


def become(request: dict) -> None:
    """Be `weakspot ARGUMENTS` in its own folder, with its own streams and limits, and end."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(request["folder"])
    os.environ.update(request["environment"])
    for name, number in NUMBERS.items():
        path = request[name]
        if path is None:
            os.close(number)
            setattr(sys, name, None)
            continue
        opened = os.open(path, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(opened, number)
        os.close(opened)
        # As Python makes them at the start of a process.
        setattr(sys, name, open(number, "r" if number == 0 else "w", closefd=False))  # noqa: SIM115
    if request["file_size"] is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (request["file_size"], request["file_size"]))
    sys.argv = ["weakspot", *request["arguments"]]
    sys.exit(main())


def serve() -> None:
    """Answer requests until stdin ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    for line in sys.stdin:
        request = json.loads(line)
        if "run" in request:
            child = os.fork()
            if child == 0:
                answers.close()
                code = 99
                try:
                    become(request["run"])
                except SystemExit as end:
                    code = end.code if isinstance(end.code, int) else 0
                except BaseException:
                    sys.excepthook(*sys.exc_info())
                finally:
                    for stream in (sys.stdout, sys.stderr):
                        if stream is not None:
                            stream.flush()
                    os._exit(code)
            answers.write(json.dumps(child) + "\n")
        else:
            _, status = os.waitpid(request["wait"], 0)
            answers.write(json.dumps(os.waitstatus_to_exitcode(status)) + "\n")


if __name__ == "__main__":
    serve()
