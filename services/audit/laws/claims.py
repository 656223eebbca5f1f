"""Law 45: a request's key stands for one request, in the log of the service that it was sent to."""

from collections.abc import Iterator
from functools import partial

from typing_extensions import override

from services.audit.export import LogName
from services.audit.laws.cases import as_bytes
from services.audit.laws.law import Group, Heard, Hearings, Violation
from shared.claims import RequestClaimed


class Claims(Group):
    """The keys that requests came with."""

    def __init__(self) -> None:
        self._claimed: dict[LogName, dict[bytes, int]] = {"consent": {}, "accounts": {}}

    @override
    def consent(self) -> Hearings:
        return {RequestClaimed: partial(self._claim, "consent")}

    @override
    def accounts(self) -> Hearings:
        return {RequestClaimed: partial(self._claim, "accounts")}

    def _claim(self, log: LogName, heard: Heard) -> Iterator[Violation]:
        own = as_bytes(heard.fact.request_id)
        before = self._claimed[log].setdefault(own, heard.position)
        if before != heard.position:
            how = f"the key claimed at {heard.position} was claimed at {before}"
            yield Violation(45, log, (heard.position, before), how)
