"""What a ZIP file is by its members: documents, books, programs and other packages that are ZIP files by another name.

Sources: OPC (ECMA-376 part 2, 10.1: ``[Content_Types].xml``), OASIS OpenDocument 1.3 part 2, 3.3, and EPUB OCF 3.3, 4.3 (a first, stored
member ``mimetype``); the rest by members that the format cannot be without.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

CONTENT_TYPES = b"[Content_Types].xml"
KEEP = 64 << 10
"""Bytes of ``mimetype`` and ``[Content_Types].xml`` that are worth reading."""

_ODF = {
    b"text": "odt",
    b"text-template": "ott",
    b"text-master": "odm",
    b"text-web": "oth",
    b"spreadsheet": "ods",
    b"spreadsheet-template": "ots",
    b"presentation": "odp",
    b"presentation-template": "otp",
    b"graphics": "odg",
    b"graphics-template": "otg",
    b"formula": "odf",
    b"chart": "odc",
    b"image": "odi",
    b"base": "odb",
    b"database": "odb",
}
_MIMETYPES = {
    b"application/epub+zip": "epub",
    b"application/hwp+zip": "hwpx",
    b"application/owpml": "hwpx",
    b"application/vnd.sun.xml.writer": "sxw",
    b"application/vnd.sun.xml.calc": "sxc",
    b"application/vnd.sun.xml.impress": "sxi",
    b"application/x-krita": "kra",
    b"image/openraster": "ora",
    b"application/vnd.adobe.indesign-idml-package": "idml",
    b"application/vnd.google-earth.kmz": "kmz",
}
_OPEN, _MS = b"application/vnd.openxmlformats-officedocument.", b"application/vnd.ms-"
_OFFICE = (
    (_OPEN + b"wordprocessingml.document.main+xml", "docx"),
    (_OPEN + b"spreadsheetml.sheet.main+xml", "xlsx"),
    (_OPEN + b"presentationml.presentation.main+xml", "pptx"),
    (_OPEN + b"presentationml.slideshow.main+xml", "ppsx"),
    (_OPEN + b"wordprocessingml.template.main+xml", "dotx"),
    (_OPEN + b"spreadsheetml.template.main+xml", "xltx"),
    (_OPEN + b"presentationml.template.main+xml", "potx"),
    (_MS + b"word.document.macroEnabled.main+xml", "docm"),
    (_MS + b"word.template.macroEnabledTemplate.main+xml", "dotm"),
    (_MS + b"excel.sheet.macroEnabled.main+xml", "xlsm"),
    (_MS + b"excel.sheet.binary.macroEnabled.main", "xlsb"),
    (_MS + b"excel.template.macroEnabled.main+xml", "xltm"),
    (_MS + b"excel.addin.macroEnabled.main+xml", "xlam"),
    (_MS + b"powerpoint.presentation.macroEnabled.main+xml", "pptm"),
    (_MS + b"powerpoint.slideshow.macroEnabled.main+xml", "ppsm"),
    (_MS + b"powerpoint.template.macroEnabled.main+xml", "potm"),
    (_MS + b"visio.drawing.main+xml", "vsdx"),
    (_MS + b"visio.drawing.macroEnabled.main+xml", "vsdm"),
    (_MS + b"visio.stencil.main+xml", "vssx"),
    (_MS + b"visio.template.main+xml", "vstx"),
    (_MS + b"package.xps-fixeddocumentsequence+xml", "xps"),
)
"""The main part's type in ``[Content_Types].xml`` (ECMA-376 part 1, 11.3.10, 12.3.23, 13.3.6; MS-OFFMACRO2; MS-VSDX)."""

_EXACT = (
    ("aab", (b"BundleConfig.pb", b"base/manifest/AndroidManifest.xml")),
    ("apk", (b"AndroidManifest.xml",)),
    ("xpi", (b"install.rdf",)),
    ("xpi", (b"META-INF/mozilla.rsa",)),
    ("xpi", (b"META-INF/cose.manifest",)),
    ("ear", (b"META-INF/application.xml",)),
    ("war", (b"WEB-INF/web.xml",)),
    ("cbz", (b"ComicInfo.xml",)),
    ("vsix", (b"extension.vsixmanifest",)),
    ("msix", (b"AppxManifest.xml",)),
    ("oxps", (b"FixedDocumentSequence.fdseq",)),
    ("3mf", (b"3D/3dmodel.model",)),
    ("sketch", (b"document.json", b"meta.json", b"user.json")),
    ("kmz", (b"doc.kml",)),
)
"""Members by which a package is known, all of them needed, in the order in which they decide."""
_FOLDERS = (("docx", b"word/"), ("xlsx", b"xl/"), ("pptx", b"ppt/"), ("vsdx", b"visio/"))
_SOME = (
    ("ipa", re.compile(rb"Payload/[^/]+\.app/")),
    ("whl", re.compile(rb"[^/]+\.dist-info/WHEEL\Z")),
    ("nupkg", re.compile(rb"[^/]+\.nuspec\Z")),
    ("jar", re.compile(rb"META-INF/MANIFEST\.MF\Z|META-INF/\Z")),
)
BOILERPLATE = frozenset({b"mimetype", CONTENT_TYPES, b"_rels/.rels", b"META-INF/MANIFEST.MF", b"META-INF/container.xml"})
"""Members that every package of a kind has alike: on their own they tell an examiner nothing."""


def kind_of(names: Sequence[bytes], mimetype: bytes, types: bytes) -> str:
    """Return the extension by the members' names, the content of a first member ``mimetype`` and that of ``[Content_Types].xml``."""
    if mimetype and (found := _by_mimetype(mimetype.strip())):
        return found
    if types and (found := _by_content_types(types)):
        return found
    known = set(names)
    if CONTENT_TYPES in known or b"_rels/.rels" in known:
        for extension, folder in _FOLDERS:
            if any(name.startswith(folder) for name in names):
                return extension
        if b"FixedDocSeq.fdseq" in known or any(name.endswith(b".fdseq") for name in names):
            return "xps"
    for extension, needed in _EXACT:
        if all(name in known for name in needed):
            return extension
    if any(name.startswith(b"Index/") and name.endswith(b".iwa") for name in names) or b"Index.zip" in known:
        return _iwork(names)
    for extension, pattern in _SOME:
        if any(pattern.match(name) for name in names):
            return extension
    if sum(b"/" not in name and name.lower().endswith(b".kml") for name in names) == 1:
        return "kmz"
    return "zip"


def _by_mimetype(text: bytes) -> str:
    kind = text.split(b";")[0]
    if kind in _MIMETYPES:
        return _MIMETYPES[kind]
    prefix = b"application/vnd.oasis.opendocument."
    return _ODF.get(kind[len(prefix) :], "") if kind.startswith(prefix) else ""


def _by_content_types(text: bytes) -> str:
    return next((extension for kind, extension in _OFFICE if kind in text), "")


def _iwork(names: Sequence[bytes]) -> str:
    """Tell Apple's packages apart by the archives inside: slides, tables, neither. Pages with tables pass for Numbers."""
    if any(name.startswith((b"Index/Slide", b"Index/MasterSlide", b"Index/TemplateSlide")) for name in names):
        return "key"
    return "numbers" if any(name.startswith(b"Index/Tables/") for name in names) else "pages"
