"""How the demo speaks: calm, in plain words, with colour on a terminal and without in a file."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.table import Table

COLOURS = {
    "opened": "green",
    "confirmed": "green",
    "agreed": "green",
    "refused": "yellow",
    "withdrawn": "yellow",
    "declined": "yellow",
    "no answer": "yellow",
    "rejected": "red",
    "not signed": "red",
    "nothing decided": "magenta",
}


@dataclass(frozen=True)
class Step:
    """One thing that somebody tried: when, who, what, what came of it, and what had to."""

    time: str
    who: str
    tried: str
    outcome: str
    said: str
    codes: tuple[str, ...] = ()
    must: str = ""
    must_say: str = ""

    @property
    def as_it_must(self) -> bool:
        """Tell whether the outcome, and the reason if one is named, are those that must be."""
        return self.outcome == self.must and (not self.must_say or self.must_say in self.codes)


class Show:
    """Prints steps as they happen, and remembers them for the end."""

    def __init__(self) -> None:
        self.console = Console(highlight=False, soft_wrap=False)
        self.steps: list[Step] = []

    def say(self, text: str) -> None:
        """Print a paragraph of the story."""
        self.console.print(f"\n[bold]{escape(text)}[/bold]")

    def step(self, step: Step) -> None:
        """Print a step and remember it."""
        self.steps.append(step)
        mark = "[green]✓[/green]" if step.as_it_must else "[bold red]✗[/bold red]"
        colour = COLOURS.get(step.outcome, "white")
        lines = [
            f"{escape(step.who)} {escape(step.tried)}",
            f"[{colour}]{step.outcome}[/{colour}]  [dim]{escape(step.said)}[/dim]",
        ]
        if not step.as_it_must:
            lines.append(f"[bold red]but it must be: {step.must} {step.must_say}[/]")
        row = Table.grid(padding=(0, 1))
        row.add_row(mark, f"[dim]{step.time}[/dim]", "\n".join(lines))
        self.console.print(row)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a table."""
        table = Table(title=title, title_justify="left", title_style="bold")
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*(escape(cell) for cell in row))
        self.console.print()
        self.console.print(table)

    def line(self, text: str) -> None:
        """Print a plain line that is not wrapped, such as a command to copy."""
        self.console.print(escape(text), soft_wrap=True)

    @property
    def wrong(self) -> list[Step]:
        """Return the steps that came out otherwise."""
        return [step for step in self.steps if not step.as_it_must]
