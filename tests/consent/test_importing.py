"""The directory from CSV: every good line is in once, every bad one is named, nothing else happens.

All of it on one real store, each file about ids of its own.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.consent.facts import (
    VOCABULARY,
    BankRegistered,
    ClerkRegistered,
    OfficeRegistered,
    ProductOffered,
    Right,
    RightGranted,
    SiteRegistered,
    StaffPhoneMarked,
)
from services.consent.importing.__main__ import main
from services.consent.importing.kinds import Asking, kind_of
from services.consent.importing.running import Came, Importing, Performing, Told, nothing_said
from services.consent.importing.tables import LINE_CHARACTERS_MAX, Table, Unreadable
from services.consent.separation import phone_mark
from shared.clock import system_clock
from shared.contracts.reasons import REASONS
from shared.ledger import group, stores
from shared.ledger.log import Log
from shared.ledger.rehearsal import rehearsal
from shared.marks import Marks, create_marks
from shared.web import Caller, Role

ROOT = Path(__file__).parents[2]
BY = Caller(Role.OPERATOR, "import")
OFFICES = "office_id,name,registered_from,registered_until"
CLERKS = "clerk_id,office_id,phones,trained_from,trained_until"
PHONE, OTHER = "+84911111111", "+84922222222"


@dataclass
class Desk:
    """An operator's folder with a store."""

    folder: Path
    log: Log
    marks: Marks
    numbers: Iterator[int]

    def file(self, *lines: str, name: str = "") -> Path:
        """Write a file; `#` in its lines stands for what makes ids this file's own."""
        number = next(self.numbers)
        file = self.folder / (name or f"{number}.csv")
        text = "".join(f"{line}\n" for line in lines).replace("#", str(number))
        file.write_bytes(text.encode("utf-8", "surrogateescape"))
        return file

    async def told(self, performing: Performing, *files: Path) -> list[Told]:
        """Import files, and return what came of each line."""
        with nothing_said() as said:
            importing = Importing(performing, Asking(self.marks, BY), said)
            tables = [(table, kind_of(table.columns)) for table in map(Table.of, files)]
            return [one for table, kind in tables async for one in importing.run(table, kind)]

    def rehearse(self, *files: Path) -> list[Told]:
        """Return what would come of each line."""
        with rehearsal(self.log, VOCABULARY, system_clock) as rehearsed:
            return asyncio.run(self.told(rehearsed, *files))

    def run(self, *files: Path) -> tuple[list[Told], list[Any]]:
        """Import after a rehearsal that says the same, and again, which adds nothing.

        Returns what came of each line, and the facts that were added.
        """
        before = self.log.recorder.head()
        would = self.rehearse(*files)
        assert self.log.recorder.head() == before
        came = asyncio.run(self.told(self.log, *files))
        assert came == would
        added = asyncio.run(self.log.read(after=before))
        again = asyncio.run(self.told(self.log, *files))
        assert self.log.recorder.head() == before + len(added)
        assert [one.reasons for one in again] == [one.reasons for one in came]
        assert {one.came for one in again} <= {Came.SAME, Came.BAD}
        return came, [one.fact for one in added]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Give a desk whose store knows a bank, two offices and a place."""
    folder = tmp_path_factory.mktemp("desk")
    address = f"sqlite:///{folder / 'ledger.db'}"
    stores.create_schema(address)
    create_marks(folder)
    with closing(Log(stores.open_recorder(address, system_clock), VOCABULARY)) as log:
        desk = Desk(folder, log, Marks.of(folder), count(1))
        desk.run(
            desk.file("bank_id,name", "cake,Cake"),
            desk.file("office_id,name", "lao-bao,Lao Bảo", "khe-sanh,Khe Sanh"),
            desk.file("site_id,name,host", "nha-van-hoa,Nhà văn hóa,UBND"),
        )
        yield desk


def codes(told: Told) -> list[tuple[str, str]]:
    """Return why a line is bad: columns and codes."""
    return [(reason.detail, reason.code) for reason in told.reasons]


# -- the law ------------------------------------------------------------------------------------

BAD: dict[str, tuple[str, str]] = {
    "w#,nowhere,,,": ("office_id", "office_unknown"),
    "x/#,lao-bao,,,": ("clerk_id", "cell_malformed"),
    ",lao-bao,,,": ("clerk_id", "cell_missing"),
    "x#,,,,": ("office_id", "cell_missing"),
    "x#,lao-bao,0911111111,,": ("phones", "cell_malformed"),
    "x#,lao-bao,+840911111111,,": ("phones", "cell_malformed"),
    "x#,lao-bao,,2021-02-29,": ("trained_from", "cell_malformed"),
    "x#,lao-bao,,2021-03-01T07:00:00,": ("trained_from", "cell_malformed"),
    "x#,lao-bao,,0001-01-01,": ("trained_from", "cell_malformed"),
    "x#,lao-bao,,1614556800,": ("trained_from", "cell_malformed"),
    "x#,lao-bao,,,2031-03-01": ("trained_until", "start_missing"),
    "z#,lao-bao,,2021-03-01,2021-03-01": ("trained_until", "valid_until_out_of_range"),
    "=x#,lao-bao,,,": ("clerk_id", "cell_formula"),
    "x\x00#,lao-bao,,,": ("clerk_id", "cell_control"),
    "x#,lao-bao,,": ("", "line_length"),
    "x#,lao-bao,,,,": ("", "line_length"),
    'x#,"lao-bao,,,': ("", "line_malformed"),
    'x#,"lao-bao"x,,,': ("", "line_malformed"),
    "x#,lao-bao\udcff,,,": ("", "line_not_utf8"),
    f"x#,{'o' * LINE_CHARACTERS_MAX},,,": ("", "line_too_long"),
}
"""Bad lines of clerks, with the column and the code."""

Particulars = tuple[str, tuple[str, ...], str]

GOOD = st.tuples(
    st.integers(0, 5),
    st.tuples(
        st.sampled_from(["lao-bao", "khe-sanh"]),
        st.sampled_from([(), (PHONE,), (OTHER, PHONE)]),
        st.sampled_from(["", "2021-03-01", "2021-02-28T17:00:00Z"]),
    ),
)
"""A clerk out of few, so that lines repeat and contradict each other, and particulars."""


def written(clerk: int, particulars: Particulars) -> str:
    """Return the line of a clerk."""
    office, phones, trained = particulars
    return f" c{clerk}-# ,{office},{'  '.join(phones)},{trained},"


@settings(max_examples=20)
@given(st.lists(st.one_of(GOOD, st.sampled_from([*BAD])), max_size=25), st.sampled_from(",;"))
def test_any_mixture_of_lines_in_any_order(
    desk: Desk, lines: list[tuple[int, Particulars] | str], delimiter: str
) -> None:
    """The good are in, the bad are named with their numbers, nothing else is changed."""
    texts = [CLERKS, *(one if isinstance(one, str) else written(*one) for one in lines)]
    file = desk.file(*(text.replace(",", delimiter) for text in texts))
    came, added = desk.run(file)
    assert [one.number for one in came] == list(range(2, len(lines) + 2))
    clerks = dict[int, Particulars]()
    for line, told in zip(lines, came, strict=True):
        if isinstance(line, str):
            assert (told.came, codes(told)) == (Came.BAD, [BAD[line]]), line
            continue
        clerk, particulars = line
        said = one_spelling(particulars)
        if clerk not in clerks:
            assert (told.came, codes(told)) == (Came.NEW, [])
        elif clerks[clerk] == said:
            assert (told.came, codes(told)) == (Came.SAME, [])
        else:
            assert (told.came, codes(told)) == (Came.BAD, [("", "line_contradicts")])
        clerks.setdefault(clerk, said)
    assert added == [fact for one in clerks.items() for fact in facts_of(desk, file, *one)]


def one_spelling(particulars: Particulars) -> Particulars:
    """Return particulars with one spelling for what is the same."""
    office, phones, trained = particulars
    return office, phones, "2021-03-01" if trained else ""


def facts_of(desk: Desk, file: Path, clerk: int, particulars: Particulars) -> Iterator[Any]:
    """Yield the facts of a clerk's line."""
    office, phones, trained = particulars
    clerk_id = f"c{clerk}-{file.stem}"
    yield ClerkRegistered(clerk_id=clerk_id, office_id=office)
    for mark in sorted(phone_mark(desk.marks, one) for one in phones):
        yield StaffPhoneMarked(clerk_id=clerk_id, office_id=office, phone_id=mark)
    if trained:
        yield RightGranted(
            right_id=f"training/{office}/{clerk_id}",
            right=Right.TRAINING,
            bank_id=None,
            office_id=office,
            clerk_id=clerk_id,
            site_id=None,
            valid_from=datetime(2021, 2, 28, 17, tzinfo=UTC),
            valid_until=None,
            document_hash=None,
            granted_by="operator:import",
        )


