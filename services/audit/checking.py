"""Checks an export with nothing but what is in it and the keys that the inspector trusts.

Every file is the one in the manifest. Then, for a whole log, all that `./run verify` checks: every
tile, entry and fact, the root and its signatures. For a part of one, the proof of every fact. What
is wrong is a finding, which names the log, the file and the position; of each log the first.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import zip_longest

import msgspec

from services.audit.export import (
    FACTS_PER_FILE,
    JWKS,
    LOG_NAMES,
    MANIFEST,
    PATH,
    TILE_BYTES_MAX,
    VKEYS,
    BadExport,
    LogName,
    Manifest,
    Subset,
    facts_path,
    fingerprint,
    levels_of,
    number_of,
    partial_tiles,
    proofs_path,
    read_fact,
    read_manifest,
    read_proof,
    tlog_path,
)
from services.audit.reading import Opened
from shared.ledger.integrator import CHECKPOINT_PATH, WITNESSED_PATH
from shared.ledger.merkle import BadProof, check_inclusion, leaf_hash
from shared.ledger.notes import BadNote, Checkpoint, Note, VerifierKey, opened, signers
from shared.ledger.policy import NO_QUORUM, Policy
from shared.ledger.recorder import StoredFact
from shared.ledger.tiles import ENTRIES, WIDTH, Tiles, tile_path, tiles_of
from shared.ledger.verify import Wrong, trusted_keys, verify
from shared.signing import TrustedKeys

FINDINGS_MAX = 100
"""Files that are told to be wrong at most: one is enough, and a list helps to see which kind."""

JWKS_BYTES_MAX = 1 << 20
_TILE_NAMED = re.compile(r"tile/[\w/.]*\w")

Progress = Callable[[int, int], None]
"""Told how many facts are checked in all logs together, and of how many."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong: in which log, file and position, as far as it is in one; None else."""

    how: str
    log: LogName | None = None
    file: str | None = None
    position: int | None = None


class Found(Exception):
    """Ends the check of a log at what is wrong first."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.how)
        self.finding = finding


@dataclass(frozen=True)
class Trust:
    """What the inspector brings: keys of logs, and a policy of witnesses; nothing, if neither."""

    keys: Sequence[VerifierKey] = ()
    policy: Policy | None = None

    def keys_of(self, origin: str) -> list[VerifierKey] | None:
        """Return the keys of a log, None where the log's own word has to do."""
        named = [*self.keys, *(self.policy.logs if self.policy else [])]
        return [key for key in named if key.name == origin] if named else None


@dataclass
class LogChecked:
    """What was found right of one log."""

    origin: str
    size: int
    root: bytes
    facts: int = 0
    entries: int = 0
    signed_by: list[str] = field(default_factory=list)
    witnessed: int | None = None
    cosigned_by: list[str] = field(default_factory=list)
    own_keys: bool = False


@dataclass
class Checked:
    """An export that was checked: right, if nothing was found."""

    manifest: Manifest
    fingerprint: str
    logs: dict[LogName, LogChecked] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def check(export: Opened, trust: Trust, progress: Progress) -> Checked:
    """Return what holds of an export and what does not; raises `Unreadable`, `BadExport`."""
    content = export.manifest()
    checked = Checked(read_manifest(content), fingerprint(content))
    checked.findings += _files(export, checked.manifest)
    checked.findings += _jwks(export, checked.manifest)
    done, size = 0, sum(one.size for one in checked.manifest.logs.values())
    for log in checked.manifest.logs:
        before = done

        def told(position: int, before: int = before) -> None:
            progress(before + position, size)

        try:
            checking = _OfLog(export, checked.manifest, log, trust)
            checked.logs[log] = checking.run(told)
        except Found as found:
            checked.findings.append(found.finding)
        done = before + checked.manifest.logs[log].size
    return checked


