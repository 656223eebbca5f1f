"""`./run bench [NAME …] [--json]`: measures, beside what each figure is compared with."""

import argparse
from collections.abc import Callable

from bench import directory, gate, large, ledger, openings, races
from bench.rows import Row, show

BENCHES: dict[str, Callable[[], list[Row]]] = {
    "ledger": ledger.run,
    "openings": openings.run,
    "large": large.run,
    "races": races.run,
    "directory": directory.run,
    "gate": gate.run,
}
"""Every bench by name."""

USUAL = ("ledger", "openings")
"""What runs when none is named: `large` and `races` take a quarter of an hour, `large` 8 GB of disk
too, `directory` and `gate` take minutes."""


def main() -> None:
    """Run the named benches, or the usual ones."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHES))
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(BENCHES)
    if unknown:
        parser.error(f"no bench is called {', '.join(sorted(unknown))}")
    rows = [row for name in arguments.names or USUAL for row in BENCHES[name]()]
    show(rows, as_json=arguments.json)


main()
