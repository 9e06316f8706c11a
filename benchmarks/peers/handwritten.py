"""The best case: what an expert writes by hand for this one model, and nothing else.

Bare ASGI on uvicorn, msgspec with typed rows, ONNX Runtime on one thread. `python handwritten.py PORT FOLDER`.
"""

import sys
from pathlib import Path

import msgspec
import numpy as np
import onnxruntime
import uvicorn


class Row(msgspec.Struct, gc=False):
    hour: int
    weekday: int
    position: int
    usual_hour: int
    price_cents: int
    brightness: float
    colourfulness: float
    site: str
    device: str
    age_group: str
    interest: str
    category: str


class Prediction(msgspec.Struct, gc=False):
    prediction: str
    probabilities: dict[str, float]


class Answer(msgspec.Struct, gc=False):
    predictions: list[Prediction]


SITES = {"forum": 0, "news": 1, "recipes": 2, "video": 3, "weather": 4}
DEVICES = {"desktop": 0, "phone": 1, "tablet": 2}
AGES = {"18-24": 0, "25-34": 1, "35-44": 2, "45-54": 3, "55+": 4}
TOPICS = {
    name: code
    for code, name in enumerate(("books", "cars", "fashion", "finance", "food", "games", "sports", "travel"))
}

_decode = msgspec.json.Decoder(Row | list[Row]).decode
_encode = msgspec.json.Encoder().encode
_HEADERS = (b"content-type", b"application/json")


def values(row: Row) -> tuple[float, ...]:
    return (
        row.hour,
        row.weekday,
        row.position,
        row.usual_hour,
        row.price_cents,
        row.brightness,
        row.colourfulness,
        SITES.get(row.site, 5),
        DEVICES.get(row.device, 3),
        AGES.get(row.age_group, 5),
        TOPICS.get(row.interest, 8),
        TOPICS.get(row.category, 8),
    )


def answer(body: bytes) -> bytes:
    rows = _decode(body)
    if rows.__class__ is Row:
        rows = [rows]
    matrix = np.array([values(row) for row in rows], np.float64)
    outputs = _run(_NAMES, {"features": matrix})[0].tolist()
    return _encode(Answer([Prediction("1" if yes >= 0.5 else "0", {"0": no, "1": yes}) for no, yes in outputs]))


async def app(scope, receive, send):  # noqa: ARG001
    body = b""
    while True:
        message = await receive()
        body += message["body"]
        if not message["more_body"]:
            break
    try:
        status, content = 200, answer(body)
    except msgspec.DecodeError as error:
        status, content = 422, _encode({"error": str(error)})
    headers = [_HEADERS, (b"content-length", b"%d" % len(content))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


if __name__ == "__main__":
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    model = (Path(sys.argv[2]) / "model.onnx").read_bytes()
    _NAMES = ["outputs"]
    _run = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"]).run
    uvicorn.run(app, port=int(sys.argv[1]), loop="uvloop", http="httptools", access_log=False, lifespan="off")
