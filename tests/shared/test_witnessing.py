"""A log and its witnesses, over sockets: a quorum, one away, one that saw another history."""

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from typing_extensions import override

from demo.services import Service, a_port
from services.witness.main import init
from services.witness.settings import Settings
from shared.ledger.checkpoints import Checkpoints, create_checkpoints
from shared.ledger.keys import load_keys
from shared.ledger.notes import Algorithm, Checkpoint, Note, SigningKey, opened
from shared.ledger.policy import Policy
from shared.ledger.witnessing import Witnesses, Witnessing
from tests.shared.conftest import Told
from tests.support.forking import ForkedService
from tests.support.sealed import KEY, LATER_KEY, Sealed, a_log


@dataclass
class Watching:
    """A witness as a process of its own, and the line that names it in a policy."""

    service: Service

    def line(self, name: str, number: int = 0) -> str:
        """Return its line, with one of its keys."""
        folder = Path(self.service.env["WITNESS_FOLDER"])
        key = load_keys(folder / "witness.keys.json")[number].verifier
        return f"witness {name} {key} http://127.0.0.1:{self.service.port}\n"

    def seen(self) -> int:
        """Return how far it saw the log grow."""
        answer = httpx.get(f"http://127.0.0.1:{self.service.port}/readyz")
        return int(answer.json()["seen"][KEY.name])


@contextmanager
def watching(folder: Path, name: str) -> Iterator[Watching]:
    """Run a witness of the log."""
    folder.mkdir(exist_ok=True)
    logs = folder / "logs.policy"
    logs.write_text(f"log {KEY.verifier}\nquorum none\n")
    env = {
        "WITNESS_FOLDER": str(folder / name),
        "WITNESS_NAME": f"localhost/{name}",
        "WITNESS_LOGS": str(logs),
    }
    service = ForkedService("witness", a_port(0), env, folder)
    init(Settings(folder=folder / name, name=f"localhost/{name}", logs=logs))
    service.start()
    try:
        yield Watching(service)
    finally:
        service.stop()


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Sealed]:
    """Give a log of some facts, sealed."""
    with a_log(f"sqlite:///{tmp_path / 'ledger.db'}", tmp_path) as made:
        made.append(*[10] * 3)
        made.integrator().step()
        made.folder.publish("vkeys", f"{KEY.verifier}\n".encode())
        yield made


@contextmanager
def asking(log: Sealed, policy: str) -> Iterator[Witnesses]:
    """Give the log's side, opened anew."""
    with httpx.Client(timeout=1.0) as client:
        made = Witnesses(
            Policy.parse(policy), log.folder, Checkpoints(log.root / "checkpoints.db"), client
        )
        yield made
        made.close()


def grow(log: Sealed, size: int) -> None:
    """Append and seal."""
    log.append(size)
    log.integrator().step()


def test_a_quorum_cosigns_and_anyone_can_check_it(log: Sealed, tmp_path: Path, told: Told) -> None:
    """Two of three, one of them in ML-DSA: it is published, and `verify` checks it."""
    with ExitStack() as stack:
        three = [stack.enter_context(watching(tmp_path / "w", f"w{number}")) for number in range(3)]
        lines = [one.line(f"w{number}", number % 2) for number, one in enumerate(three)]
        policy = f"log {KEY.verifier}\n{''.join(lines)}group g 2 w0 w1 w2\nquorum g\n"
        with asking(log, policy) as witnesses:
            assert witnesses.witnessed == 0
            assert witnesses.step() == 30
            grow(log, 7)
            assert witnesses.step() == 37
            assert witnesses.troubles == {}
        assert [one.seen() for one in three] == [37, 37, 37]
        file = tmp_path / "policy"
        file.write_text(policy)
        code, document = told(log.root, "--policy", file)
        assert (code, document["size"], document["keys_from"]) == (0, 37, "the caller")
        assert len(document["cosigned_by"]) >= 2
        with asking(log, policy) as again:
            assert again.witnessed == 37


def test_too_few_is_not_a_quorum(log: Sealed, tmp_path: Path, told: Told) -> None:
    """One of two that are needed is away: nothing is called witnessed, and sealing goes on."""
    away = SigningKey("localhost/away", Algorithm.COSIGNATURE, bytes(32)).verifier
    with watching(tmp_path / "w", "w0") as one:
        policy = (
            f"log {KEY.verifier}\n{one.line('here')}"
            f"witness away {away} http://127.0.0.1:{a_port(0)}\n"
            "group g all here away\nquorum g\n"
        )
        with asking(log, policy) as witnesses:
            assert witnesses.step() == 0
            assert list(witnesses.troubles) == ["away"]
            grow(log, 5)
            assert witnesses.step() == 0
        file = tmp_path / "policy"
        file.write_text(policy)
        assert told(log.root, "--policy", file)[1]["how"] == "there is no witnessed file"
        log.folder.publish("witnessed", log.folder.fetch("checkpoint"))
        code, document = told(log.root, "--policy", file)
        assert code == 1
        assert "not cosigned by the quorum" in document["how"]
        assert told(log.root)[0] == 0


