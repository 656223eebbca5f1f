"""Checks the logs of an export each in a process of its own, and folds what it reads on the way."""

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from ctypes import c_longlong
from dataclasses import dataclass
from multiprocessing.sharedctypes import SynchronizedArray
from pathlib import Path

from services.audit.checking import Progress, Trust, check_files, check_log
from services.audit.export import LogName, read_manifest
from services.audit.findings import Checked, Finding, LogChecked
from services.audit.folding import Folding
from services.audit.history import open_history
from services.audit.memory import uncollected
from services.audit.reading import opened_export

POLL_S = 0.2

_positions: "list[SynchronizedArray[int]]" = []
"""In a process that checks: where it tells up to which position each log is checked.

Shared memory reaches a process with its start, and with nothing that comes later.
"""


@dataclass(frozen=True)
class Job:
    """One log of an export to check, and whether its facts are folded on the way."""

    place: Path
    log: LogName
    number: int
    trust: Trust
    states: bool


def check_apart(
    place: Path, trust: Trust, progress: Progress, *, processes: int = 1, states: bool = False
) -> Checked:
    """Return what holds of an export, each log checked in a process of its own.

    With `states` each log has the digest of what its facts come to. Raises `Unreadable`,
    `BadExport`.
    """
    with opened_export(place) as export:
        checked = check_files(export)
    logs = list(checked.manifest.logs)
    jobs = [Job(place, log, number, trust, states) for number, log in enumerate(logs)]
    size = sum(one.size for one in checked.manifest.logs.values())
    context = multiprocessing.get_context("spawn")
    positions = context.Array(c_longlong, len(jobs))
    with ProcessPoolExecutor(processes, context, _begin, (positions,)) as pool:
        coming = [pool.submit(_run, job) for job in jobs]
        while not all(one.done() for one in coming):
            progress(sum(positions[:]), size)
            time.sleep(POLL_S)
        for log, one in zip(logs, coming, strict=True):
            checked.take(log, one.result())
    return checked


def _begin(positions: "SynchronizedArray[int]") -> None:
    _positions.append(positions)


def _run(job: Job) -> LogChecked | Finding:
    def told(position: int) -> None:
        _positions[0][job.number] = position

    with ExitStack() as stack:
        stack.enter_context(uncollected())
        if not job.states:
            export = stack.enter_context(opened_export(job.place))
            manifest = read_manifest(export.manifest())
            return check_log(export, manifest, job.log, job.trust, told)
        history = stack.enter_context(open_history(job.place))
        log = history.logs[job.log]
        folding = stack.enter_context(Folding(log))
        came = check_log(
            history.export, history.manifest, job.log, job.trust, told, taken=folding.read
        )
        if isinstance(came, LogChecked) and history.manifest.subset is None:
            came.unread = len(folding.unread)
            came.states = None if folding.unread else folding.digest()
        return came
