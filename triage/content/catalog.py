"""The file types that are told apart: short name, MIME type, category, the extensions they may wear."""

from __future__ import annotations

from dataclasses import dataclass

CATEGORIES = (
    "picture",
    "video",
    "audio",
    "document",
    "archive",
    "database",
    "executable",
    "text",
    "mail",
    "system",
    "unknown",
)


@dataclass(frozen=True, slots=True)
class FileType:
    """One type. ``opaque``: compressed or encrypted by design, so that high entropy says nothing about it.

    ``extensions`` are lower case, without the dot. Types of one ``family`` share a container and wear each
    other's extensions often enough that it is no sign of hiding.
    """

    name: str
    mime: str
    category: str
    extensions: frozenset[str]
    opaque: bool = False
    family: str = ""


# name, MIME type, extensions, opaque, family
_Row = tuple[str, str, str, bool, str]

_PICTURES: tuple[_Row, ...] = (
    ("jpeg", "image/jpeg", "jpg jpeg jpe jfif jif jfi thm mpo", True, ""),
    ("png", "image/png", "png apng", True, ""),
    ("gif", "image/gif", "gif", True, ""),
    ("bmp", "image/bmp", "bmp dib rle 2bp", False, ""),
    ("webp", "image/webp", "webp", True, ""),
    ("tiff", "image/tiff", "tif tiff gtiff btf tf8", False, "tiff"),
    ("cr2", "image/x-canon-cr2", "cr2", True, "tiff"),
    ("cr3", "image/x-canon-cr3", "cr3", True, ""),
    ("crw", "image/x-canon-crw", "crw", True, ""),
    ("nef", "image/x-nikon-nef", "nef nrw", True, "tiff"),
    ("arw", "image/x-sony-arw", "arw sr2 srf", True, "tiff"),
    ("dng", "image/x-adobe-dng", "dng", True, "tiff"),
    ("pef", "image/x-pentax-pef", "pef", True, "tiff"),
    ("srw", "image/x-samsung-srw", "srw", True, "tiff"),
    ("orf", "image/x-olympus-orf", "orf", True, "tiff"),
    ("rw2", "image/x-panasonic-rw2", "rw2 raw rwl", True, "tiff"),
    ("raf", "image/x-fuji-raf", "raf", True, ""),
    ("x3f", "image/x-sigma-x3f", "x3f", True, ""),
    ("heic", "image/heic", "heic heif hif heics heifs", True, "heif"),
    ("avif", "image/avif", "avif avifs", True, "heif"),
    ("psd", "image/vnd.adobe.photoshop", "psd psb", False, ""),
    ("ico", "image/vnd.microsoft.icon", "ico", False, "icon"),
    ("cur", "image/x-win-cursor", "cur", False, "icon"),
    ("ani", "application/x-navi-animation", "ani", False, "icon"),
    ("icns", "image/x-icns", "icns", True, ""),
    ("svg", "image/svg+xml", "svg xml", False, ""),
    ("jp2", "image/jp2", "jp2 jpx jpm mj2 jpf", True, "jpeg2000"),
    ("j2k", "image/x-jp2-codestream", "j2k j2c jpc jp2", True, "jpeg2000"),
    ("jxl", "image/jxl", "jxl", True, ""),
    ("qoi", "image/qoi", "qoi", True, ""),
    ("tga", "image/x-tga", "tga icb vda vst", False, ""),
    ("wmf", "image/wmf", "wmf", False, ""),
    ("emf", "image/emf", "emf", False, ""),
    ("pnm", "image/x-portable-anymap", "pnm pbm pgm ppm pam", False, ""),
    ("xcf", "image/x-xcf", "xcf", True, ""),
    ("dds", "image/vnd.ms-dds", "dds", True, ""),
    ("exr", "image/x-exr", "exr", True, ""),
    ("djvu", "image/vnd.djvu", "djvu djv", True, ""),
    ("dicom", "application/dicom", "dcm dicom dic", True, ""),
)

