"""Facts of every kind about a handful of subjects, in any order: what no rule would have allowed.

A fold never refuses, so its result must not depend on how it was asked for, whatever the facts.
"""

import types
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import date, datetime, timedelta
from enum import Enum
from random import Random
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
from eventsourcing.dcb.api import DCBEvent

from shared.canonical import canonical
from shared.ledger.facts import ERASED, Erased, Vocabulary, tags_of
from tests.support.given import AT

IDS = 4
"""Subjects of each noun: few, so that most facts meet others of the same."""


def any_facts(vocabulary: Vocabulary, chance: Random, count: int) -> Iterator[Any]:
    """Return so many facts, of each kind as likely as of any other; personal fields are erased."""
    kinds = list(vocabulary.facts.values())
    for _ in range(count):
        yield _made(chance.choice(kinds), chance)


def as_stored(fact: Any) -> DCBEvent:
    """Return the event of a fact of which everything personal is erased."""
    personal = {name for names in fact.PERSONAL.values() for name in names}
    said = {one.name: getattr(fact, one.name) for one in fields(fact) if one.name not in personal}
    said = {name: value for name, value in said.items() if value is not msgspec.UNSET}
    return DCBEvent(type=fact.NAME, data=canonical(said), tags=tags_of(fact))


def _made(kind: type[Any], chance: Random) -> Any:
    shapes = get_type_hints(kind)
    return kind(**{one.name: _value(one.name, shapes[one.name], chance) for one in fields(kind)})


def _value(name: str, shape: Any, chance: Random) -> Any:
    arguments = get_args(shape)
    if get_origin(shape) in {Union, types.UnionType}:
        if Erased in arguments:
            return ERASED
        return _value(name, chance.choice(arguments), chance)
    if get_origin(shape) is list:
        return [_value(name, arguments[0], chance) for _ in range(chance.randrange(3))]
    if get_origin(shape) is dict:
        texts = arguments[1] is str
        return {
            f"{name}{number}": str(number) if texts else number
            for number in range(chance.randrange(3))
        }
    if is_dataclass(shape):
        return _made(shape, chance)  # type: ignore[arg-type]  # a class, not an instance
    return _plain(name, shape, chance)


def _plain(name: str, shape: Any, chance: Random) -> Any:
    if isinstance(shape, type) and issubclass(shape, Enum):
        return chance.choice(list(shape))
    number = chance.randrange(IDS)
    plain = {
        str: f"{name}-{number}",
        int: number,
        bool: bool(number % 2),
        datetime: AT + timedelta(hours=number, microseconds=number),
        date: date(2000, 1, 1 + number),
        types.NoneType: None,
        msgspec.UnsetType: msgspec.UNSET,
    }
    return plain[shape]
