"""The development outbox: what would have gone to people's phones. Only a sandbox has it."""

from fastapi import APIRouter

from services.consent.sms import Message, Outbox


def routes(outbox: Outbox) -> APIRouter:
    """Return the outbox's route."""
    router = APIRouter(tags=["sandbox"])

    @router.get("/sandbox/outbox")
    async def read_outbox(phone: str = "") -> list[Message]:
        """Give the messages to one phone, or to all, oldest first."""
        return [one for one in outbox.messages if phone in {"", one.phone}]

    return router
