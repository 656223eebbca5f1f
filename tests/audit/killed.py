"""Runs `audit` again and again, killed on the way: `python -m tests.audit.killed`.

For each line on stdin, a JSON list of a number and the arguments, it forks a child that runs the
command, and prints how that ended. The child is killed (kill -9) when so many files have got their
names: an odd one just before, an even one just after. So files are left half-written.
"""

import json
import os
import signal
import sys
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from services.audit.__main__ import main


def run() -> None:
    """Fork, wait, fork."""
    for line in sys.stdin:
        number, *arguments = json.loads(line)
        child = os.fork()
        if not child:
            sys.stdout = sys.stderr
            killed_at(number, before=bool(number % 2))
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

    pytest.MonkeyPatch().setattr(Path, "replace", replaced)  # for good: this process ends soon


if __name__ == "__main__":
    run()
