"""The original pipeline as an MLflow model that answers with probabilities: `python mlflow_model.py FOLDER`."""

import pickle
import sys
from pathlib import Path

import mlflow.sklearn

folder = Path(sys.argv[1])
model = pickle.loads((folder / "model.pkl").read_bytes())
mlflow.sklearn.save_model(
    model,
    folder / "mlflow",
    serialization_format="cloudpickle",
    pyfunc_predict_fn="predict_proba",
    pip_requirements=["scikit-learn"],
)
