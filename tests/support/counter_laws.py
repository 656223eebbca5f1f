"""The laws of a counter, told from the log alone: in which order, with whose pictures, by whom."""

from collections.abc import Iterator, Mapping, Sequence

from demo.integrity import Fact, of_kind

STEPS = {
    "consent.given.1": "agreed",
    "identity.captured.1": "photographed",
    "opening.submitted.1": "handed in",
    "consent.confirmed.1": "confirmed",
    "consent.redeemed.1": "used",
}
"""What comes in this order, by position; a confirmation only where the agreement waits for one."""

PICTURES = ("document_image_id", "portrait_image_id")


def in_order(consent: Sequence[Fact]) -> Iterator[str]:
    """Check law 23: for every use at a counter, each step is there, and behind the one before."""
    counters = {
        fact["data"]["consent_id"]
        for fact in of_kind(consent, "consent.requested.1")
        if fact["data"]["channel"] == "counter" and fact["data"]["purpose"] == "open-account"
    }
    newest = {kind: _newest(consent, kind) for kind in STEPS}
    for consent_id, used_at in newest["consent.redeemed.1"].items():
        places = [
            (words, newest[kind].get(consent_id))
            for kind, words in STEPS.items()
            if kind != "consent.confirmed.1" or consent_id in newest[kind]
        ]
        found = [place for _, place in places if place is not None]
        if consent_id in counters and (len(found) < len(places) or found != sorted(found)):
            said = ", ".join(f"{words} at {place}" for words, place in places)
            yield f"law 23: used at {used_at} out of order: {said}"


def _newest(consent: Sequence[Fact], kind: str) -> Mapping[str, int]:
    return {one["data"]["consent_id"]: one["position"] for one in of_kind(consent, kind)}


def by_others(consent: Sequence[Fact], accounts: Sequence[Fact]) -> Iterator[str]:
    """Check law 24: pictures served one case; who opened was the bank, who decided no clerk."""
    served = dict[str, str]()
    for fact in of_kind(consent, "identity.captured.1"):
        for name in PICTURES:
            if (
                served.setdefault(fact["data"][name], fact["data"]["consent_id"])
                != (fact["data"]["consent_id"])
            ):
                yield f"law 24: the capture at {fact['position']} has a picture of another case"
    clerks = {one["data"]["clerk_id"] for one in of_kind(consent, "clerk.registered.1")}
    for opened in of_kind(accounts, "account.opened.1"):
        data = opened["data"]
        if data["commanded_by"] != f"bank:{data['bank_id']}" or data["officer_id"] in clerks:
            yield f"law 24: not the bank opened the account at {opened['position']}"
