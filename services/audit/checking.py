"""Checks an export with nothing but what is in it and the keys that the inspector trusts.

Every file is the one in the manifest. Then, for a whole log, all that `./run verify` checks: every
tile, entry and fact, the root and its signatures. For a part of one, the proof of every fact. What
is wrong is a finding, which names the log, the file and the position; of each log the first.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from services.audit.export import (
    JWKS,
    LOG_NAMES,
    MANIFEST,
    VKEYS,
    LogName,
    Manifest,
    facts_path,
    fingerprint,
    levels_of,
    number_of,
    partial_tiles,
    proofs_path,
    read_manifest,
    tlog_path,
)
from services.audit.exported import ExportedLog
from services.audit.findings import Checked, Finding, Found, LogChecked
from services.audit.part import check_part
from services.audit.reading import Opened
from services.audit.whole import Taken, check_whole
from shared.ledger.integrator import CHECKPOINT_PATH, WITNESSED_PATH
from shared.ledger.notes import BadNote, Checkpoint, Note, VerifierKey, opened, signers
from shared.ledger.policy import NO_QUORUM, Policy
from shared.ledger.tiles import Tiles, tile_path, tiles_of
from shared.ledger.verify import trusted_keys
from shared.signing import TrustedKeys

FINDINGS_MAX = 100
"""Files that are told to be wrong at most: one is enough, and a list helps to see which kind."""

JWKS_BYTES_MAX = 1 << 20
_TILE_NAMED = re.compile(r"tile/[\w/.]*\w")

Progress = Callable[[int, int], None]
"""Told how many facts are checked in all logs together, and of how many."""


@dataclass(frozen=True)
class Trust:
    """What the inspector brings: keys of logs, and a policy of witnesses; nothing, if neither."""

    keys: Sequence[VerifierKey] = ()
    policy: Policy | None = None

    def keys_of(self, origin: str) -> list[VerifierKey] | None:
        """Return the keys of a log, None where the log's own word has to do."""
        named = [*self.keys, *(self.policy.logs if self.policy else [])]
        return [key for key in named if key.name == origin] if named else None


def check(export: Opened, trust: Trust, progress: Progress) -> Checked:
    """Return what holds of an export and what does not; raises `Unreadable`, `BadExport`."""
    checked = check_files(export)
    done, size = 0, sum(one.size for one in checked.manifest.logs.values())
    for log, said in checked.manifest.logs.items():
        before = done

        def told(position: int, before: int = before) -> None:
            progress(before + position, size)

        checked.take(log, check_log(export, checked.manifest, log, trust, told))
        done = before + said.size
    return checked


def check_log(
    export: Opened,
    manifest: Manifest,
    log: LogName,
    trust: Trust,
    told: Callable[[int], None],
    *,
    taken: Taken | None = None,
) -> LogChecked | Finding:
    """Return what holds of a log, or what is wrong with it first; raises `Unreadable`.

    `told` hears up to which position it is checked; `taken` each fact of a whole log, on the way.
    """
    try:
        return _OfLog(ExportedLog(export, manifest, log), trust).run(told, taken)
    except Found as found:
        return found.finding


# -- files ----------------------------------------------------------------------------------------


def check_files(export: Opened) -> Checked:
    """Return an export of which the files are checked; raises `Unreadable`, `BadExport`."""
    content = export.manifest()
    checked = Checked(read_manifest(content), fingerprint(content))
    checked.findings += _files(export, checked.manifest)
    checked.findings += _jwks(export, checked.manifest)
    return checked


def _files(export: Opened, manifest: Manifest) -> list[Finding]:
    """Return what is wrong with files, in the order of their names, and no more than some."""
    said = {file.path: file for file in manifest.files}
    findings = list[Finding]()
    for path in sorted(said.keys() | export.sizes.keys() - {MANIFEST}):
        if path not in said:
            how = "is not in the manifest"
        elif path not in export.sizes:
            how = "is missing"
        elif export.sizes[path] < 0:
            how = "is no plain file"
        elif export.sizes[path] != said[path].bytes:
            how = f"has {export.sizes[path]:,} bytes, not {said[path].bytes:,}"
        elif export.sha256(path) != said[path].sha256:
            how = "is not what the manifest says"
        else:
            continue
        findings.append(Finding(f"the file {how}", _log_in(path), path))
    return findings[:FINDINGS_MAX]


def _log_in(path: str) -> LogName | None:
    return next((log for log in LOG_NAMES if path.startswith(f"{log}/")), None)


def _jwks(export: Opened, manifest: Manifest) -> list[Finding]:
    if "consent" not in manifest.logs:
        return []
    try:
        TrustedKeys.from_jwks(msgspec.json.decode(export.content(JWKS, JWKS_BYTES_MAX)))
    except FileNotFoundError:
        return [Finding("the file is missing", None, JWKS)]
    except (ValueError, TypeError, AttributeError, RecursionError):
        return [Finding("no public keys (JWK set)", None, JWKS)]
    return []


# -- one log --------------------------------------------------------------------------------------


