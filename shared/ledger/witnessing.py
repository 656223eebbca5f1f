"""Has the log's checkpoints cosigned by witnesses, and publishes those that a quorum has seen.

A fact is *witnessed* once a published checkpoint covers it that the policy's quorum cosigned.
Nothing waits for witnesses: appends and sealing go on while one is slow, away, or sees another
history, which is told loudly, because that is what witnesses are for.
"""

import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Final

import httpx

from shared.ledger.checkpoints import Checkpoints, Signed
from shared.ledger.integrator import WITNESSED_PATH
from shared.ledger.merkle import consistency_proof
from shared.ledger.notes import BadNote, Checkpoint, Note, Signature, VerifierKey, signers
from shared.ledger.policy import Policy, Witness
from shared.ledger.submissions import submission
from shared.ledger.tiles import BadTile, PublicFolder, Tiles

INTERVAL_S = 0.2
"""Seconds between looks for a new checkpoint: a fact is witnessed soon after it is sealed."""

TIMEOUT_S = 1.0
"""Seconds that a witness has to answer, before it is asked again later."""

PAUSE_S_MAX = 60.0
"""Seconds after which a witness that failed is asked again at the latest; it begins with one."""

ANSWER_BYTES_MAX = 65_536

SIZE_DIGITS_MAX = 19

logger = logging.getLogger(__name__)


class Refused(Exception):
    """A witness did not cosign; the text says why."""


class AnotherHistory(Refused):
    """A witness cosigned a log under our name that is not the one we hold."""


class Behind(Exception):
    """Another process of ours was faster: the witness has a newer checkpoint of our log."""


class Asking:
    """Asks one witness, remembers where it stood, and pauses for a while if it fails."""

    def __init__(
        self,
        witness: Witness,
        client: httpx.Client,
        folder: PublicFolder,
        checkpoints: Checkpoints,
    ) -> None:
        self.witness: Final = witness
        self.trouble: str | None = None
        self._client = client
        self._folder = folder
        self._checkpoints = checkpoints
        self._stood_at = 0
        self._failures = 0
        self._not_before = 0.0

    @property
    def due(self) -> bool:
        """Tell whether it may be asked now."""
        return time.monotonic() >= self._not_before

    def cosign(self, signed: Signed) -> Signature | None:
        """Return the witness's cosignature, None if there is none to be had now."""
        try:
            signature = self._ask(signed)
        except Behind:
            return None
        except (httpx.HTTPError, httpx.InvalidURL, Refused, BadTile) as error:
            self._fail(error)
            return None
        self._failures, self.trouble = 0, None
        return signature

    def _ask(self, signed: Signed) -> Signature:
        status, content = self._submit(signed)
        if status == httpx.codes.CONFLICT:
            self._move_to(_size(content), signed)
            status, content = self._submit(signed)
        if status == httpx.codes.UNPROCESSABLE_ENTITY:
            raise AnotherHistory("what it saw does not lead to our tree")
        if status == httpx.codes.CONFLICT:
            self._move_to(_size(content), signed)
        if status != httpx.codes.OK:
            raise Refused(f"it answered {status}")
        self._stood_at = signed.size
        return self._cosignature(signed, content)

    def _submit(self, signed: Signed) -> tuple[int, bytes]:
        """Return status and content of the answer, both bounded in size and time."""
        tiles = Tiles(self._folder.fetch, signed.size)
        proof = consistency_proof(self._stood_at, signed.size, tiles.node)
        body = submission(self._stood_at, proof, signed.note)
        until, content = time.monotonic() + TIMEOUT_S, b""
        url = f"{self.witness.url}/add-checkpoint"
        with self._client.stream("POST", url, content=body) as answer:
            for chunk in answer.iter_bytes():
                content += chunk
                if len(content) > ANSWER_BYTES_MAX or time.monotonic() > until:
                    raise Refused("its answer is too long or too slow")
        return answer.status_code, content

    def _move_to(self, size: int, signed: Signed) -> None:
        if size == self._stood_at == signed.size:
            raise AnotherHistory(f"it saw another tree of {size}")
        if size > signed.size:
            if size <= self._checkpoints.last().size:
                raise Behind
            raise AnotherHistory(f"it saw {size} facts, and we signed {signed.size}")
        self._stood_at = size

    def _cosignature(self, signed: Signed, content: bytes) -> Signature:
        """Return the one signature that we asked for; raises `Refused` if it is not there."""
        key, body = self.witness.key, Note.parse(signed.note).body
        try:
            lines = content.decode().split("\n")[:-1]
            given = Note(body, tuple(Signature.parse(line) for line in lines))
            if key in signers(given, [key]):
                return next(one for one in given.signatures if one.key_id == key.id)
        except (BadNote, UnicodeDecodeError) as error:
            raise Refused(f"its answer is no cosignature: {error}") from error
        raise Refused("it did not sign with its key")

    def _fail(self, error: Exception) -> None:
        known = isinstance(error, (Refused, BadTile))  # another's text stays inside
        trouble = f"{type(error).__name__}: {error}" if known else type(error).__name__
        if trouble != self.trouble:
            level = logging.CRITICAL if isinstance(error, AnotherHistory) else logging.WARNING
            logger.log(level, "witness %s: %s", self.witness.name, trouble)
        self.trouble = trouble
        self._not_before = time.monotonic() + min(2.0**self._failures, PAUSE_S_MAX)
        self._failures = min(self._failures + 1, 10)


