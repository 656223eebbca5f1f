"""The notices that citizens read: versioned texts, and the exact bytes that one person was shown.

A text file is never changed once it was served: a new wording is a new version, with a line of its
own in `texts/versions.txt` that says from when it is served, and which vocabulary of side purposes
goes with it. A question keeps the version that it was put with. Rendering depends on the question
alone, so a reprint years later has the hash that the citizen signed (Law 91/2025 art. 9.3, Decree
356/2025 art. 6 and 8.2).
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import get_args

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from shared.canonical import nfc, text_digest
from shared.contracts.reasons import Lang

FOLDER = Path(__file__).parent / "texts"

VERSIONS = "versions.txt"
"""The file of every version: notice, its vocabulary of side purposes or `-`, served from (UTC)."""

FIRST_VERSION = 1
"""The version that every question was put with before questions named theirs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Names:
    """The names that a notice puts before the citizen; the place only where there is one."""

    bank: str
    product: str
    terms: str
    office: str | None
    clerk: str | None
    site: str | None
    code: str
    fees: str | None = None


@dataclass(frozen=True, slots=True)
class SideText:
    """What one side purpose is called, and what agreeing to it means."""

    purpose: str
    title: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Notice:
    """A text as it is shown, in NFC, and the side purposes that it explains, in their order."""

    id: str
    lang: Lang
    text: str
    side: tuple[SideText, ...] = ()

    @property
    def hash(self) -> str:
        """Return the SHA-256 of the text's UTF-8 bytes, hexadecimal."""
        return text_digest(self.text)


@dataclass(frozen=True, slots=True)
class _Version:
    notice_id: str
    vocabulary: str | None
    since: datetime

    @property
    def purpose(self) -> str:
        return self.notice_id.rpartition(".")[0]


class Notices:
    """The texts of a folder."""

    def __init__(self, folder: Path = FOLDER) -> None:
        # Plain text, not HTML: the page escapes it once, when it shows it.
        self._texts = Environment(
            loader=FileSystemLoader(folder),
            undefined=StrictUndefined,
            autoescape=False,  # noqa: S701
        )
        self._folder = folder
        self._versions = {one.notice_id: one for one in _read_versions(folder / VERSIONS)}

    def current(self, purpose: str, at: datetime) -> str | None:
        """Return the notice that a question of a purpose is put with, None where there is none."""
        served = [
            one for one in self._versions.values() if one.purpose == purpose and one.since <= at
        ]
        return max(served, key=lambda one: one.since).notice_id if served else None

    def files(self, notice_id: str) -> dict[str, str]:
        """Return the texts that a notice is made from, by file name, none for one that is not.

        In each language its own, and the vocabulary of its side purposes where it has one.
        """
        version = self._versions.get(notice_id)
        if version is None:
            return {}
        names = [notice_id, *([version.vocabulary] if version.vocabulary else [])]
        files = [self._folder / f"{name}.{lang}.txt" for name in names for lang in get_args(Lang)]
        return {file.name: file.read_text(encoding="utf-8") for file in files}

    def explained(self, notice_id: str) -> frozenset[str]:
        """Return the side purposes that a notice can explain; no other may be asked for with it."""
        return frozenset(self._vocabulary(notice_id, "vi"))

    def side(self, notice_id: str, lang: Lang, purposes: Collection[str]) -> tuple[SideText, ...]:
        """Return what a notice calls these side purposes, in the order of its vocabulary."""
        known = self._vocabulary(notice_id, lang)
        return tuple(text for purpose, text in known.items() if purpose in purposes)

    def notice(
        self, notice_id: str, lang: Lang, names: Names, purposes: Collection[str] = ()
    ) -> Notice:
        """Return a notice for one consent that asks for these side purposes too."""
        side = self.side(notice_id, lang, purposes)
        text = self._texts.get_template(f"{notice_id}.{lang}.txt").render(
            bank=names.bank,
            product=names.product,
            terms=names.terms,
            fees=names.fees,
            office=names.office,
            clerk=names.clerk,
            site=names.site,
            code=names.code,
            side=side,
            purposes=[one.purpose for one in side],
        )
        return Notice(notice_id, lang, nfc(text), side)

    def _vocabulary(self, notice_id: str, lang: Lang) -> dict[str, SideText]:
        """Return every side purpose of a notice: blocks of code, title and meaning, a line each."""
        version = self._versions.get(notice_id)
        if version is None or version.vocabulary is None:
            return {}
        file = self._folder / f"{version.vocabulary}.{lang}.txt"
        blocks = nfc(file.read_text(encoding="utf-8")).strip().split("\n\n")
        return {text.purpose: text for text in (SideText(*one.split("\n")) for one in blocks)}


def first_version(purpose: str) -> str:
    """Return the notice of a question that does not name its own."""
    return f"{purpose}.{FIRST_VERSION}"


def _read_versions(file: Path) -> list[_Version]:
    lines = [line.split() for line in file.read_text(encoding="utf-8").splitlines()]
    return [
        _Version(
            notice_id, None if vocabulary == "-" else vocabulary, datetime.fromisoformat(since)
        )
        for notice_id, vocabulary, since in lines
    ]
