"""What a checked receipt says, in sentences: in English for everyone, and in the citizen's own.

The Vietnamese words for a decision are those of the buttons that the citizen pressed.
"""

from collections.abc import Iterator
from datetime import datetime

from shared.clock import VIETNAM
from shared.contracts.consent import Decision, Waits
from shared.contracts.receipts import DecisionReceipt, EventState
from shared.contracts.status_list import Status
from shared.receipts.verify import (
    KEYS_IN_FILE,
    NO_STATUS,
    NOT_IN_FILE,
    VKEYS_IN_FILE,
    Checked,
)

DECIDED = {
    (Decision.GIVEN, EventState.GIVEN): "The citizen agreed",
    (Decision.CONFIRMED, EventState.GIVEN): "The citizen confirmed the consent",
    (Decision.REFUSED, EventState.REFUSED): "The citizen refused",
    (Decision.WITHDRAWN, EventState.WITHDRAWN): "The citizen took the consent back",
    (Decision.WITHDRAWN, EventState.REFUSAL_WITHDRAWN): "The citizen took the refusal back",
}

STANDS = {
    Status.VALID: "it stood as it was made",
    Status.INVALID: "it was withdrawn or void",
    Status.SUSPENDED: "it waited or was disputed, and did not count",
    Status.USED: "it was used, and cannot be used again",
}

VIETNAMESE_DECIDED = {
    (Decision.GIVEN, EventState.GIVEN): "Đồng ý",
    (Decision.CONFIRMED, EventState.GIVEN): "Xác nhận sự đồng ý",
    (Decision.REFUSED, EventState.REFUSED): "Không đồng ý",
    (Decision.WITHDRAWN, EventState.WITHDRAWN): "Rút lại sự đồng ý",
    (Decision.WITHDRAWN, EventState.REFUSAL_WITHDRAWN): "Cho phép hỏi lại",
}

VIETNAMESE_STANDS = {
    Status.VALID: "quyết định còn hiệu lực",
    Status.INVALID: "quyết định đã bị rút lại hoặc hủy",
    Status.SUSPENDED: "quyết định đang chờ hoặc bị khiếu nại, tạm không có hiệu lực",
    Status.USED: "sự đồng ý đã được dùng, không dùng lại được",
}

VIETNAMESE_CAVEATS = {
    KEYS_IN_FILE: "đã kiểm tra bằng khóa trong chính tệp này, nên chưa rõ ai đã làm ra tệp",
    VKEYS_IN_FILE: "khóa của nhật ký lấy từ chính tệp này, nên chưa rõ là nhật ký của ai",
    NOT_IN_FILE: "tệp không có bằng chứng từ nhật ký, nên chưa rõ quyết định có trong đó không",
    NO_STATUS: "không có danh sách trạng thái, nên chưa rõ quyết định còn hiệu lực không",
}

UNCONFIRMED = "this agreement counts only with its confirmation, which has a receipt of its own"
VIETNAMESE_UNCONFIRMED = "Chỉ có hiệu lực khi đã được xác nhận; lần xác nhận có biên nhận riêng"

TIME, VIETNAMESE_TIME = "%H:%M on %d %b %Y", "%H:%M ngày %d/%m/%Y"


def sentences(checked: Checked) -> Iterator[str]:
    """Yield what was checked, what was not, and the decision in the citizen's language."""
    receipt = checked.receipt
    yield (
        f"right: {DECIDED[_deed(receipt)]}, {_time(receipt.log.recorded_at, TIME)} in Vietnam:"
        f" {_matter(receipt)}"
    )
    if receipt.statement.waits_for is Waits.CONFIRMATION:
        yield UNCONFIRMED
    yield f"signed by {receipt.iss} with key {receipt.public_key}"
    if checked.log:
        checkpoint = checked.log.checkpoint
        yield (
            f"in the log {checkpoint.origin} at position {receipt.log.position:,},"
            f" under a signed checkpoint of {checkpoint.size:,} facts"
        )
    if checked.standing:
        as_of = _time(checked.standing.as_of, TIME)
        yield f"at {as_of} in Vietnam {STANDS[checked.standing.status]}"
    yield from (f"but: {caveat}" for caveat in checked.caveats)
    if receipt.language == "vi":
        yield from _vietnamese(checked)


def _vietnamese(checked: Checked) -> Iterator[str]:
    receipt = checked.receipt
    decided_at = _time(receipt.log.recorded_at, VIETNAMESE_TIME)
    yield f"Quyết định: {VIETNAMESE_DECIDED[_deed(receipt)]}, lúc {decided_at}"
    yield f"Việc: {_matter(receipt)}"
    if receipt.statement.waits_for is Waits.CONFIRMATION:
        yield VIETNAMESE_UNCONFIRMED
    if checked.standing:
        as_of = _time(checked.standing.as_of, VIETNAMESE_TIME)
        yield f"Lúc {as_of}: {VIETNAMESE_STANDS[checked.standing.status]}"
    yield from (f"Nhưng: {VIETNAMESE_CAVEATS[caveat]}" for caveat in checked.caveats)


def _deed(receipt: DecisionReceipt) -> tuple[Decision, EventState]:
    return receipt.decision, receipt.event_state


def _matter(receipt: DecisionReceipt) -> str:
    names = [one.service for one in receipt.services]
    return ", ".join([*names, *(one.pii_controller for one in receipt.pii_controllers)])


def _time(instant: datetime, form: str) -> str:
    try:
        return instant.astimezone(VIETNAM).strftime(form)
    except OverflowError:  # the last hours of the year 9999
        return instant.isoformat()
