"""Files that mean harm, or are broken, or lie: made on the spot, the same each time, none large.

`FILES` gives each a name, a file name, and how `duly.documents.read` must end: one of these codes, or `read`.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable

import docx
import openpyxl
from pypdf import PdfWriter
from reportlab.pdfgen.canvas import Canvas

_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_MACRO_TYPE = b"application/vnd.ms-word.document.macroEnabled.main+xml"
_PLAIN_TYPE = b"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
_CELL = b'<c r="A1" t="inlineStr"><is><t>Tender</t></is></c>'


def word(text: str = "A tender") -> bytes:
    """A good DOCX."""
    book, out = docx.Document(), io.BytesIO()
    book.add_paragraph(text)
    book.save(out)
    return out.getvalue()


def sheet(value: str = "A tender") -> bytes:
    """A good XLSX."""
    book, out = openpyxl.Workbook(), io.BytesIO()
    book.active["A1"] = value
    book.save(out)
    return out.getvalue()


def page(line: str = "A tender", pages: int = 1) -> bytes:
    """A good PDF."""
    out = io.BytesIO()
    canvas = Canvas(out, invariant=1)
    for _ in range(pages):
        canvas.drawString(60, 700, line)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def packed(members: dict[str, bytes]) -> bytes:
    """A zip archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def changed(office: bytes, change: Callable[[dict[str, bytes]], None]) -> bytes:
    """An office file with some of its members changed."""
    with zipfile.ZipFile(io.BytesIO(office)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    return packed(members)


def with_part(office: bytes, name: str, edit: Callable[[bytes], bytes]) -> bytes:
    """An office file with one part edited."""
    return changed(office, lambda members: members.update({name: edit(members.get(name, b""))}))


def entities(xml: bytes, declarations: str, use: str) -> bytes:
    """A part that declares entities and uses one where its text stood."""
    head, rest = xml.split(b"?>", 1) if xml.startswith(b"<?xml") else (b'<?xml version="1.0"', xml)
    return head + b"?><!DOCTYPE d [" + declarations.encode() + b"]>" + rest.replace(b"A tender", use.encode())


def laughs() -> str:
    """Ten to the ninth laughs."""
    levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    return '<!ENTITY l0 "ha">' + levels


def swollen(part: bytes) -> bytes:
    """A part that packs to nothing and unpacks to 150 MB."""
    return part + b" " * 150_000_000


def circular() -> bytes:
    """A PDF whose cross-reference table names itself as the one before."""
    pdf = page()
    return pdf.replace(b"trailer\n<<", b"trailer\n<< /Prev %d" % pdf.rindex(b"xref\n0"))


def lying(office: bytes, name: str) -> bytes:
    """An archive whose directory says that a large member is small."""
    big = with_part(office, name, lambda xml: xml + b" " * 30_000_000)
    with zipfile.ZipFile(io.BytesIO(big)) as archive:
        size = archive.getinfo(name).file_size
    return big.replace(struct.pack("<L", size), struct.pack("<L", 2_000))


def pdf_of(*objects: str, root: int = 1) -> bytes:
    """A PDF of these objects, numbered from 1, with a correct cross-reference table."""
    out, places = bytearray(b"%PDF-1.7\n"), list[int]()
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{place:010d} 00000 n \n".encode() for place in places)
    out += f"trailer\n<< /Size {len(objects) + 1} /Root {root} 0 R >>\nstartxref\n{start}\n%%EOF\n".encode()
    return bytes(out)


def pdf_stream(content: bytes, extra: str = "") -> bytes:
    """A PDF of one page whose content is the given deflated stream."""
    body = zlib.compress(content, 9)
    stream = f"<< /Length {len(body)} /Filter /FlateDecode {extra} >>\nstream\n".encode() + body
    return pdf_of(
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R /Resources 5 0 R >>",
        (stream + b"\nendstream").decode("latin-1"),
        "<< /Font << /F << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>",
    )


def page_tree(kids: str, count: int, *more: str) -> bytes:
    """A PDF whose page tree is given."""
    tree = f"<< /Type /Pages /Kids [{kids}] /Count {count} >>"
    return pdf_of("<< /Type /Catalog /Pages 2 0 R >>", tree, *more)


def deep_pages(levels: int) -> bytes:
    """A page tree of one branch, this deep."""
    inner = [f"<< /Type /Pages /Parent {n - 1} 0 R /Kids [{n + 1} 0 R] /Count 1 >>" for n in range(3, levels)]
    return page_tree("3 0 R", 1, *inner, f"<< /Type /Page /Parent {levels - 1} 0 R >>")


def scan_bomb() -> bytes:
    """A picture of 60,000 by 60,000 points in a few kilobytes."""
    image = (
        "<< /Type /XObject /Subtype /Image /Width 60000 /Height 60000 /ColorSpace /DeviceGray "
        "/BitsPerComponent 8 /Length 4 /Filter /FlateDecode >>\nstream\nxxxx\nendstream"
    )
    leaf = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Resources << /XObject << /I 4 0 R >> >> >>"
    return page_tree("3 0 R", 1, leaf, image)


def locked() -> bytes:
    """A PDF with a password."""
    writer, out = PdfWriter(clone_from=io.BytesIO(page())), io.BytesIO()
    writer.encrypt("secret", algorithm="AES-256")
    writer.write(out)
    return out.getvalue()


def rows(xml: bytes) -> Callable[[bytes], bytes]:
    """Puts these rows in place of a sheet's own."""

    def edit(part: bytes) -> bytes:
        head, _, rest = part.partition(b"<sheetData>")
        return head + b"<sheetData>" + xml + b"</sheetData>" + rest.partition(b"</sheetData>")[2]

    return edit


def macro(members: dict[str, bytes]) -> None:
    """Makes a DOCM of a DOCX."""
    types = "[Content_Types].xml"
    members[types] = members[types].replace(_PLAIN_TYPE, _MACRO_TYPE)
    members["word/vbaProject.bin"] = b"\xd0\xcf\x11\xe0" + bytes(600)


def twice(name: str) -> bytes:
    """An archive with two members of one name."""
    out = io.BytesIO(word())
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr(zipfile.ZipInfo(name), b"<other/>")
    return out.getvalue()


def remote(members: dict[str, bytes]) -> None:
    """Attaches a template at an address, as documents do that want to be fetched."""
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/attachedTemplate"
    target = 'Target="http://127.0.0.1:9/x.dotm" TargetMode="External"'
    link = f'<Relationship Id="rId99" Type="{kind}" {target}/></Relationships>'
    name = "word/_rels/document.xml.rels"
    members[name] = members[name].replace(b"</Relationships>", link.encode())


def matryoshka() -> bytes:
    """A zip in a zip in a zip, ten deep, the innermost a bomb."""
    data = packed({"0.txt": bytes(50_000_000)})
    for depth in range(10):
        data = packed({f"{depth}.zip": data})
    return data


DOCUMENT, SHEET = "word/document.xml", "xl/worksheets/sheet1.xml"
TOO_LARGE, CORRUPT, UNSUPPORTED = "document_too_large", "corrupt_document", "unsupported_document"
File = tuple[str, Callable[[], bytes], tuple[str, ...]]
FILES: dict[str, File] = {
    "nothing": ("a.pdf", lambda: b"", ("empty_document",)),
    "blanks": ("a.txt", lambda: b" \n" * 9, ("empty_document",)),
    "pdf cut short": ("a.pdf", lambda: page()[:-200], (CORRUPT,)),
    "docx cut short": ("a.docx", lambda: word()[:-300], (CORRUPT,)),
    "xlsx cut short": ("a.xlsx", lambda: sheet()[: len(sheet()) // 2], (CORRUPT,)),
    "picture named pdf": ("a.pdf", lambda: b"\x89PNG\r\n\x1a\n" + bytes(99), (UNSUPPORTED, CORRUPT)),
    "program named docx": ("a.docx", lambda: b"MZ\x90" + bytes(999), (UNSUPPORTED,)),
    "text named xlsx": ("a.xlsx", lambda: b"Tender", (CORRUPT,)),
    "noise": ("a.txt", lambda: bytes(n * n * 7919 % 251 for n in range(9_000)), ("text_unreadable",)),
    "old word file": ("a.doc", lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(999), (UNSUPPORTED,)),
    "docx with macros": ("a.docm", lambda: changed(word(), macro), ("macros_refused",)),
    "macros under docx": ("a.docx", lambda: changed(word(), macro), ("macros_refused",)),
    "xlsx with macros": (
        "a.xlsm", lambda: with_part(sheet(), "xl/vbaProject.bin", lambda _: bytes(99)), ("macros_refused",),
    ),
    "pdf with a password": ("a.pdf", locked, ("encrypted_document",)),
    "docx bomb": ("a.docx", lambda: with_part(word(), DOCUMENT, swollen), (TOO_LARGE,)),
    "xlsx bomb": ("a.xlsx", lambda: with_part(sheet(), SHEET, swollen), (TOO_LARGE,)),
    "a directory that lies": ("a.docx", lambda: lying(word(), DOCUMENT), (CORRUPT, TOO_LARGE)),
    "twenty thousand members": (
        "a.docx",
        lambda: changed(word(), lambda m: m.update({f"x/{n}.bin": b"" for n in range(20_000)})),
        (TOO_LARGE,),
    ),
    "two members of one name": ("a.docx", lambda: twice(DOCUMENT), (CORRUPT,)),
    "zip in zip": ("a.zip", matryoshka, (UNSUPPORTED,)),
    "zip in zip named docx": ("a.docx", matryoshka, (UNSUPPORTED,)),
    "bomb inside a docx": (
        "a.docx", lambda: with_part(word(), "word/embeddings/a.zip", lambda _: matryoshka()), ("read",),
    ),
    "laughs in docx": (
        "a.docx", lambda: with_part(word(), DOCUMENT, lambda x: entities(x, laughs(), "&l9;")), (CORRUPT,),
    ),
    "one harmless entity": (
        "a.docx",
        lambda: with_part(word(), DOCUMENT, lambda x: entities(x, '<!ENTITY a "b">', "A tender")),
        (CORRUPT,),
    ),
    "laughs in xlsx": (
        "a.xlsx",
        lambda: with_part(sheet(), "xl/sharedStrings.xml", lambda x: entities(x, laughs(), "&l9;")),
        (CORRUPT,),
    ),
    "laughs in two bytes a letter": (
        "a.docx",
        lambda: with_part(
            word(),
            DOCUMENT,
            lambda x: (
                entities(x, laughs(), "&l9;").decode().replace("UTF-8", "UTF-16").encode("utf-16")
            ),
        ),
        (CORRUPT,),
    ),
    "a file of the host": (
        "a.docx",
        lambda: with_part(
            word(), DOCUMENT, lambda x: entities(x, '<!ENTITY f SYSTEM "file:///etc/passwd">', "&f;")
        ),
        (CORRUPT,),
    ),
    "an address": (
        "a.xlsx",
        lambda: with_part(
            sheet(),
            "xl/sharedStrings.xml",
            lambda x: entities(x, '<!ENTITY f SYSTEM "http://127.0.0.1:9/">', "&f;"),
        ),
        (CORRUPT,),
    ),
    "a template to fetch": ("a.docx", lambda: changed(word(), remote), ("read",)),
    "tables in tables": (
        "a.docx",
        lambda: with_part(
            word(),
            DOCUMENT,
            lambda x: x.replace(b"<w:body>", b"<w:body>" + b"<w:tbl><w:tr><w:tc>" * 30_000),
        ),
        (CORRUPT, TOO_LARGE),
    ),
    "a cell in the last corner": (
        "a.xlsx",
        lambda: with_part(
            sheet(), SHEET, rows(b'<row r="1">' + _CELL + b'</row><row r="1048576">'
                                 + _CELL.replace(b'"A1"', b'"XFD1048576"') + b"</row>"),
        ),
        ("read", TOO_LARGE),
    ),
    "rows as wide as the sheet": (
        "a.xlsx",
        lambda: with_part(
            sheet(), SHEET, rows(b"".join(
                b'<row r="%d">' % n + _CELL.replace(b"A1", b"XFD%d" % n) + b"</row>" for n in range(1, 9_000)
            )),
        ),
        (TOO_LARGE,),
    ),
    "a string that is not there": (
        "a.xlsx", lambda: with_part(sheet(), SHEET, rows(b'<row r="1"><c r="A1" t="s"><v>999</v></c></row>')),
        (CORRUPT,),
    ),
    "a sheet that is no XML": ("a.xlsx", lambda: with_part(sheet(), SHEET, lambda x: x[:-60]), (CORRUPT,)),
    "a workbook without a sheet": (
        "a.xlsx", lambda: changed(sheet(), lambda m: m.pop(SHEET)), (CORRUPT, "empty_document"),
    ),
    "pages in a circle": ("a.pdf", lambda: page_tree("2 0 R", 1), (CORRUPT, TOO_LARGE, "empty_document")),
    "a billion pages": ("a.pdf", lambda: page_tree("3 0 R", 10**9, "<< /Type /Page /Parent 2 0 R >>"),
                        (CORRUPT, TOO_LARGE, "empty_document")),
    "one page a hundred thousand times": (
        "a.pdf", lambda: page_tree("3 0 R " * 100_000, 100_000, "<< /Type /Page /Parent 2 0 R >>"),
        (CORRUPT, TOO_LARGE),
    ),
    "a page tree without end": ("a.pdf", lambda: deep_pages(20_000), (CORRUPT, TOO_LARGE)),
    "lists in lists": (
        "a.pdf", lambda: pdf_of("<< /Type /Catalog /Pages " + "[" * 200_000 + "]" * 200_000 + " >>"),
        (CORRUPT, TOO_LARGE),
    ),
    "no page tree": ("a.pdf", lambda: pdf_of("<< /Type /Catalog >>"), (CORRUPT,)),
    "a broken cross-reference": (
        "a.pdf",
        lambda: page().replace(b"xref\n0", b"xref\n7", 1).replace(b"00000 n", b"99999 n"),
        ("read", CORRUPT),
    ),
    "a cross-reference to itself": ("a.pdf", circular, ("read", CORRUPT)),
    "three million drawings": ("a.pdf", lambda: pdf_stream(b"BT (a) Tj ET\n" * 3_000_000), (TOO_LARGE,)),
    "three hundred million blanks": ("a.pdf", lambda: pdf_stream(b" " * 300_000_000), (TOO_LARGE,)),
    "one endless word": (
        "a.pdf",
        lambda: pdf_stream(b"BT /F 9 Tf (" + b"a" * 20_000_000 + b") Tj ET"),
        (TOO_LARGE, "text_unreadable"),
    ),
    "a picture of 3.6 billion points": ("a.pdf", scan_bomb, ("needs_ocr",)),
    "a hundred thousand divisions": (
        "a.html",
        lambda: b"<html><body>" + b"<div>" * 100_000 + b"tender",
        ("read", TOO_LARGE, CORRUPT, "empty_document"),
    ),
    "a million attributes": (
        "a.html",
        lambda: b"<html><p " + b" ".join(b"a%d=1" % n for n in range(60_000)) + b">tender</p>",
        ("read", TOO_LARGE, CORRUPT),
    ),
    "a cell a billion wide": (
        "a.html", lambda: b"<html><table><tr><td colspan=999999999>a<td>b</table>", ("read",),
    ),
    "script only": ("a.html", lambda: b"<html><script>" + b"x" * 9_000 + b"</script>", ("empty_document",)),
    "six million letters": ("a.txt", lambda: b"tender. " * 750_000, (TOO_LARGE,)),
    "a field without end": ("a.csv", lambda: b'a,"' + b"b" * 900_000, (CORRUPT, "text_unreadable")),
}  # fmt: skip
