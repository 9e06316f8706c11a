"""Small banner pictures, drawn from a seed, and what of a picture matters to the people who see it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

WIDTH, HEIGHT = 96, 32


@dataclass(frozen=True, slots=True)
class Looks:
    """How a banner looks; both from 0 to 1.

    Attributes:
        brightness: mean luma (ITU-R BT.601), white is 1.
        colourfulness: mean distance of the colour channels from grey, on the pixels.
    """

    brightness: float
    colourfulness: float


def draw_banner(rng: np.random.Generator) -> "Image":
    """A banner: a shaded ground in one colour, a few blocks in others, a pale line where the words would stand."""
    from PIL import Image

    light, strength = rng.uniform(0.1, 0.9), rng.uniform(0.0, 1.0)
    ground = _colour(rng, light, strength)
    shade = np.linspace(0.85, 1.15, WIDTH)[None, :, None]
    pixels = np.broadcast_to(ground, (HEIGHT, WIDTH, 3)) * shade
    for _ in range(int(rng.integers(2, 6))):
        left, top = int(rng.integers(0, WIDTH - 12)), int(rng.integers(0, HEIGHT - 8))
        width, height = int(rng.integers(8, 28)), int(rng.integers(5, 16))
        pixels[top : top + height, left : left + width] = _colour(rng, light, strength)
    pixels[HEIGHT - 8 : HEIGHT - 5, 8 : WIDTH - 8] = 1.0 if light < 0.5 else 0.1
    return Image.fromarray((np.clip(pixels, 0.0, 1.0) * 255).round().astype(np.uint8), mode=None)


def looks_of(path: Path) -> Looks:
    """Measure a banner file."""
    from PIL import Image

    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"), dtype=np.float64) / 255.0
    luma = pixels @ np.array([0.299, 0.587, 0.114])
    grey = pixels.mean(axis=2, keepdims=True)
    distance = np.sqrt(((pixels - grey) ** 2).sum(axis=2)) / np.sqrt(2 / 3)  # a pure colour is at 1
    return Looks(round(float(luma.mean()), 4), round(float(distance.mean()), 4))


def _colour(rng: np.random.Generator, light: float, strength: float) -> NDArray[np.float64]:
    hue = rng.uniform(0.0, 2 * np.pi)
    circle = 0.5 + 0.5 * np.cos(hue + np.array([0.0, 2.0, 4.0]) * np.pi / 3)
    colour: NDArray[np.float64] = np.clip(light + (circle - circle.mean()) * strength, 0.0, 1.0)
    return colour
