"""A store that fails once, before or after a commit is durable."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from shared.ledger.recorder import Append


class StoreFault(Exception):
    """The store failed, before or after the commit."""


def break_once(recorder: Any, fault: str) -> None:
    """Make a recorder's next batch fail, before or after it is durable."""
    whole = type(recorder).append_batch.__get__(recorder)

    def failing(batch: Sequence[Append]) -> Any:
        del recorder.append_batch
        if fault == "after":
            whole(batch)
        raise StoreFault(fault)

    recorder.append_batch = failing


def mend(recorder: Any) -> None:
    """Take a fault back that nothing met."""
    with suppress(AttributeError):
        del recorder.append_batch


@contextmanager
def aside(recorder: Any) -> Iterator[None]:
    """Set a fault aside while somebody looks: what it does to looks is in test_looks.py."""
    fault = recorder.__dict__.pop("append_batch", None)
    yield
    if fault:
        recorder.append_batch = fault
