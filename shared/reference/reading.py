"""What a page says of an API's document: each operation, what it takes, whose it is, its answers.

Pure: a document in, plain values for a template out. It knows the part of OpenAPI 3.1 that our
documents use, and leaves nothing out of it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from shared.contracts.fields import ID_PATTERN, PURPOSE_PATTERN, SHA256_PATTERN
from shared.openapi import MEANINGS

REF = "#/components/schemas/"

USUAL = {str(status): meaning for status, meaning in MEANINGS.items()}

NOUNS = ("consents", "submissions", "openings", "reconciliations", "events", "webhooks", "tokens")
"""What a bank looks for, first; whatever else there is comes behind, by name."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field or parameter: its name and place, what it may be, and whether it must be there."""

    name: str
    place: str
    what: str
    required: bool
    description: str
    shape: str = ""
    """The name of the shape that it has, or that its items have, if there is one."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: its status, what it means, and the name of what it holds.

    A `usual` one means what that status means everywhere.
    """

    status: str
    description: str
    holds: str
    shape: str
    usual: bool


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that can be asked."""

    id: str
    method: str
    path: str
    summary: str
    details: str
    roles: tuple[str, ...]
    scopes: tuple[str, ...]
    fields: tuple[Field, ...]
    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """What is sent or answered under a name of its own."""

    name: str
    description: str
    fields: tuple[Field, ...]
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """All that the page says: operations by noun, and every shape."""

    title: str
    summary: str
    nouns: dict[str, list[Operation]]
    hooks: list[Operation]
    shapes: list[Shape]
    meanings: dict[int, str]


def read(document: Mapping[str, Any]) -> Reference:
    """Return what a page says of a document."""
    nouns = dict[str, list[Operation]]()
    for operation in _operations(document, "paths"):
        tag = document["paths"][operation.path][operation.method.lower()]["tags"][0]
        nouns.setdefault(tag, []).append(operation)
    schemas = document["components"]["schemas"]
    for operations in nouns.values():
        operations.sort(key=lambda one: (one.path, one.method != "PUT"))
    return Reference(
        title=document["info"]["title"],
        summary=document["info"]["summary"],
        nouns={name: nouns[name] for name in sorted(nouns, key=_order)},
        hooks=list(_operations(document, "webhooks")),
        shapes=[_shape(name, schemas[name]) for name in sorted(schemas)],
        meanings=MEANINGS,
    )


def _order(noun: str) -> tuple[int, str]:
    return (NOUNS.index(noun) if noun in NOUNS else len(NOUNS), noun)


def _operations(document: Mapping[str, Any], where: str) -> Iterator[Operation]:
    for path, methods in document.get(where, {}).items():
        for method, said in methods.items():
            summary, _, details = said.get("description", "").partition("\n\n")
            yield Operation(
                id=said["operationId"],
                method=method.upper(),
                path=path,
                summary=summary,
                details=details,
                roles=tuple(said.get("x-roles", ())),
                scopes=tuple(said.get("security", [{}])[0].get("client", ())),
                fields=tuple(_fields(said, document["components"]["schemas"])),
                answers=tuple(_answers(said)),
            )


def _fields(said: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterator[Field]:
    """Yield parameters, then the fields of the body."""
    for one in said.get("parameters", ()):
        what = what_of(one["schema"])
        described = one.get("description", "")
        shape = shape_of(one["schema"])
        yield Field(one["name"], one["in"], what, one.get("required", False), described, shape)
    for media, content in said.get("requestBody", {}).get("content", {}).items():
        schema = content.get("schema", {})
        place = "body" if media.endswith("json") else media
        if "$ref" in schema:
            yield from _members(schemas[schema["$ref"].removeprefix(REF)], place)
        elif "properties" in schema:
            yield from _members(schema, place)
        else:
            described = schema.get("description", "")
            yield Field("", place, what_of(schema), required=True, description=described)


def _members(schema: Mapping[str, Any], place: str) -> Iterator[Field]:
    """Yield each field, and behind one that is an object without a name its own fields."""
    needed = schema.get("required", ())
    for name, one in schema.get("properties", {}).items():
        described, shape = one.get("description", ""), shape_of(one)
        yield Field(name, place, what_of(one), name in needed, described, shape)
        for inner in _members(one, place):
            yield replace(inner, name=f"{name}.{inner.name}")


def _answers(said: Mapping[str, Any]) -> Iterator[Answer]:
    for status, one in said["responses"].items():
        holds = [what_of(content.get("schema", {})) for content in one.get("content", {}).values()]
        held = ", ".join(one for one in holds if one)
        usual = one["description"] == USUAL.get(status)
        shapes = [
            shape_of(content.get("schema", {})) for content in one.get("content", {}).values()
        ]
        yield Answer(status, one["description"], held, next(filter(None, shapes), ""), usual)


def _shape(name: str, schema: Mapping[str, Any]) -> Shape:
    values = tuple(str(one) for one in schema.get("enum", ()))
    return Shape(name, schema.get("description", ""), tuple(_members(schema, "")), values)


def what_of(schema: Mapping[str, Any]) -> str:
    """Return in few words what a value may be, such as `text, up to 64` or `list of Why`."""
    if "$ref" in schema:
        return str(schema["$ref"]).removeprefix(REF)
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        said = [what_of(one) for one in choices if one.get("type") != "null"]
        return " or ".join(dict.fromkeys(said))
    if "const" in schema:
        return f"“{schema['const']}”"
    if "enum" in schema:
        return " | ".join(str(one) for one in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {what_of(schema.get('items', {})) or 'anything'}{_bounds(schema)}"
    if named := PATTERNS.get(schema.get("pattern", "")):
        return named
    return f"{_kind(schema)}{_bounds(schema)}"


def shape_of(schema: Mapping[str, Any]) -> str:
    """Return the shape that a value names, or the items of a list do; nothing, if it names none."""
    if "$ref" in schema:
        return str(schema["$ref"]).removeprefix(REF)
    inner = [*schema.get("anyOf", ()), *([schema["items"]] if "items" in schema else [])]
    return next((shape for one in inner if (shape := shape_of(one))), "")


KINDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
}


PATTERNS = {
    ID_PATTERN: "an id",
    SHA256_PATTERN: "a SHA-256",
    PURPOSE_PATTERN: "a word in small letters, with hyphens",
}
"""What patterns are called that many fields have."""


LEAST = ("minimum", "minItems", "minLength")
MOST = ("maximum", "maxItems", "maxLength")


def _kind(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type", "")
    return str(schema.get("format") or KINDS.get(kind, kind))


def _bounds(schema: Mapping[str, Any]) -> str:
    least = schema.get("minimum", schema.get("minItems", schema.get("minLength")))
    most = schema.get("maximum", schema.get("maxItems", schema.get("maxLength")))
    pattern = (
        f", {PATTERNS.get(schema['pattern'], schema['pattern'])}" if "pattern" in schema else ""
    )
    if least is not None and most is not None:
        return f", {least:.0f} to {most:.0f}{pattern}"
    if most is not None:
        return f", up to {most:.0f}{pattern}"
    return f", at least {least:.0f}{pattern}" if least is not None else pattern