_VIDEOS: tuple[_Row, ...] = (
    ("mp4", "video/mp4", "mp4 mp4v m4s f4v", True, "isobmff"),
    ("mov", "video/quicktime", "mov qt", True, "isobmff"),
    ("m4v", "video/x-m4v", "m4v", True, "isobmff"),
    ("3gp", "video/3gpp", "3gp 3g2 3gpp 3gpp2", True, "isobmff"),
    ("avi", "video/x-msvideo", "avi divx", True, ""),
    ("wmv", "video/x-ms-wmv", "wmv asf dvr-ms", True, "asf"),
    ("mkv", "video/x-matroska", "mkv mka mks mk3d", True, "matroska"),
    ("webm", "video/webm", "webm weba", True, "matroska"),
    ("flv", "video/x-flv", "flv", True, ""),
    ("mpeg-ps", "video/mpeg", "mpg mpeg vob m2p mpe mod evo ps", True, "mpeg"),
    ("mpeg", "video/mpeg", "mpg mpeg m1v m2v mpv mpe", True, "mpeg"),
    ("mpeg-ts", "video/mp2t", "ts m2ts mts m2t tod trp mpg", True, "mpeg"),
    ("ogv", "video/ogg", "ogv ogm ogx", True, "ogg"),
    ("rm", "application/vnd.rn-realmedia", "rm rmvb ra ram", True, ""),
    ("swf", "application/x-shockwave-flash", "swf", True, ""),
)

_AUDIOS: tuple[_Row, ...] = (
    ("m4a", "audio/mp4", "m4a m4b m4p m4r aax", True, "isobmff"),
    ("mp3", "audio/mpeg", "mp3 mpga", True, "mpeg audio"),
    ("mp2", "audio/mpeg", "mp2 mpa mp1", True, "mpeg audio"),
    ("aac", "audio/aac", "aac adts", True, ""),
    ("wav", "audio/x-wav", "wav wave bwf rf64", False, ""),
    ("wma", "audio/x-ms-wma", "wma", True, "asf"),
    ("ogg", "audio/ogg", "ogg oga opus spx", True, "ogg"),
    ("flac", "audio/flac", "flac", True, ""),
    ("midi", "audio/midi", "mid midi kar rmi", False, ""),
    ("amr", "audio/amr", "amr awb", True, ""),
    ("aiff", "audio/x-aiff", "aif aiff aifc", False, ""),
    ("au", "audio/basic", "au snd", False, ""),
    ("caf", "audio/x-caf", "caf", True, ""),
    ("ape", "audio/x-ape", "ape", True, ""),
    ("wavpack", "audio/x-wavpack", "wv", True, ""),
    ("dsf", "audio/x-dsf", "dsf", False, ""),
    ("dff", "audio/x-dff", "dff", False, ""),
)

_DOCUMENTS: tuple[_Row, ...] = (
    ("pdf", "application/pdf", "pdf ai fdf", True, ""),
    (
        "docx",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "docx docm dotx dotm zip",
        True,
        "",
    ),
    (
        "xlsx",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "xlsx xlsm xlsb xltx xltm xlam zip",
        True,
        "",
    ),
    (
        "pptx",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "pptx pptm potx potm ppsx ppsm ppam thmx sldx zip",
        True,
        "",
    ),
    (
        "ooxml",
        "application/vnd.openxmlformats-officedocument",
        "docx docm dotx dotm xlsx xlsm xlsb xltx xltm xlam pptx pptm potx potm "
        "ppsx ppsm thmx vsdx vsdm vssx vstx xps oxps nupkg vsix appx msix 3mf glox zip",
        True,
        "",
    ),
    ("odt", "application/vnd.oasis.opendocument.text", "odt ott odm oth sxw zip", True, "odf"),
    ("ods", "application/vnd.oasis.opendocument.spreadsheet", "ods ots sxc zip", True, "odf"),
    ("odp", "application/vnd.oasis.opendocument.presentation", "odp otp sxi zip", True, "odf"),
    ("odf", "application/vnd.oasis.opendocument", "odg otg odf odb odc odi zip", True, "odf"),
    ("epub", "application/epub+zip", "epub zip", True, ""),
    (
        "ole",
        "application/x-ole-storage",
        "doc dot xls xlt xla ppt pot pps msg msi msp mst mpp vsd vss vst pub db hwp sldprt prt max automaticdestinations-ms wps xlr oft",
        False,
        "ole",
    ),
    ("doc", "application/msword", "doc dot wbk wiz", False, ""),
    ("xls", "application/vnd.ms-excel", "xls xlt xla xlw xlm", False, ""),
    ("ppt", "application/vnd.ms-powerpoint", "ppt pot pps ppa", False, ""),
    ("vsd", "application/vnd.visio", "vsd vss vst", False, ""),
    ("hwp", "application/x-hwp", "hwp hwpx", True, ""),
    (
        "office-encrypted",
        "application/x-ole-storage",
        "docx docm dotx dotm xlsx xlsm xlsb xltx xltm pptx pptm potx ppsx ppsm",
        True,
        "ole",
    ),
    ("rtf", "application/rtf", "rtf doc", False, ""),
    ("ps", "application/postscript", "ps eps ai", False, ""),
    ("chm", "application/vnd.ms-htmlhelp", "chm chi its", True, ""),
    ("mobi", "application/x-mobipocket-ebook", "mobi azw azw3 prc pdb", True, ""),
    ("onenote", "application/onenote", "one onetoc2", False, ""),
    ("wordperfect", "application/vnd.wordperfect", "wpd wp wpt wp5 doc", False, ""),
    ("dwg", "image/vnd.dwg", "dwg dwt", False, ""),
)