def test_each_bad_line_is_named_alone(desk: Desk) -> None:
    """By its number, column and code; a good line behind all of them is in."""
    came, added = desk.run(desk.file(CLERKS, *BAD, "y#,lao-bao,,,"))
    assert [codes(one) for one in came] == [*([one] for one in BAD.values()), []]
    assert [type(one) for one in added] == [ClerkRegistered]


# -- examples -----------------------------------------------------------------------------------


def test_each_kind_of_file(desk: Desk) -> None:
    """Told from its header, whatever the order of columns; later files name what earlier made."""
    digest = "0" * 64
    files = [
        desk.file("name,bank_id", "Ngân hàng,b1"),
        desk.file(
            "product_id,bank_id,name,purpose,terms_hash,side_purposes,lowest_grade",
            f"p1,b1,Tài khoản,open-account,{digest},marketing credit-scoring,otp",
        ),
        desk.file(f"{OFFICES},document_hash", f"o1,Hướng Hóa,2021-03-01,,{digest}"),
        desk.file("site_id,name,host,host_id", "s1,Trường học,UBND,"),
        desk.file(CLERKS, f"c1,o1,{PHONE},,"),
        desk.file("bank_id,office_id,valid_from,valid_until", "b1,o1,2021-03-01,2031-03-01"),
        desk.file("site_id,office_id,valid_from", "s1,o1,2023-08-08T08:00:00+07:00"),
        desk.file("device_id,office_id,valid_from", "may-01,o1,2023-08-08"),
    ]
    came, added = desk.run(*files)
    assert [one.came for one in came] == [Came.NEW] * 8
    assert [type(one) for one in added] == [
        *(BankRegistered, ProductOffered, OfficeRegistered, RightGranted, SiteRegistered),
        *(ClerkRegistered, StaffPhoneMarked, RightGranted, RightGranted, RightGranted),
    ]
    assert (added[1].side_purposes, added[1].lowest_grade) == (
        ["marketing", "credit-scoring"],
        "otp",
    )
    assert (added[3].right_id, added[3].document_hash) == ("registration/o1", digest)
    assert [one.about for one in came[-3:]] == ["o1/b1", "o1/s1", "o1/may-01"]
    assert (added[-1].right_id, added[-1].device_id) == ("device/o1/may-01", "may-01")
    assert came[-3].changes[0].after == "2021-03-01T00:00:00+07:00/2031-03-01T00:00:00+07:00"


