"""A process that appends until it is killed: `python -m tests.support.writer ADDRESS FOLDER`.

For each line on stdin it forks a child that appends, and prints the child's id; for the next line
it waits until that child is gone. What the child tries goes into `tried` before, what it was told
into `told` after. It begins with what was tried and never answered: sent again under the same
condition, it must take effect once.
"""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from eventsourcing.dcb.api import DCBAppendCondition, DCBEvent, DCBQuery, DCBQueryItem
from eventsourcing.persistence import IntegrityError

from shared.clock import system_clock
from shared.ledger import postgres, stores
from shared.ledger.recorder import Append, Recorder

LOOK_BACK_PAUSES_S = (0.0, *[0.05] * 72)
"""As long in all as the store's own, in smaller steps: the tests wait for each answer."""

APPENDS_MAX = 8
FACTS_MAX = 3


def main(address: str, folder: Path) -> None:
    """Fork, wait, fork."""
    for _ in sys.stdin:
        child = os.fork()
        if not child:
            try:
                write(address, folder)
            finally:
                os._exit(1)
        say(str(child))
        os.waitpid(child, 0)
        say("gone")


def say(word: str) -> None:
    """Tell whoever started us."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def write(address: str, folder: Path) -> None:
    """Append until killed, patient with a server that is away."""
    postgres.LOOK_BACK_PAUSES_S = LOOK_BACK_PAUSES_S
    tried, told = (opened(folder / name) for name in ("tried", "told"))
    answered = set(lines(folder / "told"))
    unanswered = [one for one in lines(folder / "tried") if one not in answered]
    first = len(lines(folder / "tried"))
    recorder = None
    while True:
        names = unanswered[:APPENDS_MAX] or [
            str(first + at) for at in range(1 + first % APPENDS_MAX)
        ]
        if not unanswered:
            os.write(tried, "".join(f"{name}\n" for name in names).encode())
            first += len(names)
        try:
            recorder = recorder or stores.open_recorder(address, system_clock)
            append(recorder, names)
        except Exception:  # noqa: BLE001 - the server is away; ask again
            time.sleep(0.02)
            unanswered = unanswered or names
            continue
        os.write(told, "".join(f"{name}\n" for name in names).encode())
        unanswered = unanswered[len(names) :]


def opened(file: Path) -> int:
    """Open a file of lines to write on; half a line of a writer that was killed in it goes."""
    descriptor = os.open(file, os.O_APPEND | os.O_RDWR | os.O_CREAT)
    os.truncate(descriptor, file.read_bytes().rfind(b"\n") + 1)
    return descriptor


def append(recorder: Recorder, names: Sequence[str]) -> None:
    """Append facts for each name, unless the name is there; either way it is there afterwards."""
    batch = [Append(facts(name), absent(name)) for name in names]
    for outcome in recorder.append_batch(batch):
        assert isinstance(outcome, IntegrityError) or outcome.position


def facts(name: str) -> list[DCBEvent]:
    """Return the facts of a name: as many for each, wherever they come to lie."""
    count = 1 + int(name) % FACTS_MAX
    data = [f'{{"name":"{name}","part":{part},"of":{count}}}' for part in range(count)]
    return [DCBEvent(type="k.1", data=one.encode(), tags=[f"name:{name}"]) for one in data]


def absent(name: str) -> DCBAppendCondition:
    """Return the condition that nothing has the name."""
    query = DCBQuery(items=[DCBQueryItem(types=[], tags=[f"name:{name}"])])
    return DCBAppendCondition(fail_if_events_match=query)


def lines(file: Path) -> list[str]:
    """Return a file's whole lines."""
    whole, _, _ = file.read_text().rpartition("\n") if file.exists() else ("", "", "")
    return whole.split("\n") if whole else []


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
