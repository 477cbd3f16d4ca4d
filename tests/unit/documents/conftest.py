"""Documents as they arrive: made in memory, good and hostile."""

import io
import zipfile
from collections.abc import Callable, Sequence

import docx
import pytest
from PIL import Image
from pypdf import PdfWriter
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas


@pytest.fixture
def make_pdf() -> Callable[..., bytes]:
    """A PDF with one line list per page; a page given as None is a picture."""

    def make(*pages: Sequence[str] | None) -> bytes:
        out = io.BytesIO()
        canvas = Canvas(out, invariant=1)
        for lines in pages:
            if lines is None:
                canvas.drawImage(ImageReader(noise()), 50, 50, 400, 600)
            for number, line in enumerate(lines or ()):
                canvas.drawString(60, 780 - 16 * number, line)
            canvas.showPage()
        canvas.save()
        return out.getvalue()

    return make


def noise() -> Image.Image:
    """A picture that is not blank."""
    return Image.frombytes("L", (40, 60), bytes(n * 89 % 251 for n in range(2400)))


@pytest.fixture
def encrypt() -> Callable[..., bytes]:
    """The PDF again, behind a user password, an owner password, or both."""

    def make(data: bytes, user: str, owner: str) -> bytes:
        writer = PdfWriter(clone_from=io.BytesIO(data))
        writer.encrypt(user, owner, algorithm="AES-256")
        out = io.BytesIO()
        writer.write(out)
        return out.getvalue()

    return make


@pytest.fixture
def make_docx() -> Callable[..., bytes]:
    """A DOCX: a string is a paragraph, a list of rows a table."""

    def make(*parts: str | list[list[str]]) -> bytes:
        book = docx.Document()
        for part in parts:
            if isinstance(part, str):
                book.add_paragraph(part)
                continue
            table = book.add_table(rows=0, cols=len(part[0]))
            for row in part:
                for cell, text in zip(table.add_row().cells, row, strict=True):
                    cell.text = text
        out = io.BytesIO()
        book.save(out)
        return out.getvalue()

    return make


@pytest.fixture
def make_zip() -> Callable[[dict[str, bytes]], bytes]:
    """A zip archive of the given members."""

    def make(members: dict[str, bytes]) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name, data in members.items():
                archive.writestr(name, data)
        return out.getvalue()

    return make


@pytest.fixture
def hungry_pdf() -> bytes:
    """A small PDF whose one page unpacks to millions of operations."""
    out = io.BytesIO()
    canvas = Canvas(out, pageCompression=1, invariant=1)
    canvas._code.extend(["BT (a) Tj ET"] * 3_000_000)
    canvas.showPage()
    canvas.save()
    return out.getvalue()