def test_what_spreadsheets_write(desk: Desk) -> None:
    """A byte order mark, semicolons, CRLF, quotes, empty lines and decomposed letters."""
    text = '\ufeff Office_ID ; "Name"\r\n"o-#";" Bưu cu\u0323c ""A""; số 1 "\r\n;\r\n\r\np-#;P'
    file = desk.file(text)
    came, added = desk.run(file)
    assert [(one.number, one.came) for one in came] == [(2, Came.NEW), (5, Came.NEW)]
    assert [one.name for one in added] == ['Bưu cục "A"; số 1', "P"]


def test_a_line_that_differs_changes_what_can_change(desk: Desk) -> None:
    """Dates and phones do, and what they were is told; an entry's other particulars never."""
    digest = "1" * 64
    first = desk.file(f"{CLERKS},document_hash", f"d1,lao-bao,{PHONE},2021-03-01,,{digest}")
    desk.run(first)
    came, added = desk.run(desk.file(CLERKS, "d1,lao-bao,,2021-03-01,"))
    assert (came[0].came, added) == (Came.SAME, [])  # says nothing of phones, nor of the paper
    came, added = desk.run(desk.file(CLERKS, f"d1,lao-bao,{OTHER},2021-03-01,2024-01-01"))
    assert came[0].came is Came.CHANGED
    changes = {one.of: (one.before, one.after) for one in came[0].changes}
    assert changes["phones"] == (None, "1 more, 1 fewer")
    start = "2021-03-01T00:00:00+07:00"
    assert changes["training"] == (
        f"{start}/.. with {digest}",
        f"{start}/2024-01-01T00:00:00+07:00",
    )
    came, added = desk.run(desk.file(CLERKS, "d1,khe-sanh,,,"))
    assert (codes(came[0]), added) == ([("", "registered_otherwise")], [])
    came, _ = desk.run(desk.file("bank_id,office_id,valid_from", "cake,lao-bao,2021-03-01"))
    assert came[0].came is Came.NEW
    came, _ = desk.run(desk.file("bank_id,office_id,valid_from", "cake,lao-bao,2022-03-01"))
    assert came[0].came is Came.CHANGED
    came, _ = desk.run(desk.file("office_id,name,registered_from", "lao-bao,Lao Bảo,2021-03-01"))
    assert came[0].came is Came.CHANGED


