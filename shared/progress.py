"""A bar on the terminal for what takes minutes."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Told = Callable[[int, int], None]
"""Takes how much is done, and of how much."""


@contextmanager
def progress(doing: str, of_what: str, *, shown: bool) -> Iterator[Told]:
    """Give what is told how far it is; draws on stderr, and only where that is a terminal.

    What is printed meanwhile on the same terminal comes to stand above the bar.
    """
    console = Console(stderr=True)
    bar = Progress(
        TextColumn(doing),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=console,
        disable=not shown or not console.is_terminal,
        redirect_stdout=sys.stdout.isatty(),  # what goes to a file stays out of the terminal
    )
    started = time.perf_counter()
    with bar:
        task = bar.add_task(doing, total=None, rate="")

        def told(done: int, size: int) -> None:
            rate = f"{done / (time.perf_counter() - started):,.0f} {of_what}/s"
            bar.update(task, completed=done, total=size, rate=rate)

        yield told
