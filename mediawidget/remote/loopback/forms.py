"""A form of several parts (multipart/form-data), as HTTP clients send files."""

from __future__ import annotations

import re
from email.message import Message

_NAME = re.compile(rb'[;\s]name="([^"]*)"')


def parts(content_type: str, body: bytes) -> dict[str, bytes]:
    """Name -> content of every part; nothing where this is no such form.

    Cut at its boundaries by hand: a part is any bytes at all, and parsers of mail take lines.
    """
    header = Message()
    header["Content-Type"] = content_type
    boundary = header.get_param("boundary")
    if header.get_content_type() != "multipart/form-data" or not isinstance(boundary, str):
        return {}
    found = {}
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary.encode("latin-1"))[1:]:
        head, gap, content = part.partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if gap and name:
            found[name[1].decode("utf-8", "replace")] = content
    return found
