"""The README's tour, run as it stands: every `$` line of its console blocks, in the shell of a newcomer."""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TOUR = re.compile(r"^## A five-minute tour\n(.*?)(?=^## )", re.MULTILINE | re.DOTALL)
# However the tour ends, what it left running in the background ends too.
_STOP = 'trap \'for job in $(jobs -p); do kill "$job"; wait "$job" || true; done\' EXIT'


def blocks() -> list[str]:
    """The console blocks of the tour."""
    found = TOUR.search((ROOT / "README.md").read_text(encoding="utf-8"))
    assert found, "the README has no tour"
    return re.findall(r"^```console\n(.*?)^```", found[1], re.MULTILINE | re.DOTALL)


def commands(block: str) -> Iterator[str]:
    """The commands of a block; a line that ends with a backslash goes on in the next one."""
    lines = iter(block.splitlines())
    for line in lines:
        if line.startswith("$ "):
            command = line[2:]
            while command.endswith("\\"):
                command = command[:-1] + next(lines)
            yield command


def shown(block: str) -> list[str]:
    """What the block says is printed; `…` stands for whatever."""
    return [line for line in block.splitlines() if line.strip(" …") and not line.startswith(("$ ", "    "))]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_tour_goes_as_it_says(tmp_path: Path) -> None:
    port = str(free_port())
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "MAINSPRING_GATEWAY_PORT": port,
        "COLUMNS": "160",
    }
    script = "\n".join(command for block in blocks() for command in commands(block)).replace("8000", port)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"{_STOP}\n{script}"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,  # a newcomer sees both
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    for line in (line for block in blocks() for line in shown(block)):
        pattern = ".*".join(re.escape(part) for part in line.replace("8000", port).split("…"))
        assert re.search(pattern, done.stdout), f"the tour shows {line!r}, which is not in:\n{done.stdout[-3000:]}"
    assert "Traceback" not in done.stdout