def test_a_witness_killed_and_started_goes_on(log: Sealed, tmp_path: Path) -> None:
    """With -9 in between, it knows what it cosigned; the log finds out where it stands."""
    with watching(tmp_path / "w", "w0") as one:
        policy = f"{one.line('w')}quorum w\n"
        with asking(log, policy) as witnesses:
            assert witnesses.step() == 30
        one.service.kill()
        with asking(log, policy) as witnesses:
            grow(log, 5)
            assert witnesses.step() == 30
            assert witnesses.troubles
        one.service.start()
        with asking(log, policy) as witnesses:  # it begins at 0 and is told 30
            assert witnesses.step() == 35
            assert witnesses.troubles == {}


def test_a_pause_after_a_failure_ends(log: Sealed, tmp_path: Path) -> None:
    """A witness that was away is asked again by the same process, a little later."""
    with watching(tmp_path / "w", "w0") as one:
        one.service.kill()
        with asking(log, f"{one.line('w')}quorum w\n") as witnesses:
            assert witnesses.step() == 0
            one.service.start()
            until = time.monotonic() + 10
            while witnesses.step() != 30 and time.monotonic() < until:
                time.sleep(0.05)
            assert witnesses.witnessed == 30


def test_an_answer_that_was_lost_costs_nothing(log: Sealed, tmp_path: Path) -> None:
    """The witness kept it, the log never heard: it is cosigned again at the same size."""
    with watching(tmp_path / "w", "w0") as one:
        policy = f"{one.line('w')}quorum w\n"
        with asking(log, policy) as witnesses:
            witnesses.step()
        (log.root / "public" / "witnessed").unlink()
        with asking(log, policy) as witnesses:
            assert witnesses.witnessed == 0
            assert witnesses.step() == 30


