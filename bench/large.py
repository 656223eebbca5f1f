"""A log of ten million facts: whether appends slow down, and what memory a read of all takes.

Kept apart from the other benches because filling the store takes minutes and gigabytes; `FACTS` in
the environment sets another number.
"""

import os
import resource
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from eventsourcing.dcb.api import DCBEvent

from bench.ledger import DATA, SQLITE, TURNS, by_turns, rate_together
from bench.rows import Row
from shared.clock import system_clock
from shared.ledger import stores
from shared.ledger.recorder import Append, Recorder

FACTS = int(os.environ.get("FACTS", "10_000_000"))
SMALL = 100_000
APPENDS = 27_000
BATCH_FACTS = 10_000
MEGABYTES_MAX = 200
ROOT = Path(__file__).parents[1]


def run(facts: int = FACTS, small: int = SMALL, appends: int = APPENDS) -> list[Row]:
    """Fill a store with `facts` and one with `small`, and measure both by turns."""
    with TemporaryDirectory(prefix="thuan-bench-") as folder:
        address = f"sqlite:///{Path(folder) / 'large.db'}"
        with (
            closing(_filled(address, facts)) as large,
            closing(_filled(f"sqlite:///{Path(folder) / 'small.db'}", small)) as beside,
        ):
            after, before = by_turns(
                lambda: rate_together(large, appends // TURNS),
                lambda: rate_together(beside, appends // TURNS),
            )
        megabytes, rate = _read(address)
    return [
        Row(
            measure=f"appends/s at {facts:,} facts",
            ours=after,
            against=before,
            other=f"at {small:,}",
            aim="ratio >= 0.9",
            met=after >= 0.9 * before,
            durability=SQLITE,
        ),
        Row(
            measure="MB held while all are read",
            ours=megabytes,
            against=float(MEGABYTES_MAX),
            other=f"the most allowed; {rate:,.0f} facts/s",
            aim=f"< {MEGABYTES_MAX}",
            met=megabytes < MEGABYTES_MAX,
            durability=SQLITE,
        ),
    ]


def _filled(address: str, facts: int) -> Recorder:
    """Return a new store with so many facts."""
    stores.create_schema(address)
    recorder = stores.open_recorder(address, system_clock)
    while (missing := facts - recorder.head()) > 0:
        first = recorder.head()
        events = [
            DCBEvent(type="fact.1", data=DATA, tags=[f"one:{first + at}", f"other:{at % 100}"])
            for at in range(min(missing, BATCH_FACTS))
        ]
        recorder.append_batch([Append(events)])
    return recorder


def _read(address: str) -> tuple[float, float]:
    """Read all in a process of its own; returns its greatest memory in MB, and facts a second."""
    command = [sys.executable, "-m", "bench.large", address]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    megabytes, rate = done.stdout.split()
    return float(megabytes), float(rate)


def _tell(address: str) -> None:
    started = time.perf_counter()
    with closing(stores.open_recorder(address, system_clock)) as recorder:
        count = sum(1 for _ in recorder.read())
    rate = count / (time.perf_counter() - started)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, rate)


if __name__ == "__main__":
    _tell(sys.argv[1])