# -- files ----------------------------------------------------------------------------------------


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

    def __init__(self, export: Opened, manifest: Manifest, log: LogName, trust: Trust) -> None:
        self._export, self._log, self._trust = export, log, trust
        self._said, self._subset = manifest.logs[log], manifest.subset

    def run(self, told: Callable[[int], None]) -> LogChecked:
        """Return what is right; raises `Found` at the first that is not."""
        own = self._trust.keys_of(self._said.origin)
        keys = self._own_word() if own is None else own
        if not keys:
            whose = "in the export" if own is None else "you trust"
            raise self._wrong(f"none of the keys {whose} is of {self._said.origin}", VKEYS)
        note, checkpoint = self._opened(CHECKPOINT_PATH, keys)
        if (checkpoint.size, checkpoint.root.hex()) != (self._said.size, self._said.root):
            raise self._wrong("not the checkpoint in the manifest", CHECKPOINT_PATH)
        signed_by = [key.algorithm.name for key in signers(note, keys)]
        checked = LogChecked(checkpoint.origin, checkpoint.size, checkpoint.root)
        checked.signed_by, checked.own_keys = signed_by, own is not None
        if self._subset is None:
            self._whole(checked, keys, told)
        else:
            self._some(checked, self._subset, told)
        self._witnessed(checked, keys)
        self._strays(checked)
        return checked

    def _own_word(self) -> list[VerifierKey]:
        try:
            lines = self._fetch(VKEYS).decode().splitlines()
            return [key for key in trusted_keys(lines) if key.name == self._said.origin]
        except FileNotFoundError:
            return []
        except (BadNote, UnicodeDecodeError) as error:
            raise self._wrong(f"no verifier keys: {error}", VKEYS) from error

    def _opened(self, path: str, keys: Sequence[VerifierKey]) -> tuple[Note, Checkpoint]:
        try:
            return opened(self._fetch(path), self._said.origin, keys)
        except FileNotFoundError:
            raise self._wrong("the file is missing", path) from None
        except BadNote as error:
            raise self._wrong(str(error), path) from error

    def _fetch(self, path: str) -> bytes:
        return self._export.content(tlog_path(self._log, path), TILE_BYTES_MAX)

    def _wrong(self, how: str, path: str | None = None, position: int | None = None) -> Found:
        """Return what is wrong with one of the log's public files."""
        file = None if path is None else tlog_path(self._log, path)
        return Found(Finding(how, self._log, file, position))

    # -- all of it ----------------------------------------------------------------------------

    def _whole(
        self, checked: LogChecked, keys: Sequence[VerifierKey], told: Callable[[int], None]
    ) -> None:
        try:
            verified = verify(
                self._fetch,
                self._said.origin,
                keys,
                facts=self._all_facts(),
                progress=lambda done, _: told(done),
            )
        except Wrong as wrong:
            raise Found(self._finding(wrong)) from wrong
        checked.facts, checked.entries = verified.facts, verified.entries

    def _finding(self, wrong: Wrong) -> Finding:
        """Return a finding that names the file, too, in which a position is wrong."""
        position, named = wrong.position, _TILE_NAMED.search(wrong.how)
        if named:
            file = tlog_path(self._log, named[0])
        elif position is None:
            file = None
        elif wrong.how.startswith("the fact"):
            file = facts_path(self._log, number_of(position))
        else:
            width = min(WIDTH, self._said.size - (position - 1) // WIDTH * WIDTH)
            level = 0 if "published hash" in wrong.how else ENTRIES
            file = tlog_path(self._log, tile_path(level, (position - 1) // WIDTH, width))
        return Finding(wrong.how, self._log, file, position)

    def _all_facts(self) -> Iterator[StoredFact]:
        for number in range(1, number_of(self._said.size) + 1) if self._said.size else ():
            yield from self._facts(number)

    def _facts(self, number: int) -> Iterator[StoredFact]:
        """Return the facts of a file; raises `Found` for a line that is none, or not its own."""
        path, last = facts_path(self._log, number), (number - 1) * FACTS_PER_FILE
        try:
            for line in self._export.lines(path):
                fact = self._in_place(read_fact(line), number)
                last = fact.position
                yield fact
        except FileNotFoundError:
            raise Found(Finding("the file is missing", self._log, path)) from None
        except BadExport as error:
            position = last + 1 if self._subset is None else None
            raise Found(Finding(str(error), self._log, path, position)) from error

    def _in_place(self, fact: StoredFact, number: int) -> StoredFact:
        if number_of(fact.position) != number or fact.position > self._said.size:
            raise BadExport(f"position {fact.position:,} does not belong here")
        return fact

    # -- a subset -----------------------------------------------------------------------------

    def _some(self, checked: LogChecked, subset: Subset, told: Callable[[int], None]) -> None:
        note = self._fetch(CHECKPOINT_PATH)
        before, at = 0, datetime.min.replace(tzinfo=UTC)
        for number in self._numbers():
            for fact, line in zip_longest(self._facts(number), self._proofs(number)):
                if fact is None or line is None:
                    raise self._unproved("facts and proofs are not as many", number, before)
                if fact.position <= before or fact.recorded_at < at:
                    raise self._unproved("not behind the one before it", number, fact.position)
                if not subset.holds(fact):
                    raise self._unproved("the fact is not of the subset", number, fact.position)
                self._proved(checked, fact, line, note)
                before, at = fact.position, fact.recorded_at
                checked.facts += 1
            told(before)

    def _numbers(self) -> list[int]:
        """Return the numbers of the files of facts or proofs that are there."""
        parts = (path.split("/") for path in self._export.sizes if PATH.fullmatch(path))
        names = {one[2] for one in parts if one[:1] == [self._log] and one[1] != "tlog"}
        return sorted(int(name.removesuffix(".ndjson")) for name in names)

    def _proofs(self, number: int) -> Iterator[bytes]:
        path = proofs_path(self._log, number)
        try:
            yield from self._export.lines(path)
        except FileNotFoundError:
            raise Found(Finding("the file is missing", self._log, path)) from None
        except BadExport as error:
            raise Found(Finding(str(error), self._log, path)) from error

    def _unproved(self, how: str, number: int, position: int) -> Found:
        return Found(Finding(how, self._log, facts_path(self._log, number), position))

    def _proved(self, checked: LogChecked, fact: StoredFact, line: bytes, note: bytes) -> None:
        """Hold that a proof is of this fact, under the checkpoint whose signature is checked."""
        how, index = None, fact.position - 1
        try:
            proof = read_proof(line)
            if proof.index != index or proof.note != note:
                how = "the proof is of another fact, or under another checkpoint"
            else:
                leaf = leaf_hash(fact.entry())
                check_inclusion(index, checked.size, leaf, proof.hashes, checked.root)
        except (BadProof, BadExport) as error:
            how = str(error)
        if how:
            path = proofs_path(self._log, number_of(fact.position))
            raise Found(Finding(how, self._log, path, fact.position))

    # -- witnesses ----------------------------------------------------------------------------

    def _witnessed(self, checked: LogChecked, keys: Sequence[VerifierKey]) -> None:
        """Hold that what is witnessed begins the log, and that the policy's quorum witnessed it."""
        policy = self._trust.policy or Policy(quorum=NO_QUORUM)
        path = tlog_path(self._log, WITNESSED_PATH)
        if path not in self._export.sizes and policy.quorum == NO_QUORUM:
            return
        note, witnessed = self._opened(WITNESSED_PATH, keys)
        try:
            cosigned = list(signers(note, policy.witness_keys()))
        except BadNote as error:
            raise self._wrong(str(error), WITNESSED_PATH) from error
        if not policy.satisfied(cosigned):
            raise self._wrong("not cosigned by the quorum that the policy asks for", WITNESSED_PATH)
        self._begins(checked, witnessed)
        checked.witnessed = witnessed.size
        checked.cosigned_by = [key.name for key in cosigned]

    def _begins(self, checked: LogChecked, witnessed: Checkpoint) -> None:
        """Hold that the log begins with what was witnessed; of a subset only the same is told."""
        if witnessed.size > checked.size:
            raise self._wrong("witnessed is more than there is", WITNESSED_PATH)
        if self._subset is None:
            root = Tiles(self._fetch, checked.size).frontier(witnessed.size).root()
        elif witnessed.size == checked.size:
            root = checked.root
        else:
            raise self._wrong("witnessed is another checkpoint than the proofs'", WITNESSED_PATH)
        if root != witnessed.root:
            raise self._wrong("what was witnessed does not begin this log", WITNESSED_PATH)

    # -- nothing else -------------------------------------------------------------------------

    def _strays(self, checked: LogChecked) -> None:
        """Hold that each of the log's files is one that was checked."""
        needed = set(self._expected(checked))
        there = (path for path in self._export.sizes if path.startswith(f"{self._log}/"))
        for path in sorted(there):
            if path not in needed:
                raise Found(Finding("nothing needs the file", self._log, path))

    def _expected(self, checked: LogChecked) -> Iterator[str]:
        """Return the paths of the notes, and of facts and their proofs, or of facts and tiles."""
        for path in (CHECKPOINT_PATH, WITNESSED_PATH, VKEYS):
            yield tlog_path(self._log, path)
        if self._subset is not None:
            for number in self._numbers():
                yield facts_path(self._log, number)
                yield proofs_path(self._log, number)
            return
        if checked.size:
            for number in range(1, number_of(checked.size) + 1):
                yield facts_path(self._log, number)
        for level, count in levels_of(checked.size):
            for index, width in tiles_of(count):
                yield tlog_path(self._log, tile_path(level, index, width))
        for level, index, width in partial_tiles(checked.witnessed or 0):
            yield tlog_path(self._log, tile_path(level, index, width))
