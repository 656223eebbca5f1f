"""An operator and an overseer set policy; everybody may read what it is, was, and will be."""

from dataclasses import dataclass
from typing import Any

from services.consent.application.parts import Parts
from services.consent.facts import PolicyProposed
from services.consent.policies import (
    APPROVE,
    PROPOSE,
    Approve,
    Known,
    Propose,
    history,
    holds,
    in_force,
)
from services.consent.policy import Policy
from services.consent.views import read_policies
from shared.ledger.facts import Recorded


@dataclass(frozen=True, slots=True)
class Governed:
    """Every version with its validity, and what is proposed to be the next."""

    known: Known
    in_force: int

    def document(self) -> dict[str, Any]:
        """Return what the API answers, version 0 first."""
        first = {"version": 0, "values": Policy().values(), "valid_from": None, "holds": True}
        newest = self.known.newest(len(self.known.was_set) + 1)
        proposed = {newest: self.known.proposed[newest]} if newest else {}
        return {
            "in_force": self.in_force,
            "policies": [first, *map(_set, self.known.was_set)],
            "proposals": [_proposed(position, one) for position, one in proposed.items()],
        }

    def version(self, version: int) -> dict[str, Any]:
        """Return what the API answers of a version that is set."""
        return next(_set(one) for one in self.known.was_set if one.fact.version == version)

    def proposal(self, version: int) -> dict[str, Any]:
        """Return what the API answers of the newest proposal of a version."""
        position = self.known.newest(version)
        assert position  # whoever asks has just proposed it
        return _proposed(position, self.known.proposed[position])


class Governing:
    """Policy behind its routes."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def propose(self, proposal: PolicyProposed) -> dict[str, Any]:
        """Propose a version; returns the proposal and where it lies, or raises `Rejection`."""
        asked = Propose(proposal=proposal, at=self._parts.now())
        await self._parts.log.perform(PROPOSE, asked)
        return (await self.governed()).proposal(proposal.version)

    async def approve(self, version: int, position: int, by: str) -> dict[str, Any]:
        """Set what was proposed at a position; returns the version, or raises `Rejection`."""
        asked = Approve(version=version, position=position, by=by, at=self._parts.now())
        await self._parts.log.perform(APPROVE, asked)
        return (await self.governed()).version(version)

    async def governed(self) -> Governed:
        """Return all that is known of policy, as the log has it now."""
        known = await read_policies(self._parts.log)
        return Governed(known, in_force(history(known), self._parts.now()).version)


def _proposed(position: int, one: PolicyProposed) -> dict[str, Any]:
    return {
        "version": one.version,
        "proposal": position,
        "values": one.values,
        "valid_from": one.valid_from,
        "why": one.why,
        "proposed_by": one.proposed_by,
    }


def _set(recorded: Recorded) -> dict[str, Any]:
    """Return a version with where it lies; `holds` is false of what was recorded too late."""
    fact = recorded.fact
    return {
        "version": fact.version,
        "values": fact.values,
        "valid_from": fact.valid_from,
        "holds": holds(recorded),
        "why": fact.why,
        "proposed_by": fact.proposed_by,
        "approved_by": fact.approved_by,
        "position": recorded.position,
        "recorded_at": recorded.recorded_at,
    }