def test_every_reason_of_a_line_is_told(desk: Desk) -> None:
    """Not the first alone; a rule's reasons with the columns that they are about."""
    came, added = desk.run(
        desk.file(CLERKS, "x/,,1,2021,2020"),
        desk.file("site_id,office_id,valid_from", "nowhere,nowhere,2021-03-01"),
        desk.file(
            "product_id,bank_id,name,purpose,terms_hash,side_purposes",
            f"p-#,cake,P,open-account,{'0' * 64},marketing marketing",
        ),
    )
    assert sorted(codes(came[0])) == [
        ("clerk_id", "cell_malformed"),
        ("office_id", "cell_missing"),
        ("phones", "cell_malformed"),
        ("trained_from", "cell_malformed"),
        ("trained_until", "cell_malformed"),
    ]
    assert codes(came[1]) == [("office_id", "office_unknown"), ("site_id", "site_unknown")]
    assert codes(came[2]) == [("", "cell_malformed")]
    assert added == []


@pytest.mark.parametrize(
    "header",
    [
        "",
        "id,name",
        "office_id",
        "office_id,name,name",
        "office_id,name,phones",
        "office_id,n\udcff",
    ],
)
def test_a_file_without_a_known_header_is_not_begun(desk: Desk, header: str) -> None:
    """A column that is missing, doubled, unknown, or of another kind; or no header at all."""
    with pytest.raises(Unreadable):
        kind_of(Table.of(desk.file(header, "o,O")).columns)


# -- the command --------------------------------------------------------------------------------


