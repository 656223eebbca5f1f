"""`./run demo` is part of what must hold: the whole morning, and how it ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from demo.show import Step

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "demo"]


def children_in(folder: Path) -> list[str]:
    """Return the processes whose environment names the folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder).encode() in (process / "environ").read_bytes():
                found.append(process.name)
        except OSError:
            continue
    return found


def test_the_morning_comes_out_as_it_must(tmp_path: Path) -> None:
    """Every step has its outcome, the logs are sound, nothing is left running."""
    done = subprocess.run(
        [*COMMAND, "--once", "--folder", str(tmp_path / "stage")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    flat = " ".join(done.stdout.split())
    for code in (
        "consent_missing",
        "purpose_differs",
        "consent_used",
        "key_unknown",
        "signature_invalid",
        "bank_differs",
        "product_differs",
        "subject_differs",
        "clerk_differs",
        "consent_expired",
        "consent_withdrawn",
        "consent_unreachable",
        "refused_before",
        "one winner",
        "no answer",
    ):
        assert code in flat
    assert "✗" not in done.stdout
    assert "\x1b[" not in done.stdout, "no colours in a file"
    assert (tmp_path / "stage" / "consent" / "ledger.db").exists()
    assert children_in(tmp_path) == []


def test_a_step_that_comes_out_otherwise_is_wrong() -> None:
    """An outcome, or the reason for it, other than the one that must be fails the demo."""
    step = Step("07:05", "Clerk", "tries", "rejected", "…", ("consent_missing",), "rejected")
    assert step.as_it_must
    assert not Step("07:05", "Clerk", "tries", "opened", "…", (), "rejected").as_it_must
    said = Step("07:05", "C", "t", "rejected", "…", ("malformed",), "rejected", "consent_missing")
    assert not said.as_it_must


def test_it_stays_up_until_it_is_interrupted(tmp_path: Path) -> None:
    """Ctrl-C ends it with the story's verdict, and both services with it."""
    output = tmp_path / "out"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [*COMMAND, "--folder", str(tmp_path / "stage")],
            cwd=ROOT,
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        until = time.monotonic() + 90
        while b"all files" not in output.read_bytes() and time.monotonic() < until:
            assert process.poll() is None, output.read_text()
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0, output.read_text()
    assert children_in(tmp_path) == []
