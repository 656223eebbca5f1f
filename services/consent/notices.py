"""The notices that citizens read: versioned texts, and the exact bytes that one person was shown.

A text file is never changed once it was served: a new wording is a new version. Rendering depends
on the consent alone, so a reprint years later has the hash that the citizen signed
(Law 91/2025 art. 9.3, Decree 356/2025 art. 6 and 8.2).
"""

from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from shared.canonical import nfc, text_digest
from shared.contracts.consent import OPEN_ACCOUNT
from shared.contracts.reasons import Lang

FOLDER = Path(__file__).parent / "texts"

VERSIONS = {OPEN_ACCOUNT: 1, "electricity-contract": 1}
"""The version of each purpose's notice that is served today; a purpose not here cannot be asked."""


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


@dataclass(frozen=True, slots=True)
class Notice:
    """A text as it is shown, in NFC."""

    id: str
    lang: Lang
    text: str

    @property
    def hash(self) -> str:
        """Return the SHA-256 of the text's UTF-8 bytes, hexadecimal."""
        return text_digest(self.text)


class Notices:
    """The texts of a folder."""

    def __init__(self, folder: Path = FOLDER) -> None:
        # Plain text, not HTML: the page escapes it once, when it shows it.
        self._texts = Environment(
            loader=FileSystemLoader(folder),
            undefined=StrictUndefined,
            autoescape=False,  # noqa: S701
        )

    def notice(self, purpose: str, lang: Lang, names: Names) -> Notice:
        """Return today's notice of a purpose for one consent."""
        name = f"{purpose}.{VERSIONS[purpose]}"
        text = self._texts.get_template(f"{name}.{lang}.txt").render(
            bank=names.bank,
            product=names.product,
            terms=names.terms,
            office=names.office,
            clerk=names.clerk,
            site=names.site,
            code=names.code,
        )
        return Notice(name, lang, nfc(text))
