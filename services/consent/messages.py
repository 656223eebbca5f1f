"""What is sent to phones, in Vietnamese: short, and each says what it would sign.

What you see is what you sign: a code's message names the decision, the product, the bank and the
file. A message may be read over a shoulder or on a lock screen, so none names the person.
"""

from dataclasses import dataclass
from datetime import datetime

from services.consent.notices import Names
from shared.clock import VIETNAM
from shared.contracts.consent import Decision, Statement

DECISIONS = {
    Decision.GIVEN: "ĐỒNG Ý",
    Decision.REFUSED: "KHÔNG ĐỒNG Ý",
    Decision.WITHDRAWN: "RÚT LẠI đồng ý",
    Decision.CONFIRMED: "XÁC NHẬN đồng ý",
}
ASK_ME_AGAIN = "CHO PHÉP hỏi lại"
FOR_OTHER = " thay người được đại diện"


@dataclass(frozen=True, slots=True)
class Said:
    """What is signed, as a message says it; `of_refusal`: what is taken back is a refusal.

    `sides` says what is signed of side purposes: `beside` or `alone`. `for_other`: by whoever
    speaks for the citizen.
    """

    decision: Decision
    of_refusal: bool = False
    sides: str = ""
    for_other: bool = False

    @property
    def words(self) -> str:
        """Return the decision with what is beside it."""
        return f"{ASK_ME_AGAIN if self.of_refusal else DECISIONS[self.decision]}{self.sides}"

    @property
    def whose(self) -> str:
        """Return that it is for another, empty for the citizen's own."""
        return FOR_OTHER if self.for_other else ""


def question(link: str, decide_by: datetime, *, for_other: bool = False) -> str:
    """Return the message that brings a question's link."""
    return (
        f"Bạn được hỏi một việc{FOR_OTHER if for_other else ''}."
        f" Đọc và trả lời trước {time(decide_by)}: {link}"
        " Không trả lời là KHÔNG đồng ý."
    )


def code(digits: str, said: Said, names: Names) -> str:
    """Return the message that brings a code."""
    return (
        f"Mã {digits} để bạn ký{said.whose}: {said.words} -"
        f" {names.product}, {names.bank}, hồ sơ {names.code}."
        " KHÔNG đọc mã này cho ai, kể cả nhân viên."
    )


def beside(count: int) -> str:
    """Return how many side purposes are agreed to with the same signature, empty for none."""
    return f" + {count} mục đích khác" if count else ""


def alone(title: str) -> str:
    """Return which side purpose is taken back alone."""
    return f" riêng mục: {title}"


def decided(said: Said, names: Names, link: str) -> str:
    """Return the message after a decision: what was signed, and where its receipt is.

    It also reaches whoever did not sign; the receipt says how to tell us.
    """
    return (
        f"Đã ký{said.whose}: {said.words} - {names.product}, {names.bank},"
        f" hồ sơ {names.code}. Biên nhận, đổi ý, hoặc không phải bạn: {link}/receipt"
    )


def enrolment(digits: str) -> str:
    """Return the message that brings the code for a new passkey."""
    return (
        f"Mã {digits} để thêm vân tay hoặc khuôn mặt ký thay mã SMS."
        " KHÔNG đọc mã này cho ai, kể cả nhân viên."
    )


def enrolled(at: datetime, link: str) -> str:
    """Return the message after a passkey was enrolled: whoever did not do it hears of it."""
    return f"Đã thêm khóa vân tay hoặc khuôn mặt lúc {time(at)}. Không phải bạn, gỡ ngay: {link}"


def removed(at: datetime, link: str) -> str:
    """Return the message after a passkey was taken away: any link does it, so the phone hears."""
    return f"Đã gỡ khóa vân tay hoặc khuôn mặt lúc {time(at)}. Không phải bạn, xem: {link}"


