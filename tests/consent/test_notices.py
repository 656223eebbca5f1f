"""The texts that citizens sign: complete as the law wants them, plain, and the same years later."""

import hashlib
import unicodedata
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from itertools import combinations, product
from pathlib import Path

import pytest

from services.consent.notices import FOLDER, VERSIONS, Names, Notices, first_version
from shared.contracts.consent import OPEN_ACCOUNT, SidePurpose
from shared.contracts.reasons import Lang
from tests.support.given import AT

LANGS: list[Lang] = ["vi", "en"]

COUNTER = Names(
    bank="Ngân hàng số Sông Việt",
    product="Tài khoản thanh toán",
    terms="8b2424a769436eb6",
    office="Bưu điện huyện Hướng Hoá",
    clerk="gdv-01",
    site="Đội quản lý điện Lao Bảo",
    code="17F11900",
    fees="0f5d2c9a77e1b346",
)

ONLINE = replace(COUNTER, office=None, clerk=None, site=None)

SAID: dict[Lang, dict[str, str]] = {
    "vi": {
        "voluntary": "không bắt buộc",
        "silence is no": "Không trả lời nghĩa là không đồng ý",
        "who is responsible": "chịu trách nhiệm về thông tin của bạn",
        "who receives": "không chia sẻ cho ai khác",
        "kinds of data": "Họ tên",
        "sensitive": "dữ liệu nhạy cảm",
        "how long": "được giữ theo luật sau khi",
        "withdrawal": "bấm một nút rồi ký bằng mã, giống như khi đồng ý",
        "see and correct": "xem, sửa và xin bản sao",
        "limit and erase": "phản đối, yêu cầu hạn chế hoặc xóa",
        "complain": "khiếu nại, tố cáo, khởi kiện và đòi bồi thường",
        "what was done": "Việc đã làm đúng trước lúc rút vẫn có giá trị",
        "code to nobody": "đừng đọc mã cho bất kỳ ai, kể cả nhân viên",
        "duty": "Cho thông tin đúng",
    },
    "en": {
        "voluntary": "You do not have to",
        "silence is no": "No answer means no",
        "who is responsible": "is responsible for your data",
        "who receives": "Nobody else receives them",
        "kinds of data": "Your name",
        "sensitive": "sensitive data",
        "how long": "kept as the law says after",
        "withdrawal": "press one button and sign with the code, just as when you agree",
        "see and correct": "see, correct and copy",
        "limit and erase": "object, ask for limits or for erasure",
        "complain": "complain, report, sue and claim damages",
        "what was done": "What was rightly done before stays valid",
        "code to nobody": "read it to nobody, not even a clerk",
        "duty": "Give true information",
    },
}
"""What every notice says (Law 91/2025 art. 4 and 9, Decree 356/2025 art. 6)."""

SAID_FOR_ACCOUNTS: dict[Lang, list[str]] = {
    "vi": [
        "hợp đồng điện và mọi việc khác của bạn vẫn được làm bình thường",
        "chỉ dùng để mở và giữ tài khoản này, không dùng cho việc khác",
        "Ảnh căn cước và ảnh khuôn mặt là dữ liệu nhạy cảm",
        "Chỉ được chụp sau khi bạn đồng ý",
        "Hồ sơ tài khoản được giữ theo luật sau khi đóng tài khoản",
        "Nếu tài khoản không được mở, ảnh bị hủy trong 24 giờ.",
        "Không cho thuê, cho mượn, mua bán tài khoản; không đứng tên thay người khác",
    ],
    "en": [
        "your electricity contract and everything else goes on as usual",
        "to open and keep this account only, and for nothing else",
        "The pictures of card and face are sensitive data",
        "taken only after you agree",
        "The papers of an account are kept as the law says after it is closed",
        "If no account is opened, the pictures are destroyed within 24 hours.",
        "Do not rent out, lend, buy or sell an account, and do not open one for somebody else",
    ],
}

