"""`./run bench history`: a history is made, verified, judged, and what was found held to its key.

Each step runs in a process of its own, so that its greatest memory is its own.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.history.comparing import Compared, compare, read_key
from bench.history.generate import Made, generate, made_in
from bench.history.tampering import findings, met, ways
from bench.rows import Row
from services.audit.export import JWKS
from services.audit.laws import Violation, judge
from tests.support.tampering import facts_of

FACTS, SEED = 1_000_000, 1
MADE_A_SECOND = 15_000.0
"""Facts of both logs together, for each second of a processor."""

MEGABYTES_MAX = 200.0
"""Held at most while a history is made, however long it is."""

ROOT = Path(__file__).parents[2]


def run(
    facts: int = FACTS, seed: int = SEED, *, tampered: bool = False, keep: Path | None = None
) -> list[Row]:
    """Make a history in a folder, which may be kept, and measure each step."""
    with TemporaryDirectory(prefix="thuan-bench-") as temporary:
        folder = keep or Path(temporary)
        made, verified, judged = (
            _in_a_process(step, folder, facts, seed) for step in ("made", "verified", "judged")
        )
        both = 2 * facts
        rows = [*_made(made, both), *_verified(verified, both), *_judged(judged, both)]
        if tampered:
            rows.append(_tampered(_in_a_process("tampered", folder, facts, seed)))
        return rows


def _in_a_process(step: str, folder: Path, facts: int, seed: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.history.run", step, str(folder), str(facts), str(seed)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


# -- the steps ------------------------------------------------------------------------------------


def make(folder: Path, facts: int, seed: int) -> dict[str, Any]:
    """Make the history; returns how many lines its key has."""
    return {"planted": generate(folder, facts, seed).planted}


def verify(folder: Path, facts: int, seed: int) -> dict[str, Any]:
    """Check the export; returns what is wrong with it."""
    made = made_in(folder)
    return {"findings": [asdict(one) for one in findings(made, made.export)]}


def violations(made: Made) -> Iterator[Violation]:
    """Return what the laws find of a history."""
    jwks = json.loads((made.export / JWKS).read_bytes())
    return judge(facts_of(made.export, "consent"), facts_of(made.export, "accounts"), jwks)


def judged(made: Made) -> Compared:
    """Return how that fits the history's key."""
    return compare(violations(made), read_key(made.key))


def judge_all(folder: Path, facts: int, seed: int) -> dict[str, Any]:
    """Judge the history; returns the score of each law, and what was missed or found beside."""
    compared = judged(made_in(folder))
    return {
        "scores": {law: asdict(score) for law, score in compared.scores.items()},
        "missed": [line.document() for line in compared.missed],
        "unplanted": [one.sentence for one in compared.unplanted],
    }


def tamper(folder: Path, facts: int, seed: int) -> dict[str, Any]:
    """Tamper in every way; returns which were found where they must be."""
    made = made_in(folder)
    tampered = [met(made, one, folder / "tampered") for one in ways(made, seed)]
    for one in tampered:
        print(f"{one.name}: {one.finding or 'NOT FOUND'}", file=sys.stderr)
    return {
        "ways": len(tampered),
        "missed": [one.name for one in tampered if one.finding is None],
    }


STEPS: dict[str, Callable[[Path, int, int], dict[str, Any]]] = {
    "made": make,
    "verified": verify,
    "judged": judge_all,
    "tampered": tamper,
}


def main(step: str, folder: str, facts: str, seed: str) -> None:
    """Take a step, and print what came of it, with seconds and megabytes."""
    started = time.perf_counter()
    said = STEPS[step](Path(folder), int(facts), int(seed))
    seconds, processor = time.perf_counter() - started, time.process_time()
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({**said, "seconds": seconds, "processor": processor, "megabytes": megabytes}))


# -- the rows -------------------------------------------------------------------------------------


def _made(said: dict[str, Any], facts: int) -> list[Row]:
    rate, clock = _rate(said, facts)
    return [
        _row(
            f"{facts:,} facts made",
            rate,
            MADE_A_SECOND,
            f"the aim; {clock}",
            met=rate >= MADE_A_SECOND,
        ),
        _memory("made", said, MEGABYTES_MAX),
    ]


def _verified(said: dict[str, Any], facts: int) -> list[Row]:
    rate, clock = _rate(said, facts)
    return [
        _row("facts verified", rate, rate, clock, met=not said["findings"]),
        _memory("verified", said, MEGABYTES_MAX),
    ]


def _judged(said: dict[str, Any], facts: int) -> list[Row]:
    scores = said["scores"]
    rate, clock = _rate(said, facts)
    rows = [
        _row("facts judged", rate, rate, clock, met=None),
        _row("MB held while judged", said["megabytes"], said["megabytes"], "", met=None),
    ]
    rows += [_score(law, score) for law, score in scores.items()]
    planted, found, beside = (
        sum(score[name] for score in scores.values()) for name in ("planted", "found", "unplanted")
    )
    rows.append(_row("violations found", found, planted, "planted", met=found == planted))
    rows.append(_row("found that were not planted", beside, 0.0, "planted", met=not beside))
    for line in (*said["missed"][:20], *said["unplanted"][:20]):
        print(f"not as the key says: {line}", file=sys.stderr)
    return rows


def _rate(said: dict[str, Any], facts: int) -> tuple[float, str]:
    """Return facts a second of a processor, and how long the clock said that it took."""
    return facts / said["processor"], f"{said['seconds']:,.0f} s by the clock"


def _score(law: str, score: dict[str, int]) -> Row:
    planted, found, beside = score["planted"], score["found"], score["unplanted"]
    other = f"planted, {beside} more"
    met = found == planted and not beside
    return _row(f"law {law}", found, planted, other, met=met)


def _tampered(said: dict[str, Any]) -> Row:
    found = said["ways"] - len(said["missed"])
    other = f"ways to tamper; {said['seconds']:,.0f} s"
    return _row("tamperings found in place", found, said["ways"], other, met=not said["missed"])


def _memory(what: str, said: dict[str, Any], most: float) -> Row:
    megabytes = said["megabytes"]
    return _row(f"MB held while {what}", megabytes, most, "the most allowed", met=megabytes < most)


def _row(measure: str, ours: float, against: float, other: str, *, met: bool | None) -> Row:
    return Row(
        measure=measure,
        ours=float(ours),
        against=float(against),
        other=other,
        aim="" if met is None else "all" if against == ours else "met",
        met=met,
        durability="files",
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
