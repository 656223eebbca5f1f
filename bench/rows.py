"""One figure beside the other it is compared with, measured in the same run; as a table or JSON."""

import json
import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, kw_only=True)
class Row:
    """A measure in its unit: ours, the other's, their ratio, and whether the aim was met."""

    measure: str
    ours: float
    against: float
    other: str
    aim: str
    met: bool | None
    durability: str

    def document(self) -> dict[str, Any]:
        """Return the row as JSON members, with the ratio and the machine."""
        ratio = round(self.ours / self.against, 3) if self.against else None
        return {**asdict(self), "ratio": ratio, "machine": machine()}


def machine() -> str:
    """Say what ran this: processors, their name, system, Python."""
    name = platform.processor() or platform.machine()
    for line in _lines(Path("/proc/cpuinfo")):
        if line.startswith("model name"):
            name = line.partition(":")[2].strip()
            break
    return f"{os.cpu_count()} x {name}, {platform.system()}, Python {platform.python_version()}"


def show(rows: list[Row], *, as_json: bool) -> None:
    """Print the rows: JSON, one a line, or a table for people."""
    if as_json:
        for row in rows:
            print(json.dumps(row.document()))
        return
    table = Table(title=machine())
    for column in ("measure", "ours", "against", "other", "ratio", "aim", "met", "durability"):
        table.add_column(column, overflow="fold")
    for row in rows:
        document = row.document()
        met = {True: "yes", False: "no", None: "-"}[row.met]
        table.add_row(
            row.measure,
            f"{row.ours:,.1f}",
            f"{row.against:,.1f}",
            row.other,
            str(document["ratio"]),
            row.aim,
            met,
            row.durability,
        )
    Console().print(table)


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []
