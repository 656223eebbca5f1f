"""What is recorded where the rules say no."""

from bench.history.case import Case
from bench.history.keys import digest_fast
from services.accounts.facts import AnswerRejected, OpeningRejected
from services.consent.facts import (
    CaptureRejected,
    DecisionRejected,
    RedemptionRejected,
    RequestRejected,
    SubmissionRejected,
)
from shared.contracts.consent import Decision


def reject_request(case: Case, reasons: list[str]) -> None:
    """Record that the rules did not let somebody ask."""
    product, place = case.product, case.place
    by = f"clerk:{place.clerk_id}" if place else f"bank:{product.bank_id}"
    case.put(
        RequestRejected(
            consent_id=case.consent_id,
            citizen_id=case.person.id,
            bank_id=product.bank_id,
            product_id=product.id,
            purpose=product.purpose,
            **case.where,
            asked_by=by,
            reasons=reasons,
            policy_version=case.world.policy.version,
        )
    )


def reject_decision(case: Case, reasons: list[str]) -> None:
    """Record that the rules did not let a citizen decide."""
    case.put(
        DecisionRejected(
            consent_id=case.consent_id,
            decision=Decision.GIVEN,
            reasons=reasons,
            bank_id=case.product.bank_id,
            **case.where,
            policy_version=case.world.policy.version,
        )
    )


def reject_capture(case: Case, reasons: list[str]) -> None:
    """Record that the rules let nobody be photographed, and nothing be handed in."""
    place = case.place
    assert place
    named = {"citizen_id": case.person.id, "bank_id": case.product.bank_id, **case.where}
    by = f"clerk:{place.clerk_id}"
    case.put(
        CaptureRejected(
            consent_id=case.consent_id,
            capture_id=case.world.chance.id("cap"),
            **named,
            device_id=place.device_id,
            taken_at=case.world.now,
            asked_by=by,
            reasons=reasons,
            policy_version=case.world.policy.version,
        )
    )
    case.put(
        SubmissionRejected(
            consent_id=case.consent_id, **named, asked_by=by, reasons=["capture_missing"]
        )
    )


def reject_use(case: Case, reasons: list[str]) -> None:
    """Record that the consent could not be used, in both logs."""
    assert case.command
    case.put(
        RedemptionRejected(
            consent_id=case.consent_id,
            redemption_id=case.opening_id,
            command_hash=digest_fast(case.command),
            redeemed_by="service:accounts",
            reasons=reasons,
            citizen_id=case.person.id,
            bank_id=case.product.bank_id,
            **case.where,
        )
    )
    reject_opening(case, reasons)


def reject_opening(case: Case, reasons: list[str], by: str | None = None) -> None:
    """Record that a command opened nothing."""
    command = case.command or case.send()
    case.put_in_accounts(
        OpeningRejected(
            opening_id=command.opening_id,
            citizen_id=command.citizen_id,
            bank_id=command.bank_id,
            product_id=command.product_id,
            purpose=command.purpose,
            office_id=command.office_id,
            site_id=command.site_id,
            clerk_id=command.clerk_id,
            command_hash=digest_fast(command),
            commanded_by=by or f"bank:{command.bank_id}",
            reasons=reasons,
        )
    )


def reject_answer(case: Case) -> None:
    """Record that the bank answered a second time."""
    case.put_in_accounts(
        AnswerRejected(
            opening_id=case.opening_id,
            bank_id=case.product.bank_id,
            answer="confirmed",
            reasons=["already_answered"],
            **case.where,
        )
    )