_ARCHIVES: tuple[_Row, ...] = (
    (
        "zip",
        "application/zip",
        "zip zipx xpi ipa war ear kmz cbz whl egg sketch xap wmz aar idml pages numbers key ipsw mcpack "
        "mcworld fla wsz crx nbk apkm xapk apks pth pt npz keras jmod 3mf appxbundle msixbundle nupkg vsix "
        "usdz dwfx aff4 hwpx",
        True,
        "zip",
    ),
    ("jar", "application/java-archive", "jar war ear zip aar xpi jmod", True, "zip"),
    ("apk", "application/vnd.android.package-archive", "apk apex zip", True, "zip"),
    ("android-backup", "application/x-android-backup", "ab", True, ""),
    ("7z", "application/x-7z-compressed", "7z cb7", True, ""),
    ("rar", "application/vnd.rar", "rar cbr rev", True, "rar"),
    ("rar5", "application/vnd.rar", "rar cbr rev", True, "rar"),
    ("gzip", "application/gzip", "gz gzip tgz svgz emz taz adz vgz dz zst tar", True, ""),
    ("bzip2", "application/x-bzip2", "bz2 bz tbz tbz2", True, ""),
    ("xz", "application/x-xz", "xz txz", True, ""),
    ("lzip", "application/x-lzip", "lz tlz", True, ""),
    ("zstd", "application/zstd", "zst zstd tzst", True, ""),
    ("lz4", "application/x-lz4", "lz4", True, ""),
    ("compress", "application/x-compress", "z taz", True, ""),
    ("tar", "application/x-tar", "tar gem ova ab pax gtar cbt", False, ""),
    ("cab", "application/vnd.ms-cab-compressed", "cab msu wsp onepkg mzz cat", True, ""),
    ("lha", "application/x-lzh-compressed", "lha lzh lzs", True, ""),
    ("arj", "application/x-arj", "arj", True, ""),
    ("ace", "application/x-ace-compressed", "ace", True, ""),
    ("cpio", "application/x-cpio", "cpio", False, ""),
    ("ar", "application/x-archive", "a lib ar deb udeb ipk", False, ""),
    ("rpm", "application/x-rpm", "rpm srpm", True, ""),
    ("xar", "application/x-xar", "xar pkg xip mpkg safariextz", True, ""),
    ("crx", "application/x-chrome-extension", "crx", True, ""),
    ("wim", "application/x-ms-wim", "wim esd swm", True, ""),
    ("stuffit", "application/x-stuffit", "sit sitx", True, ""),
    ("squashfs", "application/vnd.squashfs", "squashfs sfs snap sqsh appimage", True, ""),
    ("iso9660", "application/x-iso9660-image", "iso img cdr bin toast nrg", False, "disk"),
    ("dmg", "application/x-apple-diskimage", "dmg smi img sparseimage", True, "disk"),
    (
        "fs-image",
        "application/x-raw-disk-image",
        "img dd raw ima vfd bin flp ext4 ntfs fat iso",
        False,
        "disk",
    ),
    ("e01", "application/x-ewf", "e01 e02 s01", True, ""),
    ("ex01", "application/x-ewf", "ex01", True, ""),
    ("l01", "application/x-ewf", "l01 lx01", True, ""),
    ("aff", "application/x-aff", "aff afd afm", True, ""),
    ("ad1", "application/x-ad1", "ad1", True, ""),
    ("qcow2", "application/x-qemu-disk", "qcow qcow2 img", False, "vm disk"),
    ("vmdk", "application/x-vmdk", "vmdk", False, "vm disk"),
    ("vhd", "application/x-vhd", "vhd vpc avhd", False, "vm disk"),
    ("vhdx", "application/x-vhdx", "vhdx avhdx", False, "vm disk"),
    ("vdi", "application/x-virtualbox-vdi", "vdi", False, "vm disk"),
    ("luks", "application/x-luks", "luks img", True, ""),
    ("bitlocker", "application/x-bitlocker", "vhd img dd", True, ""),
    ("keepass", "application/x-keepass2", "kdbx kdb", True, ""),
    ("pgp", "application/pgp-encrypted", "pgp gpg asc", True, ""),
    ("openssl", "application/x-openssl-salted", "enc aes ssl salted", True, ""),
    ("age", "application/x-age-encryption", "age", True, ""),
    ("axcrypt", "application/x-axcrypt", "axx", True, ""),
)