SAID_SINCE_2: dict[Lang, list[str]] = {
    "vi": [
        "Tất cả lấy từ chính bạn và giấy tờ của bạn",
        "hết thời hạn đó thì bị xóa",
        "Thông tin mà luật không buộc giữ thì được xóa sau khi rút",
        "Biểu phí có chuỗi kiểm tra 0f5d2c9a77e1b346",
        "Luật cấm những việc này",
    ],
    "en": [
        "All of it comes from you and your papers",
        "and erased after that",
        "What the law does not keep is erased after that",
        "Its fees have the check string 0f5d2c9a77e1b346",
        "The law forbids it",
    ],
}
"""The source, the deletion policy (Decree 356/2025 art. 8.2), the fees, and that the warnings are
law (Circular 17/2024 art. 16.1 c)."""

SAID_OF_SIDES: dict[Lang, list[str]] = {
    "vi": [
        "Mỗi mục bạn chọn riêng và không mục nào được chọn sẵn. Không chọn nghĩa là không đồng ý.",
        "Bạn không đồng ý mục nào thì tài khoản vẫn mở được như thường.",
        "cho đến khi bạn rút lại mục đó hoặc đóng tài khoản",
        "Bạn rút lại riêng từng mục lúc nào cũng được, tài khoản vẫn giữ nguyên.",
    ],
    "en": [
        "You choose each by itself, and none is chosen for you. Choosing nothing means no.",
        "Whatever you do not agree to, the account opens all the same.",
        "until you take it back or close the account",
        "You can take back each by itself at any time, and keep the account.",
    ],
}
"""Separate, off, not needed, how long, and how to take back (Law 91/2025 art. 9.4, Decree 356/2025
art. 6.3 and 8.2)."""

SIDES = [str(one) for one in SidePurpose]
LATEST = "open-account.2"
WITH_SIDES = [LATEST]
NOTICES = [line.split()[0] for line in (FOLDER / VERSIONS).read_text().splitlines()]
ACCOUNTS = [one for one in NOTICES if one.startswith(OPEN_ACCOUNT)]
EVERY = list(product(NOTICES, LANGS))
SHOWN = [name.name for name in fields(Names)]


def text(notice_id: str, lang: Lang, names: Names = COUNTER, sides: list[str] | None = None) -> str:
    """Return a notice's text; by default with every side purpose."""
    return Notices().notice(notice_id, lang, names, SIDES if sides is None else sides).text


def shown_by(notice_id: str) -> list[str]:
    """Return the names that a version shows: the fees came later."""
    return [name for name in SHOWN if name != "fees" or notice_id in WITH_SIDES]


@pytest.mark.parametrize(("notice", "lang"), EVERY)
def test_a_notice_names_everyone(notice: str, lang: Lang) -> None:
    """Who asks, for what, where and by whom it was put stands in the text that is signed."""
    shown = text(notice, lang)
    assert [name for name in shown_by(notice) if getattr(COUNTER, name) not in shown] == []


@pytest.mark.parametrize(("notice", "lang"), EVERY)
def test_online_no_place_is_named(notice: str, lang: Lang) -> None:
    """A bank that asks by itself names no office, and leaves no gap where it would stand."""
    shown = text(notice, lang, ONLINE)
    assert "None" not in shown
    assert "gdv" not in shown
    assert ("điện thoại riêng" in shown, "private phone" in shown) == (False, False)
    assert "\n\n\n" not in shown
    assert "  " not in shown


@pytest.mark.parametrize("lang", LANGS)
def test_online_nobody_else_takes_the_pictures(lang: Lang) -> None:
    """Without a clerk there is no electricity contract to speak of, and no office's device."""
    words = {"vi": "chính bạn chụp trên máy của mình", "en": "you take them yourself"}
    shown = text(LATEST, lang, ONLINE)
    assert words[lang] in shown
    assert words[lang] not in text(LATEST, lang)
    assert not [one for one in ("hợp đồng điện", "electricity", "đơn vị") if one in shown]


@pytest.mark.parametrize(("notice", "lang"), EVERY)
@pytest.mark.parametrize("names", [COUNTER, ONLINE], ids=["counter", "online"])
@pytest.mark.parametrize("sides", [[], SIDES], ids=["alone", "sides"])
def test_a_notice_says_what_the_law_demands(
    notice: str, lang: Lang, names: Names, sides: list[str]
) -> None:
    """No notice can lose a right, a duty, or the sentence that silence is no."""
    shown = text(notice, lang, names, sides)
    assert [item for item, words in SAID[lang].items() if words not in shown] == []


