"""Each look at a person's case is recorded, with its ground, before anything of it is shown.

In reach of the services it becomes a fact of theirs, which the citizen sees on their own page. With
no network it is a line in a file beside the export, and every page says so.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Protocol

import httpx
import msgspec
from typing_extensions import override

from services.audit.export import LogName
from shared.clock import Clock
from shared.looks import EPOCH, ONCE_IN, LookGround

OF = {"consent": "consent_ids", "accounts": "opening_ids"}
"""What each service calls that of which something is looked at."""


IDS_MAX = 100
"""As many a service takes in one call."""


class NotRecorded(Exception):
    """A look could not be recorded, so nothing is shown; the text says where and why."""


@dataclass(frozen=True)
class Ground:
    """Why somebody looks, and the case of their own that they look in."""

    ground: LookGround
    case_id: str


@dataclass(frozen=True)
class Look:
    """What is about to be shown of a citizen: ids of questions, and of openings, by log."""

    citizen_id: str
    of: Mapping[LogName, Sequence[str]]
    fields: Sequence[str]
    ground: Ground

    def documents(self, log: LogName) -> Iterator[dict[str, object]]:
        """Yield what a service, or the file, is told of it, in pieces that a service takes."""
        ids = list(self.of.get(log, ()))
        for start in range(0, len(ids), IDS_MAX):
            yield {
                "citizen_id": self.citizen_id,
                OF[log]: ids[start : start + IDS_MAX],
                "fields": list(self.fields),
                "ground": self.ground.ground,
                "case_id": self.ground.case_id,
            }


class Recording(Protocol):
    """Where looks are recorded."""

    def record(self, look: Look) -> None:
        """Record a look, or raise `NotRecorded`."""


class ToServices(Recording):
    """Records looks at the services, each what is its own."""

    def __init__(self, clients: Mapping[LogName, httpx.Client]) -> None:
        self._clients = clients

    @override
    def record(self, look: Look) -> None:
        """Record at every service that has something of it; raises `NotRecorded`."""
        for log in look.of:
            for document in look.documents(log):
                self._post(log, document)

    def _post(self, log: LogName, document: Mapping[str, object]) -> None:
        if log not in self._clients:
            raise NotRecorded(f"{log}: the service's address was not given")
        try:
            self._clients[log].post("/looks", json=document).raise_for_status()
        except httpx.HTTPStatusError as error:
            raise NotRecorded(f"{log}: {error.response.status_code}") from error
        except httpx.HTTPError as error:
            raise NotRecorded(f"{log}: {type(error).__name__}") from error


class ToFile(Recording):
    """Records looks in a file beside the export, one a line."""

    def __init__(self, file: Path, now: Clock) -> None:
        self.file, self._now, self._lock = file, now, Lock()

    @override
    def record(self, look: Look) -> None:
        """Append, and bring it to the disk; raises `NotRecorded`."""
        lines = [
            msgspec.json.encode({"read_at": self._now(), **document}) + b"\n"
            for log in look.of
            for document in look.documents(log)
        ]
        try:
            with self._lock, self.file.open("ab") as file:
                file.writelines(lines)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise NotRecorded(f"{self.file.name}: {error.strerror}") from error


class Looking:
    """What was looked at, and on which ground, since these pages are served."""

    def __init__(self, recording: Recording, now: Clock) -> None:
        self._recording, self._now = recording, now
        self._grounds = dict[str, Ground]()
        self._recorded = set[tuple[str, bytes]]()
        self._lock = Lock()

    @property
    def file(self) -> str | None:
        """Return the name of the file in which looks are recorded, None where it is services."""
        return self._recording.file.name if isinstance(self._recording, ToFile) else None

    @property
    def online(self) -> bool:
        """Tell whether services record the looks."""
        return self.file is None

    def ground(self, of: str) -> Ground | None:
        """Return the ground that was given for a case, such as `consent:4f1c…`."""
        return self._grounds.get(of)

    @property
    def latest(self) -> Ground | None:
        """Return the ground that was given last, which often is that of the next case too."""
        return next(reversed(self._grounds.values()), None)

    def give(self, of: str, ground: Ground) -> None:
        """Take the ground for a case; it holds as long as these pages are served."""
        self._grounds.pop(of, None)
        self._grounds[of] = ground

    def look(self, look: Look) -> None:
        """Record a look, the same once an hour; raises `NotRecorded`, and then nothing is shown."""
        documents = [one for log in look.of for one in look.documents(log)]
        key = (_hour(self._now()), msgspec.json.encode(documents))
        with self._lock:
            if key not in self._recorded:
                self._recording.record(look)
                self._recorded.add(key)


def _hour(at: datetime) -> str:
    return (at - (at - EPOCH) % ONCE_IN).isoformat()
