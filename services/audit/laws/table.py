"""The laws, by number, as an inspector reads them; the code of each is in the file of its group.

A number is never used for another law: reports, tests and planted errors name laws by it.
"""

from collections.abc import Mapping

from services.audit.laws.law import Law

_ALL = (
    Law(
        1,
        "Vị trí là 1, 2, 3… không thiếu số nào, và thời gian không bao giờ lùi lại.",
        "Positions are 1, 2, 3… and times never decrease.",
        "R28; ADR 8",
    ),
    Law(
        2,
        "Mỗi tài khoản có đúng một lần dùng sự đồng ý, của chính sự đồng ý đó, cho chính lệnh đó.",
        "An account has exactly one redemption, of its own consent, for its own command.",
        "R12, R13; Circular 17/2024 art. 15.4; ADR 4",
    ),
    Law(
        3,
        "Một sự đồng ý được dùng nhiều nhất một lần, và mở nhiều nhất một tài khoản.",
        "A consent is used at most once, and opens at most one account.",
        "R2; Law 91/2025 art. 9.4 a; ADR 4",
    ),
    Law(
        4,
        "Không dùng sự đồng ý sau khi đã rút lại, bị khiếu nại hay vô hiệu, trước khi được cho (và"
        " xác nhận), hoặc ngoài thời hạn của nó.",
        "No consent is used after it was withdrawn, disputed or void, nor before it was given (and"
        " confirmed), nor outside its time.",
        "R9, R13; Law 91/2025 art. 10; ADR 13",
    ),
    Law(
        5,
        "Tài khoản khớp với bản tuyên bố đã ký ở mọi trường, và mục đích là mở tài khoản.",
        "An account matches the signed statement in every field, and its purpose is an account.",
        "R2, R13; Law 91/2025 art. 9.4",
    ),
    Law(
        6,
        "Hai tài liệu trong mỗi tài khoản được ký bằng khóa có hiệu lực lúc ký.",
        "Both documents in an account's fact are signed by a key that was valid then.",
        "R12; Decree 356/2025 art. 6.1, 6.2",
    ),
    Law(
        7,
        "Thông báo được đưa ra trước khi hỏi mã, trước khi quyết định, trước khi dùng.",
        "A text was shown before a code was asked for, before the decision, before the use.",
        "R4; Law 91/2025 art. 9.2, 11.1",
    ),
    Law(
        8,
        "Mỗi câu hỏi được đồng ý hoặc từ chối, không bao giờ cả hai, không bao giờ hai lần.",
        "A consent is given or refused, never both, never twice.",
        "R3, R9; Law 91/2025 art. 9.4 d",
    ),
    Law(
        9,
        "Bản tuyên bố được dùng là bản đã ký, và sự kiện đồng ý chứa đúng bản đó.",
        "The statement that is used is the one that was signed, and its event holds it.",
        "R1, R12; Decree 356/2025 art. 6.1; ADR 15",
    ),
    Law(
        10,
        "Điều được ký đã được cho xem trước: đúng văn bản đó, với đúng mã đó.",
        "What was signed was shown before: that text, under that code.",
        "R4, R5; Law 91/2025 art. 9.2; Decree 356/2025 art. 6.3",
    ),
    Law(
        11,
        "Biên nhận chỉ đúng chỗ mà nhật ký đồng ý ghi lần dùng.",
        "A receipt names the place where the consent log holds the redemption.",
        "R12, R28",
    ),
    Law(
        12,
        "Ngân hàng trả lời mỗi tài khoản một lần, sau khi mở, và một số chỉ một tài khoản.",
        "An account is answered once, after it was opened, and a number stands for one account.",
        "R36; Circular 17/2024 art. 15.4",
    ),
    Law(
        13,
        "Mỗi lần bị từ chối đều nêu lý do, tất cả đều có trong bảng lý do.",
        "Every rejection names its reasons, all of them from the table.",
        "R24, R25; docs/checks.md",
    ),
    Law(
        14,
        "Nhãn nói đúng điều các trường nói, nên không sự việc nào bị bỏ sót khi tìm.",
        "Tags say what the fields say, so a boundary finds every fact.",
        "R28; docs/ledger-format.md",
    ),
    Law(
        15,
        "Không có dữ liệu cá nhân nào trong hai nhật ký, hay trong tài liệu đã ký.",
        "Nothing personal is in either log, nor inside a signed document.",
        "R29; Decree 356/2025 art. 11.2 b",
    ),
    Law(
        16,
        "Lời từ chối không nêu tên ai đã đăng ký, và yêu cầu ký nó cũng không.",
        "A refusal names nobody who is registered, nor does what asks for its signature.",
        "R26; Law 91/2025 art. 11.1; ADR 11",
    ),
    Law(
        17,
        "Không ký đồng ý, không đăng ký khóa bằng điện thoại của nhân viên hay của người khác.",
        "No agreement was signed, nor passkey enrolled, with a phone of a clerk's or another's.",
        "R7, R16; Law 91/2025 art. 9.2; ADR 14",
    ),
    Law(
        18,
        "Chữ ký bằng khóa thiết bị kiểm được chỉ từ nhật ký, với khóa đã đăng ký và chưa bị thu.",
        "What a passkey signed checks from the log alone, under one enrolled and not taken away.",
        "R12; Decree 356/2025 art. 6.1",
    ),
    Law(
        19,
        "Khóa thiết bị chỉ đồng ý ngay, hoặc xác nhận, khi đã biết từ lâu trước câu hỏi.",
        "A passkey agrees at once, or confirms, only if it was known well before the question.",
        "R7; ADR 12",
    ),
    Law(
        20,
        "Điều hai người làm chứng xác nhận thì cả hai đã ký: hai người đã đăng ký lúc đó, của hai"
        " bên, không bên nào là bên hỏi.",
        "What two witnesses bear out, both signed: two enrolled then, of two sides, neither of"
        " them asking.",
        "R7, R12; Decree 356/2025 art. 6.1; ADR 16",
    ),
    Law(
        21,
        "Mỗi lần xem được ghi một lần trong một giờ, của người được phép; cho trang của mình thì"
        " sau khi đã yêu cầu.",
        "A look is recorded once an hour, of whoever may; for an own page, after it was asked for.",
        "R27; Law 91/2025 art. 4; Decree 356/2025 art. 4.2; Circular 50/2024 art. 19.3; ADR 17",
    ),
    Law(
        22,
        "Ai đồng ý thay người khác thì có quyền đại diện; trẻ em đồng ý qua người đó, và được hỏi.",
        "Who agreed for another had an authority; a child agreed through one, and was asked.",
        "R10; Law 91/2025 art. 24; Circular 17/2024 art. 11, 16.3; ADR 18",
    ),
    Law(
        23,
        "Tại quầy: đồng ý, rồi chụp ảnh, rồi nộp hồ sơ, rồi xác nhận, rồi mới dùng.",
        "At a counter: given, then photographed, then handed in, then confirmed, then used.",
        "R4, R14; Law 91/2025 art. 11.1; ADR 20",
    ),
    Law(
        24,
        "Không ảnh nào dùng cho hai hồ sơ; không nhân viên nào mở tài khoản, hay quyết định thay"
        " ngân hàng.",
        "No picture served two cases; no clerk opened an account, nor decided on one at a bank.",
        "R14, R21, R23; Circular 07/2024 art. 4; ADR 20",
    ),
    Law(
        25,
        "Điều được xét theo quy định nêu đúng phiên bản có hiệu lực lúc đó.",
        "What policy judged names the version that was in force.",
        "R66; ADR 21",
    ),
    Law(
        26,
        "Câu hỏi chỉ được đặt khi mọi quyền tại quầy có hiệu lực và không có gì bị đình chỉ.",
        "A question is put only where every right at its counter is in force, nothing suspended.",
        "R19, R22, R39, R45, R67; Circular 07/2024; Law 91/2025 art. 37.1 h, 37.2 a; ADR 19",
    ),
    Law(
        27,
        "Sự đồng ý chỉ được dùng khi mọi quyền tại quầy có hiệu lực và không có gì bị đình chỉ.",
        "A consent is used only where every right at its counter is in force, nothing suspended.",
        "R19, R22, R39, R45, R67; Circular 07/2024; Law 91/2025 art. 37.1 h, 37.2 a; ADR 19",
    ),
    Law(
        28,
        "Chỉ chụp ảnh bằng máy của bưu điện, và chụp, nộp hồ sơ khi mọi quyền có hiệu lực.",
        "Photographed with a device of the office's; that, and handing in, with every right in"
        " force.",
        "R14, R19, R22; Law 91/2025 art. 31.4; ADR 20",
    ),
    Law(
        29,
        "Chỉ hỏi về điều đã đăng ký, chính ngân hàng đó hoặc chính nhân viên đó hỏi, trong thời"
        " hạn cho phép.",
        "A question is of what was registered before, put by that very bank or clerk, within"
        " the time that policy allows.",
        "R2, R13, R67; Law 91/2025 art. 9.2",
    ),
    Law(
        30,
        "Sau khi từ chối hoặc khiếu nại, ngân hàng và bưu điện đó không hỏi lại trước hạn.",
        "After a refusal or a dispute that bank and that office do not ask again before its time.",
        "R26; Law 91/2025 art. 9.4 b; ADR 11, 13",
    ),
    Law(
        31,
        "Ai chịu trách nhiệm mới đình chỉ; bỏ đình chỉ cần hai người của hai tổ chức.",
        "Who answers for it suspends; lifting takes two, of different organisations.",
        "R22, R45, R55; ADR 19",
    ),
    Law(
        32,
        "Tuyên một sự đồng ý vô hiệu cần hai tổ chức: ngân hàng của nó hoặc cơ quan quản lý.",
        "A consent is found void by two organisations: its own bank, or a regulator.",
        "R9, R41",
    ),
    Law(
        33,
        "Quy định do hai tổ chức đặt, trong giới hạn, và được biết trước.",
        "Policy is set by two organisations, within bounds, known before it holds.",
        "R66; ADR 21",
    ),
    Law(
        34,
        "Danh bạ và quyền do người có thẩm quyền ghi, về điều đã đăng ký.",
        "The directory and its rights are kept by who may, of what is registered.",
        "R19, R39, R67",
    ),
    Law(
        35,
        "Không vai trò nào làm việc của vai trò khác.",
        "No role did what is another's to do.",
        "R21, R23; Circular 07/2024 art. 4",
    ),
    Law(
        36,
        "Mọi sự việc thuộc loại đã biết và đọc được.",
        "Every fact is of a known kind, and can be read.",
        "R28; docs/ledger-format.md",
    ),
    Law(
        37,
        "Không dùng sự đồng ý cho lệnh mà dịch vụ tài khoản đã bác vì chính nội dung của lệnh.",
        "No consent is used for a command that was rejected for what stands in it.",
        "R13, R25; ADR 4",
    ),
    Law(
        38,
        "Khi có lệnh dừng: không mở gì thêm, điều đã mở bị phong tỏa, lệnh dừng có chữ ký.",
        "From a stop on nothing opens, what was open is frozen, and the stop is a signed one.",
        "R33, R45; Circular 15/2024 art. 6; ADR 13",
    ),
    Law(
        39,
        "Điều dừng một sự đồng ý nói đúng nó đã được dùng hay chưa, và ở đâu.",
        "What stops a consent says truly whether it had been used, and where.",
        "R12, R13",
    ),
    Law(
        40,
        "Điều người dân đồng ý chính là điều đã được hỏi: cùng người, ngân hàng, sản phẩm, điều"
        " khoản, mục đích, nơi.",
        "What was agreed to is what was asked: the same citizen, bank, product, terms, purpose,"
        " place.",
        "R2, R13; Law 91/2025 art. 9.4",
    ),
    Law(
        41,
        "Không ai đồng ý, từ chối hay xác nhận khi đã hết thời hạn, hay trước lúc được xác nhận: im"
        " lặng là không.",
        "Nobody agreed, refused or confirmed when the time for it was over, nor confirmed before"
        " it: silence is no.",
        "R9; Law 91/2025 art. 9.4 d; ADR 12",
    ),
    Law(
        42,
        "Lệnh có chữ ký của ngân hàng được lưu nguyên vẹn: đúng mã băm, đúng khóa, và nói đúng điều"
        " đã xảy ra.",
        "A command that a bank signed is kept whole: its digest and its signature hold, and it says"
        " what then came of it.",
        "R12; RFC 9421, RFC 9530; ADR 30",
    ),
    Law(
        43,
        "Ngân hàng chỉ phong tỏa hoặc đóng tài khoản của chính mình, đã mở và không bị từ chối;"
        " đóng một lần, sau đó không làm gì nữa.",
        "A bank freezes and closes only its own account, that was opened and not declined; it"
        " closes it once, and does nothing with it behind that.",
        "R36; Circular 17/2024 art. 15.4",
    ),
    Law(
        44,
        "Chỉ báo không có sự đồng ý khi chưa xác nhận tài khoản nào có số đó, mỗi tài khoản một"
        " lần; số đếm của mỗi danh sách đúng với các dòng.",
        "An account is said to have no consent only if none with its number was confirmed, and"
        " once; the counts of a list are those of its lines.",
        "R36; Circular 17/2024 art. 15.4; ADR 29",
    ),
    Law(
        45,
        "Mỗi khóa của một yêu cầu chỉ dùng cho một yêu cầu, mãi mãi.",
        "A key that a request came with stands for one request, for ever.",
        "R25; ADR 31",
    ),
)

LAWS: Mapping[int, Law] = {law.number: law for law in _ALL}
"""Every law by its number."""
