"""An SVG as PNG, by the renderer that Altair saves its charts with."""

from __future__ import annotations

import struct
import zlib
from importlib.util import find_spec

import numpy as np

from ...errors import MediationError

EXTRA = "pip install 'mediawidget[png]'"
_SIGNATURE = 8
_SUB = 1
_LEVEL = 6


def can_draw() -> bool:
    """Whether a PNG can be made here."""
    return find_spec("vl_convert") is not None


def png_of(svg: str, scale: float = 2.0) -> bytes:
    """The picture with ``scale`` pixels per CSS pixel.

    Raises:
        MediationError: vl-convert-python is not installed.
    """
    if not can_draw():
        raise MediationError(
            "A PNG is drawn by vl-convert-python, which is not installed.",
            value="no module vl_convert",
            expected="the extra 'png'",
            fix=f"{EXTRA}, or save as .svg",
        )
    import vl_convert

    return _packed(vl_convert.svg_to_png(svg, scale=scale))


def _packed(png: bytes) -> bytes:
    """The same opaque picture in about a fifth of the bytes: the renderer packs in haste.

    Every line comes with the filter "sub" and four bytes a pixel; another layout is left alone.
    """
    chunks = _chunks(png)
    width, height, depth, colour = struct.unpack(">IIBB", chunks[0][1][:10])
    if (depth, colour) != (8, 6):
        return png
    data = zlib.decompress(b"".join(body for name, body in chunks if name == b"IDAT"))
    lines = np.frombuffer(data, np.uint8).reshape(height, 1 + 4 * width)
    if (lines[:, 0] != _SUB).any():
        return png
    pixels = np.cumsum(lines[:, 1:].reshape(height, width, 4), axis=1, dtype=np.uint8)
    if (pixels[:, :, 3] != 255).any():
        return png
    plain = np.zeros((height, 1 + 3 * width), np.uint8)
    plain[:, 1:] = pixels[:, :, :3].reshape(height, 3 * width)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(plain.tobytes(), _LEVEL)
    parts = ((b"IHDR", head), (b"IDAT", body), (b"IEND", b""))
    return png[:_SIGNATURE] + b"".join(_chunk(name, content) for name, content in parts)


def _chunks(png: bytes) -> list[tuple[bytes, bytes]]:
    found, at = [], _SIGNATURE
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        found.append((png[at + 4 : at + 8], png[at + 8 : at + 8 + length]))
        at += 12 + length
    return found


def _chunk(name: bytes, body: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(name + body))
    return struct.pack(">I", len(body)) + name + body + check
