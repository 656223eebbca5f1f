"""Two exports: the later continues the earlier, or where the log was forked is shown."""

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from services.audit import __main__ as audit
from tests.audit.conftest import Stage, Told
from tests.audit.tampering import forged, renamed
from tests.support.tampering import rewritten


def test_a_later_export_continues_an_earlier_one_or_the_fork_is_shown(
    stage: Stage, export: Path, told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    """Append-only, in this order; and whatever was rewritten meanwhile, first of all."""
    stage.grow()
    later = stage.place("later.zip")
    assert told("export", later, *stage.addresses)[0] == 0
    code, document = told("verify", export, later)
    assert (code, document["continues"]) == (0, told("verify", export)[1]["fingerprint"])
    assert told("verify", export, export)[0] == 0
    assert audit.main(["verify", str(export), str(later)]) == 0
    assert "continues the export" in capsys.readouterr().out
    code, document = told("verify", later, export)
    (found,) = document["findings"]
    assert code == 1
    assert "ends at position" in found["how"]
    for position in (9, 280):
        fork = forged(stage, export, renamed(position))
        (fork / "consent/tlog/witnessed").unlink()
        rewritten(fork)
        for pair in ((fork, later), (later, fork), (fork, export)):
            code, document = told("verify", *pair)
            (found,) = document["findings"]
            assert (code, found["log"], found["position"]) == (1, "consent", position)
            assert "forked" in found["how"]


def test_a_log_that_was_recorded_again_later_is_a_fork(
    stage: Stage, export: Path, told: Told
) -> None:
    """The same facts at other times: another history, from the first on."""
    moved = forged(
        stage,
        export,
        lambda fact: msgspec.structs.replace(
            fact, recorded_at=fact.recorded_at + timedelta(microseconds=1)
        ),
        "accounts",
    )
    (moved / "accounts/tlog/witnessed").unlink()
    rewritten(moved)
    (found,) = told("verify", export, moved)[1]["findings"]
    assert (found["log"], found["position"]) == ("accounts", 1)


def test_what_cannot_be_compared_is_said(stage: Stage, export: Path, told: Told) -> None:
    """A part of a log says nothing of what lies beside it, nor one log of another."""
    part, one, other = stage.place("part"), stage.place("one"), stage.place("other")
    assert told("export", part, *stage.addresses, "--bank", "b7")[0] == 0
    assert told("export", one, *stage.addresses[:2], *stage.addresses[4:])[0] == 0
    assert told("export", other, *stage.addresses[2:])[0] == 0
    assert told("verify", export, part) == (2, {})
    assert told("verify", one, other) == (2, {})
    assert told("verify", export, one)[0] == 0
