"""The witness: cosigns what continues, refuses all else with the status that the protocol names."""

import asyncio
import base64
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from services.witness.main import create_app, init
from services.witness.seen import Discontinuous, Elsewhere, Seen, Tree, create_seen, judge
from services.witness.settings import Settings
from shared.clock import system_clock
from shared.ledger.merkle import Frontier, consistency_proof, leaf_hash
from shared.ledger.notes import Algorithm, Checkpoint, Note, SigningKey, VerifierKey, signers
from shared.ledger.submissions import BadSubmission, Submission, submission
from shared.ledger.tiles import PublicFolder, Tiles

LOG = SigningKey("localhost/log", Algorithm.ED25519, bytes(32))
OTHER = SigningKey("localhost/other", Algorithm.ED25519, bytes(31) + b"\1")
STRANGER = SigningKey("localhost/log", Algorithm.ED25519, bytes(31) + b"\2")


class Grown:
    """A tree of leaves that anyone may make, and all that it can prove."""

    def __init__(self, folder: Path, texts: Sequence[str]) -> None:
        entries = [text.encode() for text in texts]
        self.public = PublicFolder(folder)
        self.public.grow(0, entries)
        self.leaves = [leaf_hash(entry) for entry in entries]

    def checkpoint(self, size: int, key: SigningKey = LOG) -> Checkpoint:
        """Return the checkpoint at a size."""
        return Checkpoint(key.name, size, Frontier().extended(self.leaves[:size]).root())

    def note(self, size: int, *keys: SigningKey) -> bytes:
        """Return the signed checkpoint at a size."""
        body = self.checkpoint(size, keys[0] if keys else LOG).body()
        signatures = tuple(key.sign(body, system_clock()) for key in keys or (LOG,))
        return Note(body, signatures).text().encode()

    def proof(self, old: int, size: int) -> list[bytes]:
        """Return the consistency proof between two sizes."""
        return consistency_proof(old, size, Tiles(self.public.fetch, len(self.leaves)).node)

    def body(self, old: int, size: int, *keys: SigningKey) -> bytes:
        """Return a right submission."""
        return submission(old, self.proof(old, size), self.note(size, *keys))


class Client:
    """Speaks to a witness's app in place."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    def get(self, path: str) -> httpx.Response:
        """Fetch."""
        return self._send("GET", path)

    def post(self, path: str, content: bytes) -> httpx.Response:
        """Send bytes."""
        return self._send("POST", path, content)

    def _send(self, method: str, path: str, content: bytes | None = None) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://w") as client:
                return await client.request(method, path, content=content)

        return asyncio.run(send())


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Grown:
    """Give a log of 300 leaves."""
    return Grown(tmp_path_factory.mktemp("tree"), [f"e{number}" for number in range(300)])


@pytest.fixture(scope="module")
def fork(tmp_path_factory: pytest.TempPathFactory) -> Grown:
    """Give another history of that log: the same up to leaf 99."""
    texts = [f"e{number}" if number != 99 else "forged" for number in range(300)]
    return Grown(tmp_path_factory.mktemp("fork"), texts)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Give the settings of a witness that knows two logs."""
    policy = tmp_path / "logs.policy"
    policy.write_text(f"log {LOG.verifier}\nlog {OTHER.verifier}\nquorum none\n")
    made = Settings(folder=tmp_path / "witness", name="localhost/witness", logs=policy)
    init(made)
    return made


@pytest.fixture
def witness(settings: Settings) -> Client:
    """Give a client of the witness."""
    return Client(create_app(settings))


def cosigned(witness: Client, note: bytes, answer: str) -> list[Algorithm]:
    """Return the kinds of the cosignatures in an answer, each checked with the published key."""
    keys = [VerifierKey.parse(line) for line in witness.get("/vkeys").text.splitlines()]
    whole = Note.parse(note + answer.encode())
    return [key.algorithm for key in signers(whole, keys)]


def add(witness: Client, body: bytes) -> tuple[int, str]:
    """Submit, and return status and text."""
    answer = witness.post("/add-checkpoint", content=body)
    if answer.status_code == 409:
        assert answer.headers["content-type"] == "text/x.tlog.size"
    return answer.status_code, answer.text


def test_what_continues_is_cosigned(witness: Client, tree: Grown) -> None:
    """From nothing, onwards, and the same again: cosigned in both kinds, and remembered."""
    for old, size in ((0, 10), (10, 256), (256, 257), (257, 257), (257, 300)):
        status, text = add(witness, tree.body(old, size))
        assert status == 200
        kinds = cosigned(witness, tree.note(size), text)
        assert kinds == [Algorithm.COSIGNATURE, Algorithm.ML_DSA_44]
    assert witness.get("/readyz").json()["seen"] == {LOG.name: 300, OTHER.name: 0}


