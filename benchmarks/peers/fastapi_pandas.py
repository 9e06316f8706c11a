"""What most people write: FastAPI, a data frame and the original pipeline.

`python fastapi_pandas.py PORT FOLDER`
"""

import pickle
import sys
from pathlib import Path

import pandas as pd
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class Row(BaseModel):
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


@app.post("/predict")
async def predict(rows: list[Row]) -> list[list[float]]:
    frame = pd.DataFrame([row.model_dump() for row in rows])
    return _model.predict_proba(frame).tolist()


if __name__ == "__main__":
    _model = pickle.loads((Path(sys.argv[2]) / "model.pkl").read_bytes())
    uvicorn.run(app, port=int(sys.argv[1]), loop="uvloop", http="httptools", access_log=False)
