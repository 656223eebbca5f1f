"""The texts that citizens sign: complete as the law wants them, plain, and the same years later."""

import hashlib
import unicodedata
from dataclasses import fields, replace
from itertools import product

import pytest

from services.consent.notices import FOLDER, VERSIONS, Names, Notices
from shared.contracts.consent import OPEN_ACCOUNT
from shared.contracts.reasons import Lang

LANGS: list[Lang] = ["vi", "en"]

COUNTER = Names(
    bank="Ngân hàng số Sông Việt",
    product="Tài khoản thanh toán",
    terms="8b2424a769436eb6",
    office="Bưu điện huyện Hướng Hoá",
    clerk="gdv-01",
    site="Đội quản lý điện Lao Bảo",
    code="17F11900",
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
        (
            "Hồ sơ tài khoản được giữ theo luật sau khi đóng tài khoản."
            " Nếu tài khoản không được mở, ảnh bị hủy trong 24 giờ."
        ),
        "Không cho thuê, cho mượn, mua bán tài khoản; không đứng tên thay người khác",
    ],
    "en": [
        "your electricity contract and everything else goes on as usual",
        "to open and keep this account only, and for nothing else",
        "The pictures of card and face are sensitive data",
        "taken only after you agree",
        (
            "The papers of an account are kept as the law says after it is closed."
            " If no account is opened, the pictures are destroyed within 24 hours."
        ),
        "Do not rent out, lend, buy or sell an account, and do not open one for somebody else",
    ],
}

EVERY = list(product(VERSIONS, LANGS))


def text(purpose: str, lang: Lang, names: Names = COUNTER) -> str:
    """Return a notice's text."""
    return Notices().notice(purpose, lang, names).text


@pytest.mark.parametrize(("purpose", "lang"), EVERY)
def test_a_notice_names_everyone(purpose: str, lang: Lang) -> None:
    """Who asks, for what, where and by whom it was put stands in the text that is signed."""
    shown = text(purpose, lang)
    assert [one.name for one in fields(Names) if getattr(COUNTER, one.name) not in shown] == []


@pytest.mark.parametrize(("purpose", "lang"), EVERY)
def test_online_no_place_is_named(purpose: str, lang: Lang) -> None:
    """A bank that asks by itself names no office, and leaves no gap where it would stand."""
    shown = text(purpose, lang, ONLINE)
    assert "None" not in shown
    assert "gdv" not in shown
    assert ("điện thoại riêng" in shown, "private phone" in shown) == (False, False)
    assert "\n\n\n" not in shown


@pytest.mark.parametrize(("purpose", "lang"), EVERY)
@pytest.mark.parametrize("names", [COUNTER, ONLINE], ids=["counter", "online"])
def test_a_notice_says_what_the_law_demands(purpose: str, lang: Lang, names: Names) -> None:
    """No notice can lose a right, a duty, or the sentence that silence is no."""
    shown = text(purpose, lang, names)
    assert [item for item, words in SAID[lang].items() if words not in shown] == []


@pytest.mark.parametrize("lang", LANGS)
def test_the_notice_for_an_account_says_what_went_wrong_in_2023(lang: Lang) -> None:
    """Not bundled, not photographed before the yes, not kept without an account, not rented."""
    shown = text(OPEN_ACCOUNT, lang)
    assert [words for words in SAID_FOR_ACCOUNTS[lang] if words not in shown] == []
    device = {"vi": "bằng máy của đơn vị. Không ai được chụp bằng điện thoại riêng."}
    device["en"] = "with the office's own device. Nobody may take them with a private phone."
    assert device[lang] in shown


@pytest.mark.parametrize("lang", LANGS)
def test_a_signature_for_electricity_opens_no_account(lang: Lang) -> None:
    """The pretext of 2023 is excluded in the text itself."""
    words = {"vi": "Không ai được mở tài khoản ngân hàng bằng chữ ký này."}
    words["en"] = "Nobody may open a bank account with this signature."
    assert words[lang] in text("electricity-contract", lang)


@pytest.mark.parametrize(("purpose", "lang"), EVERY)
def test_a_text_has_one_byte_form(purpose: str, lang: Lang) -> None:
    """Letters are composed (NFC) even if a name was not, and the hash is that of the bytes."""
    decomposed = replace(COUNTER, bank=unicodedata.normalize("NFD", COUNTER.bank))
    notice = Notices().notice(purpose, lang, decomposed)
    assert unicodedata.is_normalized("NFC", notice.text)
    assert notice.text == text(purpose, lang)
    assert notice.hash == hashlib.sha256(notice.text.encode()).hexdigest()


@pytest.mark.parametrize(("purpose", "lang"), EVERY)
def test_a_reprint_has_the_same_hash(purpose: str, lang: Lang) -> None:
    """The text depends on the consent alone; one other name makes it another text."""
    first = Notices().notice(purpose, lang, COUNTER)
    assert Notices().notice(purpose, lang, COUNTER) == first
    others = [replace(COUNTER, **{one.name: "khác"}) for one in fields(Names)]
    hashes = {Notices().notice(purpose, lang, other).hash for other in others}
    assert len(hashes | {first.hash}) == len(others) + 1


@pytest.mark.parametrize(("purpose", "lang"), EVERY)
def test_a_text_is_its_blocks_with_a_blank_line_between(purpose: str, lang: Lang) -> None:
    """Whoever has the page can put the text together again: one title, headings, paragraphs."""
    blocks = text(purpose, lang).split("\n\n")
    assert [one for one in blocks if not one or one != one.strip() or "\n" in one] == []
    assert [at for at, one in enumerate(blocks) if one.startswith("# ")] == [0]
    assert {one.split(" ")[0] for one in blocks if one.startswith("#")} == {"#", "##"}


def test_the_languages_are_of_one_structure() -> None:
    """What is asked in one language is asked in the other, block by block."""
    for purpose in VERSIONS:
        vi, en = (text(purpose, lang).split("\n\n") for lang in LANGS)
        marks = [[one[:3] if one.startswith("#") else "" for one in blocks] for blocks in (vi, en)]
        assert [bool(one) for one in marks[0]] == [bool(one) for one in marks[1]]


def test_every_purpose_has_a_file_for_each_language() -> None:
    """A purpose that can be asked can be read; and no text lies there that nobody is served."""
    served = {f"{purpose}.{VERSIONS[purpose]}.{lang}.txt" for purpose, lang in EVERY}
    there = {file.name for file in FOLDER.iterdir()}
    assert served <= there
    assert {name.split(".")[0] for name in there} == set(VERSIONS)
