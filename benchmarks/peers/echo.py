"""The ceiling: uvicorn reads the body and answers a constant, of the size of the answer with so many rows.

`python echo.py PORT FOLDER`: FOLDER holds `answer-1.json` and `answer-100.json`, as the gateway gave them.
"""

import sys
from pathlib import Path

import uvicorn

_LARGE = 4_000  # bytes of a body from which on it holds the many rows


async def app(scope, receive, send):  # noqa: ARG001
    body = b""
    while True:
        message = await receive()
        body += message["body"]
        if not message["more_body"]:
            break
    start, answer = _MANY if len(body) > _LARGE else _ONE
    await send(start)
    await send(answer)


def _answer(content: bytes):
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
    return (
        {"type": "http.response.start", "status": 200, "headers": headers},
        {"type": "http.response.body", "body": content},
    )


if __name__ == "__main__":
    folder = Path(sys.argv[2])
    _ONE, _MANY = (_answer((folder / f"answer-{rows}.json").read_bytes()) for rows in (1, 100))
    uvicorn.run(app, port=int(sys.argv[1]), loop="uvloop", http="httptools", access_log=False, lifespan="off")
