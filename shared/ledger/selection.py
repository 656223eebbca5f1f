"""How both SQL stores pick facts: an SQL condition for a DCB query, and many conditions at once.

Both keep `facts(position, kind, …)` and `fact_tags(tag, position, kind)`.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import msgspec
from eventsourcing.dcb.api import DCBAppendCondition, DCBQuery, DCBQueryItem


def matching(
    query: DCBQuery | None, after: int, mark: str, limit: int | None = None
) -> tuple[str, list[Any]]:
    """Return an SQL condition on `position`, and its parameters, for what a page holds.

    Without a query it is a range, so that a page of a long log costs what the page costs.
    """
    if query is None or not query.items:
        return f"position > {mark}", [after]
    positions, parameters = matching_positions(query, after, mark, limit)
    return f"position IN ({positions})", parameters


def matching_positions(
    query: DCBQuery, after: int, mark: str, limit: int | None = None
) -> tuple[str, list[Any]]:
    """Return SQL and parameters for the positions behind `after` that match any query item.

    `mark` is the driver's parameter mark. One arm per item, so each uses an index and none scans
    the log. With a limit each kind is an arm of its own, and gives no more than its first: that is
    all that a page can take of it, and an index has it in this order. Without one, items of one tag
    each and the same kinds are one arm together: SQLite takes no more than 500.
    """
    arms: list[str] = []
    parameters: list[Any] = []
    items, alike = (query.items or [], []) if limit else _alike(query.items or ())
    for tags, kinds in alike:
        arm, values = _any_arm(tags, kinds, after, mark)
        arms.append(arm)
        parameters += values
    for item in items:
        for kinds in [[kind] for kind in item.types] if limit and item.types else [item.types]:
            arm, values = _arm(item.tags, kinds, after, mark)
            if limit:
                arm = f"SELECT position FROM ({arm} ORDER BY t0.position LIMIT {mark}) AS first"
                values.append(limit)
            arms.append(arm)
            parameters += values
    if not arms:
        return f"SELECT position FROM facts WHERE position > {mark}", [after]
    return " UNION ".join(arms), parameters


def _alike(
    items: Sequence[DCBQueryItem],
) -> tuple[list[DCBQueryItem], list[tuple[list[str], list[str]]]]:
    """Return the items that stay arms of their own, and tags with the kinds that go together."""
    groups = defaultdict[tuple[str, ...], list[DCBQueryItem]](list)
    own = [one for one in items if len(one.tags) != 1]
    for one in items:
        if len(one.tags) == 1:
            groups[tuple(one.types)].append(one)
    own += [group[0] for group in groups.values() if len(group) == 1]
    many = [group for group in groups.values() if len(group) > 1]
    return own, [([one.tags[0] for one in group], group[0].types) for group in many]


def _arm(
    named: Sequence[str], kinds: Sequence[str], after: int, mark: str
) -> tuple[str, list[Any]]:
    """Return what finds the facts of these kinds that carry all the tags.

    The first tag leads, and the others are looked up: SQLite keeps no figures to choose by, and
    would start from a bank's million facts where a clerk's ten were named first.
    """
    tags = list(dict.fromkeys(named))
    source = "fact_tags t0" if tags else "facts t0"
    wanted, parameters = [f"t0.position > {mark}"], [after, *tags[:1], *kinds, *tags[1:]]
    if tags:
        wanted.append(f"t0.tag = {mark}")
    if kinds:
        wanted.append(f"t0.kind IN ({', '.join([mark] * len(kinds))})")
    too = f"t1.tag = {mark} AND t1.position = t0.position"
    wanted += [f"EXISTS (SELECT 1 FROM fact_tags t1 WHERE {too})"] * len(tags[1:])
    return f"SELECT t0.position FROM {source} WHERE {' AND '.join(wanted)}", parameters


def _any_arm(
    tags: Sequence[str], kinds: Sequence[str], after: int, mark: str
) -> tuple[str, list[Any]]:
    """Return what finds the facts of these kinds that carry any of the tags."""
    wanted = [f"t0.position > {mark}", f"t0.tag IN ({', '.join([mark] * len(tags))})"]
    if kinds:
        wanted.append(f"t0.kind IN ({', '.join([mark] * len(kinds))})")
    found = f"SELECT t0.position FROM fact_tags t0 WHERE {' AND '.join(wanted)}"
    return found, [after, *tags, *kinds]


class _Wanted(msgspec.Struct, omit_defaults=True):
    number: int
    after: int
    tag: str
    others: list[str] = []
    kinds: list[str] | None = None


def wanted(
    conditions: Sequence[DCBAppendCondition | None],
) -> tuple[str, list[tuple[int, DCBAppendCondition]]]:
    """Return what the conditions that name tags, as rules' do, ask for; and the others, numbered.

    The first is JSON for one statement: for each query item `number` (the condition's), `after`,
    `tag`, and where there are any `others` (more tags) and `kinds`.
    """
    rows: list[_Wanted] = []
    others: list[tuple[int, DCBAppendCondition]] = []
    for number, condition in enumerate(conditions):
        if condition is None:
            continue
        items, after = condition.fail_if_events_match.items, condition.after or 0
        if items and all(item.tags for item in items):
            for item in items:
                tag, *more = item.tags
                rows.append(_Wanted(number, after, tag, more, item.types or None))
        else:
            others.append((number, condition))
    return msgspec.json.encode(rows).decode(), others


def as_of_head(head: int, as_of: int | None) -> int:
    """Return the last position of a log as it was; never behind its real end."""
    return head if as_of is None else min(head, as_of)