def test_a_log_that_was_set_back_is_noticed(
    log: Sealed, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Store, checkpoints and public files all restored from an old backup: the witness knows."""
    backup = tmp_path / "backup"
    backup.mkdir()
    shutil.copytree(log.root / "public", backup / "public")
    shutil.copy(log.root / "checkpoints.db", backup)
    with watching(tmp_path / "w", "w0") as one:
        policy = f"{one.line('w')}quorum w\n"
        grow(log, 5)
        with asking(log, policy) as witnesses:
            assert witnesses.step() == 35
        restored = Sealed(log.address, backup, log.recorder)
        with asking(restored, policy) as witnesses:
            assert witnesses.step() == 0
            assert "AnotherHistory: it saw 35 facts, and we signed 30" in str(witnesses.troubles)
    assert any(record.levelname == "CRITICAL" for record in caplog.records)


@pytest.mark.parametrize(("size", "how"), [(35, "another tree of 35"), (40, "does not lead to")])
def test_a_fork_is_noticed(log: Sealed, tmp_path: Path, size: int, how: str) -> None:
    """Another history under the same keys, of the same size or longer: no cosignature."""
    other = tmp_path / "other"
    other.mkdir()
    with (
        watching(tmp_path / "w", "w0") as one,
        a_log(f"sqlite:///{other / 'ledger.db'}", other) as fork,
    ):
        policy = f"{one.line('w')}quorum w\n"
        grow(log, 5)
        with asking(log, policy) as witnesses:
            assert witnesses.step() == 35
        fork.append(size)  # recorded at other times, so of other leaves
        fork.integrator().step()
        with asking(fork, policy) as witnesses:
            assert witnesses.step() == 0
            assert how in str(witnesses.troubles)
        assert one.seen() == 35


def test_another_process_that_was_faster_is_no_alarm(log: Sealed, tmp_path: Path) -> None:
    """A checkpoint that this process has not read yet is another's, and no other history."""
    with watching(tmp_path / "w", "w0") as one:
        policy = f"{one.line('w')}quorum w\n"
        old = Checkpoints(log.root / "checkpoints.db").last()
        grow(log, 5)
        with asking(log, policy) as faster, asking(log, policy) as slower:
            faster.step()
            assert slower._asking[0].cosign(old) is None
            assert slower.troubles == {}
            assert slower.step() == 35


POLL_S = 0.01
"""How often a server of ours looks whether it is to end."""


class Answers(BaseHTTPRequestHandler):
    """A witness of bad will: answers what the test gave it."""

    status, content, pause_s = 200, b"", 0.0

    def do_POST(self) -> None:
        """Answer."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.status)
        self.end_headers()
        for at in range(0, len(self.content), 16_384):
            self.wfile.write(self.content[at : at + 16_384])
            time.sleep(self.pause_s)

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize(
    ("status", "content", "pause_s", "how"),
    [
        (200, b"", 0, "no cosignature|did not sign"),
        (200, b"nonsense\n", 0, "no cosignature"),
        (200, b"\xff\n", 0, "no cosignature"),
        (200, "\N{EM DASH} localhost/w AAAA\n".encode(), 0, "no cosignature"),
        (200, "\N{EM DASH} localhost/w AAAAAAAA\n".encode(), 0, "did not sign"),
        (200, b"x" * 100_000, 0, "too long"),
        (200, b"x" * 60_000, 0.4, "too long or too slow|Timeout"),
        (409, b"nonsense", 0, "without a size"),
        (409, b"9" * 400, 0, "without a size"),
        (409, b"\n", 0, "without a size"),
        (409, b"7\n", 0, "409"),
        (500, b"", 0, "500"),
        (404, b"", 0, "404"),
        (301, b"", 0, "301"),
    ],
)
def test_a_witness_of_bad_will_does_no_harm(
    log: Sealed, status: int, content: bytes, pause_s: float, how: str
) -> None:
    """Whatever it answers: it is told, nothing is published, and it ends within bounds."""
    handler = type("Given", (Answers,), {"status": status, "content": content, "pause_s": pause_s})
    key = SigningKey("localhost/w", Algorithm.COSIGNATURE, bytes(32)).verifier
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(POLL_S,), daemon=True).start()
    policy = f"witness w {key} http://127.0.0.1:{server.server_port}\nquorum w\n"
    try:
        with asking(log, policy) as witnesses:
            started = time.monotonic()
            assert witnesses.step() == 0
            assert time.monotonic() - started < 3
            (trouble,) = witnesses.troubles.values()
            assert any(one in trouble for one in how.split("|")), trouble
        assert not (log.root / "public" / "witnessed").exists()
    finally:
        server.shutdown()
        server.server_close()


def test_a_wrong_address_does_no_harm(log: Sealed) -> None:
    """A policy with an address that is none: told, and nothing else."""
    key = SigningKey("localhost/w", Algorithm.COSIGNATURE, bytes(32)).verifier
    with asking(log, f"witness w {key} nonsense:\nquorum w\n") as witnesses:
        assert witnesses.step() == 0
        assert witnesses.troubles


def test_missing_tiles_are_told(log: Sealed, tmp_path: Path) -> None:
    """Without the public files nothing can be proved, so nobody is asked."""
    with ExitStack() as stack:
        one = stack.enter_context(watching(tmp_path / "w", "w0"))
        witnesses = stack.enter_context(asking(log, f"{one.line('w')}quorum w\n"))
        assert witnesses.step() == 30
        grow(log, 5)
        shutil.rmtree(log.root / "public" / "tile")
        witnesses.step()
        assert "is missing" in str(witnesses.troubles)


def test_nothing_waits_for_a_witness(log: Sealed, tmp_path: Path) -> None:
    """One that takes the connection and never answers: facts are sealed meanwhile."""
    hanging = SigningKey("localhost/w", Algorithm.COSIGNATURE, bytes(32)).verifier
    handler = type("Slow", (Answers,), {"content": b"x" * 60_000, "pause_s": 0.5})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(POLL_S,), daemon=True).start()
    policy = f"witness w {hanging} http://127.0.0.1:{server.server_port}\nquorum w\n"
    with httpx.Client(timeout=1.0) as client:
        checkpoints = Checkpoints(log.root / "checkpoints.db")
        with closing(Witnessing(Witnesses(Policy.parse(policy), log.folder, checkpoints, client))):
            time.sleep(0.5)
            started = time.monotonic()
            grow(log, 5)
            assert time.monotonic() - started < 0.4
            assert log.checkpoint().size == 35
    server.shutdown()
    server.server_close()


def test_an_empty_log_asks_nobody(tmp_path: Path) -> None:
    """There is nothing to cosign yet."""
    key = SigningKey("localhost/w", Algorithm.COSIGNATURE, bytes(32)).verifier
    create_checkpoints(tmp_path / "checkpoints.db")
    policy = f"witness w {key} http://127.0.0.1:9\nquorum w\n"
    with (
        a_log(f"sqlite:///{tmp_path / 'ledger.db'}", tmp_path) as empty,
        asking(empty, policy) as witnesses,
    ):
        assert witnesses.step() == 0
        assert witnesses.troubles == {}


def test_the_witnessed_checkpoint_is_the_logs_own_and_more(log: Sealed, tmp_path: Path) -> None:
    """It has both signatures of the log, and the witness's beneath."""
    with ExitStack() as stack:
        one = stack.enter_context(watching(tmp_path / "w", "w0"))
        stack.enter_context(asking(log, f"{one.line('w')}quorum w\n")).step()
    content = log.folder.fetch("witnessed")
    for key in (KEY, LATER_KEY):
        assert opened(content, KEY.name, [key.verifier])[1] == log.checkpoint()
    assert isinstance(Checkpoint.parse(Note.parse(content).body), Checkpoint)
    assert [one.name for one in Note.parse(content).signatures][-1] == "localhost/w0"