class _OfLog:
    """Checks one log of an export."""

    def __init__(self, log: ExportedLog, trust: Trust) -> None:
        self._log, self._trust = log, trust
        self._said = log.said

    def run(self, told: Callable[[int], None], taken: Taken | None) -> LogChecked:
        """Return what is right; raises `Found` at the first that is not."""
        own = self._trust.keys_of(self._said.origin)
        keys = self._own_word() if own is None else own
        if not keys:
            whose = "in the export" if own is None else "you trust"
            raise self._log.wrong(f"none of the keys {whose} is of {self._said.origin}", VKEYS)
        note, checkpoint = self._opened(CHECKPOINT_PATH, keys)
        if (checkpoint.size, checkpoint.root.hex()) != (self._said.size, self._said.root):
            raise self._log.wrong("not the checkpoint in the manifest", CHECKPOINT_PATH)
        signed_by = [key.algorithm.name for key in signers(note, keys)]
        checked = LogChecked(checkpoint.origin, checkpoint.size, checkpoint.root)
        checked.signed_by, checked.own_keys = signed_by, own is not None
        if self._log.subset is None:
            check_whole(self._log, checked, keys, told, taken)
        else:
            check_part(self._log, checked, self._log.subset, told)
        self._witnessed(checked, keys)
        self._strays(checked)
        return checked

    def _own_word(self) -> list[VerifierKey]:
        try:
            lines = self._log.fetch(VKEYS).decode().splitlines()
            return [key for key in trusted_keys(lines) if key.name == self._said.origin]
        except FileNotFoundError:
            return []
        except (BadNote, UnicodeDecodeError) as error:
            raise self._log.wrong(f"no verifier keys: {error}", VKEYS) from error

    def _opened(self, path: str, keys: Sequence[VerifierKey]) -> tuple[Note, Checkpoint]:
        try:
            return opened(self._log.fetch(path), self._said.origin, keys)
        except FileNotFoundError:
            raise self._log.wrong("the file is missing", path) from None
        except BadNote as error:
            raise self._log.wrong(str(error), path) from error

    # -- witnesses ----------------------------------------------------------------------------

    def _witnessed(self, checked: LogChecked, keys: Sequence[VerifierKey]) -> None:
        """Hold that what is witnessed begins the log, and that the policy's quorum witnessed it."""
        policy = self._trust.policy or Policy(quorum=NO_QUORUM)
        path = tlog_path(self._log.name, WITNESSED_PATH)
        if path not in self._log.export.sizes and policy.quorum == NO_QUORUM:
            return
        note, witnessed = self._opened(WITNESSED_PATH, keys)
        try:
            cosigned = list(signers(note, policy.witness_keys()))
        except BadNote as error:
            raise self._log.wrong(str(error), WITNESSED_PATH) from error
        if not policy.satisfied(cosigned):
            raise self._log.wrong(
                "not cosigned by the quorum that the policy asks for", WITNESSED_PATH
            )
        self._begins(checked, witnessed)
        checked.witnessed = witnessed.size
        checked.cosigned_by = [key.name for key in cosigned]

    def _begins(self, checked: LogChecked, witnessed: Checkpoint) -> None:
        """Hold that the log begins with what was witnessed; of a subset only the same is told."""
        if witnessed.size > checked.size:
            raise self._log.wrong("witnessed is more than there is", WITNESSED_PATH)
        if self._log.subset is None:
            root = Tiles(self._log.fetch, checked.size).frontier(witnessed.size).root()
        elif witnessed.size == checked.size:
            root = checked.root
        else:
            raise self._log.wrong(
                "witnessed is another checkpoint than the proofs'", WITNESSED_PATH
            )
        if root != witnessed.root:
            raise self._log.wrong("what was witnessed does not begin this log", WITNESSED_PATH)

    # -- nothing else -------------------------------------------------------------------------

    def _strays(self, checked: LogChecked) -> None:
        """Hold that each of the log's files is one that was checked."""
        needed = set(self._expected(checked))
        there = (path for path in self._log.export.sizes if path.startswith(f"{self._log.name}/"))
        for path in sorted(there):
            if path not in needed:
                raise Found(Finding("nothing needs the file", self._log.name, path))

    def _expected(self, checked: LogChecked) -> Iterator[str]:
        """Return the paths of the notes, and of facts and their proofs, or of facts and tiles."""
        for path in (CHECKPOINT_PATH, WITNESSED_PATH, VKEYS):
            yield tlog_path(self._log.name, path)
        if self._log.subset is not None:
            for number in self._log.numbers():
                yield facts_path(self._log.name, number)
                yield proofs_path(self._log.name, number)
            return
        if checked.size:
            for number in range(1, number_of(checked.size) + 1):
                yield facts_path(self._log.name, number)
        for level, count in levels_of(checked.size):
            for index, width in tiles_of(count):
                yield tlog_path(self._log.name, tile_path(level, index, width))
        for level, index, width in partial_tiles(checked.witnessed or 0):
            yield tlog_path(self._log.name, tile_path(level, index, width))
