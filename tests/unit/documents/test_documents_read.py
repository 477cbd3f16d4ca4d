"""`read`: what it gives for good files, and the one error it gives for each kind of bad one."""

import io
import zipfile
from collections.abc import Callable

import pytest

from duly.documents import (
    CorruptDocument,
    DocumentError,
    DocumentTooLarge,
    EmptyDocument,
    EncryptedDocument,
    Limits,
    NeedsOcr,
    TextUnreadable,
    UnsupportedDocument,
    errors,
    read,
)
from duly_apps.tender.samples import sample

Make = Callable[..., bytes]
ENGLISH = (
    "Tenders received after the deadline shall be rejected. The supplier shall deliver the meters within "
    "nine months from the date of contract signature and shall train the staff of the Authority."
)
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)


def test_a_pdf_keeps_its_pages(make_pdf: Make) -> None:
    """Each passage of a PDF knows its page, counted from 1."""
    document = read(make_pdf(["First page."], ["Second page."]), "a.pdf")
    assert [(p.text, p.page, p.paragraph) for p in document.passages] == [
        ("First page.", 1, None),
        ("Second page.", 2, None),
    ]
    assert (document.kind, document.pages, len(document.sha256)) == ("pdf", 2, 64)


def test_a_docx_keeps_the_order_of_paragraphs_and_tables(make_docx: Make) -> None:
    """Paragraphs and table rows come in document order, numbered from 1, cells joined by tabs."""
    document = read(make_docx("Before", [["Item", "Points"], ["Price", "40"]], "After"), "a.docx")
    assert [(p.paragraph, p.text) for p in document.passages] == [
        (1, "Before"),
        (2, "Item\tPoints"),
        (3, "Price\t40"),
        (4, "After"),
    ]


@pytest.mark.parametrize("name", ["a.txt", "a.bin", "a.docx", "no-suffix"])
def test_the_content_decides_the_kind(make_pdf: Make, name: str) -> None:
    """A PDF is read as a PDF whatever its name says."""
    assert read(make_pdf(["Named wrongly."]), name).kind == "pdf"


@pytest.mark.parametrize("data", [b"", b" \n\t\n", "\ufeff".encode()])
def test_nothing_is_an_empty_document(data: bytes) -> None:
    """A file without a character is empty, not corrupt."""
    with pytest.raises(EmptyDocument):
        read(data, "a.txt")


def test_a_blank_pdf_is_empty(make_pdf: Make) -> None:
    """A PDF of blank pages is empty: there is nothing for OCR to find."""
    with pytest.raises(EmptyDocument):
        read(make_pdf([], []), "a.pdf")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.png", b"\x89PNG\r\n\x1a\n" + bytes(99)),
        ("a.doc", OLE),
        ("a.bin", bytes(range(256)) * 9),
        ("a.xml", b"<?xml version='1.0'?><tender/>"),
    ],
)
def test_other_kinds_are_unsupported(name: str, data: bytes) -> None:
    """Pictures, old office files and unknown binaries are refused by name of the reason."""
    with pytest.raises(UnsupportedDocument):
        read(data, name)


def test_other_office_files_are_unsupported(make_zip: Make) -> None:
    """A zip file that is neither a DOCX nor an XLSX is not taken for one."""
    with pytest.raises(UnsupportedDocument):
        read(make_zip({"ppt/presentation.xml": b"<p/>"}), "a.docx")


def test_a_pdf_with_a_password_is_encrypted(make_pdf: Make, encrypt: Make) -> None:
    """A PDF that needs a password to open is reported as encrypted."""
    with pytest.raises(EncryptedDocument):
        read(encrypt(make_pdf([ENGLISH]), "secret", "owner"), "a.pdf")


def test_an_owner_password_does_not_stop_reading(make_pdf: Make, encrypt: Make) -> None:
    """A PDF that anyone may open, only not change, is read."""
    assert "deadline" in read(encrypt(make_pdf(["The deadline is near."]), "", "owner"), "a.pdf").text


def test_an_office_file_with_a_password_is_encrypted() -> None:
    """A DOCX with a password (an OLE file with an encrypted package) is reported as encrypted."""
    with pytest.raises(EncryptedDocument):
        read(OLE + "EncryptedPackage".encode("utf-16-le"), "a.docx")


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_pdf_cut_short_is_corrupt(share: float) -> None:
    """A PDF that ends early is never read as if it were whole."""
    data = sample("smart-campus-zh.pdf").read_bytes()
    with pytest.raises(CorruptDocument):
        read(data[: int(len(data) * share)], "a.pdf")


def test_a_docx_cut_short_is_corrupt(make_docx: Make) -> None:
    """A DOCX that ends early is corrupt."""
    with pytest.raises(CorruptDocument):
        read(make_docx("Some text")[:-400], "a.docx")


def test_a_docx_with_broken_xml_is_corrupt(make_zip: Make) -> None:
    """A DOCX whose parts make no sense is corrupt."""
    with pytest.raises(CorruptDocument):
        read(make_zip({"word/document.xml": b"<w:document", "[Content_Types].xml": b"?"}), "a.docx")