@pytest.fixture
def command(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Give the desk whose settings the command finds in the environment."""
    monkeypatch.setenv("CONSENT_FOLDER", str(desk.folder))
    monkeypatch.setattr(sys, "setswitchinterval", lambda _: None)
    return desk


def test_the_command_tells_people_and_programs(
    command: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """Files in any order; changes and bad lines with their reasons; 0, or 1 where one is bad."""
    clerks = command.file("clerk_id,office_id", "e1,e-o", "e2,nowhere")
    offices = command.file("office_id,name", "e-o,Bưu cục")
    files = [str(clerks), str(offices)]
    head = command.log.recorder.head()
    assert main(["--dry-run", *files]) == 1
    would = capsys.readouterr().out.splitlines()
    assert would[:4] == [
        *(f"{offices}:2: new: office e-o", "    entry: registered"),
        *(f"{clerks}:2: new: clerk e1", "    entry: registered"),
    ]
    assert would[4:6] == [
        f"{clerks}:3: bad: clerk e2",
        f"    column office_id: office_unknown: {REASONS['office_unknown'].en}",
    ]
    assert would[6].startswith("nothing is changed: 2 new, 0 changed, 0 same, 1 bad; ")
    assert main(["--dry-run", "--json", *files]) == 1
    rehearsed = capsys.readouterr().out.splitlines()
    assert command.log.recorder.head() == head
    assert main(["--json", "--by", "tct", *files]) == 1
    *done, end = capsys.readouterr().out.splitlines()
    assert done == rehearsed[:-1]
    assert json.loads(done[2])["reasons"][0]["vi"] == REASONS["office_unknown"].vi
    assert json.loads(end)["new"] == 2
    assert main([str(offices)]) == 0
    assert capsys.readouterr().out.startswith("done: 0 new, 0 changed, 1 same, 0 bad; ")


def test_the_command_that_cannot_be_done(
    command: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """2, and why: a file that is not there or of no kind, a store that is not there or not able.

    Nothing is begun while one of the files cannot be read.
    """
    head = command.log.recorder.head()
    good = command.file("office_id,name", "f1,Bưu cục")
    assert main([str(good), str(command.folder / "none.csv")]) == 2
    assert "there is no such file" in capsys.readouterr().err
    assert main([str(good), str(command.file("id,name"))]) == 2
    assert "no kind of file has the columns id, name" in capsys.readouterr().err
    with monkeypatch.context() as full:
        full.setattr(group, "WAITING_MAX", 0)
        assert main([str(good)]) == 2
    assert f"{good}:2: {REASONS['overloaded'].en}" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["--by", "nobody in particular", str(good)])
    monkeypatch.setenv("CONSENT_FOLDER", str(command.folder / "elsewhere"))
    assert main([str(good)]) == 2
    assert "no ledger at" in capsys.readouterr().err
    assert command.log.recorder.head() == head


def test_killed_in_the_middle_and_run_again(command: Desk) -> None:
    """Whole lines are in, and after the second run the same as after one: each once."""
    clerks = 300
    lines = [f"k{number}-#,lao-bao,+849{number:08},2021-03-01," for number in range(clerks)]
    while True:  # once, unless it was done before it could be killed
        file, head = command.file(CLERKS, *lines), command.log.recorder.head()
        killed_in_the_middle(command, file)
        left = command.log.recorder.head() - head
        if left < 3 * clerks:
            break
    assert left % 3 == 0
    there, missing = left // 3, clerks - left // 3
    would = command.rehearse(file)
    assert [one.came for one in would] == [Came.SAME] * there + [Came.NEW] * missing
    assert main([str(file)]) == 0
    facts = [one.fact for one in asyncio.run(command.log.read(after=head))]
    assert [one.clerk_id for one in facts] == [
        f"k{number}-{file.stem}" for number in range(clerks) for _ in range(3)
    ]
    assert len(set(map(type, facts[:3]))) == 3


def killed_in_the_middle(command: Desk, file: Path) -> None:
    """Import in a process of its own, and kill it as soon as twenty lines are in."""
    head, until = command.log.recorder.head(), time.monotonic() + 60
    process = subprocess.Popen(
        [sys.executable, "-m", "services.consent.importing", str(file)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    while command.log.recorder.head() < head + 3 * 20:
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.001)
    process.kill()
    process.wait()
