"""The page says all that the document says, and fetches nothing from elsewhere."""

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demo.documents import FOLDER
from shared.contracts.fields import ID_PATTERN
from shared.reference.page import _TEMPLATES, HEADERS
from shared.reference.reading import read, what_of


def kept(name: str) -> dict[str, Any]:
    """Return a document as it is kept."""
    document: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_bytes())
    return document


@pytest.mark.parametrize("name", ["consent", "accounts"])
def test_the_page_has_every_operation_field_and_shape(name: str) -> None:
    """Each operation by its id, each parameter and field by its name, each shape."""
    document = kept(name)
    page = _TEMPLATES.get_template("reference.html").render(api=read(document))
    operations = [one for path in document["paths"].values() for one in path.values()]
    operations += [one for path in document.get("webhooks", {}).values() for one in path.values()]
    for one in operations:
        assert f'<article id="{one["operationId"]}">' in page
        for parameter in one.get("parameters", ()):
            assert f"<code>{parameter['name']}</code>" in page
        assert one["operationId"].startswith("heard_") or one["tags"]
    for shape, schema in document["components"]["schemas"].items():
        assert f'id="shape-{shape}"' in page
        for field in schema.get("properties", {}):
            assert f"<code>{field}</code>" in page
    assert not re.findall(r'(?:src|href)="(?!/|#)', page)
    assert "<script" not in page
    assert "'unsafe-inline'" not in HEADERS["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "string", "pattern": ID_PATTERN}, "an id"),
        ({"anyOf": [{"type": "string", "maxLength": 9}, {"type": "null"}]}, "text, up to 9"),
        ({"type": "integer", "minimum": 1, "maximum": 100.0}, "whole number, 1 to 100"),
        ({"type": "array", "items": {"$ref": "#/components/schemas/Why"}}, "list of Why"),
        ({"enum": ["law", "order"], "type": "string"}, "law | order"),
        ({"const": "DPoP", "type": "string"}, "“DPoP”"),
        ({"type": "string", "format": "date-time"}, "date-time"),
        ({"type": "boolean"}, "true or false"),
        ({"type": "array", "items": {}, "minItems": 2}, "list of anything, at least 2"),
        ({"type": "string", "pattern": "^2"}, "text, ^2"),
    ],
)
def test_what_a_value_may_be_is_said_in_few_words(schema: dict[str, Any], said: str) -> None:
    """As a person would say it."""
    assert what_of(schema) == said


@settings(max_examples=10)
@given(st.text())
def test_nothing_in_a_document_becomes_markup(text: str) -> None:
    """A description is text, whatever is in it."""
    document = kept("accounts")
    document["paths"]["/livez"]["get"]["description"] = f"<b>{text}</b>"
    page = _TEMPLATES.get_template("reference.html").render(api=read(document))
    assert f"<b>{text}</b>" not in page
