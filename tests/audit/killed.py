"""Runs `audit` again and again, killed on the way: `python -m tests.audit.killed ARGUMENTS`.

For each line on stdin it forks a child that runs the command, and prints how that ended. A child is
killed (kill -9) when a file is about to get its name, or just has: the first one at once, and each
three files later than the one before. So files are left half-written, and the next goes on.
"""

import os
import signal
import sys
from itertools import count
from pathlib import Path
from typing import Any

from services.audit.__main__ import main


def run(arguments: list[str]) -> None:
    """Fork, wait, fork."""
    for number, _ in enumerate(sys.stdin):
        child = os.fork()
        if not child:
            sys.stdout = sys.stderr
            killed_at(1 + 3 * number, before=not number % 2)
            os._exit(main(arguments))
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def killed_at(number: int, *, before: bool) -> None:
    """Let this process be killed when it gives so many files their names."""
    replace, names = Path.replace, count(1)

    def replaced(file: Path, target: Any) -> Path:
        last = next(names) == number
        if last and before:
            os.kill(os.getpid(), signal.SIGKILL)
        named = replace(file, target)
        if last:
            os.kill(os.getpid(), signal.SIGKILL)
        return named

    Path.replace = replaced  # type: ignore[method-assign, assignment]  # a kill at this very moment


if __name__ == "__main__":
    run(sys.argv[1:])
