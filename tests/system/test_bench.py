"""The benches run and say what they must; how fast is their own business."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench import bank_api, directory, gate, hearing, large, ledger, openings, races, reconcile
from bench.rows import Row

ROOT = Path(__file__).parents[2]


def test_openings_are_measured_beside_the_echo() -> None:
    """Every figure has its counterpart from the same run, its durability and its machine."""
    check(openings.run({1: 3, 2: 6}, warm=2), count=6)


def test_the_api_of_banks_is_measured_beside_an_echo_and_the_obvious_way(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rates and percentiles beside each, and what an opening takes of a processor."""
    monkeypatch.setenv("DATABASE_URL", postgres_url)
    check(bank_api.run(4, turns=1, warm=2), count=9)


def test_the_ledger_is_measured_beside_what_else_one_would_use(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both stores: many clients, one alone, the cost of proof, a verified read."""
    monkeypatch.setenv("DATABASE_URL", postgres_url)
    check(ledger.run(256, 20, 2_000), count=6)


def test_a_large_log_is_measured_beside_a_small_one() -> None:
    """Appends at both sizes, and the memory of a process that reads all."""
    check(large.run(3_000, 500, 256), count=2)


def test_races_are_counted() -> None:
    """Who was first how often: each at least once, or the rounds would show nothing."""
    check(races.run(8, kinds=["withdrawal"], stores=[races.SQLITE]), count=1)


def test_a_directory_is_brought_in_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds and memory of a rehearsal, of the deed and of the same again; every bad line told."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    check(directory.run(200), count=4)


def test_the_gate_is_measured_beside_none() -> None:
    """The same folder with the gate and without, in turns."""
    check(gate.run(4, offices=2, turns=1, openings=4), count=1)


def test_lists_of_a_bank_are_held_against_what_was_confirmed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Speed and memory at three lengths, and every planted line found, and no other."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    rows = reconcile.run(2_000)
    check(rows, count=11)
    (found,) = (row for row in rows if row.measure.startswith("planted"))
    assert found.met


def test_hearing_is_measured_beside_bare_posts() -> None:
    """Many events at once, one alone, and what a service costs that nothing happens to."""
    check(hearing.run(20, 5, 0.2), count=4)


def check(rows: list[Row], *, count: int) -> None:
    """Hold that every row has what a row must have."""
    assert len(rows) == count
    for row in rows:
        document = row.document()
        assert row.ours > 0
        assert row.against > 0
        assert {"measure", "ours", "against", "other", "ratio", "aim", "met"} <= set(document)
        assert document["durability"]
        assert document["machine"]


def test_a_ratio_is_ours_to_theirs() -> None:
    """A ratio above one means that ours is the larger figure."""
    row = Row(measure="m", ours=3, against=2, other="o", aim="", met=None, durability="d")
    assert row.document()["ratio"] == 1.5
    assert json.loads(json.dumps(row.document()))["measure"] == "m"


def test_an_unknown_bench_is_named() -> None:
    """A mistyped name ends with a plain message and runs nothing."""
    done = subprocess.run(
        [sys.executable, "-m", "bench", "nothing"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "no bench is called nothing" in done.stderr
