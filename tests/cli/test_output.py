import json
import os
import subprocess
import sys

import pytest

from mainspring.cli.output import Output
from mainspring.errors import Refused, SourceFormatError


def test_with_json_there_is_one_document_and_nothing_else(capfd):
    with Output(as_json=True) as output:
        print("the user's own print")
        os.write(1, b"a library that writes to the descriptor\n")
        subprocess.run([sys.executable, "-c", "print('a child')"], check=True)
        output.line("for people")
        output.table(["a"], [["b"]])
        output.document({"x": float("nan"), "y": "☂\ud800"})
        output.document({"second": True})
    print("after")
    out, err = capfd.readouterr()
    document, after = out.rsplit("\n", 2)[0], out.splitlines()[-1]
    assert json.loads(document)["x"] is None
    assert after == "after"
    for phrase in ("the user's own print", "a library", "a child"):
        assert phrase in err
    assert "for people" not in out + err


def test_an_error_says_what_where_and_the_cure(capfd):
    error = SourceFormatError(
        "row 17 has 4 fields, the header has 3",
        cure="quote the comma",
        where={"file": "a.csv", "row": 17, "x": None},
    )
    with Output(as_json=False) as output:
        assert output.error(error) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "error: row 17 has 4 fields, the header has 3",
        "  file  a.csv",
        "  row   17",
        "cure: quote the comma",
    ]


def test_an_error_as_json_carries_its_exit_code(capfd):
    with Output(as_json=True) as output:
        assert output.error(Refused("no", cure="try again")) == 3
    document = json.loads(capfd.readouterr().out)
    assert document == {"error": "Refused", "message": "no", "cure": "try again", "where": {}, "exit_code": 3}


def test_control_characters_and_markup_of_the_data_are_shown_not_obeyed(capfd):
    with Output(as_json=False) as output:
        output.line("[red]x[/red] \x1b[31m")
        output.table(["name"], [["\x1b]0;title\x07 [bold]"]], title="[link=file:///]t")
        output.error(SourceFormatError("\x1b[2J", where={"column": "\x1b[31m"}))
    out, err = capfd.readouterr()
    assert "\x1b" not in out + err
    assert "[red]x[/red] \\x1b[31m" in out
    assert "[bold]" in out
    assert "[link=file:///]t" in out


@pytest.mark.parametrize("width", [20, 300])
def test_a_piped_table_is_folded_not_cut(capfd, width):
    with Output(as_json=False) as output:
        output.table(["name", "text"], [["a", "word " * width]])
    assert capfd.readouterr().out.count("word") == min(width, 80)
