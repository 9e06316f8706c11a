"""Pictures turned into numbers, for functions of views.

    @creative.features(gives=["brightness", "colourfulness", "edge_density"])
    def looks(ads):
        return picture_numbers(ads["creative"])

A picture comes from anywhere, so it is opened with limits. One that is absent, too large, broken or of another
format has no numbers, and the run tells of it.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from mainspring.data.columns import HARMLESS

if TYPE_CHECKING:
    from PIL.Image import Image

Pixels = npt.NDArray[np.float64]

FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF")
MOST_BYTES = 64 << 20
MOST_PIXELS = 50_000_000
SIDE = 512
"""Pixels to which the longer side is reduced first: how a picture looks does not depend on how fine it is."""

_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
_EDGE = 0.2  # of the step from black to white
_REFUSED: ContextVar[list[tuple[str, str]] | None] = ContextVar("refused", default=None)


@contextmanager
def refused_pictures() -> Iterator[list[tuple[str, str]]]:
    """The pictures that had no numbers while this is open, and why."""
    refused: list[tuple[str, str]] = []
    token = _REFUSED.set(refused)
    try:
        yield refused
    finally:
        _REFUSED.reset(token)


def picture_numbers(paths: pl.Series) -> pl.DataFrame:
    """`brightness`, `colourfulness` and `edge_density` of each picture, which is opened once; see these."""
    return _measured(paths, ("brightness", "colourfulness", "edge_density"))


def brightness(paths: pl.Series) -> pl.Series:
    """The mean luma of each picture, from 0 (black) to 1 (white)."""
    return _measured(paths, ("brightness",)).to_series()


def colourfulness(paths: pl.Series) -> pl.Series:
    """How colourful each picture is: 0 where it is grey, above 100 where very much so.

    With `rg = R - G` and `yb = (R + G) / 2 - B`: `sqrt(var rg + var yb) + 0.3 sqrt(mean(rg)² + mean(yb)²)`
    (Hasler and Süsstrunk, Measuring colourfulness in natural images, 2003).
    """
    return _measured(paths, ("colourfulness",)).to_series()


def edge_density(paths: pl.Series) -> pl.Series:
    """The share of each picture's inner pixels at an edge: where Sobel's gradient of the luma is above a fifth of
    what it is at a step from black to white.
    """
    return _measured(paths, ("edge_density",)).to_series()


def brightness_of(pixels: Pixels) -> float:
    """See `brightness`.

    Args:
        pixels: red, green and blue from 0 to 255 [height, width, 3].

    Examples:
        >>> brightness_of(np.full((2, 2, 3), 255.0))
        1.0
    """
    return float((pixels @ _LUMA).mean() / 255)


def colourfulness_of(pixels: Pixels) -> float:
    """See `colourfulness`.

    Examples:
        >>> colourfulness_of(np.full((2, 2, 3), 99.0))
        0.0
    """
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    red_green, yellow_blue = red - green, (red + green) / 2 - blue
    spread = np.hypot(red_green.std(), yellow_blue.std())
    return float(spread + 0.3 * np.hypot(red_green.mean(), yellow_blue.mean()))


def edge_density_of(pixels: Pixels) -> float:
    """See `edge_density`. A picture of less than three pixels has no edges.

    Examples:
        >>> half = np.zeros((5, 6, 3))
        >>> half[:, 3:] = 255
        >>> edge_density_of(half)
        0.5
    """
    luma = pixels @ _LUMA / 255
    if min(luma.shape) < 3:
        return 0.0
    rows = luma[:-2] + 2 * luma[1:-1] + luma[2:]
    columns = luma[:, :-2] + 2 * luma[:, 1:-1] + luma[:, 2:]
    # A step from black to white gives 4.
    gradient = np.hypot(rows[:, 2:] - rows[:, :-2], columns[2:] - columns[:-2]) / 4
    return float((gradient > _EDGE).mean())


_MEASURES = {"brightness": brightness_of, "colourfulness": colourfulness_of, "edge_density": edge_density_of}


def _measured(paths: pl.Series, measures: tuple[str, ...]) -> pl.DataFrame:
    found: dict[str, list[float | None]] = {name: [] for name in measures}
    for path in paths.alias(HARMLESS).to_list():
        pixels = None if path is None else _opened(str(path))
        for name in measures:
            found[name].append(None if pixels is None else _MEASURES[name](pixels))
    return pl.DataFrame(found, schema=dict.fromkeys(measures, pl.Float64))


def _opened(path: str) -> Pixels | None:
    """A picture's pixels, red, green and blue from 0 to 255 [height, width, 3]; `None` where it is refused."""
    problem = None
    try:
        place = Path(path)
        if not place.is_file():
            problem = "there is no such file"
        elif place.stat().st_size > MOST_BYTES:
            problem = f"it has more than {MOST_BYTES >> 20} MB"
        else:
            return _pixels(place)
    except Exception as error:  # whatever a decoder stumbles over
        problem = f"it cannot be read as a picture: {type(error).__name__}"
    refused = _REFUSED.get()
    if refused is not None:
        refused.append((path, problem))
    return None


def _pixels(place: Path) -> Pixels:
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(place, formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise ValueError("too many pixels")
            # Not `thumbnail`: it lets the decoder of JPEG reduce first, which no other has.
            image.load()
            return np.asarray(_reduced(_in_colour(image)), np.float64)


def _in_colour(image: Image) -> Image:
    """Red, green and blue; what is transparent is white, as on a page."""
    from PIL import Image

    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        page = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(page, image.convert("RGBA"))
    return image.convert("RGB")


def _reduced(image: Image) -> Image:
    from PIL import Image

    longer = max(image.size)
    if longer <= SIDE:
        return image
    size: Any = tuple(max(1, round(side * SIDE / longer)) for side in image.size)
    return image.resize(size, Image.Resampling.BOX)
