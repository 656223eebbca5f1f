"""A citizen's phone: opens the link, presses a button of the real page, types the code that came.

It does what a browser without scripts would: reads the forms of the page and posts them.
"""

import re
from collections.abc import Iterable
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

import httpx
from typing_extensions import override

CODE = re.compile(r"\bMã (\d{6})\b")


class NoSuchButton(Exception):
    """The page does not offer what the citizen wanted to press."""


class Phone:
    """One citizen's phone, over a client that reaches the consent service."""

    def __init__(self, client: httpx.AsyncClient, number: str) -> None:
        self._client = client
        self._number = number

    async def read(self, link: str, lang: str = "vi") -> httpx.Response:
        """Open the link."""
        return await self._client.get(link, params={"lang": lang})

    async def decide(
        self, link: str, decision: str, *, code: str | None = None, **sides: Any
    ) -> httpx.Response:
        """Press a button and sign with the code (the right one, unless another is given)."""
        answer = await self.press(link, decision, **sides)
        if answer.is_error:
            return answer
        return await self.type_code(answer, code or await self.last_code())

    async def press(
        self,
        link: str,
        decision: str,
        *,
        yes: Iterable[str] = (),
        purpose: str | None = None,
        child_agrees: bool = False,
    ) -> httpx.Response:
        """Press the button of a decision; returns the page that asks for the code.

        `yes` are the side purposes to choose before, `purpose` is one to take back by itself;
        `child_agrees` ticks that the child whom one speaks for was asked.
        """
        page, chosen = await self.read(link), {f"side-{one}": "yes" for one in yes}
        chosen |= {"subject_agrees": "yes"} if child_agrees else {}
        for form in _forms(page.text):
            offers = decision in form.buttons and chosen.keys() <= form.choices
            if offers and form.fields.get("purpose") == purpose:
                fields = {**form.fields, **chosen, "decision": decision}
                return await self._post(page, form.action, fields)
        raise NoSuchButton(decision)

    async def type_code(self, page: httpx.Response, code: str) -> httpx.Response:
        """Type a code into the page that asks for it; returns what comes then."""
        (form,) = _forms(page.text)
        return await self._post(page, form.action, {**form.fields, "code": code})

    async def last_code(self) -> str:
        """Return the code of the newest message that has one."""
        answer = await self._client.get("/sandbox/outbox", params={"phone": self._number})
        codes = [found[1] for one in answer.json() if (found := CODE.search(one["text"]))]
        return codes[-1]

    async def _post(
        self, page: httpx.Response, action: str, fields: dict[str, str]
    ) -> httpx.Response:
        address = urljoin(str(page.url), action)
        return await self._client.post(address, data=fields, follow_redirects=True)


class _Form:
    def __init__(self, action: str) -> None:
        self.action = action
        self.fields: dict[str, str] = {}
        self.buttons: set[str] = set()
        self.choices: set[str] = set()


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[_Form] = []

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values: dict[str, Any] = dict(attrs)
        if tag == "form":
            self.found.append(_Form(values["action"]))
        if tag == "input" and values.get("type") == "hidden":
            self.found[-1].fields[values["name"]] = values["value"]
        if tag == "input" and values.get("type") in {"radio", "checkbox"}:
            self.found[-1].choices.add(values["name"])
        if tag == "button" and "value" in values:
            self.found[-1].buttons.add(values["value"])


def _forms(html: str) -> list[_Form]:
    reader = _Forms()
    reader.feed(html)
    return reader.found