class Witnesses:
    """Collects cosignatures for the newest checkpoint until there is a quorum, and after."""

    def __init__(
        self, policy: Policy, folder: PublicFolder, checkpoints: Checkpoints, client: httpx.Client
    ) -> None:
        self._policy = policy
        self._folder = folder
        self._checkpoints = checkpoints
        self._asking = [
            Asking(one, client, folder, checkpoints) for one in policy.witnesses.values() if one.url
        ]
        self._pool = ThreadPoolExecutor(max(1, len(self._asking)), "ledger-witness")
        self._about = Signed()
        self._cosignatures = dict[VerifierKey, Signature]()
        self.witnessed = self._published_size()

    @property
    def troubles(self) -> dict[str, str]:
        """Return what is wrong with which witness, by name."""
        return {one.witness.name: one.trouble for one in self._asking if one.trouble}

    def step(self) -> int:
        """Ask for what is missing; returns the last position that a quorum has seen."""
        newest = self._checkpoints.last()
        if newest != self._about:
            self._about, self._cosignatures = newest, {}
        if newest.size:
            for key, signature in self._collected(newest):
                self._cosignatures[key] = signature
                if self._policy.satisfied(self._cosignatures):
                    self._publish(newest)
        return self.witnessed

    def close(self) -> None:
        """Wait for what is under way."""
        self._pool.shutdown()

    def _collected(self, newest: Signed) -> Iterator[tuple[VerifierKey, Signature]]:
        missing = [one for one in self._asking if one.witness.key not in self._cosignatures]
        asked = {
            self._pool.submit(one.cosign, newest): one.witness.key for one in missing if one.due
        }
        for future in as_completed(asked):
            if signature := future.result():
                yield asked[future], signature

    def _publish(self, signed: Signed) -> None:
        """Publish a checkpoint with its cosignatures, unless there is a newer one."""
        if signed.size < max(self.witnessed, self._published_size()):
            return
        note = Note.parse(signed.note)
        whole = Note(note.body, (*note.signatures, *self._cosignatures.values()))
        self._folder.publish(WITNESSED_PATH, whole.text().encode())
        self.witnessed = signed.size

    def _published_size(self) -> int:
        try:
            note = Note.parse(self._folder.fetch(WITNESSED_PATH))
            cosigned = signers(note, self._policy.witness_keys())
            return Checkpoint.parse(note.body).size if self._policy.satisfied(cosigned) else 0
        except (FileNotFoundError, BadNote):
            return 0


class Witnessing:
    """Runs `Witnesses` in a thread of its own, and knows how far they are behind."""

    def __init__(self, witnesses: Witnesses) -> None:
        self.witnesses: Final = witnesses
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ledger-witnessing", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ask once more, then stop."""
        self._stop.set()
        self._thread.join()
        self.witnesses.close()

    def _run(self) -> None:
        while not self._stop.wait(INTERVAL_S):
            self._ask()
        self._ask()

    def _ask(self) -> None:
        try:
            self.witnesses.step()
        except Exception:
            logger.exception("checkpoints were not sent to witnesses")


def _size(content: bytes) -> int:
    text = content.removesuffix(b"\n")
    if not text.isdigit() or len(text) > SIZE_DIGITS_MAX:
        raise Refused("it answered a conflict without a size")
    return int(text)