_DATABASES: tuple[_Row, ...] = (
    (
        "sqlite",
        "application/vnd.sqlite3",
        "db sqlite sqlite3 db3 s3db sl3 sqlitedb gpkg mbtiles storedata",
        False,
        "",
    ),
    ("sqlite-wal", "application/x-sqlite-wal", "db-wal sqlite-wal sqlite3-wal wal storedata-wal", False, ""),
    ("sqlite-journal", "application/x-sqlite-journal", "db-journal sqlite-journal journal", False, ""),
    ("leveldb", "application/x-leveldb", "ldb sst", False, ""),
    ("ese", "application/x-ese-database", "edb dat sdb jfm chk mdb dit", False, ""),
    ("access", "application/x-msaccess", "mdb accdb mde accde ldb mda", False, ""),
    ("bdb", "application/x-dbm", "db dbm wallet", False, ""),
    ("thumbcache", "application/x-thumbcache", "db", False, ""),
    ("thumbs", "application/x-thumbs-db", "db", False, "ole"),
    ("chrome-cache", "application/x-chrome-cache", "", False, ""),
    ("msie-cache", "application/x-msie-cache", "dat", False, ""),
    ("known.met", "application/x-emule-known", "met", False, ""),
    ("hdf5", "application/x-hdf5", "h5 hdf5 hdf he5 nc mat", False, ""),
    ("parquet", "application/vnd.apache.parquet", "parquet", True, ""),
)

_EXECUTABLES: tuple[_Row, ...] = (
    (
        "pe",
        "application/vnd.microsoft.portable-executable",
        "exe dll sys ocx scr drv cpl efi mui ax acm tsp node pyd com winmd bpl ime rs ds msstyles vxd xll wll 8bf fon",
        False,
        "",
    ),
    ("mz", "application/x-dosexec", "exe com ovl dll drv sys fon 386 vxd mod", False, ""),
    ("elf", "application/x-elf", "so o ko elf bin out axf prx puff mod run appimage", False, ""),
    ("macho", "application/x-mach-binary", "dylib o bundle so", False, ""),
    ("dex", "application/vnd.android.dex", "dex odex vdex oat", False, ""),
    ("class", "application/java-vm", "class", False, ""),
    ("pyc", "application/x-python-bytecode", "pyc pyo", False, ""),
    ("wasm", "application/wasm", "wasm", False, ""),
    ("luac", "application/x-lua-bytecode", "luac lua out", False, ""),
    ("msi", "application/x-msi", "msi msp mst msm pcp", False, "ole"),
)

_TEXTS: tuple[_Row, ...] = (
    (
        "text",
        "text/plain",
        "txt log csv tsv md ini cfg conf c h cpp hpp java cs go rs css sql tex srt vtt nfo bat cmd ps1 "
        "vbs lua toml "
        "yaml yml reg inf url vcf ics diff patch po m3u cue sub ass",
        False,
        "",
    ),
    ("html", "text/html", "html htm xhtml shtml php asp aspx jsp hta htt mht", False, ""),
    (
        "xml",
        "text/xml",
        "xml xsl xsd rss atom kml gpx xaml config manifest rels resx csproj xmp wsdl opf ncx fb2",
        False,
        "",
    ),
    ("json", "application/json", "json geojson ipynb jsonl har map webmanifest", False, ""),
    ("yaml", "application/yaml", "yaml yml", False, ""),
    ("script", "text/x-script", "sh py pl rb bash zsh js php command tcl awk", False, ""),
    ("pem", "application/x-pem-file", "pem crt cer key pub csr asc p7b", False, ""),
    ("pgp-key", "application/pgp-keys", "asc gpg pgp key", False, ""),
    ("vcard", "text/vcard", "vcf vcard", False, ""),
    ("ical", "text/calendar", "ics ical", False, ""),
    ("diskdescriptor", "application/x-vmdk", "vmdk", False, "vm disk"),
)

