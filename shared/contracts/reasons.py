"""Every code with which a service says no, and the sentence a person reads, English and Vietnamese.

Codes are public and stable: clients may rely on them, and facts name them. None is ever reused.
"""

from typing import Literal, NamedTuple

Lang = Literal["vi", "en"]


class Sentences(NamedTuple):
    """One code's words."""

    en: str
    vi: str


REASONS: dict[str, Sentences] = {
    # any service
    "unauthenticated": Sentences("We do not know who is asking.", "Không rõ ai đang yêu cầu."),
    "role_not_allowed": Sentences(
        "This role may not do this.", "Vai trò này không được làm việc này."
    ),
    "malformed": Sentences("The request is not of the documented form.", "Yêu cầu không đúng mẫu."),
    "method_not_allowed": Sentences(
        "Nothing can be done here in this way.", "Không thể làm việc này ở đây theo cách đó."
    ),
    "body_too_large": Sentences("The body is too large.", "Nội dung gửi quá lớn."),
    "body_too_slow": Sentences(
        "The body came too slowly; nothing was done.", "Nội dung gửi quá chậm; chưa có gì được làm."
    ),
    "rate_limited": Sentences(
        "You have asked too often; please wait.", "Bạn đã gọi quá nhiều lần; hãy chờ."
    ),
    "clock_only_forward": Sentences(
        "A sandbox's clock only goes forward.", "Đồng hồ thử nghiệm chỉ đi tới."
    ),
    "not_found": Sentences("There is nothing here.", "Không tìm thấy."),
    "not_sealed": Sentences(
        "No signed checkpoint covers this position yet.", "Vị trí này chưa được niêm phong."
    ),
    "not_witnessed": Sentences(
        "Not enough witnesses have cosigned this position yet.",
        "Vị trí này chưa đủ bên chứng kiến ký.",
    ),
    "contended": Sentences(
        "Others were faster. Please send it again.", "Đang có việc trùng. Hãy gửi lại."
    ),
    "overloaded": Sentences(
        "Too much at once. Please send it again.", "Đang quá tải. Hãy gửi lại."
    ),
    "store_unavailable": Sentences(
        "The log is out of reach; nothing was decided. Please send it again.",
        "Không ghi được nhật ký; chưa có gì được quyết định. Hãy gửi lại.",
    ),
    "unexpected": Sentences("Something went wrong on our side.", "Có lỗi ở phía chúng tôi."),
    "idempotency_key_missing": Sentences(
        "The request needs exactly one Idempotency-Key.",
        "Yêu cầu phải có đúng một Idempotency-Key.",
    ),
    "idempotency_key_malformed": Sentences(
        "The Idempotency-Key is not a text of 1 to 255 printable characters.",
        "Idempotency-Key phải là chuỗi 1 đến 255 ký tự in được.",
    ),
    "idempotency_key_reused": Sentences(
        "This Idempotency-Key was used for another request.",
        "Idempotency-Key này đã dùng cho yêu cầu khác.",
    ),
    "request_in_flight": Sentences(
        "The same request is still being processed. Please send it again.",
        "Yêu cầu này đang được xử lý. Hãy gửi lại.",
    ),
    "no_key": Sentences(
        "The service has no valid key to sign with.", "Dịch vụ chưa có khóa ký hợp lệ."
    ),
    "registered_otherwise": Sentences(
        "This id is registered with other particulars.", "Mã này đã đăng ký với nội dung khác."
    ),
    # getting a token, and calling with one
    "grant_unsupported": Sentences(
        "Only client credentials get a token here.",
        "Chỉ cấp mã truy cập theo kiểu client_credentials.",
    ),
    "scope_unknown": Sentences(
        "The client may not have one of these scopes.",
        "Bên gọi không được cấp một trong các phạm vi này.",
    ),
    "scope_insufficient": Sentences(
        "The access token is not good for this; ask for one with the scope that is named.",
        "Mã truy cập không dùng được cho việc này; hãy lấy mã có phạm vi đã nêu.",
    ),
    "client_differs": Sentences(
        "The request names another client than its assertion.",
        "Yêu cầu ghi bên gọi khác với giấy xác nhận.",
    ),
    "client_unknown": Sentences(
        "The client is not registered, or no longer as it was.",
        "Bên gọi chưa đăng ký, hoặc đăng ký đã đổi.",
    ),
    "assertion_malformed": Sentences(
        "The client's assertion is not a readable signed document with all its claims.",
        "Giấy xác nhận của bên gọi không đọc được hoặc thiếu nội dung.",
    ),
    "assertion_algorithm": Sentences(
        "The client's assertion is not signed with Ed25519 or ES256 by a key for that.",
        "Giấy xác nhận không ký bằng Ed25519 hay ES256 với đúng loại khóa.",
    ),
    "assertion_key_unknown": Sentences("The client has no such key.", "Bên gọi không có khóa này."),
    "assertion_signature": Sentences(
        "The client's assertion was changed or forged.", "Giấy xác nhận bị sửa hoặc giả mạo."
    ),
    "assertion_audience": Sentences(
        "The client's assertion is meant for another service, or for several.",
        "Giấy xác nhận dành cho nơi khác, hoặc cho nhiều nơi.",
    ),
    "assertion_expired": Sentences(
        "The client's assertion does not count now.", "Giấy xác nhận hiện không có hiệu lực."
    ),
    "assertion_not_short": Sentences(
        "The client's assertion would count for too long.", "Giấy xác nhận có thời hạn quá dài."
    ),
    "assertion_replayed": Sentences(
        "The client's assertion was used before.", "Giấy xác nhận đã dùng rồi."
    ),
    "proof_missing": Sentences(
        "There is not exactly one proof of the key in the DPoP header.",
        "Tiêu đề DPoP phải có đúng một bằng chứng về khóa.",
    ),
    "proof_malformed": Sentences(
        "The proof of the key is not a readable signed document with all its claims.",
        "Bằng chứng về khóa không đọc được hoặc thiếu nội dung.",
    ),
    "proof_key": Sentences(
        "The proof does not hold a public Ed25519 or P-256 key.",
        "Bằng chứng không chứa khóa công khai Ed25519 hay P-256.",
    ),
    "proof_algorithm": Sentences(
        "The proof is not signed with Ed25519 or ES256 by a key for that.",
        "Bằng chứng không ký bằng Ed25519 hay ES256 với đúng loại khóa.",
    ),
    "proof_signature": Sentences(
        "The proof was changed or forged.", "Bằng chứng bị sửa hoặc giả mạo."
    ),
    "proof_method": Sentences(
        "The proof is for another method.", "Bằng chứng dành cho phương thức khác."
    ),
    "proof_address": Sentences(
        "The proof is for another address.", "Bằng chứng dành cho địa chỉ khác."
    ),
    "proof_time": Sentences(
        "The proof is not of this minute.", "Bằng chứng không phải vừa mới ký."
    ),
    "proof_token": Sentences(
        "The proof is for another access token.", "Bằng chứng dành cho mã truy cập khác."
    ),
    "proof_replayed": Sentences("The proof was used before.", "Bằng chứng đã dùng rồi."),
    "access_invalid": Sentences(
        "The access token was not signed by this service, or was changed.",
        "Mã truy cập không do dịch vụ này ký, hoặc đã bị sửa.",
    ),
    "access_elsewhere": Sentences(
        "The access token is another service's.", "Mã truy cập là của dịch vụ khác."
    ),
    "access_expired": Sentences(
        "The access token does not count now; get another.",
        "Mã truy cập hiện không có hiệu lực; hãy lấy mã mới.",
    ),
    "access_binding": Sentences(
        "The access token is bound to a key in another way than it is shown.",
        "Mã truy cập gắn với khóa theo cách khác với cách đang dùng.",
    ),
    "certificate_malformed": Sentences(
        "The proxy handed over something that is no certificate.",
        "Nội dung máy chủ trung gian chuyển đến không phải chứng thư.",
    ),
    "certificate_differs": Sentences(
        "The access token is bound to another certificate than the one that was shown.",
        "Mã truy cập gắn với chứng thư khác với chứng thư đã trình.",
    ),
    "access_key_differs": Sentences(
        "The access token is bound to another key than the proof's.",
        "Mã truy cập gắn với khóa khác với khóa của bằng chứng.",
    ),
    # asking for a consent
    "signature_missing": Sentences(
        "The request does not have exactly one signature.", "Yêu cầu phải có đúng một chữ ký."
    ),
    "signature_malformed": Sentences(
        "The request's signature cannot be read.", "Không đọc được chữ ký của yêu cầu."
    ),
    "signature_components": Sentences(
        "The signature does not cover method, address, content type and digest.",
        "Chữ ký chưa bao gồm phương thức, địa chỉ, kiểu nội dung và mã băm.",
    ),
    "signature_unkept": Sentences(
        "The signature covers something that is not kept with it.",
        "Chữ ký bao gồm nội dung không được lưu cùng.",
    ),
    "signature_key_unknown": Sentences(
        "The request is signed by a key that is not this client's.",
        "Yêu cầu được ký bằng khóa không phải của bên gọi.",
    ),
    "signature_algorithm": Sentences(
        "The signature says another algorithm than its key's.",
        "Chữ ký ghi thuật toán khác với khóa.",
    ),
    "signature_stale": Sentences(
        "The request was not signed just now.", "Yêu cầu không phải vừa mới ký."
    ),
    "signature_wrong": Sentences(
        "The signed request was changed, or its signature forged.",
        "Yêu cầu đã ký bị sửa, hoặc chữ ký giả mạo.",
    ),
    "digest_differs": Sentences(
        "The content is not what its digest says.", "Nội dung không khớp mã băm."
    ),
    "request_rejected": Sentences(
        "This person may not be asked now.", "Không được hỏi người này lúc này."
    ),
    "citizen_unknown": Sentences("The citizen is not registered.", "Chưa có người dân này."),
    "citizen_erased": Sentences(
        "The citizen's phone was erased, so nothing can be signed.",
        "Số điện thoại của người dân đã được xóa nên không thể ký.",
    ),
    "erasure_rejected": Sentences(
        "This person's data cannot be erased yet.", "Chưa thể xóa dữ liệu của người này."
    ),
    "consent_open": Sentences(
        "A question or a consent is still open: it is answered or withdrawn first.",
        "Còn câu hỏi hoặc sự đồng ý đang mở: phải trả lời hoặc rút lại trước.",
    ),
    "bank_unknown": Sentences("The bank is not registered.", "Chưa có ngân hàng này."),
    "product_unknown": Sentences(
        "The bank does not offer this product.", "Ngân hàng không có sản phẩm này."
    ),
    "office_unknown": Sentences("The office is not registered.", "Chưa có bưu cục này."),
    "clerk_unknown": Sentences(
        "The clerk does not work at this office.", "Nhân viên không thuộc bưu cục này."
    ),
    "site_unknown": Sentences(
        "The place is not one where people may be asked.", "Địa điểm này không được phép thu thập."
    ),
    "place_missing": Sentences(
        "At a counter, the office, the place and the clerk are named.",
        "Tại quầy phải ghi bưu cục, địa điểm và nhân viên.",
    ),
    "place_not_online": Sentences(
        "A question that is asked online names no office, place or clerk.",
        "Hỏi trực tuyến thì không ghi bưu cục, địa điểm hay nhân viên.",
    ),
    "not_own_bank": Sentences(
        "A bank acts for itself alone.", "Ngân hàng chỉ được làm cho chính mình."
    ),
    "not_own_clerk": Sentences(
        "A clerk acts under the own name alone.", "Nhân viên chỉ được làm bằng tên mình."
    ),
    "refused_before": Sentences(
        "The citizen refused; this bank and this office may not ask again yet.",
        "Người dân đã từ chối; ngân hàng và bưu cục này chưa được hỏi lại.",
    ),
    "dispute_code_unknown": Sentences(
        "There is no such code. Please look at the message or receipt again.",
        "Không có mã này. Hãy xem lại tin nhắn hoặc biên nhận.",
    ),
    "disputed_before": Sentences(
        "The citizen said “not me” to this bank or office; they may not ask again yet.",
        "Người dân đã báo “không phải tôi” với ngân hàng hoặc bưu cục này; chưa được hỏi lại.",
    ),
    "agreement_stands": Sentences(
        "The citizen has agreed to this already, and it can still be used.",
        "Người dân đã đồng ý việc này và sự đồng ý còn hiệu lực.",
    ),
    "request_pending": Sentences(
        "The citizen has not answered the earlier question yet.",
        "Người dân chưa trả lời câu hỏi trước.",
    ),
    "decide_by_out_of_range": Sentences(
        "The time to decide is outside what policy allows.", "Thời hạn trả lời không hợp lệ."
    ),
    "notice_missing": Sentences(
        "There is no text to ask this with.", "Chưa có nội dung thông báo cho mục đích này."
    ),
    "consent_id_reused": Sentences(
        "This id already stands for another question.", "Mã này đã dùng cho câu hỏi khác."
    ),
    # deciding
    "decision_rejected": Sentences(
        "This decision cannot be made now.", "Không thể quyết định lúc này."
    ),
    "already_decided": Sentences("The citizen has decided.", "Người dân đã quyết định."),
    "request_expired": Sentences(
        "The time to decide is over; no answer means no.",
        "Đã hết hạn trả lời; không trả lời là không đồng ý.",
    ),
    "confirmation_too_early": Sentences(
        "It can be confirmed later, once the citizen is alone with it.",
        "Chưa đến giờ xác nhận; người dân xác nhận sau, khi ở một mình.",
    ),
    "phone_of_staff": Sentences(
        "This phone is a clerk's; no agreement is signed with it.",
        "Số điện thoại này của nhân viên; không dùng để ký đồng ý.",
    ),
    "phone_not_own": Sentences(
        "Another phone counts as the citizen's by now. Ask for a new code.",
        "Số điện thoại của người dân đã đổi. Hãy lấy mã mới.",
    ),
    "phone_shared": Sentences(
        "This phone is that of more citizens than is allowed; no agreement is signed with it.",
        "Số điện thoại này có quá nhiều người dùng; không dùng để ký đồng ý.",
    ),
    "phone_not_known": Sentences(
        "This phone was not the citizen's before the question; it confirms nothing.",
        "Số điện thoại này chưa phải của người dân khi được hỏi; không dùng để xác nhận.",
    ),
    "clerk_address": Sentences(
        "This comes from the network address of the clerk who asked; it signs no agreement.",
        "Yêu cầu đến từ cùng địa chỉ mạng với nhân viên đã hỏi; không dùng để ký đồng ý.",
    ),
    "notice_not_served": Sentences(
        "This text was not shown, so it cannot be answered.",
        "Nội dung này chưa được hiển thị nên không thể trả lời.",
    ),
    "passkey_of_staff": Sentences(
        "This device signs for staff, so it signs for no citizen.",
        "Thiết bị này là của nhân viên nên không ký thay người dân.",
    ),
    "passkey_taken": Sentences(
        "This passkey is another person's.", "Khóa này đã là của người khác."
    ),
    "passkey_too_new": Sentences(
        "This passkey is too new for that.", "Khóa này mới quá, chưa ký được như vậy."
    ),
    "enrolment_unknown": Sentences("This was not asked for.", "Không có yêu cầu này."),
    "enrolment_done": Sentences("This request was used already.", "Yêu cầu này đã dùng rồi."),
    "grade_differs": Sentences(
        "The statement says that it is signed in another way.",
        "Văn bản này phải được ký bằng cách khác.",
    ),
    "grade_too_low": Sentences(
        "The organisation takes no agreement that is signed in so weak a way.",
        "Tổ chức này không nhận sự đồng ý được ký bằng cách yếu như vậy.",
    ),
    "purpose_not_given": Sentences(
        "The citizen has not agreed to this purpose.", "Người dân chưa đồng ý mục đích này."
    ),
    "purpose_withdrawn": Sentences(
        "The citizen has taken a side purpose back since.",
        "Người dân đã rút lại một mục đích khác sau đó.",
    ),
    "too_many_codes": Sentences(
        "Too many codes were sent. Please wait an hour.", "Đã gửi quá nhiều mã. Hãy chờ một giờ."
    ),
    "challenge_unknown": Sentences("This code was not asked for.", "Không có yêu cầu mã này."),
    "code_wrong": Sentences("The code is not right.", "Mã không đúng."),
    "code_shape": Sentences("A code has six digits.", "Mã gồm sáu chữ số."),
    "code_expired": Sentences(
        "The code is too old. Ask for a new one.", "Mã đã hết hạn. Hãy lấy mã mới."
    ),
    "code_tries_used": Sentences(
        "Too many wrong codes. Ask for a new one.", "Nhập sai quá nhiều lần. Hãy lấy mã mới."
    ),
    "code_not_sent": Sentences(
        "The code could not be sent. Please try again.", "Chưa gửi được mã. Hãy thử lại."
    ),
    # the gate
    "office_not_registered": Sentences(
        "The office is not registered as an agent at this time.",
        "Bưu cục hiện không được đăng ký làm đại lý.",
    ),
    "contract_missing": Sentences(
        "The bank has no contract with this office at this time.",
        "Ngân hàng hiện không có hợp đồng đại lý với bưu cục này.",
    ),
    "clerk_untrained": Sentences(
        "The clerk is not trained and appointed at this time.",
        "Nhân viên hiện chưa được đào tạo và phân công.",
    ),
    "permission_missing": Sentences(
        "The host of this place has not permitted it for this time.",
        "Chủ địa điểm hiện không cho phép thu thập tại đây.",
    ),
    "bank_suspended": Sentences(
        "What is done for this bank is suspended.", "Việc mở cho ngân hàng này đang bị dừng."
    ),
    "office_suspended": Sentences(
        "What is done at this office is suspended.", "Việc mở tại bưu cục này đang bị dừng."
    ),
    "clerk_suspended": Sentences(
        "What this clerk does is suspended.", "Việc của nhân viên này đang bị dừng."
    ),
    "site_suspended": Sentences(
        "What is done at this place is suspended.", "Việc tại địa điểm này đang bị dừng."
    ),
    "citizen_suspended": Sentences(
        "The citizen wants nothing asked or opened in their name.",
        "Người dân không cho hỏi hay mở gì bằng tên mình.",
    ),
    "right_rejected": Sentences("This cannot be granted.", "Không cấp được quyền này."),
    "valid_until_out_of_range": Sentences(
        "The end must be after the start.", "Ngày hết hạn phải sau ngày bắt đầu."
    ),
    "not_entitled": Sentences(
        "Whoever asks does not answer for this.", "Bên yêu cầu không có thẩm quyền về việc này."
    ),
    "suspension_rejected": Sentences("This cannot be done.", "Không thực hiện được."),
    "suspension_unknown": Sentences("There is no such suspension.", "Không có lệnh dừng này."),
    "suspension_id_reused": Sentences(
        "This id already stands for another suspension.", "Mã này đã dùng cho lệnh dừng khác."
    ),
    "scope_missing": Sentences(
        "A suspension names what it is about.", "Lệnh dừng phải ghi rõ phạm vi."
    ),
    # importing the directory
    "line_not_utf8": Sentences("The line is not UTF-8 text.", "Dòng không phải văn bản UTF-8."),
    "line_malformed": Sentences(
        "The line is not CSV: a quote is not closed, or stands inside a cell.",
        "Dòng không đúng CSV: dấu ngoặc kép chưa đóng hoặc nằm giữa ô.",
    ),
    "line_too_long": Sentences("The line is longer than a line can be.", "Dòng quá dài."),
    "line_length": Sentences(
        "The line does not have as many cells as the header.", "Số ô của dòng khác số cột."
    ),
    "line_contradicts": Sentences(
        "An earlier line says otherwise of the same.", "Một dòng trước ghi khác về cùng mã này."
    ),
    "cell_missing": Sentences("This cell must not be empty.", "Ô này không được để trống."),
    "cell_malformed": Sentences(
        "The cell is not of the form that this column has.", "Ô không đúng mẫu của cột."
    ),
    "cell_control": Sentences(
        "The cell holds a character that cannot be printed.", "Ô có ký tự không in được."
    ),
    "cell_formula": Sentences(
        "The cell begins like a formula of a spreadsheet.", "Ô bắt đầu như công thức bảng tính."
    ),
    "start_missing": Sentences(
        "Dates and papers need a start.", "Có ngày hết hạn hoặc văn bản thì phải có ngày bắt đầu."
    ),
    # witnesses
    "witness_unknown": Sentences(
        "Two witnesses are needed, each with a key of their own.",
        "Cần hai người làm chứng, mỗi người có khóa của mình.",
    ),
    "witness_of_staff": Sentences(
        "A clerk cannot be a witness.", "Nhân viên không được làm chứng."
    ),
    "witness_of_asker": Sentences(
        "Whoever stands for the office or the bank that asks cannot be a witness.",
        "Người của bưu cục hoặc ngân hàng đang hỏi không được làm chứng.",
    ),
    "witnesses_alike": Sentences(
        "The two witnesses must be two people, of two organisations, with two phones.",
        "Hai người làm chứng phải là hai người, của hai tổ chức, với hai điện thoại.",
    ),
    "witness_is_citizen": Sentences(
        "A witness has the citizen's own phone.",
        "Người làm chứng dùng chính điện thoại của người dân.",
    ),
    "witnesses_rejected": Sentences(
        "These two cannot be the witnesses.", "Hai người này không làm chứng được."
    ),
    "witness_dissented": Sentences(
        "The other witness heard something else.", "Người làm chứng kia nghe khác."
    ),
    "witnessing_over": Sentences(
        "The time for the second witness is over.", "Đã hết giờ cho người làm chứng thứ hai."
    ),
    "invitation_over": Sentences(
        "This invitation can be used no more.", "Lời mời này không dùng được nữa."
    ),
    "invitation_not_sent": Sentences(
        "The invitation was not sent. Please send it again.",
        "Lời mời chưa gửi được. Hãy gửi lại.",
    ),
    "phone_missing": Sentences(
        "The citizen has no phone: two witnesses sign.",
        "Người dân không có điện thoại: hai người làm chứng ký.",
    ),
    # representatives
    "representative_rejected": Sentences(
        "This person cannot speak for that one.", "Người này không đại diện cho người kia được."
    ),
    "representative_unknown": Sentences(
        "The representative is not registered.", "Chưa có người đại diện này."
    ),
    "representative_is_citizen": Sentences(
        "Nobody is their own representative.", "Không ai tự làm người đại diện của chính mình."
    ),
    "representative_under_age": Sentences(
        "A representative is at least 18 years old.", "Người đại diện phải từ đủ 18 tuổi."
    ),
    "representative_incapable": Sentences(
        "Somebody else speaks for this representative.",
        "Người đại diện này lại có người khác đại diện.",
    ),
    "citizen_of_age": Sentences(
        "From 15 years on a citizen speaks alone, unless a court limited their capacity.",
        "Từ đủ 15 tuổi, người dân tự quyết định, trừ khi Tòa án hạn chế năng lực.",
    ),
    "citizen_represents": Sentences(
        "The citizen speaks for somebody else; that is ended first.",
        "Người dân đang đại diện cho người khác; phải chấm dứt việc đó trước.",
    ),
    "authority_period": Sentences(
        "This authority would never count.", "Quyền đại diện này không có lúc nào có hiệu lực."
    ),
    "authority_stands": Sentences(
        "Another authority counts in that time; it is ended first.",
        "Đã có quyền đại diện khác trong thời gian đó; phải chấm dứt quyền đó trước.",
    ),
    "representative_missing": Sentences(
        "The citizen does not decide alone, and nobody may speak for them.",
        "Người dân chưa tự quyết định được và chưa có người đại diện.",
    ),
    "representative_not_online": Sentences(
        "Whoever does not decide alone is asked at a counter only.",
        "Người chưa tự quyết định được chỉ được hỏi tại quầy.",
    ),
    "representative_needed": Sentences(
        "A representative decides this, not the citizen alone.",
        "Việc này do người đại diện quyết định, không phải người dân một mình.",
    ),
    "authority_over": Sentences(
        "Whoever speaks here may do so no more.", "Người nói thay ở đây không còn quyền đại diện."
    ),
    "child_not_asked": Sentences(
        "A child of 7 years or more was not asked, or does not agree.",
        "Trẻ từ đủ 7 tuổi chưa được hỏi hoặc không đồng ý.",
    ),
    # policy
    "policy_rejected": Sentences(
        "This cannot become policy.", "Không thể đặt quy định vận hành như vậy."
    ),
    "policy_version_taken": Sentences(
        "This version is set already, with other values.",
        "Phiên bản này đã được đặt với giá trị khác.",
    ),
    "policy_version_skips": Sentences(
        "Versions are set one after the other.", "Các phiên bản phải được đặt lần lượt."
    ),
    "policy_notice": Sentences(
        "Policy is set at least an hour before it holds, and at most 90 days.",
        "Quy định phải được đặt trước khi có hiệu lực ít nhất một giờ, nhiều nhất 90 ngày.",
    ),
    "policy_backwards": Sentences(
        "A version holds from later on than the one before it.",
        "Phiên bản sau phải có hiệu lực muộn hơn phiên bản trước.",
    ),
    "policy_not_whole": Sentences(
        "A version names every value, and no others.",
        "Mỗi phiên bản phải ghi đủ mọi giá trị, không thừa giá trị nào.",
    ),
    "policy_out_of_bounds": Sentences(
        "This value is beyond what policy may say.", "Giá trị này vượt giới hạn cho phép."
    ),
    "proposal_unknown": Sentences("There is no such proposal.", "Không có đề xuất này."),
    "proposal_replaced": Sentences(
        "Another proposal took the place of this one.",
        "Đề xuất này đã được thay bằng đề xuất khác.",
    ),
    # signing with a passkey
    "passkey_malformed": Sentences(
        "The answer of the phone or computer cannot be read.", "Không đọc được trả lời của máy."
    ),
    "passkey_unknown": Sentences(
        "This phone or computer is not registered as this person's.",
        "Máy này chưa được đăng ký là của người này.",
    ),
    "passkey_type": Sentences(
        "The device did something else: registering it is not signing.",
        "Máy đã làm việc khác: đăng ký máy không phải là ký.",
    ),
    "passkey_challenge": Sentences(
        "The device signed something else, or answered an old question.",
        "Máy đã ký nội dung khác hoặc trả lời câu hỏi cũ.",
    ),
    "passkey_origin": Sentences(
        "This was signed on a page or in an app that is not ours.",
        "Chữ ký này làm trên trang hoặc ứng dụng không phải của chúng tôi.",
    ),
    "passkey_cross_origin": Sentences(
        "This was signed inside somebody else's page.",
        "Chữ ký này làm bên trong trang của người khác.",
    ),
    "passkey_rp": Sentences(
        "This key of the device is for another service.", "Khóa này của máy dành cho dịch vụ khác."
    ),
    "passkey_unverified_user": Sentences(
        "The device did not check the finger, the face or the PIN.",
        "Máy chưa kiểm tra vân tay, khuôn mặt hoặc mã PIN.",
    ),
    "passkey_counter": Sentences(
        "Somebody may have a copy of this device's key, so it does not count.",
        "Có thể khóa của máy đã bị sao chép nên không được chấp nhận.",
    ),
    "passkey_signature": Sentences(
        "The signature of the device is not right.", "Chữ ký của máy không đúng."
    ),
    "not_decided": Sentences("The citizen has not decided yet.", "Người dân chưa quyết định."),
    "receipt_unknown": Sentences("There is no such receipt.", "Không có biên nhận này."),
    # phones
    "phone_rejected": Sentences(
        "The phone stays as it is.", "Số điện thoại được giữ nguyên như cũ."
    ),
    "phone_unwarned": Sentences(
        "No phone is known that could be warned; the operator enrols the first one.",
        "Chưa có số điện thoại để báo trước; đơn vị vận hành đăng ký số đầu tiên.",
    ),
    "phone_counts": Sentences(
        "The new phone counts already; it can no longer be stopped here.",
        "Số mới đã được dùng; không dừng ở đây được nữa.",
    ),
    "warning_not_sent": Sentences(
        "The old phone could not be warned, so nothing changes. Please send it again.",
        "Chưa báo được cho số cũ nên không có gì thay đổi. Hãy gửi lại.",
    ),
    "sharing_above_cap": Sentences(
        "One phone may not serve so many citizens.",
        "Một số điện thoại không được dùng cho nhiều người như vậy.",
    ),
    # using a consent
    "redemption_rejected": Sentences(
        "The consent cannot be used.", "Không thể dùng sự đồng ý này."
    ),
    "capture_rejected": Sentences(
        "Nobody may be photographed like this.", "Không được chụp ảnh như vậy."
    ),
    "capture_id_reused": Sentences(
        "This id already stands for other pictures.", "Mã này đã dùng cho ảnh khác."
    ),
    "capture_before_consent": Sentences(
        "Nobody is photographed before they agreed.",
        "Không được chụp ảnh trước khi người dân đồng ý.",
    ),
    "capture_missing": Sentences(
        "The citizen has not been photographed yet.", "Chưa chụp giấy tờ và ảnh của người dân."
    ),
    "device_not_registered": Sentences(
        "This is no device of the office's own.", "Máy này không phải máy của bưu cục."
    ),
    "device_clock_ahead": Sentences(
        "The clock of this device is ahead. Please set it.",
        "Đồng hồ của máy chạy trước. Hãy chỉnh lại.",
    ),
    "images_alike": Sentences(
        "The card and the face are the same picture.", "Ảnh giấy tờ và ảnh chân dung là một."
    ),
    "image_used": Sentences(
        "One of these pictures served for another case.", "Có ảnh đã dùng cho hồ sơ khác."
    ),
    "submission_rejected": Sentences("This cannot be handed in.", "Không gửi được hồ sơ này."),
    "submitted_already": Sentences(
        "It was handed in to the bank already.", "Hồ sơ đã gửi cho ngân hàng."
    ),
    "not_submitted": Sentences(
        "The office has not handed it in to the bank yet.", "Bưu cục chưa gửi hồ sơ cho ngân hàng."
    ),
    "bank_decides": Sentences(
        "An office hands in; the bank alone opens an account.",
        "Bưu cục chỉ gửi hồ sơ; chỉ ngân hàng được mở tài khoản.",
    ),
    "officer_is_clerk": Sentences(
        "Whoever decides at the bank may not be a clerk of an office.",
        "Người duyệt ở ngân hàng không được là nhân viên bưu cục.",
    ),
    "approved_from_counter": Sentences(
        "The bank's decision came from the very network of the counter.",
        "Quyết định của ngân hàng đến từ chính mạng của quầy.",
    ),
    "consent_unknown": Sentences("There is no such consent.", "Không có sự đồng ý này."),
    "consent_not_given": Sentences("The citizen has not agreed.", "Người dân chưa đồng ý."),
    "consent_refused": Sentences("The citizen refused.", "Người dân đã từ chối."),
    "consent_withdrawn": Sentences(
        "The citizen has withdrawn the consent.", "Người dân đã rút lại sự đồng ý."
    ),
    "consent_disputed": Sentences(
        "The citizen says it was not them; everything is stopped.",
        "Người dân báo không phải mình; mọi việc đã dừng.",
    ),
    "consent_invalidated": Sentences(
        "The consent was found void.", "Sự đồng ý đã bị tuyên vô hiệu."
    ),
    "invalidation_rejected": Sentences(
        "The consent cannot be declared void like this.", "Không thể tuyên vô hiệu như vậy."
    ),
    "four_eyes_required": Sentences(
        "A second organisation must say so too.", "Phải có đơn vị thứ hai cùng xác nhận."
    ),
    "account_frozen": Sentences("The account is frozen.", "Tài khoản đã bị khóa."),
    "account_closed": Sentences("The bank closed the account.", "Ngân hàng đã đóng tài khoản."),
    "account_declined": Sentences(
        "The bank declined it, so there is no account.",
        "Ngân hàng đã không mở nên không có tài khoản.",
    ),
    "consent_used": Sentences(
        "The consent was used already; it counts once.",
        "Sự đồng ý đã được dùng; chỉ dùng một lần.",
    ),
    "consent_expired": Sentences("The consent has expired.", "Sự đồng ý đã hết hạn."),
    "consent_unconfirmed": Sentences(
        "The citizen agreed at the counter and has not confirmed it since.",
        "Người dân đồng ý tại quầy nhưng chưa xác nhận lại.",
    ),
    "consent_not_yet": Sentences("The consent does not count yet.", "Sự đồng ý chưa có hiệu lực."),
    "statement_differs": Sentences(
        "This is not the statement that the citizen signed.",
        "Đây không phải nội dung mà người dân đã ký.",
    ),
    "redemption_id_reused": Sentences(
        "This id already stands for another use.", "Mã này đã dùng cho lần khác."
    ),
    # opening an account
    "opening_rejected": Sentences("No account is opened.", "Không mở tài khoản."),
    "consent_missing": Sentences(
        "There is no consent by the citizen.", "Không có sự đồng ý của người dân."
    ),
    "token_malformed": Sentences(
        "The consent is not a readable signed document.", "Giấy đồng ý không đọc được."
    ),
    "key_unknown": Sentences(
        "The consent was not signed by the consent service.",
        "Sự đồng ý không do dịch vụ đồng ý ký.",
    ),
    "signature_invalid": Sentences(
        "The consent was changed or forged.", "Sự đồng ý bị sửa hoặc giả mạo."
    ),
    "key_not_valid": Sentences(
        "The key was not valid when it signed.", "Khóa ký không còn hiệu lực khi ký."
    ),
    "token_type": Sentences("This document is not a consent.", "Giấy này không phải sự đồng ý."),
    "audience_differs": Sentences(
        "The consent is meant for others.", "Sự đồng ý dành cho nơi khác."
    ),
    "decision_differs": Sentences(
        "The citizen's decision is not an agreement.", "Quyết định này không phải là đồng ý."
    ),
    "subject_differs": Sentences(
        "The consent is another person's.", "Sự đồng ý là của người khác."
    ),
    "bank_differs": Sentences(
        "The citizen agreed to another bank.", "Người dân đồng ý với ngân hàng khác."
    ),
    "product_differs": Sentences(
        "The citizen agreed to another product.", "Người dân đồng ý sản phẩm khác."
    ),
    "terms_differ": Sentences(
        "These are not the terms that the citizen read.",
        "Điều khoản không phải bản người dân đã đọc.",
    ),
    "fees_differ": Sentences(
        "These are not the fees that the citizen read.",
        "Biểu phí không phải bản người dân đã đọc.",
    ),
    "purpose_differs": Sentences(
        "The citizen agreed to something else.", "Người dân đồng ý cho việc khác."
    ),
    "office_differs": Sentences(
        "The citizen was asked by another office.", "Người dân được hỏi ở bưu cục khác."
    ),
    "clerk_differs": Sentences(
        "The citizen was asked by another clerk.", "Người dân được nhân viên khác hỏi."
    ),
    "site_differs": Sentences(
        "The citizen was asked at another place.", "Người dân được hỏi ở nơi khác."
    ),
    "consent_unreachable": Sentences(
        "The consent service is out of reach; nothing opens. Please send it again.",
        "Không hỏi được dịch vụ đồng ý; không mở gì cả. Hãy gửi lại.",
    ),
    "receipt_invalid": Sentences(
        "The consent service's answer proves nothing.", "Trả lời của dịch vụ đồng ý không hợp lệ."
    ),
    "opening_id_reused": Sentences(
        "This id already stands for another command.", "Mã này đã dùng cho lệnh khác."
    ),
    # the bank's answer
    "answer_rejected": Sentences(
        "The bank's answer does not fit.", "Trả lời của ngân hàng không phù hợp."
    ),
    "opening_unknown": Sentences("There is no such opening.", "Không có lần mở này."),
    "already_answered": Sentences(
        "The bank answered otherwise before.", "Ngân hàng đã trả lời khác trước đó."
    ),
    "account_number_used": Sentences(
        "This account number belongs to another opening.",
        "Số tài khoản này thuộc lần mở khác.",
    ),
    # reconciling
    "reconciliation_unknown": Sentences(
        "There is no such reconciliation.", "Không có lần đối chiếu này."
    ),
    "reconciliation_id_reused": Sentences(
        "This id already stands for another file.", "Mã này đã dùng cho tệp khác."
    ),
    "reconciling_already": Sentences(
        "A file of this bank is being taken, or too many others are. Please send it again.",
        "Đang nhận tệp của ngân hàng này, hoặc quá nhiều tệp khác. Hãy gửi lại.",
    ),
    "media_type_unknown": Sentences(
        "A list is text/csv or application/x-ndjson.",
        "Danh sách phải là text/csv hoặc application/x-ndjson.",
    ),
    "header_malformed": Sentences(
        "The first line does not name the columns that are needed, each once and no other.",
        "Dòng đầu không ghi đúng các cột cần có, mỗi cột một lần.",
    ),
    "file_too_large": Sentences("The file is larger than any that is taken.", "Tệp quá lớn."),
    "file_cut_off": Sentences(
        "The rest of the file did not come in time. Please send it again.",
        "Phần còn lại của tệp không đến kịp. Hãy gửi lại.",
    ),
    "line_not_object": Sentences(
        "The line is not a JSON object.", "Dòng không phải đối tượng JSON."
    ),
    "member_unknown": Sentences(
        "The line has a member that is not known.", "Dòng có trường không biết."
    ),
    "line_repeated": Sentences(
        "An earlier line has the same account.", "Một dòng trước đã ghi tài khoản này."
    ),
    "opening_differs": Sentences(
        "The account was confirmed under another opening than the line names.",
        "Tài khoản đã được xác nhận với lần mở khác.",
    ),
    "opening_not_named": Sentences(
        "No confirmed account has this number, and the line names no opening.",
        "Không tài khoản nào đã xác nhận có số này, và dòng không ghi lần mở.",
    ),
    "opening_of_another_account": Sentences(
        "The opening that the line names is another account's.",
        "Lần mở ghi ở dòng này là của tài khoản khác.",
    ),
    # how a bank hears
    "webhook_rejected": Sentences("The webhook is not changed.", "Không thay đổi webhook."),
    "webhook_unknown": Sentences("There is no such webhook.", "Không có webhook này."),
    "address_not_allowed": Sentences(
        "No webhook may have this address.", "Không được đặt webhook ở địa chỉ này."
    ),
    "event_kind_unknown": Sentences(
        "There are no events of this kind here.", "Ở đây không có loại sự kiện này."
    ),
    "webhooks_too_many": Sentences(
        "The bank has as many webhooks as it may have.", "Ngân hàng đã có đủ số webhook cho phép."
    ),
    "key_renewed_lately": Sentences(
        "The key was renewed too often within a day.",
        "Khóa đã được đổi quá nhiều lần trong một ngày.",
    ),
    "event_unknown": Sentences(
        "There is no such event for this webhook.", "Không có sự kiện này cho webhook."
    ),
}


def sentence(code: str, lang: Lang) -> str:
    """Return the sentence of a code; raises `KeyError` for one that is not in the table."""
    return REASONS[code].vi if lang == "vi" else REASONS[code].en
