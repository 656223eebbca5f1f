"""Lines of a bank's list that cannot be read, and how a list may be written."""

import asyncio
import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.accounts.facts import Came, ReconciliationDone, ReconciliationRejected
from services.accounts.lines import COLUMNS, LINE_BYTES_MAX, Form, Pieces
from shared.contracts.reasons import REASONS
from shared.errors import Rejection
from tests.support.lists import Desk, as_csv, as_ndjson, line, listed

HEADER = ",".join(COLUMNS)

GOOD = "100001,2023-08-09T09:00:00+07:00,,,,"
BAD: dict[bytes, tuple[str, str | None]] = {
    b",2023-08-09T09:00:00+07:00,,,,": ("cell_missing", "account_number"),
    b"12,2023-08-09T09:00:00+07:00,,,,": ("cell_malformed", "account_number"),
    b"1000 01,2023-08-09T09:00:00+07:00,,,,": ("cell_malformed", "account_number"),
    b"=10001,2023-08-09T09:00:00+07:00,,,,": ("cell_malformed", "account_number"),
    b"200001,,,,,": ("cell_missing", "opened_at"),
    b"200001,2023-08-09,,,,": ("cell_malformed", "opened_at"),
    b"200001,2023-08-09T09:00:00,,,,": ("cell_malformed", "opened_at"),
    b"200001,2023-02-29T09:00:00Z,,,,": ("cell_malformed", "opened_at"),
    b"200001,0001-01-01T00:00:00+14:00,,,,": ("cell_malformed", "opened_at"),
    b"200001,9999-12-31T23:59:59-12:00,,,,": ("cell_malformed", "opened_at"),
    b"200001,2023-08-09T09:00:00Z,a/b,,,": ("cell_malformed", "opening_id"),
    b"200001,2023-08-09T09:00:00Z,,a b,,": ("cell_malformed", "office_id"),
    "200001,2023-08-09T09:00:00Z,,,Mai Hồ,".encode(): ("cell_malformed", "clerk_id"),
    b"200001,2023-08-09T09:00:00Z,,,\x00,": ("cell_malformed", "clerk_id"),
    b"200001,2023-08-09T09:00:00Z,,,," + b"p" * 65: ("cell_malformed", "product_id"),
    b"200001,2023-08-09T09:00:00Z,,,": ("line_length", None),
    b"200001,2023-08-09T09:00:00Z,,,,,": ("line_length", None),
    b'200001,"2023-08-09T09:00:00Z,,,,': ("line_malformed", None),
    b'200001,"2023-08-09T09:00:00Z"x,,,,': ("line_malformed", None),
    b"200001,2023-08-09T09:00:00Z,\xff,,,": ("line_not_utf8", None),
    b"200001,2023-08-09T09:00:00Z,,,," + b"p" * LINE_BYTES_MAX: ("line_too_long", None),
    b"200001,2023-08-09T09:00:00Z,,,," + b"p" * 100_000: ("line_too_long", None),
    b'"100001","2023-08-09T09:00:00Z",,,,': ("line_repeated", None),
}
"""Bad lines behind a good one, with the code and the column."""

BAD_OBJECTS: dict[bytes, tuple[str, str | None]] = {
    b"[]": ("line_not_object", None),
    b"1": ("line_not_object", None),
    b'{"account_number":': ("line_not_object", None),
    b"[" * 2000: ("line_not_object", None),
    b'{"account_number":"200001","opened_at":"2023-08-09T09:00:00Z","name":"x"}': (
        "member_unknown",
        None,
    ),
    b'{"account_number":200001,"opened_at":"2023-08-09T09:00:00Z"}': (
        "cell_malformed",
        "account_number",
    ),
    b'{"opened_at":"2023-08-09T09:00:00Z"}': ("cell_missing", "account_number"),
    b'{"account_number":null,"opened_at":"2023-08-09T09:00:00Z"}': (
        "cell_missing",
        "account_number",
    ),
    b'{"account_number":"200001","opened_at":1691546400}': ("cell_malformed", "opened_at"),
    b'{"account_number":"\xff"}': ("line_not_utf8", None),
    b'{"account_number":"100001","opened_at":"2023-08-09T09:00:00Z"}': ("line_repeated", None),
}


