"""Pictures as numbers: known ones, formats, sizes, and those that are none."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from mainspring.features import images
from mainspring.features.images import brightness, colourfulness, edge_density, picture_numbers, refused_pictures

Save = Callable[..., str]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    def saved(picture: Image.Image, name: str = "a.png", **options: object) -> str:
        picture.save(tmp_path / name, **options)
        return str(tmp_path / name)

    return saved


def of(*paths: str | None) -> pl.Series:
    return pl.Series("creative", paths, dtype=pl.String)


@pytest.mark.parametrize(("colour", "expected"), [("black", 0.0), ("white", 1.0), ((0, 255, 0), 0.587)])
def test_brightness_is_the_luma(save: Save, colour: str | tuple[int, ...], expected: float) -> None:
    path = save(Image.new("RGB", (7, 5), colour))
    assert brightness(of(path)).to_list() == pytest.approx([expected])


def test_grey_has_no_colour_and_colours_have() -> None:
    grey = np.full((4, 4, 3), 90.0)
    assert images.colourfulness_of(grey) == 0
    # Half red, half green: rg = ±255, yb = 127.5; by the formula sqrt(255²) + 0.3 · 127.5.
    two = np.zeros((4, 4, 3))
    two[:2, :, 0] = 255
    two[2:, :, 1] = 255
    assert images.colourfulness_of(two) == pytest.approx(255 + 0.3 * 127.5)


def test_edges_are_where_the_luma_steps(save: Save) -> None:
    pixels = np.zeros((20, 20), np.uint8)
    pixels[:, 10:] = 255
    plain, stepped = save(Image.new("L", (20, 20), 128), "plain.png"), save(Image.fromarray(pixels), "step.png")
    # Two of eighteen inner columns lie at the step.
    assert edge_density(of(plain, stepped)).to_list() == pytest.approx([0.0, 2 / 18])
    assert edge_density(of(save(Image.new("L", (2, 2)), "tiny.png"))).to_list() == [0.0]


def test_all_numbers_at_once_are_those_one_by_one(save: Save) -> None:
    rng = np.random.default_rng(5)
    path = save(Image.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)))
    paths = of(path, None)
    together = picture_numbers(paths)
    assert together.columns == ["brightness", "colourfulness", "edge_density"]
    for name, one in (
        ("brightness", brightness),
        ("colourfulness", colourfulness),
        ("edge_density", edge_density),
    ):
        assert together[name].to_list() == one(paths).to_list()
    assert together.row(1) == (None, None, None)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.gif", "a.webp", "a.bmp", "a.tif"])
def test_every_format_is_read(save: Save, name: str) -> None:
    path = save(Image.new("RGB", (16, 16), (255, 255, 255)), name)
    assert brightness(of(path)).to_list() == pytest.approx([1.0], abs=0.01)


def test_what_is_transparent_is_white(save: Save) -> None:
    clear = save(Image.new("RGBA", (4, 4), (0, 0, 0, 0)), "clear.png")
    half = save(Image.new("LA", (4, 4), (0, 128)), "half.png")
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([0, 0, 0])
    indexed = save(palette, "indexed.gif", transparency=0)
    assert brightness(of(clear, half, indexed)).to_list() == pytest.approx([1.0, 127 / 255, 1.0], abs=0.01)


def test_sixteen_bits_are_as_bright_as_eight(save: Save) -> None:
    deep = save(Image.fromarray(np.full((4, 4), 0x8000, np.uint16)), "deep.png")
    assert brightness(of(deep)).to_list() == pytest.approx([0.5], abs=0.01)


def test_a_picture_counts_the_same_however_fine_it_is(save: Save) -> None:
    rng = np.random.default_rng(6)
    small = Image.fromarray(rng.integers(0, 256, (256, 512, 3), dtype=np.uint8))
    large = small.resize((2_048, 1_024), Image.Resampling.NEAREST)
    paths = of(save(small, "small.png"), save(large, "large.png"))
    first, second = picture_numbers(paths).rows()
    assert second == pytest.approx(first)


def _bomb(path: Path, side: int) -> None:
    """A small file that says that it is a large picture."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def test_what_is_no_picture_has_no_numbers_and_is_told(
    save: Save, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = save(Image.new("RGB", (64, 64), "white"), "good.png")
    content = Path(good).read_bytes()
    for side in (8_000, 20_000):
        _bomb(tmp_path / f"bomb-{side}.png", side)
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "cut.png").write_bytes(content[: len(content) // 2])
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "long.png").write_bytes(content + b"\0" * 2_000)
    save(Image.new("RGB", (4, 4)), "other.ppm")
    monkeypatch.setattr(images, "MOST_BYTES", len(content) + 1_000)
    names = ["bomb-8000.png", "bomb-20000.png", "text.png", "cut.png", "empty.png", "folder.png", "long.png"]
    names += ["other.ppm", "absent.png", "with\0nul.png"]
    with refused_pictures() as refused:
        found = brightness(of(good, *(str(tmp_path / name) for name in names)))
    assert found.to_list() == [1.0] + [None] * len(names)
    assert [Path(path).name for path, _ in refused] == names
    assert dict(refused)[str(tmp_path / "absent.png")] == "there is no such file"