def test_each_log_is_its_own(witness: Client, tree: Grown) -> None:
    """Where one log stands says nothing of another."""
    assert add(witness, tree.body(0, 20))[0] == 200
    assert add(witness, tree.body(0, 5, OTHER))[0] == 200
    assert add(witness, tree.body(20, 30))[0] == 200


def test_it_stands_where_it_stood_after_a_start(settings: Settings, tree: Grown) -> None:
    """What was seen is on disk before the answer."""
    assert add(Client(create_app(settings)), tree.body(0, 20))[0] == 200
    init(settings)
    second = Client(create_app(settings))
    assert add(second, tree.body(0, 20)) == (409, "20\n")
    assert add(second, tree.body(20, 21))[0] == 200


def test_another_old_size_is_told_where_it_stands(witness: Client, tree: Grown) -> None:
    """Behind, ahead, or never seen: 409 and the size, in the protocol's own media type."""
    assert add(witness, tree.body(5, 20)) == (409, "0\n")
    assert add(witness, tree.body(0, 20))[0] == 200
    for old, size in ((0, 30), (10, 30), (25, 30), (0, 20), (0, 10), (10, 20)):
        assert add(witness, tree.body(old, size)) == (409, "20\n")


def test_a_fork_is_not_cosigned(witness: Client, tree: Grown, fork: Grown) -> None:
    """A history that differs in one leaf: at the same size 409, grown from there 422."""
    assert add(witness, tree.body(0, 150))[0] == 200
    assert add(witness, fork.body(150, 150)) == (409, "150\n")
    assert add(witness, fork.body(150, 200))[0] == 422
    assert add(witness, submission(150, tree.proof(150, 200), fork.note(200)))[0] == 422
    assert add(witness, tree.body(150, 200))[0] == 200


def test_a_proof_that_proves_nothing(witness: Client, tree: Grown) -> None:
    """Too long, too short, of other hashes, or where there is nothing to prove: 422, no change."""
    assert add(witness, tree.body(0, 100))[0] == 200
    proof, note = tree.proof(100, 200), tree.note(200)
    wrong: list[list[bytes]] = [[], proof[:-1], [*proof, bytes(32)], [bytes(32), *proof[1:]]]
    for hashes in wrong:
        assert add(witness, submission(100, hashes, note))[0] == 422
    assert add(witness, submission(100, [bytes(32)], tree.note(100)))[0] == 422
    assert add(witness, submission(0, proof, tree.note(7, OTHER)))[0] == 422
    assert add(witness, submission(100, proof, note))[0] == 200


def test_an_unknown_log_and_a_strangers_signature(witness: Client, tree: Grown) -> None:
    """404 for a name that is not known, 403 for a name that somebody else signs for."""
    nobody = SigningKey("localhost/nobody", Algorithm.ED25519, bytes(32))
    assert add(witness, tree.body(0, 5, nobody))[0] == 404
    assert add(witness, tree.body(0, 5, STRANGER))[0] == 403
    body = tree.checkpoint(5).body()
    wrong = tree.checkpoint(6).body()
    swapped = Note(body, (LOG.sign(wrong, system_clock()),)).text().encode()
    assert add(witness, submission(0, [], swapped))[0] == 403
    assert witness.get("/readyz").json()["seen"] == {LOG.name: 0, OTHER.name: 0}


def test_strangers_signatures_beside_the_logs_are_passed_over(witness: Client, tree: Grown) -> None:
    """A checkpoint may bear signatures of keys that the witness does not know."""
    assert add(witness, tree.body(0, 5, LOG, STRANGER))[0] == 200


HASH = b"A" * 43 + b"=\n"


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (b"old 0", b""),
        (b"old 0", b"old 00"),
        (b"old 0", b"old -1"),
        (b"old 0", b"old  0"),
        (b"old 0", b"new 0"),
        (b"old 0", b"old 11"),
        (b"old 0", b"old 99999999999999999999"),
        (b"old 0", b"old \xff"),
        (b"old 0\n\n", b"old 0\n"),
        (b"old 0\n", b"old 0\nnot base64\n"),
        (b"old 0\n", b"old 0\nAAAA\n"),
        (b"old 0\n", b"old 0\n" + HASH * 64),
        (b"localhost/log\n10\n", b"localhost/log\n"),
        (b"localhost/log\n10\n", b"localhost/log\nten\n"),
        ("\N{EM DASH}".encode(), b"-"),
    ],
)
def test_what_is_no_submission(witness: Client, tree: Grown, right: bytes, wrong: bytes) -> None:
    """400, and nothing happened."""
    body = tree.body(0, 10)
    assert right in body
    assert add(witness, body.replace(right, wrong, 1))[0] == 400
    for cut in (b"", b"old 0\n", body[:-1], body + b"x"):
        assert add(witness, cut)[0] == 400
    assert add(witness, body)[0] == 200