def test_entities_that_multiply_are_refused(make_docx: Make, make_zip: Make) -> None:
    """A DOCX with a thousand million laughs in its XML is an error, and costs nothing."""
    with zipfile.ZipFile(io.BytesIO(make_docx("Some text"))) as good:
        members = {name: good.read(name) for name in good.namelist()}
    levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    laughs = f'<!DOCTYPE d [<!ENTITY l0 "ha">{levels}]>'.encode()
    xml = members["word/document.xml"].replace(b"<w:document", laughs + b"<w:document", 1)
    members["word/document.xml"] = xml.replace(b"Some text", b"&l9;")
    with pytest.raises(DocumentError):
        read(make_zip(members), "a.docx")


def test_text_named_pdf_is_corrupt() -> None:
    """A file that claims to be a PDF and holds something else is corrupt."""
    with pytest.raises(CorruptDocument):
        read(b"<html>404 not found</html>", "tender.pdf")


def test_text_about_pdf_is_text() -> None:
    """A text that mentions the PDF signature is not taken for a PDF."""
    assert read(b"A file starts with %PDF-1.7 and ends with %%EOF.", "notes.txt").kind == "text"


def test_a_zip_bomb_is_refused_before_it_unpacks(make_zip: Make) -> None:
    """A DOCX of a few hundred KB that unpacks to 80 MB is refused by its ratio."""
    bomb = make_zip({"word/document.xml": bytes(80_000_000), "[Content_Types].xml": b"<Types/>"})
    assert len(bomb) < 400_000
    with pytest.raises(DocumentTooLarge, match="times its size"):
        read(bomb, "a.docx")


def test_a_scan_needs_ocr(make_pdf: Make) -> None:
    """A PDF of pictures, with text on a minority of its pages, asks for OCR."""
    with pytest.raises(NeedsOcr):
        read(make_pdf(None, None, ["Annex: a page with text."]), "scan.pdf")


def test_one_picture_page_is_a_warning(make_pdf: Make) -> None:
    """A cover that is a picture does not stop the reading; the warning names its page."""
    document = read(make_pdf(None, ["One line of text."], ["Another line."]), "a.pdf")
    assert document.warnings == ("no_text: pages 1",)


def test_a_broken_character_map_is_unreadable() -> None:
    """A PDF that looks fine and extracts as garbage is refused, not analysed."""
    with pytest.raises(TextUnreadable):
        read(sample("broken-map-zh.pdf").read_bytes(), "a.pdf")


def test_one_garbled_page_is_a_warning(make_pdf: Make) -> None:
    """A minority of unreadable pages is read with a warning that names them."""
    shifted = "".join(chr(ord(c) - 29) if c.isalpha() else c for c in ENGLISH.lower())
    pages = [[ENGLISH[:95], ENGLISH[95:]]] * 3 + [[shifted[:95], shifted[95:]]]
    assert read(make_pdf(*pages), "a.pdf").warnings == ("unreadable: pages 4",)


@pytest.mark.parametrize("limits", [Limits(max_pages=1), Limits(max_chars=10)])
def test_caps_hold(make_pdf: Make, limits: Limits) -> None:
    """More pages or characters than allowed is too large."""
    with pytest.raises(DocumentTooLarge):
        read(make_pdf(["A first line."], ["A second line."]), "a.pdf", limits=limits)


def test_a_file_that_eats_memory_ends_its_child_only(hungry_pdf: bytes, make_pdf: Make) -> None:
    """A PDF that unpacks to more than the child may hold is an error here, and the next file is read."""
    assert len(hungry_pdf) < 400_000
    with pytest.raises(DocumentTooLarge):
        read(hungry_pdf, "a.pdf", limits=Limits(memory_bytes=250_000_000))
    assert read(make_pdf(["Still here."]), "b.pdf").text == "Still here."


def test_a_file_that_eats_the_processor_is_stopped(hungry_pdf: bytes) -> None:
    """A PDF that computes longer than allowed is stopped by the system."""
    with pytest.raises(DocumentTooLarge, match="signal"):
        read(hungry_pdf, "a.pdf", limits=Limits(cpu_seconds=1))


def test_a_file_that_takes_too_long_is_stopped(hungry_pdf: bytes) -> None:
    """The parent kills a child that is not done in time."""
    with pytest.raises(DocumentTooLarge, match="within"):
        read(hungry_pdf, "a.pdf", limits=Limits(wall_seconds=0.3))


def test_every_error_has_a_code_and_two_messages() -> None:
    """Each error says what to do in one line, in English and in Chinese, under a code of its own."""
    kinds = DocumentError.__subclasses__()
    assert {kind.code for kind in kinds} == set(errors.BY_CODE)
    for kind in kinds:
        assert "\n" not in kind.message + kind.message_zh
        assert kind.message.isascii()
        assert any("一" <= c <= "鿿" for c in kind.message_zh)
        assert str(kind()) == kind.message


def test_limits_refuse_nonsense() -> None:
    """A limit of zero or less is a mistake of the caller."""
    with pytest.raises(ValueError, match="max_pages"):
        Limits(max_pages=0)
