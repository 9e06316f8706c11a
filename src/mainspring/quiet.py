"""What other libraries are told, so that neither this process nor those that it starts send anything home."""

import os

QUIET = {
    "DO_NOT_TRACK": "true",
    "GIT_PYTHON_REFRESH": "quiet",  # MLflow looks for a git program, and complains where there is none
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "ORT_DISABLE_TELEMETRY": "1",  # ONNX Runtime's builds send by default, from 1.29 on
}


def be_quiet() -> None:
    """To be called before such a library is imported: each reads its variable once."""
    os.environ.update(QUIET)
