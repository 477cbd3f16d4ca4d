"""Why a document could not be read: one small tree, each error with a code and one line in two languages.

    DocumentError
    ├── EmptyDocument         empty_document        nothing in it
    ├── UnsupportedDocument   unsupported_document  not a PDF, DOCX, XLSX, HTML or text
    ├── MacrosRefused         macros_refused        an office file with a program in it
    ├── CorruptDocument       corrupt_document      damaged or cut short
    ├── EncryptedDocument     encrypted_document    needs a password
    ├── DocumentTooLarge      document_too_large    over a cap, or it ate its memory or time
    ├── NeedsOcr              needs_ocr             pages are pictures
    └── TextUnreadable        text_unreadable       the text inside is garbage (broken character map)

`detail` is for the log (which cap, which page); `message` and `message_zh` are for the person who sent it.
"""

from __future__ import annotations

from typing import ClassVar


class DocumentError(Exception):
    """The document could not be read."""

    code: ClassVar[str] = "document_error"
    message: ClassVar[str] = "The document could not be read."
    message_zh: ClassVar[str] = "无法读取该文件。"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or self.message)
        self.detail = detail


class EmptyDocument(DocumentError):
    """The file is empty or holds no text."""

    code = "empty_document"
    message = "The document is empty: it contains no text."
    message_zh = "文件为空：其中没有任何文字。"


class UnsupportedDocument(DocumentError):
    """The file is of a kind that is not read; convert it to PDF, DOCX or XLSX."""

    code = "unsupported_document"
    message = "This kind of file is not supported. Please send a PDF, DOCX, XLSX, HTML or text file."
    message_zh = "不支持这种文件格式，请上传 PDF、DOCX、XLSX、HTML 或纯文本文件。"


class MacrosRefused(DocumentError):
    """The office file holds macros; save it as DOCX or XLSX, without them."""

    code = "macros_refused"
    message = "The document holds macros. Please save it as DOCX or XLSX, without them."
    message_zh = "文件含有宏，请另存为不含宏的 DOCX 或 XLSX 后再上传。"


class CorruptDocument(DocumentError):
    """The file is damaged; export or download it again."""

    code = "corrupt_document"
    message = "The document is damaged or incomplete. Please export or download it again."
    message_zh = "文件已损坏或不完整，请重新导出或下载后再上传。"


class EncryptedDocument(DocumentError):
    """The file needs a password; send it without one."""

    code = "encrypted_document"
    message = "The document is protected by a password. Please send it without one."
    message_zh = "文件已加密，请去除密码后再上传。"


class DocumentTooLarge(DocumentError):
    """The file is over a limit (pages, characters, unpacked size, memory or time); send it in parts."""

    code = "document_too_large"
    message = "The document is too large to read safely. Please send it in smaller parts."
    message_zh = "文件过大，超出安全读取的限制，请拆分后再上传。"


class NeedsOcr(DocumentError):
    """The pages are pictures; run character recognition on them first."""

    code = "needs_ocr"
    message = "The document is a scan: its pages are images without text. Please run OCR on it first."
    message_zh = "该文件是扫描件，页面只有图像没有文字，请先做文字识别（OCR）。"


class TextUnreadable(DocumentError):
    """The text inside is garbage although it looks right; print it to a new PDF or run OCR."""

    code = "text_unreadable"
    message = (
        "The text in this document cannot be extracted: its character map is broken. Please run OCR on it."
    )
    message_zh = "该文件的字符映射表已损坏，提取的文字是乱码，请重新导出或先做文字识别（OCR）。"


BY_CODE: dict[str, type[DocumentError]] = {
    kind.code: kind
    for kind in (
        EmptyDocument,
        UnsupportedDocument,
        MacrosRefused,
        CorruptDocument,
        EncryptedDocument,
        DocumentTooLarge,
        NeedsOcr,
        TextUnreadable,
    )
}