@pytest.mark.parametrize(("notice", "lang"), list(product(ACCOUNTS, LANGS)))
@pytest.mark.parametrize("sides", [[], SIDES], ids=["alone", "sides"])
def test_the_notice_for_an_account_says_what_went_wrong_in_2023(
    notice: str, lang: Lang, sides: list[str]
) -> None:
    """Not bundled, not photographed before the yes, not kept without an account, not rented."""
    shown = text(notice, lang, sides=sides)
    assert [words for words in SAID_FOR_ACCOUNTS[lang] if words not in shown] == []
    device = {"vi": "bằng máy của đơn vị. Không ai được chụp bằng điện thoại riêng."}
    device["en"] = "with the office's own device. Nobody may take them with a private phone."
    assert device[lang] in shown
    if notice in WITH_SIDES:
        assert [words for words in SAID_SINCE_2[lang] if words not in shown] == []


@pytest.mark.parametrize("lang", LANGS)
def test_each_side_purpose_is_explained_where_it_is_asked_for(lang: Lang) -> None:
    """Whatever is asked for is explained, and nothing else; what none is asked for is not said."""
    every = Notices().notice(LATEST, lang, COUNTER, SIDES).side
    assert [one.purpose for one in every] == SIDES
    for count in range(len(SIDES) + 1):
        for some in combinations(SIDES, count):
            notice = Notices().notice(LATEST, lang, COUNTER, some)
            assert tuple(one.purpose for one in notice.side) == some
            named = [one.purpose for one in every if f"{one.title}. {one.meaning}" in notice.text]
            assert tuple(named) == some
            missing = [words for words in SAID_OF_SIDES[lang] if words not in notice.text]
            assert missing == ([] if some else SAID_OF_SIDES[lang])


@pytest.mark.parametrize("lang", LANGS)
def test_nobody_else_receives_or_gives_data_unless_that_is_asked_for(lang: Lang) -> None:
    """Partners are named as receivers, the credit centre as a source, only with their purpose."""
    partners = {"vi": "công ty đối tác", "en": "partner companies"}[lang]
    centre = {"vi": "trung tâm thông tin tín dụng", "en": "credit information centre"}[lang]
    for sides in ([], ["marketing"]):
        shown = text(LATEST, lang, sides=sides)
        assert not [one for one in (partners, centre) if one in shown]
    assert text(LATEST, lang, sides=["partner-sharing"]).count(partners) >= 2
    assert text(LATEST, lang, sides=["credit-scoring"]).count(centre) == 2


@pytest.mark.parametrize("lang", LANGS)
def test_a_signature_for_electricity_opens_no_account(lang: Lang) -> None:
    """The pretext of 2023 is excluded in the text itself."""
    words = {"vi": "Không ai được mở tài khoản ngân hàng bằng chữ ký này."}
    words["en"] = "Nobody may open a bank account with this signature."
    assert words[lang] in text("electricity-contract.1", lang)


@pytest.mark.parametrize(("notice", "lang"), EVERY)
def test_a_text_has_one_byte_form(notice: str, lang: Lang) -> None:
    """Letters are composed (NFC) even if a name was not, and the hash is that of the bytes."""
    decomposed = replace(COUNTER, bank=unicodedata.normalize("NFD", COUNTER.bank))
    made = Notices().notice(notice, lang, decomposed, SIDES)
    assert unicodedata.is_normalized("NFC", made.text)
    assert made.text == text(notice, lang)
    assert made.hash == hashlib.sha256(made.text.encode()).hexdigest()


@pytest.mark.parametrize(("notice", "lang"), EVERY)
def test_a_reprint_has_the_same_hash(notice: str, lang: Lang) -> None:
    """The text depends on the consent alone; one other name makes it another text."""
    first = Notices().notice(notice, lang, COUNTER, SIDES)
    assert Notices().notice(notice, lang, COUNTER, SIDES) == first
    others = [replace(COUNTER, **{name: "khác"}) for name in shown_by(notice)]
    hashes = {Notices().notice(notice, lang, other, SIDES).hash for other in others}
    assert len(hashes | {first.hash}) == len(others) + 1


