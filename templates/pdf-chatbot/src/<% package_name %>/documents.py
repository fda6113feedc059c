"""PDF documents: laid into their volume, read page by page, cut into overlapping chunks of words."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pypdf import PdfReader
from pypdf.errors import PyPdfError

ALL = "all"
"""Value of the parameter `documents` that means every PDF."""


class UnreadableDocumentError(ValueError):
    """A file is no PDF, or one without any text; the message names it."""


@dataclass(frozen=True)
class Document:
    """A PDF in the volume.

    Args:
        name: Its file name.
        content: Its bytes.
        sample: Whether it is a sample of the project, laid there by `fetch`.
    """

    name: str
    content: bytes
    sample: bool = False

    @property
    def sha256(self) -> str:
        """Digest of its bytes."""
        return _digest(self.content)


@dataclass(frozen=True)
class Page:
    """The text of one page.

    Args:
        document: File name of its document.
        number: Its number, from 1.
        text: Its text on one line; empty for a page without text, such as a scanned one.
    """

    document: str
    number: int
    text: str

    @property
    def page_id(self) -> str:
        """`document#page`, what questions name as their evidence."""
        return page_id(self.document, self.number)


@dataclass(frozen=True)
class Chunk:
    """A part of a page: what is embedded and found.

    Args:
        chunk_id: `document#page-number`, the key of the tables.
        document: File name of its document.
        page: Number of its page, from 1.
        text: Its words.
    """

    chunk_id: str
    document: str
    page: int
    text: str

    @property
    def page_id(self) -> str:
        """The page that it stands on."""
        return page_id(self.document, self.page)


def page_id(document: str, page: int) -> str:
    """The name of a page: `document#page`."""
    return f"{document}#{page}"


def fetch(volume: str, wanted: str, sample_folder: str = "") -> list[Document]:
    """Read the documents from their volume.

    Args:
        volume: Folder of the volume (`/Volumes/catalog/schema/documents`).
        wanted: File names with commas between them, or `all`.
        sample_folder: Folder with sample PDFs. Where it is given, the wanted ones are laid into the volume first, but never over a PDF
            that is no sample laid before. Empty: they come from outside.

    Returns:
        The documents by name.

    Raises:
        FileNotFoundError: There is none, or a wanted one is missing; the message says where it is looked for.
    """
    if sample_folder:
        for path in _chosen(Path(sample_folder), wanted):
            _lay(path.read_bytes(), Path(volume) / path.name)
    return [Document(path.name, path.read_bytes(), _is_sample(path)) for path in _chosen(Path(volume), wanted)]


def _lay(sample: bytes, path: Path) -> None:
    """Lay a sample into the volume, with its digest beside it, unless another file has its name."""
    if not path.is_file() or path.read_bytes() == sample or _is_sample(path):
        path.write_bytes(sample)
        _note(path).write_text(_digest(sample), encoding="utf-8")


def _is_sample(path: Path) -> bool:
    return _note(path).is_file() and _note(path).read_text(encoding="utf-8").strip() == _digest(path.read_bytes())


def _note(path: Path) -> Path:
    """Where the digest of the sample that was laid last is kept."""
    return path.with_name(f"{path.name}.sample-sha256")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _chosen(folder: Path, wanted: str) -> list[Path]:
    there = {path.name: path for path in sorted(folder.iterdir()) if path.name.lower().endswith(".pdf")}
    names = list(there) if wanted == ALL else [name.strip() for name in wanted.split(",")]
    missing = [name for name in names if name not in there]
    if missing or not names:
        what = ", ".join(missing) or "No PDF"
        raise FileNotFoundError(f"{what}: not in {folder}. Put it there, or correct the job parameter documents ({wanted!r}).")
    return [there[name] for name in names]


def pages(document: Document) -> list[Page]:
    """Read a document.

    Raises:
        UnreadableDocumentError: It is no PDF, it is encrypted, or no page has any text.
    """
    try:
        reader = PdfReader(io.BytesIO(document.content))
        found = [Page(document.name, number, " ".join(page.extract_text().split())) for number, page in enumerate(reader.pages, 1)]
    except PyPdfError as error:
        raise UnreadableDocumentError(f"{document.name} cannot be read as a PDF: {error}") from error
    if not any(page.text for page in found):
        raise UnreadableDocumentError(f"{document.name} has no text on its {len(found)} pages: a scanned one needs text recognition first.")
    return found


def chunks(page: Page, words: int, overlap: int) -> list[Chunk]:
    """Cut a page into chunks; a page without text has none.

    Args:
        page: The page.
        words: Words of a chunk.
        overlap: Words that two neighbours share, fewer than `words`.

    Raises:
        ValueError: The overlap is not smaller than the chunk.
    """
    if not 0 <= overlap < words:
        raise ValueError(f"A chunk of {words} words cannot share {overlap} with the next one: give fewer for chunk_overlap.")
    listed = page.text.split()
    starts = range(0, max(len(listed) - overlap, 1), words - overlap) if listed else ()
    parts = [" ".join(listed[start : start + words]) for start in starts]
    return [Chunk(f"{page.page_id}-{n}", page.document, page.number, part) for n, part in enumerate(parts, 1)]


def cut(read: Sequence[Page], words: int, overlap: int) -> list[Chunk]:
    """The chunks of many pages, in their order."""
    return [chunk for page in read for chunk in chunks(page, words, overlap)]