@pytest.mark.parametrize("form", Form)
def test_every_bad_line_is_told_by_its_number_and_nothing_else_is(desk: Desk, form: Form) -> None:
    """Whatever is wrong with one, those around it are read; nothing of what it says is kept."""
    bank_id = desk.bank()
    own = listed(bank_id, form=form)
    bad = BAD if form is Form.CSV else BAD_OBJECTS
    good = GOOD.encode() if form is Form.CSV else as_ndjson([line("100001")]).strip()
    last = good.replace(b"100001", b"100009")
    head = [HEADER.encode()] if form is Form.CSV else []
    rows = [*head, good, *(one for pair in bad for one in (pair, b" ")), last]
    asyncio.run(desk.take(own, b"\r\n".join(rows)))
    noted = asyncio.run(desk.noted(own))
    first = len(head) + 2
    told = {one.line: (one.code, one.column) for one in noted if one.came is Came.BAD}
    assert told == {first + 2 * at: said for at, said in enumerate(bad.values())}
    assert [one.line for one in noted if one.came is not Came.BAD] == [len(head) + 1, len(rows)]
    (done,) = asyncio.run(desk.facts(f"reconciliation:{own.id}", kind=ReconciliationDone))
    assert (done.counts.lines, done.counts.bad) == (len(bad) + 2, len(bad))
    assert {one.code for one in noted} <= set(REASONS)
    kept = repr(asyncio.run(desk.facts(f"reconciliation:{own.id}")))
    assert "200001" not in kept
    assert "100001" not in kept


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"\xff\n",
        b"account_number\n",
        b"account_number,opened_at,name\n",
        b"account_number,opened_at,opened_at\n",
        b'account_number,"opened_at\n',
        b"account_number," + b"x" * 5000,
        b"100001,2023-08-09T09:00:00Z\n",
    ],
)
def test_a_file_without_its_header_is_not_taken(desk: Desk, header: bytes) -> None:
    """It is no list; that it was tried is a fact."""
    own = listed(desk.bank())
    with pytest.raises(Rejection, match="header_malformed"):
        asyncio.run(desk.take(own, header))
    (rejected,) = asyncio.run(desk.facts(f"bank:{own.bank_id}", kind=ReconciliationRejected))
    assert rejected.reasons == ["header_malformed"]
    assert asyncio.run(desk.noted(own)) == []


@pytest.mark.parametrize("form", ["semicolons", "mark", "order", "no end", "ndjson", "quotes"])
def test_a_list_says_the_same_in_every_form(desk: Desk, form: str) -> None:
    """As CSV with either delimiter, with a byte order mark, columns in any order, or as NDJSON."""
    bank_id = desk.bank()
    lines = [
        line("100001", office_id="o", clerk_id="k", product_id="p", opening_id="x"),
        line("100002"),
        line("1", office_id="o"),
    ]
    plain = as_csv(lines)
    other = {
        "semicolons": as_csv(lines, ";"),
        "mark": b"\xef\xbb\xbf" + plain,
        "order": b"\n".join(b",".join(reversed(one.split(b","))) for one in plain.split(b"\n")),
        "no end": plain.strip(),
        "ndjson": b"\xef\xbb\xbf\n" + as_ndjson(lines),
        "quotes": plain.replace(b"100001", b' "100001"').replace(b"opened_at", b" Opened_At "),
    }[form]
    first, second = listed(bank_id, "l1"), listed(bank_id, "l2")
    if form == "ndjson":
        second = replace(second, form=Form.NDJSON)
    asyncio.run(desk.take(first, plain))
    asyncio.run(desk.take(second, other))
    noted = asyncio.run(desk.noted(first))
    assert len(noted) == 3
    assert asyncio.run(desk.noted(second)) == noted


@given(st.binary(max_size=60).map(lambda one: one.replace(b"\x00", b"\n")), st.data())
def test_pieces_are_the_same_wherever_the_network_cut(body: bytes, data: st.DataObject) -> None:
    """Their lines are those of the body, and their digests those of what it was up to there."""
    cuts = data.draw(st.lists(st.integers(0, len(body)), max_size=5).map(sorted))
    pieces = Pieces(2)
    blocks = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    found = [piece for block in blocks for piece in pieces.feed(block)] + list(pieces.end())
    whole = body.split(b"\n")
    lines = whole[:-1] + ([whole[-1]] if whole[-1] else [])
    assert [one for piece in found for one in piece.lines] == [
        one.removesuffix(b"\r") for one in lines
    ]
    for number, piece in enumerate(found):
        end = b"".join(one + b"\n" for one in whole[: piece.first + len(piece.lines) - 1])
        assert piece.digest == hashlib.sha256(body[: len(end)]).hexdigest()
        assert (piece.number, piece.first) == (number, 2 * number + 1)
    assert (pieces.lines, pieces.count) == (len(lines), len(found))
    assert pieces.digest == hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize("length", range(LINE_BYTES_MAX - 1, LINE_BYTES_MAX + 4))
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_line_is_cut_only_where_it_is_too_long(length: int, end: bytes) -> None:
    """One that is as long as it may be is whole, however it arrives; no long one passes as one."""
    for step in (1000, length, length + 1, 10_000):
        pieces, body = Pieces(1), b"x" * length + end
        blocks = [body[at : at + step] for at in range(0, len(body), step)]
        (piece,) = [one for block in blocks for one in pieces.feed(block)]
        assert (len(piece.lines[0]) <= LINE_BYTES_MAX) == (length <= LINE_BYTES_MAX)
        assert length > LINE_BYTES_MAX or piece.lines[0] == b"x" * length
