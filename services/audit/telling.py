"""What the inspector reads of an export: sentences for people, JSON for programs."""

from typing import Any

from services.audit.export import Manifest
from services.audit.findings import Checked, Finding, LogChecked
from services.audit.taking import Outcome

COMPLETENESS = "a part of the log: whether facts are missing from it cannot be told"


def taken_document(outcome: Outcome, seconds: float) -> dict[str, Any]:
    """Return what an export came to, for programs."""
    return {
        "was_there": outcome.was_there,
        **_of_manifest(outcome.manifest, outcome.fingerprint),
        "logs": {
            log: {"origin": one.origin, "size": one.size, "root": one.root}
            for log, one in outcome.manifest.logs.items()
        },
        "texts_missing": list(outcome.manifest.texts_missing),
        "seconds": round(seconds, 3),
    }


def taken_sentences(outcome: Outcome, place: str) -> list[str]:
    """Return what an export came to, for people."""
    manifest = outcome.manifest
    done = "is there already, and nothing was changed" if outcome.was_there else "is taken"
    logs = [
        f"{one.origin}, {one.size:,} positions, root {one.root}" for one in manifest.logs.values()
    ]
    missing = [f"no text of the notice {one} was to be had" for one in manifest.texts_missing]
    return [
        f"{place} {done}: {len(manifest.files):,} files",
        *logs,
        *missing,
        f"fingerprint {outcome.fingerprint} (note it down: with it nothing in there can change)",
    ]


def checked_document(
    checked: Checked, earlier: Checked | None, findings: list[Finding], seconds: float
) -> dict[str, Any]:
    """Return what a check came to, for programs."""
    return {
        "right": not findings,
        **_of_manifest(checked.manifest, checked.fingerprint),
        "logs": {log: _of_log(one) for log, one in checked.logs.items()},
        "continues": None if earlier is None else earlier.fingerprint,
        "findings": [
            {"log": one.log, "file": one.file, "position": one.position, "how": one.how}
            for one in findings
        ],
        "seconds": round(seconds, 3),
    }


def checked_sentences(checked: Checked, seconds: float) -> list[str]:
    """Return what was found right, for people."""
    rate = sum(one.facts for one in checked.logs.values()) / seconds if seconds else 0.0
    part = [COMPLETENESS] if checked.manifest.subset else []
    logs = [sentence for one in checked.logs.values() for sentence in _log_sentences(one)]
    taken_at = checked.manifest.taken_at.isoformat()
    return [
        f"right: taken at {taken_at} by the taker's clock, {rate:,.0f} facts a second",
        *logs,
        *part,
        f"fingerprint {checked.fingerprint}",
    ]


def finding_sentence(finding: Finding) -> str:
    """Return what is wrong and where, for people."""
    named = (finding.file, finding.position and f"position {finding.position:,}")
    where = ", ".join(one for one in named if one) or finding.log or "the export"
    return f"WRONG: {where}: {finding.how}"


def _of_manifest(manifest: Manifest, fingerprint: str) -> dict[str, Any]:
    subset = manifest.subset
    return {
        "fingerprint": fingerprint,
        "taken_at": manifest.taken_at.isoformat(),
        "subset": subset and {"month": subset.month, "tags": list(subset.tags)},
        "files": len(manifest.files),
    }


def _of_log(one: LogChecked) -> dict[str, Any]:
    return {
        "origin": one.origin,
        "size": one.size,
        "root": one.root.hex(),
        "facts": one.facts,
        "entries": one.entries,
        "signed_by": one.signed_by,
        "keys_from": "the caller" if one.own_keys else "the export itself",
        "witnessed": one.witnessed,
        "cosigned_by": one.cosigned_by,
        "indexed": one.indexed,
        "unread": one.unread,
        "states": one.states and {"subjects": one.states[0], "digest": one.states[1].hex()},
    }


def _log_sentences(one: LogChecked) -> list[str]:
    trust = "" if one.own_keys else " (keys on the export's own word; --keys names yours)"
    said = [
        f"{one.origin}: {one.facts:,} facts, each the one sealed, under {one.size:,} positions",
        f"  root {one.root.hex()}, signed with {' and '.join(one.signed_by)}{trust}",
    ]
    if one.cosigned_by:
        names = ", ".join(one.cosigned_by)
        said.append(f"  cosigned by {names} up to position {one.witnessed:,}: the policy's quorum")
    if one.indexed:
        said.append(f"  its tags are indexed up to position {one.indexed:,}, as they are")
    if one.unread:
        said.append(f"  no digest of states: this program cannot read {one.unread:,} of its facts")
    if one.states:
        said.append(f"  {one.states[0]:,} subjects, digest of their states {one.states[1].hex()}")
    return said
