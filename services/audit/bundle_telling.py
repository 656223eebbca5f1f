"""What is told of a bundle: for each account, rule by rule, a sentence in both languages."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from services.audit.bundle_checking import BundleChecked, LogOfBundle
from services.audit.verdicts import BEHIND_INDEX, NO_ACCOUNT, NOT_VALID, OPEN, RULES, VALID, Verdict


class Words(NamedTuple):
    """A sentence in Vietnamese and in English."""

    vi: str
    en: str


VERDICTS = {
    VALID: Words("hợp lệ", "valid"),
    NOT_VALID: Words("KHÔNG hợp lệ", "NOT valid"),
    OPEN: Words("chưa kết luận được", "cannot be judged yet"),
    NO_ACCOUNT: Words("không có tài khoản nào được mở", "no account was opened"),
}

RULE_WORDS = {
    "event_signed": Words(
        "Văn bản đồng ý có chữ ký của khóa có hiệu lực lúc ký.",
        "The consent event is signed by a key that was valid then.",
    ),
    "receipt_signed": Words(
        "Biên nhận sử dụng có chữ ký và chỉ đúng chỗ của lần sử dụng này.",
        "The receipt of the use is signed, and names where this use lies.",
    ),
    "asked_for": Words(
        "Công dân được hỏi trước khi đồng ý.", "The citizen was asked before they agreed."
    ),
    "given_before": Words(
        "Công dân đồng ý trước khi sự đồng ý được sử dụng.",
        "The citizen agreed before the consent was used.",
    ),
    "shown_before": Words(
        "Thông báo được đưa ra, rồi chữ ký được hỏi, trước khi đồng ý.",
        "The notice was shown, and the signature asked for, before the agreement.",
    ),
    "statement_same": Words(
        "Điều được ký đúng với mã băm và với văn bản đồng ý.",
        "What was signed has its digest, and is what the consent event says.",
    ),
    "fields_same": Words(
        "Tài khoản đúng là cái đã đồng ý: của ai, ngân hàng, sản phẩm, điều khoản, nơi, người hỏi.",
        "The account is the one agreed to: whose, bank, product, terms, place, clerk.",
    ),
    "used_once": Words(
        "Sự đồng ý được dùng đúng một lần, cho đúng lệnh này.",
        "The consent was used exactly once, for this command.",
    ),
    "opened_once": Words(
        "Không có tài khoản thứ hai từ cùng một sự đồng ý.",
        "No second account was opened from the same consent.",
    ),
    "confirmed_before": Words(
        "Đã xác nhận lần hai trước khi dùng, nếu cần.",
        "It was confirmed before the use, if it had to be.",
    ),
    "not_stopped": Words(
        "Trước khi dùng không bị từ chối, rút lại, phản đối hay vô hiệu.",
        "It was not refused, withdrawn, disputed or found void before the use.",
    ),
    "in_time": Words("Được dùng trong thời hạn.", "It was used within its time."),
    "handed_in": Words(
        "Tại quầy: hồ sơ được nộp sau khi đồng ý và trước khi dùng.",
        "At a counter: it was handed in between the agreement and the use.",
    ),
    "rights_held": Words(
        "Tại quầy: mọi quyền cần có đều có hiệu lực lúc dùng.",
        "At a counter: every right that it takes was in force at the use.",
    ),
    "not_suspended": Words(
        "Không ai và không nơi nào liên quan bị đình chỉ lúc dùng.",
        "Nobody and nothing concerned was suspended at the use.",
    ),
    BEHIND_INDEX: Words(
        "Lần sử dụng nằm sau phần đã lập chỉ mục của sổ đồng ý.",
        "The use lies behind what the index of the log of consents covers.",
    ),
}


def bundle_document(checked: BundleChecked, seconds: float) -> dict[str, Any]:
    """Return what a bundle shows, for programs."""
    about = checked.manifest.about
    return {
        "right": not checked.findings,
        "fingerprint": checked.fingerprint,
        "about": {"noun": about.noun, "ids": about.ids, "absent": about.absent},
        "logs": {log: _of_log(one) for log, one in checked.logs.items()},
        "cases": [] if checked.findings else [one.document() for one in checked.cases],
        "findings": [
            {"log": one.log, "file": one.file, "position": one.position, "how": one.how}
            for one in checked.findings
        ],
        "seconds": round(seconds, 3),
    }


def bundle_sentences(checked: BundleChecked) -> Iterator[str]:
    """Yield what a bundle shows, for people."""
    about = checked.manifest.about
    yield f"right: all of {about.noun} {', '.join(about.ids)}"
    for one in checked.logs.values():
        yield from _log_sentences(one)
    if about.absent:
        yield "có / holds: cho đến đó không có sự đồng ý mở tài khoản nào"
        yield "            up to there nobody agreed to open an account"
    for case in checked.cases:
        yield from _case_sentences(case)
    yield f"fingerprint {checked.fingerprint}"


def _of_log(one: LogOfBundle) -> dict[str, Any]:
    return {
        "origin": one.checkpoint.origin,
        "size": one.checkpoint.size,
        "root": one.checkpoint.root.hex(),
        "indexed": one.indexed,
        "as_of": one.as_of.isoformat(),
        "facts": len(one.facts),
        "signed_by": one.signed_by,
        "cosigned_by": one.cosigned_by,
        "keys_from": "the caller" if one.own_keys else "the bundle itself",
    }


def _log_sentences(one: LogOfBundle) -> Iterator[str]:
    trust = "" if one.own_keys else " (keys on the bundle's own word; --keys names yours)"
    yield (
        f"{one.checkpoint.origin}: {len(one.facts):,} facts, all there are up to position"
        f" {one.indexed:,} as of {one.as_of.isoformat()}, under {one.checkpoint.size:,} positions"
    )
    yield f"  root {one.checkpoint.root.hex()}, signed with {' and '.join(one.signed_by)}{trust}"
    if one.cosigned_by:
        yield f"  cosigned by {', '.join(one.cosigned_by)}: the policy's quorum"


def _case_sentences(case: Verdict) -> Iterator[str]:
    said = VERDICTS[case.verdict]
    yield ""
    yield f"consent {case.consent_id}, account {case.opening_id or '-'}: {said.vi} / {said.en}"
    for kind, place in case.decided:
        yield f"  {place} {kind}"
    judged = [*RULES] if case.verdict in {VALID, NOT_VALID} else [*case.failed]
    for code in judged:
        places = case.failed.get(code)
        mark = "có / yes  " if places is None else "KHÔNG / NO"
        where = f" ({', '.join(map(str, places))})" if places else ""
        yield f"  {mark} {RULE_WORDS[code].vi}{where}"
        yield f"             {RULE_WORDS[code].en}"
    for kind, place in case.since:
        yield f"  sau đó / since: {place} {kind}"
