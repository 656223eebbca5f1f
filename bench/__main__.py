"""`./run bench [NAME …] [--json]`: measures, beside what each figure is compared with.

Of races it can be said how many rounds, of which kinds, on which stores, by how many processes.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench import (
    bank_api,
    directory,
    gate,
    hearing,
    large,
    ledger,
    openings,
    races,
    reconcile,
    replay,
)
from bench.history import run as history
from bench.rows import Row, show
from tests.support.race_kinds import KINDS, STOPS

BENCHES: dict[str, Callable[[], list[Row]]] = {
    "ledger": ledger.run,
    "openings": openings.run,
    "bank_api": bank_api.run,
    "large": large.run,
    "races": races.run,
    "directory": directory.run,
    "gate": gate.run,
    "hearing": hearing.run,
    "replay": replay.run,
    "reconcile": reconcile.run,
    "history": history.run,
}
"""Every bench by name."""

USUAL = ("ledger", "openings")
"""What runs when none is named: `large` and `races` take a quarter of an hour, `large` 8 GB of disk
too, `directory`, `bank_api`, `gate`, `replay`, `reconcile` and `history` take minutes."""


def main() -> None:
    """Run the named benches, or the usual ones."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHES))
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    group = parser.add_argument_group("races")
    group.add_argument(
        "--rounds", type=int, default=races.ROUNDS, help="of each kind on each store"
    )
    group.add_argument("--kind", action="append", choices=[*KINDS, "stops"], help="default: all")
    group.add_argument("--store", action="append", choices=races.DURABILITY, help="default: both")
    group.add_argument("--processes", type=int, default=races.PROCESSES, help="of each service")
    group = parser.add_argument_group("history")
    group.add_argument("--facts", type=int, default=history.FACTS, help="in each of both logs")
    group.add_argument("--seed", type=int, default=history.SEED, help="another, another history")
    group.add_argument("--tampered", action="store_true", help="and tamper with it in every way")
    group.add_argument("--keep", type=Path, metavar="FOLDER", help="where it is left")
    arguments = parser.parse_args()
    kinds = [
        one for name in arguments.kind or KINDS for one in (STOPS if name == "stops" else [name])
    ]
    racing = partial(
        races.run,
        arguments.rounds,
        kinds=kinds,
        stores=arguments.store or races.DURABILITY,
        processes=arguments.processes,
    )
    unknown = set(arguments.names) - set(BENCHES)
    if unknown:
        parser.error(f"no bench is called {', '.join(sorted(unknown))}")
    making = partial(
        history.run,
        arguments.facts,
        arguments.seed,
        tampered=arguments.tampered,
        keep=arguments.keep,
    )
    named: dict[str, Callable[[], list[Row]]] = {**BENCHES, "races": racing, "history": making}
    rows = [row for name in arguments.names or USUAL for row in named[name]()]
    show(rows, as_json=arguments.json)


if __name__ == "__main__":
    main()
