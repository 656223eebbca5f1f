"""What a service sends, in its document (OpenAPI 3.1 `webhooks`): each kind of event, its data."""

from inspect import getdoc
from typing import Any, get_type_hints

from pydantic import TypeAdapter

from shared.hearing.events import EventKind, Events

HEADERS = {
    "webhook-id": "The event's id: the same on every attempt.",
    "webhook-timestamp": "When this attempt was made, in seconds since 1970.",
    "webhook-signature": "`v1a,` and the signature (Standard Webhooks); two, while a key is new.",
}

TEXTS = {
    "specversion": "Always 1.0 (CloudEvents).",
    "id": "The log and the position in it, such as consent/4711.",
    "source": "The service's address.",
    "type": "The kind of fact.",
    "time": "When it was recorded (UTC).",
    "subject": "What to ask for, as in a path.",
    "sequence": "The position, in digits that sort as texts.",
    "datacontenttype": "Always application/json.",
}

ANSWERS = {
    "2XX": {"description": "Taken. Anything else, or nothing in ten seconds, is tried again."},
    "410": {"description": "Nothing more is sent here, until it is registered anew."},
}


def hooks(events: Events) -> dict[str, Any]:
    """Return what a document says of each kind of event, by its type."""
    return {kind.name: {"post": _operation(kind)} for kind in events.kinds.values()}


def _operation(kind: EventKind) -> dict[str, Any]:
    return {
        "tags": [kind.subjects],
        "operationId": f"heard_{kind.name.replace('.', '_')}",
        "description": (getdoc(kind.fact) or "").partition("\n\n")[0],  # the rest is of its fields
        "parameters": [
            {
                "name": name,
                "in": "header",
                "required": True,
                "description": text,
                "schema": {"type": "string"},
            }
            for name, text in HEADERS.items()
        ],
        "requestBody": {
            "required": True,
            "content": {"application/cloudevents+json": {"schema": _schema(kind)}},
        },
        "responses": ANSWERS,
    }


def _schema(kind: EventKind) -> dict[str, Any]:
    hints = get_type_hints(kind.fact)
    data = {name: TypeAdapter(hints[name]).json_schema() for name in kind.said}
    said = {name: {"type": "string", "description": text} for name, text in TEXTS.items()}
    said["type"] = {"const": kind.name, "description": TEXTS["type"]}
    return {
        "type": "object",
        "properties": {**said, "data": {"type": "object", "properties": data}},
        "required": [*said, "data"],
    }
