"""The status list: the draft's own examples, round trips, and nothing believed that is no list."""

import base64
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.canonical import canonical
from shared.contracts.consent import Unreadable
from shared.contracts.status_list import (
    INFLATED_BYTES_MAX,
    LIST_ENTRIES,
    TOKEN_CHARACTERS_MAX,
    BadStatusList,
    PackedList,
    Place,
    Status,
    StatusList,
    StatusListToken,
    read_status_list,
)

ONE_BIT = [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1]
TWO_BITS = [1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3]
MILLION = 1 << 20
LONG = {
    0: 1,
    1993: 2,
    25460: 1,
    159495: 3,
    495669: 1,
    554353: 1,
    645645: 2,
    723232: 1,
    854545: 1,
    934534: 2,
    1000345: 3,
}
LONG_LST = (
    "eNrt2zENACEQAEEuoaBABP5VIO01fCjIHTMStt9ovGVIAAAAAABAbiEBAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAEB5WwIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAID0ugQAAAAAAAAAAAAAAAAAQG12SgAAAAAAAAAAAAAAAAAAAAAAAAAAAOCSIQEAAAAA"
    "AAAAAAAAAAAAAAAAAAD8ExIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAwJEuAQAAAAAAAAAAAAAAAAAAAAAA"
    "AMB9SwIAAAAAAAAAAAAAAAAAAACoYUoAAAAAAAAAAAAAAEBqH81gAQw"
)


def of(statuses: list[int], bits: int) -> StatusList:
    """Return a list that has just these."""
    return StatusList.of(dict(enumerate(statuses)), len(statuses), bits)


@pytest.mark.parametrize(
    ("statuses", "bits", "packed", "lst"),
    [
        (ONE_BIT, 1, b"\xb9\xa3", "eNrbuRgAAhcBXQ"),
        (TWO_BITS, 2, b"\xc9\x44\xf9", "eNo76fITAAPfAgc"),
    ],
)
def test_the_examples_of_the_draft(statuses: list[int], bits: int, packed: bytes, lst: str) -> None:
    """Section 4's two lists, byte for byte."""
    made = of(statuses, bits)
    assert (made.packed, made.encode()) == (packed, lst)
    assert StatusList.decode(lst, bits) == made
    assert [made.get(index) for index in range(len(made))] == statuses


def test_the_long_example_of_the_draft() -> None:
    """The 2 bit test vector of a million entries."""
    assert StatusList.decode(LONG_LST) == StatusList.of(LONG, MILLION)


@given(
    st.sampled_from([1, 2, 4, 8]).flatmap(
        lambda bits: st.tuples(
            st.just(bits),
            st.dictionaries(st.integers(0, LIST_ENTRIES - 1), st.integers(0, (1 << bits) - 1)),
        )
    )
)
def test_what_is_put_in_comes_out(drawn: tuple[int, dict[int, int]]) -> None:
    """Every status at its index, and 0 at every other."""
    bits, statuses = drawn
    again = StatusList.decode(StatusList.of(statuses, bits=bits).encode(), bits)
    assert len(again) == LIST_ENTRIES
    assert all(again.get(index) == status for index, status in statuses.items())
    assert sum(byte.bit_count() for byte in again.packed) == sum(
        status.bit_count() for status in statuses.values()
    )


@given(st.integers(0, 2**53))
def test_every_position_has_its_own_place(position: int) -> None:
    """A position's list and index lead back to it."""
    place = Place.of(position)
    assert 0 <= place.index < LIST_ENTRIES
    assert place.number * LIST_ENTRIES + place.index == position


def test_places() -> None:
    """The last position of the first list, and the first of the second."""
    assert Place.of(65_535) == Place(0, 65_535)
    assert Place.of(65_536) == Place(1, 0)


def packed(data: bytes) -> str:
    """Return bytes as a list is sent."""
    return base64.urlsafe_b64encode(zlib.compress(data)).decode().rstrip("=")


BOMB = packed(bytes(100 * INFLATED_BYTES_MAX))


@pytest.mark.parametrize(
    ("lst", "how"),
    [
        ("", "cut"),
        ("eNo76fITAAPfAg", "cut"),
        ("eNo76fITAAPfAgc=", "padding"),
        ("eNo76fITAAPfAg*", "not base64url"),
        ("eNo76fITAAPfA", "not base64url"),
        ("đ", "not base64url"),
        ("AAAA", "not zlib"),
        (packed(b"x") + "AAAA", "more behind"),
        (BOMB, "longer"),
        (packed(bytes(INFLATED_BYTES_MAX + 1)), "longer"),
    ],
)
def test_what_is_no_list(lst: str, how: str) -> None:
    """Cut, padded, not base64, not zlib, or far too long: one error, and little memory."""
    with pytest.raises(BadStatusList, match=how):
        StatusList.decode(lst)


@given(st.text() | st.from_regex(r"\A[A-Za-z0-9_-]*\Z") | st.binary().map(packed))
def test_any_text_is_a_list_or_one_error(lst: str) -> None:
    """Nonsense has one error, whatever it is."""
    try:
        read = StatusList.decode(lst)
    except BadStatusList:
        return
    assert StatusList.decode(read.encode()) == read


def test_the_longest_that_is_read() -> None:
    """The bound itself is a list."""
    assert len(StatusList.decode(packed(bytes(INFLATED_BYTES_MAX)))) == INFLATED_BYTES_MAX * 4


@pytest.mark.parametrize(("index", "status"), [(-1, 0), (12, 0), (0, 4), (0, -1)])
def test_what_does_not_fit(index: int, status: int) -> None:
    """No index outside the list, no status wider than an entry."""
    with pytest.raises(BadStatusList, match="no list of 12"):
        StatusList.of({index: status}, 12)


def test_a_size_or_an_index_that_is_none() -> None:
    """Three bits, or an entry behind the last one."""
    with pytest.raises(BadStatusList, match="1, 2, 4 or 8"):
        StatusList.of({}, bits=3)
    with pytest.raises(BadStatusList, match="1, 2, 4 or 8"):
        StatusList.decode("eNo", 0)
    for index in (-1, 12):
        with pytest.raises(BadStatusList, match=f"no entry {index}"):
            of(TWO_BITS, 2).get(index)


def test_a_signed_list_says_what_the_draft_asks() -> None:
    """The payload comes back as it went; one that lacks a member does not."""
    entries = StatusList.of({5: Status.USED, 9: Status.INVALID})
    token = StatusListToken(
        iss="consent",
        sub="https://consent.example/status/0",
        iat=1_691_543_700,
        exp=1_691_547_300,
        ttl=300,
        status_list=PackedList(bits=entries.bits, lst=entries.encode()),
    )
    assert read_status_list(canonical(token)) == token
    assert token.status_list.unpacked().get(5) == Status.USED
    for wrong in (b"{}", b"x", canonical(token).replace(b'"bits":2', b'"bits":"2"')):
        with pytest.raises(Unreadable):
            read_status_list(wrong)


def test_the_fullest_list_is_short_enough_to_be_read() -> None:
    """Entries that no compression shrinks stay below the bound, signed and coded twice."""
    noise = b"".join(zlib.crc32(bytes([at % 256, at // 256])).to_bytes(4) for at in range(4096))
    lst = StatusList(2, noise).encode()
    payload = canonical(PackedList(bits=2, lst=lst)) + bytes(1000)
    assert len(lst) > len(noise)
    assert len(base64.b64encode(payload)) < TOKEN_CHARACTERS_MAX