@pytest.mark.parametrize(("notice", "lang"), EVERY)
@pytest.mark.parametrize("sides", [[], SIDES], ids=["alone", "sides"])
def test_a_text_is_its_blocks_with_a_blank_line_between(
    notice: str, lang: Lang, sides: list[str]
) -> None:
    """Whoever has the page can put the text together again: one title, headings, paragraphs."""
    blocks = text(notice, lang, sides=sides).split("\n\n")
    assert [one for one in blocks if not one or one != one.strip() or "\n" in one] == []
    assert [at for at, one in enumerate(blocks) if one.startswith("# ")] == [0]
    assert {one.split(" ")[0] for one in blocks if one.startswith("#")} == {"#", "##"}


@pytest.mark.parametrize("sides", [[], SIDES], ids=["alone", "sides"])
def test_the_languages_are_of_one_structure(sides: list[str]) -> None:
    """What is asked in one language is asked in the other, block by block."""
    for notice in NOTICES:
        vi, en = (text(notice, lang, sides=sides).split("\n\n") for lang in LANGS)
        marks = [[one[:3] if one.startswith("#") else "" for one in blocks] for blocks in (vi, en)]
        assert [bool(one) for one in marks[0]] == [bool(one) for one in marks[1]]


# -- versions -----------------------------------------------------------------------------------


def test_a_served_text_is_never_changed() -> None:
    """Every file of a text has the digest it was released with; the list only grows."""
    listed = (Path(__file__).parent / "released_texts.txt").read_text(encoding="utf-8")
    released = {name: digest for digest, name in (line.split() for line in listed.splitlines())}
    there = {file.name: file.read_bytes() for file in FOLDER.iterdir() if file.name != VERSIONS}
    assert {name: hashlib.sha256(data).hexdigest() for name, data in there.items()} == released


def test_every_version_has_a_file_for_each_language() -> None:
    """A purpose that can be asked can be read; and no text lies there that nobody is served."""
    lines = [line.split() for line in (FOLDER / VERSIONS).read_text().splitlines()]
    stems = {one for notice, vocabulary, _ in lines for one in (notice, vocabulary)} - {"-"}
    there = {file.name for file in FOLDER.iterdir()} - {VERSIONS}
    assert there == {f"{stem}.{lang}.txt" for stem in stems for lang in LANGS}


def test_today_the_latest_version_is_served() -> None:
    """Each version from its time on, nothing for a purpose without a text."""
    since = datetime(2023, 8, 1, tzinfo=UTC)
    assert Notices().current(OPEN_ACCOUNT, AT) == LATEST
    assert Notices().current(OPEN_ACCOUNT, since) == LATEST
    earlier = since - timedelta(microseconds=1)
    assert Notices().current(OPEN_ACCOUNT, earlier) == first_version(OPEN_ACCOUNT)
    assert Notices().current(OPEN_ACCOUNT, datetime(2020, 1, 1, tzinfo=UTC)) is None
    assert Notices().current("marketing", AT) is None


def test_only_what_a_notice_explains_can_be_asked_with_it() -> None:
    """The first versions explain no side purpose, so they show none, whatever a product offers."""
    assert Notices().explained(LATEST) == set(SidePurpose)
    for notice in set(NOTICES) - set(WITH_SIDES):
        assert Notices().explained(notice) == frozenset()
        assert text(notice, "vi", sides=SIDES) == text(notice, "vi", sides=[])


def test_the_texts_of_a_notice_are_those_it_is_made_from() -> None:
    """By the names of their files: in each language, with the vocabulary of its side purposes."""
    assert sorted(Notices().files("open-account.1")) == [
        "open-account.1.en.txt",
        "open-account.1.vi.txt",
    ]
    files = Notices().files("open-account.2")
    assert sorted(files) == [
        *("open-account.2.en.txt", "open-account.2.vi.txt"),
        *("purposes.1.en.txt", "purposes.1.vi.txt"),
    ]
    assert all(text.encode() == (FOLDER / name).read_bytes() for name, text in files.items())
    for unknown in ("open-account.9", "purposes.1", "versions", "../notices"):
        assert Notices().files(unknown) == {}
