"""The light surface's colours, the same as those of the live views (js/src/styles.css)."""

from __future__ import annotations

from functools import lru_cache

INK = "#1c2127"
SOFT = "#586069"
LINE = "#d5d9de"
HATCH = "#a9b1ba"
AMBER = "#8a5a00"
SURFACE = "#ffffff"

PALETTES = {"rdbu": ("#2166ac", "#b2182b"), "puor": ("#542788", "#b35806")}
"""Toward the clean run, and away from it."""

LIGHT_INK_BELOW = 0.63
"""Lightness in OKLab below which a cell's number is white."""

# OKLab (Ottosson 2020): linear sRGB to the cones' responses, and their cube roots to L, a, b.
_CONES = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
_LAB = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)
_CONES_BACK = (
    (1.0, 0.3963377774, 0.2158037573),
    (1.0, -0.1055613458, -0.0638541728),
    (1.0, -0.0894841775, -1.2914855480),
)
_RGB_BACK = (
    (4.0767416621, -3.3077115913, 0.2309699292),
    (-1.2684380046, 2.6097574011, -0.3413193965),
    (-0.0041960863, -0.7034186147, 1.7076147010),
)

Triple = tuple[float, float, float]


@lru_cache(maxsize=8192)
def cell_colour(tenths: int, away: bool, palette: str) -> tuple[str, str]:
    """A cell's fill and the ink on it.

    Args:
        tenths: of a percent of the scale's end, 0 to 1000, as the page rounds it.
        away: whether it goes away from the clean run.
        palette: "rdbu" or "puor".
    """
    return _mixed(PALETTES[palette][1 if away else 0], tenths / 1000)


@lru_cache(maxsize=1024)
def ink_colour(share: float) -> tuple[str, str]:
    """The fill of a cell whose ink is a probability, and the ink of what stands on it."""
    return _mixed(INK, share)


def _mixed(colour: str, share: float) -> tuple[str, str]:
    """A share of a colour on the surface, and the ink on both."""
    pairs = zip(oklab(colour), oklab(SURFACE), strict=True)
    light, a, b = (share * end + (1 - share) * start for end, start in pairs)
    return _hex((light, a, b)), "#ffffff" if light < LIGHT_INK_BELOW else "#000000"


def oklab(colour: str) -> Triple:
    """L, a, b of a colour #rrggbb."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    cones = [value ** (1 / 3) for value in _times(_CONES, linear)]
    light, a, b = _times(_LAB, cones)
    return light, a, b


def _hex(lab: Triple) -> str:
    cones = [value**3 for value in _times(_CONES_BACK, lab)]
    linear = [min(1.0, max(0.0, value)) for value in _times(_RGB_BACK, cones)]
    channels = [12.92 * c if c <= 0.0031308 else 1.055 * c ** (1 / 2.4) - 0.055 for c in linear]
    return "#" + "".join(f"{round(255 * c):02x}" for c in channels)


def _times(matrix: tuple[Triple, ...], vector: list[float] | Triple) -> list[float]:
    return [sum(m * v for m, v in zip(row, vector, strict=True)) for row in matrix]