_MAILS: tuple[_Row, ...] = (
    ("eml", "message/rfc822", "eml emlx mht mhtml nws txt msg partial", False, ""),
    ("mbox", "application/mbox", "mbox mbx txt", False, ""),
    ("msg", "application/vnd.ms-outlook", "msg oft", False, ""),
    ("pst", "application/vnd.ms-outlook-pst", "pst ost pab nst", False, ""),
    ("dbx", "application/x-outlook-express", "dbx", False, ""),
    ("tnef", "application/vnd.ms-tnef", "dat tnef", False, ""),
)

_SYSTEM: tuple[_Row, ...] = (
    ("plist", "application/x-plist", "plist strings xml webloc mobileconfig", False, ""),
    (
        "bplist",
        "application/x-bplist",
        "plist strings binarycookies webloc savedsearch nib webarchive",
        False,
        "",
    ),
    ("evtx", "application/x-evtx", "evtx", False, ""),
    ("evt", "application/x-evt", "evt", False, ""),
    ("registry", "application/x-registry-hive", "dat hve hiv reg sav log1 log2", False, ""),
    ("lnk", "application/x-ms-shortcut", "lnk", False, ""),
    ("prefetch", "application/x-prefetch", "pf", False, ""),
    ("jumplist", "application/x-jumplist", "automaticdestinations-ms", False, "ole"),
    ("recycle-bin", "application/x-recycle-bin", "", False, ""),
    ("torrent", "application/x-bittorrent", "torrent", False, ""),
    ("der", "application/x-x509-cert", "der crt cer p12 pfx p7b p7s p7c key cat rsa dsa", False, ""),
    ("gettext", "application/x-gettext-translation", "mo gmo", False, ""),
    ("tzif", "application/tzif", "", False, ""),
    ("ds-store", "application/x-ds-store", "", False, ""),
    ("ttf", "font/ttf", "ttf ttc", False, "font"),
    ("otf", "font/otf", "otf otc ttf", False, "font"),
    ("woff", "font/woff", "woff", True, "font"),
    ("woff2", "font/woff2", "woff2", True, "font"),
    ("pcap", "application/vnd.tcpdump.pcap", "pcap cap dmp", False, "capture"),
    ("pcapng", "application/x-pcapng", "pcapng cap ntar", False, "capture"),
    ("minidump", "application/x-minidump", "dmp mdmp", False, ""),
    ("memory-dump", "application/x-memory-dump", "dmp", False, ""),
    ("hiberfil", "application/x-hibernation", "sys", True, ""),
    ("dpapi", "application/x-dpapi-blob", "", True, ""),
)

_UNKNOWN: tuple[_Row, ...] = (("empty", "inode/x-empty", "", False, ""),)


def _catalog() -> dict[str, FileType]:
    groups = (
        _PICTURES,
        _VIDEOS,
        _AUDIOS,
        _DOCUMENTS,
        _ARCHIVES,
        _DATABASES,
        _EXECUTABLES,
        _TEXTS,
        _MAILS,
        _SYSTEM,
        _UNKNOWN,
    )
    return {
        name: FileType(name, mime, category, frozenset(extensions.split()), opaque, family)
        for category, rows in zip(CATEGORIES, groups, strict=True)
        for name, mime, extensions, opaque, family in rows
    }


def _owners() -> dict[str, tuple[FileType, ...]]:
    owners: dict[str, tuple[FileType, ...]] = {}
    for kind in TYPES.values():
        for extension in kind.extensions:
            owners[extension] = (*owners.get(extension, ()), kind)
    return owners


TYPES = _catalog()
OWNERS = _owners()
"""Which types a given extension may stand for."""
