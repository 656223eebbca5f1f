"""Tells what came of an import, in lines for people or in JSON for programs, as it comes."""

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from services.consent.importing.running import Came, Change, Told
from shared.contracts.reasons import sentence
from shared.errors import Reason


class Telling:
    """Writes to stdout every bad line and, in JSON or of a rehearsal, every change; then counts."""

    def __init__(self, *, as_json: bool, rehearsed: bool) -> None:
        self._as_json = as_json
        self._rehearsed = rehearsed
        self._started = time.perf_counter()
        self.counts = Counter[Came]()

    def line(self, path: Path, noun: str, told: Told) -> None:
        """Tell what came of a line."""
        self.counts[told.came] += 1
        if told.came is Came.SAME:
            return
        if self._as_json:
            self._write(json.dumps(_document(path, noun, told), ensure_ascii=False))
        elif told.came is Came.BAD or self._rehearsed:
            self._write(f"{path}:{told.number}: {told.came}: {noun} {told.about}".rstrip())
            for text in _texts(told):
                self._write(f"    {text}")

    def end(self) -> None:
        """Tell how many lines came to what, and how long it took."""
        seconds = time.perf_counter() - self._started
        counts = {came.value: self.counts[came] for came in Came}
        if self._as_json:
            end = {"dry_run": self._rehearsed, **counts, "seconds": round(seconds, 3)}
            self._write(json.dumps(end))
            return
        what = "nothing is changed" if self._rehearsed else "done"
        each = ", ".join(f"{count:,} {came}" for came, count in counts.items())
        rate = self.counts.total() / seconds if seconds else 0.0
        self._write(f"{what}: {each}; {seconds:,.1f} s, {rate:,.0f} lines a second")

    def _write(self, text: str) -> None:
        sys.stdout.write(f"{text}\n")


def _texts(told: Told) -> Iterator[str]:
    for change in told.changes:
        was = f", was {change.before}" if change.before else ""
        yield f"{change.of}: {change.after}{was}"
    for reason in told.reasons:
        column = f"column {reason.detail}: " if reason.detail else ""
        yield f"{column}{reason.code}: {sentence(reason.code, 'en')}"


def _document(path: Path, noun: str, told: Told) -> dict[str, Any]:
    return {
        "file": str(path),
        "line": told.number,
        "came": told.came.value,
        "kind": noun,
        "id": told.about or None,
        "changes": [_change(one) for one in told.changes],
        "reasons": [_reason(one) for one in told.reasons],
    }


def _change(change: Change) -> dict[str, str | None]:
    return {"of": change.of, "before": change.before, "after": change.after}


def _reason(reason: Reason) -> dict[str, str | None]:
    return {
        "column": reason.detail or None,
        "code": reason.code,
        "en": sentence(reason.code, "en"),
        "vi": sentence(reason.code, "vi"),
    }
