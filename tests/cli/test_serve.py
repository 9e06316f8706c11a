"""What `mainspring serve` says when it listens."""

import pytest

from mainspring.cli.listening import greeting


@pytest.mark.parametrize(
    ("address", "asked"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://0.0.0.0:8012", "http://localhost:8012"),
        ("https://[::]:443", "https://localhost:443"),
    ],
)
def test_it_says_how_to_ask_it(address: str, asked: str) -> None:
    said = greeting(address, ["shop", "cars"], keyed=False, open_to_none=False)
    assert address in said[0]
    assert said[1:3] == [f"  curl {asked}/predict/{model} -d '{{…}}'" for model in ("shop", "cars")]
    assert "Bearer" not in str(said)


def test_it_says_that_a_key_is_needed_and_how_to_get_in() -> None:
    keyed = greeting("http://127.0.0.1:1", ["shop"], keyed=True, open_to_none=False)
    assert "-H 'Authorization: Bearer KEY' -d" in keyed[1]
    assert "keys create" not in str(keyed)
    assert "keys create" in greeting("http://127.0.0.1:1", ["shop"], keyed=True, open_to_none=True)[-1]
    assert "nothing yet" in greeting("http://127.0.0.1:1", [], keyed=False, open_to_none=False)[0]
