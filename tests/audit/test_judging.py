"""The laws as an inspector runs them: over an export, by number, with positions."""

import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.audit import __main__ as audit
from services.audit.export import (
    FORMAT,
    JWKS,
    MANIFEST,
    LogName,
    Manifest,
    Subset,
    Taken,
    facts_path,
    read_fact,
)
from services.audit.laws import LAWS, Law, judge
from services.consent.facts import BankRegistered, OfficeRegistered
from shared.canonical import canonical
from shared.ledger.facts import tags_of
from tests.audit.conftest import Stage, Told
from tests.support import samples

AT = datetime(2023, 8, 9, tzinfo=UTC)
BANKS = [BankRegistered(bank_id=f"b{number}", name="N") for number in range(3)]
NO_KEYS: dict[str, Any] = {"keys": []}


def line(position: int, happened: Any) -> bytes:
    """Return the line of a fact in an export."""
    at = (AT + timedelta(seconds=position)).isoformat().replace("+00:00", "Z")
    head = {"position": position, "recorded_at": at, "kind": happened.NAME}
    said = json.dumps({**head, "tags": tags_of(happened)}, separators=(",", ":")).encode()
    return said[:-1] + b',"data":' + canonical(happened) + b',"parts":[]}\n'


def export_of(place: Path, subset: Subset | None = None, **logs: Sequence[Any]) -> Path:
    """Write what judging reads of an export."""
    taken = dict[LogName, Taken]()
    for log, facts in logs.items():
        name: LogName = "consent" if log == "consent" else "accounts"
        file = place / facts_path(name, 1)
        file.parent.mkdir(parents=True)
        lines = [line(position, one) for position, one in enumerate(facts, start=1)]
        file.write_bytes(b"".join(lines))
        taken[name] = Taken(name, len(facts), "0" * 64)
    (place / MANIFEST).write_bytes(Manifest(FORMAT, AT, taken, subset).content())
    (place / JWKS).write_text(json.dumps(NO_KEYS))
    return place


def test_an_export_that_keeps_the_laws_is_right(tmp_path: Path, told: Told) -> None:
    """Exit 0, as a folder and as a zip, to people and to programs."""
    place = export_of(tmp_path / "e", consent=BANKS, accounts=[])
    code, document = told("judge", place)
    assert (code, document["right"], document["facts"]) == (0, True, 3)
    assert {int(number) for number in document["laws"]} == set(LAWS)
    zipped = shutil.make_archive(str(tmp_path / "z"), "zip", place)
    assert told("judge", zipped)[0] == 0


def test_what_breaks_a_law_is_told_with_its_place(
    tmp_path: Path, told: Told, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 1; a sentence for each violation, the law in both languages once."""
    place = export_of(tmp_path / "e", consent=[*BANKS, BANKS[1], BANKS[0]], accounts=[])
    code, document = told("judge", place)
    places = [(one["law"], one["log"], one["positions"]) for one in document["violations"]]
    assert (code, places) == (1, [(34, "consent", [4]), (34, "consent", [5])])
    assert audit.main(["judge", str(place)]) == 1
    shown = capsys.readouterr().out
    assert "LAW 34: consent 4: registered against the rules at 4" in shown
    assert shown.count(LAWS[34].vi) == shown.count(LAWS[34].en) == 1
    assert "`verify` says if it was sealed so" in shown


def test_what_was_taken_over_the_wire_is_judged(stage: Stage, export: Path, told: Told) -> None:
    """The stage's logs are full of banks that were registered twice, and both are read whole."""
    _, verified = told("verify", export)
    code, document = told("judge", export)
    assert code == 1
    assert document["facts"] == sum(one["facts"] for one in verified["logs"].values())
    assert {one["law"] for one in document["violations"]} >= {34}


@pytest.mark.parametrize("what", ["a part", "one log", "no keys", "no facts", "a broken line"])
def test_what_cannot_be_judged_is_not(
    what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2, and why; never a verdict on half of it."""
    place = export_of(
        tmp_path / "e",
        Subset("2023-08") if what == "a part" else None,
        consent=BANKS,
        **({} if what == "one log" else {"accounts": BANKS[:0]}),
    )
    if what == "no keys":
        (place / JWKS).write_text("[]")
    if what == "no facts":
        (place / facts_path("consent", 1)).unlink()
    if what == "a broken line":
        (place / facts_path("consent", 1)).write_bytes(b"{}\n")
    assert audit.main(["judge", str(place)]) == 2
    assert "cannot be judged: " in capsys.readouterr().err


def test_what_cannot_be_read_is_a_violation_and_the_rest_is_judged() -> None:
    """An unknown kind and a fact without its fields are named; what follows is held to the laws."""
    office = OfficeRegistered(office_id="o", name="N")
    lines = [line(position, one) for position, one in enumerate([*BANKS, office, office], start=1)]
    lines[1] = lines[1].replace(b"bank.registered.1", b"bank.founded.1")
    lines[2] = lines[2].replace(b'"bank_id":"b2",', b"")
    found = judge([read_fact(one[:-1]) for one in lines], [], NO_KEYS)
    assert [(one.law, one.positions) for one in found] == [(36, (2,)), (36, (3,)), (34, (5,))]


@pytest.mark.parametrize("time", ["2023-08-09T00:00:00", "0001-01-01T00:00:00Z"])
def test_a_time_that_no_service_writes_ends_nothing(time: str) -> None:
    """A time without a zone, or before all others, is named, and the facts behind it are judged."""
    question = json.dumps(time).encode()
    lines = [line(position, one) for position, one in enumerate([samples.QUESTION, *BANKS], 1)]
    asked_at = b'"asked_at":'
    head, _, rest = lines[0].partition(asked_at)
    lines[0] = head + asked_at + question + rest[rest.index(b",") :]
    lines.append(line(5, BANKS[0]))
    found = list(judge([read_fact(one[:-1]) for one in lines], [], NO_KEYS))
    assert found[-1].positions == (5,)
    assert (36 in {one.law for one in found}) is not time.endswith("Z")


def test_the_page_of_the_laws_has_each_of_them() -> None:
    """docs/audit.md says what the program says, word for word."""
    page = Path("docs/audit.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d+) \| (.+) \| (.+) \| (.+) \|$", page, re.MULTILINE)
    told = [Law(int(number), vi, en, source) for number, en, vi, source in rows]
    assert told == list(LAWS.values())


def test_a_tag_that_came_later_may_be_missing_only_before_it_came() -> None:
    """Facts keep the tags of their day; once a fact has the new one, none lacks it."""
    question: Any = replace(samples.QUESTION, dispute_id="d")
    whole, tags = tags_of(question), json.dumps(tags_of(question), separators=(",", ":"))
    less = json.dumps(whole[:-1], separators=(",", ":"))
    older = [line(one, question).replace(tags.encode(), less.encode()) for one in (1, 2)]
    for lines, broken in (
        ([older[0], line(2, question)], []),
        ([line(1, question), older[1]], [2]),
    ):
        found = judge([read_fact(one[:-1]) for one in lines], [], NO_KEYS)
        assert [one.positions[0] for one in found if one.law == 14] == broken
