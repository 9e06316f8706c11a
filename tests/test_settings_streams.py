"""`[[stream]]` in `mainspring.toml`."""

from pathlib import Path

import pytest

from mainspring.domain.feature_stream import FeatureStream
from mainspring.errors import SettingsError
from mainspring.settings import load_settings


def streams(folder: Path, text: str, **environ: str) -> tuple[FeatureStream, ...]:
    (folder / "mainspring.toml").write_text(text)
    return load_settings(folder, environ).streams


def test_a_stream_is_read(tmp_path: Path) -> None:
    text = '[[stream]]\nview = "spending"\nname = "purchases"\nurl = "redis://:$SECRET@host/1"\ngroup = "g"\n'
    (found,) = streams(tmp_path, text, SECRET="a b")
    assert found == FeatureStream(view="spending", name="purchases", url="redis://:a%20b@host/1", group="g")
    assert "a%20b" not in repr(found)


def test_a_stream_without_a_place_is_where_the_online_store_is(tmp_path: Path) -> None:
    both = '[[stream]]\nview = "a"\nname = "x"\n[[stream]]\nview = "b"\nname = "y"\n'
    text = f'[features]\nurl = "redis://host"\n{both}'
    first, second = streams(tmp_path, text)
    assert (first.url, first.group, second.name) == ("redis://host", "mainspring", "y")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('stream = "x"', "no list of streams"),
        ('[[stream]]\nview = "a"\nname = "x"\n', r"stream\[1\] has no url of Redis"),
        ('[[stream]]\nview = "a"\nurl = "redis://h"\n', r"stream\[1\] has no name"),
        ('[[stream]]\nviwe = "a"\n', "unknown entry viwe; did you mean view"),
        ("[[stream]]\nview = 3\n", r"stream\[1\].view = 3 is no text"),
        ('[[stream]]\nview = "a"\nname = "x"\nurl = "kafka://h"\n', "no url of Redis"),
        ('[[stream]]\nview = "a"\nname = "x"\nurl = "redis://:geheim@h"\n', "secrets must not stand"),
        ('[[stream]]\nview = "a"\nname = "x"\nurl = "$PLACE"\n', "PLACE, which is not set"),
        ('[[stream]]\nview = "a"\nname = "x"\nurl = "redis://h"\n' * 2, "comes twice"),
        ('strem = "x"', "did you mean stream"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        streams(tmp_path, text)
