"""What each fact is called on the regulator's pages, in Vietnamese and English."""

from typing import NamedTuple

from shared.contracts.reasons import Lang


class Words(NamedTuple):
    """One fact's name."""

    vi: str
    en: str


FACTS: dict[str, Words] = {
    # the directory, and what is stopped
    "bank.registered.1": Words("Đăng ký tổ chức", "Bank registered"),
    "product.offered.1": Words("Sản phẩm được chào", "Product offered"),
    "office.registered.1": Words("Đăng ký bưu cục", "Office registered"),
    "clerk.registered.1": Words("Đăng ký nhân viên", "Clerk registered"),
    "site.registered.1": Words("Đăng ký địa điểm", "Site registered"),
    "staff.phone.marked.1": Words("Ghi nhận điện thoại nhân viên", "Staff phone marked"),
    "staff.phone.unmarked.1": Words("Thôi ghi nhận điện thoại", "Staff phone unmarked"),
    "staff.passkey.marked.1": Words("Ghi nhận khóa của nhân viên", "Staff passkey marked"),
    "right.granted.1": Words("Cấp quyền", "Right granted"),
    "right.rejected.1": Words("Không được cấp quyền", "Right rejected"),
    "suspension.ordered.1": Words("Lệnh đình chỉ", "Suspension ordered"),
    "lifting.proposed.1": Words("Đề nghị bỏ đình chỉ", "Lifting proposed"),
    "suspension.lifted.1": Words("Bỏ đình chỉ", "Suspension lifted"),
    "suspension.rejected.1": Words("Không được đình chỉ", "Suspension rejected"),
    # citizens
    "citizen.registered.1": Words("Đăng ký người dân", "Citizen registered"),
    "representative.authorised.1": Words("Có người đại diện", "Representative authorised"),
    "representative.ended.1": Words("Hết quyền đại diện", "Representative ended"),
    "representative.rejected.1": Words("Không được đại diện", "Representative rejected"),
    "phone.enrolled.1": Words("Thêm điện thoại", "Phone enrolled"),
    "phone.enrolment.stopped.1": Words("Dừng thêm điện thoại", "Phone enrolment stopped"),
    "phone.sharing.allowed.1": Words("Cho dùng chung điện thoại", "Phone sharing allowed"),
    "phone.rejected.1": Words("Không đổi được điện thoại", "Phone rejected"),
    "citizen.erased.1": Words("Xóa dữ liệu cá nhân", "Citizen erased"),
    "erasure.rejected.1": Words("Chưa được xóa dữ liệu", "Erasure rejected"),
    "passkey.asked.1": Words("Hỏi thêm khóa", "Passkey asked"),
    "passkey.failed.1": Words("Không thêm được khóa", "Passkey failed"),
    "passkey.enrolled.1": Words("Thêm khóa", "Passkey enrolled"),
    "passkey.used.1": Words("Dùng khóa", "Passkey used"),
    "passkey.revoked.1": Words("Gỡ khóa", "Passkey revoked"),
    # witnesses
    "witness.invited.1": Words("Mời người làm chứng", "Witness invited"),
    "witness.enrolled.1": Words("Thêm người làm chứng", "Witness enrolled"),
    "witness.ended.1": Words("Thôi làm chứng", "Witness ended"),
    "witness.named.1": Words("Chỉ định người làm chứng", "Witness named"),
    "witness.signed.1": Words("Người làm chứng ký", "Witness signs"),
    "witness.dissented.1": Words("Người làm chứng không xác nhận", "Witness dissents"),
    "witness.rejected.1": Words("Không được làm chứng", "Witness rejected"),
    # what a citizen is asked, and decides
    "consent.requested.1": Words("Hỏi người dân", "Asks the citizen"),
    "request.rejected.1": Words("Không được hỏi", "May not ask"),
    "notice.served.1": Words("Đưa thông báo", "Shows the notice"),
    "signature.asked.1": Words("Yêu cầu chữ ký", "Asks for a signature"),
    "signature.failed.1": Words("Ký không thành", "Signature fails"),
    "decision.rejected.1": Words("Không nhận quyết định", "Decision rejected"),
    "consent.given.1": Words("Đồng ý, đã ký", "Agrees, and signs"),
    "consent.refused.1": Words("Từ chối, đã ký", "Refuses, and signs"),
    "refusal.withdrawn.1": Words("Rút lại lời từ chối", "Takes the refusal back"),
    "consent.confirmed.1": Words("Xác nhận, đã ký", "Confirms, and signs"),
    "consent.withdrawn.1": Words("Rút lại, đã ký", "Withdraws, and signs"),
    "purpose.given.1": Words("Đồng ý mục riêng", "Agrees to a side purpose"),
    "purpose.withdrawn.1": Words("Rút lại mục riêng", "Withdraws a side purpose"),
    "identity.captured.1": Words("Chụp giấy tờ, khuôn mặt", "Photographs card and face"),
    "capture.rejected.1": Words("Không được chụp", "May not photograph"),
    "opening.submitted.1": Words("Nộp hồ sơ cho ngân hàng", "Hands in to the bank"),
    "submission.rejected.1": Words("Không được nộp hồ sơ", "May not hand in"),
    "consent.redeemed.1": Words("Dùng sự đồng ý, một lần", "Consent used, once"),
    "redemption.rejected.1": Words("Không được dùng", "Use rejected"),
    "consent.disputed.1": Words("Báo: không phải tôi", "Says: it was not me"),
    "invalidation.proposed.1": Words("Đề nghị tuyên vô hiệu", "Proposes to void it"),
    "consent.invalidated.1": Words("Tuyên vô hiệu", "Found void"),
    "invalidation.rejected.1": Words("Không tuyên được vô hiệu", "Voiding rejected"),
    "stop.delivered.1": Words("Lệnh dừng đã đến nơi", "Stop delivered"),
    # who looked, policy, and who hears
    "page.asked.1": Words("Xin xem trang của mình", "Asks for the own page"),
    "data.read.1": Words("Xem dữ liệu", "Data read"),
    "policy.proposed.1": Words("Đề nghị chính sách", "Policy proposed"),
    "policy.set.1": Words("Đặt chính sách", "Policy set"),
    "policy.rejected.1": Words("Không nhận chính sách", "Policy rejected"),
    "webhook.registered.1": Words("Đăng ký webhook", "Webhook registered"),
    "webhook.key.renewed.1": Words("Đổi khóa webhook", "Webhook key renewed"),
    "webhook.removed.1": Words("Bỏ webhook", "Webhook removed"),
    "webhook.rejected.1": Words("Không nhận webhook", "Webhook rejected"),
    "tags.indexed.1": Words("Lập chỉ mục", "Tags indexed"),
    "request.claimed.1": Words("Nhận yêu cầu của máy", "Request taken"),
    # accounts
    "account.opened.1": Words("Cho mở tài khoản", "Account allowed"),
    "opening.rejected.1": Words("Không mở được", "Opening rejected"),
    "account.confirmed.1": Words("Ngân hàng đã mở", "Opened by the bank"),
    "account.declined.1": Words("Ngân hàng không mở", "Declined by the bank"),
    "stop.received.1": Words("Nhận lệnh dừng", "Stop received"),
    "account.frozen.1": Words("Phong tỏa tài khoản", "Account frozen"),
    "account.frozen_by_bank.1": Words("Ngân hàng phong tỏa", "Frozen by the bank"),
    "account.closed.1": Words("Ngân hàng đóng tài khoản", "Closed by the bank"),
    "answer.rejected.1": Words("Không nhận trả lời", "Answer rejected"),
    "account.read.1": Words("Xem tài khoản", "Account read"),
    "reconciliation.started.1": Words("Bắt đầu đối chiếu", "Reconciliation begun"),
    "lines.reconciled.1": Words("Đã đối chiếu các dòng", "Lines compared"),
    "account.unconsented.1": Words("Tài khoản không có sự đồng ý", "Account without a consent"),
    "account.still.open.1": Words("Tài khoản vẫn còn mở", "Account still open"),
    "reconciliation.done.1": Words("Đối chiếu xong", "Reconciliation done"),
    "reconciliation.rejected.1": Words("Không nhận danh sách", "List rejected"),
}
"""Every fact of both logs; what is not here is called by its stored name."""


def fact_word(kind: str, lang: Lang) -> str:
    """Return what a fact is called; its stored name, if it is of a later program."""
    words = FACTS.get(kind)
    return kind if words is None else (words.vi if lang == "vi" else words.en)
