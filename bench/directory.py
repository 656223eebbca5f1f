"""The directory of a country's post offices from CSV: 12,000 offices and 50,000 clerks.

One line in a hundred is bad, in turn in each way that a file can be. `CLERKS` in the environment
sets another number, `DATABASE_URL` a PostgreSQL in place of SQLite.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.rows import Row
from services.consent.importing.__main__ import main
from services.consent.main import init
from services.consent.settings import Settings

CLERKS = int(os.environ.get("CLERKS", "50_000"))
OFFICES_PER_CLERK = 12_000 / 50_000

BAD_EVERY = 100
MEGABYTES_MAX = 256.0
"""The program holds 85, and each of the rehearsal's four connections to SQLite up to 32."""

ROOT = Path(__file__).parents[1]

BAD_OFFICES = (
    "bad/{},Bưu cục,2021-03-01,",
    "bad-{},Bưu cục,2021-13-01,",
    "bad-{},,2021-03-01,",
    'bad-{},"Bưu cục,2021-03-01,',
)
BAD_CLERKS = (
    "bad-{},o-unknown,+84911111111,2021-03-01,",
    "bad-{},o-1,0911111111,2021-03-01,",
    "bad-{},o-1,+84911111111,2023-08-09,2021-03-01",
    "bad-{},o-1,+84911111111",
)


RUNS = {"rehearsed": ["--dry-run"], "imported": [], "imported again": []}


def run(clerks: int = CLERKS) -> list[Row]:
    """Rehearse an import into nothing, import, and import again, in one process of its own."""
    with TemporaryDirectory(prefix="thuan-bench-") as folder:
        files, lines, bad = _files(Path(folder), clerks)
        took, megabytes = _measured(_env(Path(folder)), files, bad)
    store = "PostgreSQL" if "DATABASE_URL" in os.environ else "SQLite"
    durability = f"{store}: each line's facts together, in one of few transactions"
    rows = [
        Row(
            measure=f"s, {lines:,} lines {name}",
            ours=seconds,
            against=processor,
            other="of a processor",
            aim="",
            met=None,
            durability=durability,
        )
        for name, (seconds, processor) in zip(RUNS, took, strict=True)
    ]
    rows.append(
        Row(
            measure="MB held at most",
            ours=megabytes,
            against=MEGABYTES_MAX,
            other="the most allowed",
            aim=f"< {MEGABYTES_MAX:,.0f}",
            met=megabytes < MEGABYTES_MAX,
            durability=durability,
        )
    )
    return rows


def _env(folder: Path) -> dict[str, str]:
    """Return the environment of a service that is made."""
    ledger = os.environ.get("DATABASE_URL", "")
    if ledger:
        ledger += f"{'&' if '?' in ledger else '?'}schema={folder.name.replace('-', '_').lower()}"
    init(Settings(folder=folder / "consent", ledger=ledger))
    own = {"CONSENT_FOLDER": str(folder / "consent"), "CONSENT_LEDGER": ledger}
    return {**os.environ, **own, "PYTHONPATH": str(ROOT)}


def _files(folder: Path, clerks: int) -> tuple[list[Path], int, int]:
    """Write both files; returns them, how many lines they have, and how many are bad."""
    offices = round(clerks * OFFICES_PER_CLERK)
    files = [folder / "offices.csv", folder / "clerks.csv"]
    header = "office_id,name,registered_from,registered_until"
    texts = (f"o-{at},Bưu cục số {at},2021-03-01," for at in range(offices))
    bad = _write(files[0], header, texts, cycle(BAD_OFFICES))
    header = "clerk_id,office_id,phones,trained_from,trained_until"
    texts = (
        f"c-{at},o-{_good(at % offices)},+849{at:08d},2021-03-01,2031-03-01" for at in range(clerks)
    )
    bad += _write(files[1], header, texts, cycle(BAD_CLERKS))
    return files, offices + clerks, bad


def _good(office: int) -> int:
    """Return an office whose own line is not bad."""
    return office - ((office + 1) % BAD_EVERY == 0)


def _write(file: Path, header: str, lines: Iterator[str], bad: Iterator[str]) -> int:
    """Write the lines, a bad one in place of each hundredth; returns how many those are."""
    count = 0
    with file.open("w", encoding="utf-8") as out:
        out.write(f"{header}\n")
        for number, line in enumerate(lines, start=1):
            is_bad = number % BAD_EVERY == 0
            count += is_bad
            out.write(f"{next(bad).format(number) if is_bad else line}\n")
    return count


def _measured(
    env: dict[str, str], files: list[Path], bad: int
) -> tuple[list[tuple[float, float]], float]:
    """Return what each run took, in seconds and in those of a processor, and the most MB held."""
    command = [sys.executable, "-m", "bench.directory", *map(str, files)]
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=True)
    *ends, measured = done.stdout.splitlines()
    told = sum(" bad: " in line for line in ends if not line.startswith(" "))
    assert told == bad * len(RUNS), done.stdout[-500:]
    document = json.loads(measured)
    return document["took"], document["megabytes"]


def _tell(files: list[str]) -> None:
    took = []
    for more in RUNS.values():
        started, processor = time.perf_counter(), time.process_time()
        main([*files, *more])
        took.append((time.perf_counter() - started, time.process_time() - processor))
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"took": took, "megabytes": megabytes}))


if __name__ == "__main__":
    _tell(sys.argv[1:])