def waiting(
    signed: Statement, names: Names, link: str, *, confirm: bool, for_other: bool = False
) -> str:
    """Return the message after an agreement that cannot be used yet: until when, and how to stop.

    It goes to the phone that was known before, so it also reaches whoever did not agree at all.
    """
    whose = "người được đại diện" if for_other else "bạn"
    what = (
        f"{names.office or names.bank}: có chữ ký ĐỒNG Ý {names.product}, {names.bank},"
        f" tên {whose}, hồ sơ {names.code}."
    )
    if confirm:
        then = (
            f" Chưa mở gì. Đúng ý bạn: xác nhận từ {time(signed.not_before)}"
            f" đến {time(signed.expires_at)}. Không xác nhận là KHÔNG."
        )
    else:
        then = f" Chỉ dùng được từ {time(signed.not_before)}."
    return f"{what}{then} Không phải bạn, hoặc đổi ý: {link}"


def submitted(names: Names, link: str, *, confirm: bool) -> str:
    """Return the message after a clerk handed in what was agreed to: who, what, and how to stop."""
    then = " Chưa mở gì; chờ bạn xác nhận." if confirm else " Ngân hàng sẽ quyết định."
    return (
        f"{names.office or names.bank} đã chụp giấy tờ và gửi hồ sơ {names.code} của bạn"
        f" ({names.product}) cho {names.bank}.{then} Không phải bạn, hoặc đổi ý: {link}"
    )


def suspended(at: datetime) -> str:
    """Return the message after a citizen let nothing more be opened in their name."""
    return (
        f"Từ {time(at)} không ai được hỏi bạn hay mở tài khoản tên bạn, theo yêu cầu của bạn."
        " Cho phép lại: mở trang của bạn."
    )


def lifted(start: datetime) -> str:
    """Return the message after a citizen let it be again: from when, and how to stop it."""
    return (
        f"Từ {time(start)} lại được hỏi bạn và mở tài khoản tên bạn nếu bạn tự ký."
        " Không phải bạn yêu cầu: mở trang của bạn và bấm KHÔNG MỞ."
    )


def invitation(link: str, until: datetime) -> str:
    """Return the message with which somebody is asked to be a witness."""
    return (
        f"Bạn được mời LÀM CHỨNG khi người không có điện thoại quyết định mở tài khoản."
        f" Nhận lời trước {time(until)}: {link} KHÔNG đưa đường dẫn này cho ai."
    )


def stopped(names: Names, link: str, at: datetime) -> str:
    """Return the message after a dispute: what is stopped, since when, and where to look."""
    return (
        f"Bạn báo KHÔNG PHẢI TÔI: {names.product}, {names.bank}, hồ sơ {names.code}."
        f" Đã dừng lúc {time(at)}; tài khoản nếu có đã khóa. Xem: {link}"
    )


def own_page(link: str, until: datetime, part: str = "") -> str:
    """Return the message with the link to everything in a citizen's name.

    `part` tells the pages of a shared phone apart, without a name.
    """
    return (
        f"Mọi việc đứng tên bạn{part}, xem được đến {time(until)}: {link}"
        " KHÔNG đưa đường dẫn này cho ai."
    )


def part_of(number: int, count: int) -> str:
    """Return which of the pages of one phone this is, empty for the only one."""
    return f" (trang thứ {number}/{count})" if count > 1 else ""


def represented(at: datetime, page: str) -> str:
    """Return the message to somebody for whom another may speak from now on, or from later."""
    return (
        f"Từ {time(at)}, một người khác được ghi là đại diện theo pháp luật của bạn."
        f" Không đúng: báo ngay bưu cục hoặc ngân hàng. Mọi việc đứng tên bạn: {page}"
    )


def phone_change(phone_end: str, office: str | None, start: datetime, link: str) -> str:
    """Return the warning to a phone that another is to take the place of."""
    where = f" tại {office}" if office else ""
    return (
        f"Có yêu cầu{where} đổi số của bạn sang số đuôi {phone_end}, dùng từ {time(start)}."
        f" Không phải bạn: mở {link} và bấm GIỮ SỐ."
    )


def time(instant: datetime) -> str:
    """Return a time as people here read it."""
    return instant.astimezone(VIETNAM).strftime("%H:%M %d/%m/%Y")