def test_extension_lines_are_refused(witness: Client, tree: Grown) -> None:
    """Cosignatures in ML-DSA would not cover them, so nobody may think that they do."""
    body = tree.checkpoint(10).body() + "extension\n"
    signed = LOG.sign(body, system_clock())
    note = Note(body, (signed,)).text().encode()
    assert add(witness, submission(0, [], note))[0] == 400


def test_too_long_a_body(witness: Client) -> None:
    """It is not even read."""
    assert witness.post("/add-checkpoint", content=b"x" * 70_000).status_code == 413


@given(st.binary(max_size=300))
def test_any_bytes_are_a_submission_or_are_refused(body: bytes) -> None:
    """A stranger's bytes never do anything else."""
    with pytest.raises(BadSubmission):
        Submission.parse(body)


@given(st.data())
def test_a_submission_comes_back(tree: Grown, data: st.DataObject) -> None:
    """What one side writes the other reads."""
    size = data.draw(st.integers(0, 300))
    old = data.draw(st.integers(0, size))
    read = Submission.parse(tree.body(old, size))
    assert (read.old, list(read.proof)) == (old, tree.proof(old, size))
    assert read.checkpoint == tree.checkpoint(size)


@given(st.data())
def test_only_what_continues_passes(tree: Grown, fork: Grown, data: st.DataObject) -> None:
    """Whatever sizes and histories meet: one passes exactly if it continues the other."""
    one, other = data.draw(st.sampled_from([(tree, tree), (tree, fork), (fork, tree)]))
    old = data.draw(st.integers(0, 300))
    size = data.draw(st.integers(old, 300))
    stood = data.draw(st.one_of(st.just(old), st.integers(0, 300)))
    seen = one.checkpoint(stood)
    submitted = Submission.parse(other.body(old, size))
    continues = stood == old and (one is other or old <= 99)
    try:
        judge(Tree(seen.size, seen.root), submitted)
    except (Elsewhere, Discontinuous):
        assert not continues
    else:
        assert continues


def test_at_once_nothing_rolls_back(settings: Settings, tree: Grown) -> None:
    """Many grow the same log at once: exactly one passes each step, and nobody takes one back."""
    seen = Seen(settings.folder / "seen.db")
    passed, barrier = list[tuple[int, int]](), threading.Barrier(6)

    def grow(size: int) -> None:
        submitted = Submission.parse(tree.body(0, size))
        barrier.wait()
        try:
            seen.advance(submitted, b"note")
        except Elsewhere:
            return
        passed.append((0, size))

    threads = [threading.Thread(target=grow, args=(50 + number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ((_, size),) = passed
    assert seen.last(LOG.name).size == size


def test_its_memory_neither_shrinks_nor_forgets(tmp_path: Path, tree: Grown) -> None:
    """The database itself refuses, whoever asks; and it is not made in passing."""
    with pytest.raises(FileNotFoundError, match="init"):
        Seen(tmp_path / "seen.db")
    create_seen(tmp_path / "seen.db")
    Seen(tmp_path / "seen.db").advance(Submission.parse(tree.body(0, 50)), b"note")
    with closing(sqlite3.connect(tmp_path / "seen.db")) as raw:
        for statement in (
            "DELETE FROM seen",
            "UPDATE seen SET size = 49",
            "UPDATE seen SET root = x'00'",
        ):
            with pytest.raises(sqlite3.IntegrityError):
                raw.execute(statement)


def test_keys_are_made_once_and_are_its_own(settings: Settings) -> None:
    """Another start has the same keys, under the name of the first, in a file of the owner's."""
    before = Client(create_app(settings)).get("/vkeys").text
    init(settings.model_copy(update={"name": "localhost/renamed"}))
    assert Client(create_app(settings)).get("/vkeys").text == before
    file = settings.folder / "witness.keys.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert before.startswith("localhost/witness+")
    assert base64.b64decode(before.split("+", 2)[2].split("\n")[0])[0] == Algorithm.COSIGNATURE
