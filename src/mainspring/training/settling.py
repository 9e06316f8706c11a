"""What a user left open in an estimator and a repeatable fit needs settled."""

from typing import Any

_LIGHTGBM = {"deterministic": True, "force_row_wise": True}
_THREADED = ("LGBM", "XGB", "RandomForest", "ExtraTrees")  # run n_jobs as threads, not as processes


def settle(estimator: Any, *, seed: int, threads: int) -> dict[str, Any]:
    """Set the random states, thread counts and determinism switches that are unset, nested estimators included.

    What the user did set stays, but for `n_jobs=-1`, which means another number on each machine.

    Returns:
        The parameters that were set, by their scikit-learn names, e.g. `{"model__random_state": 17}`.

    Examples:
        >>> from sklearn.ensemble import HistGradientBoostingClassifier
        >>> settle(HistGradientBoostingClassifier(), seed=5, threads=1)
        {'random_state': 5}
    """
    if not callable(getattr(estimator, "get_params", None)) or not callable(
        getattr(estimator, "set_params", None)
    ):
        return {}
    params = estimator.get_params(deep=True)
    wanted: dict[str, Any] = {}
    for name, value in params.items():
        owner = _owner(estimator, params, name)
        if owner is None:
            continue
        kind, parameter = type(owner).__name__, name.rpartition("__")[2]
        if parameter == "random_state" and value is None:
            wanted[name] = seed
        elif parameter == "n_jobs" and value in (None, -1) and kind.startswith(_THREADED):
            wanted[name] = threads
    for prefix, owner in [("", estimator), *((f"{name}__", value) for name, value in params.items())]:
        if type(owner).__name__.startswith("LGBM"):
            given = owner.get_params()
            choices: dict[str, Any] = {k: v for k, v in _LIGHTGBM.items() if k not in given}
            if "force_col_wise" in given:
                choices.pop("force_row_wise", None)
            if given.get("verbose") is None and "verbosity" not in given:
                choices["verbose"] = -1
            wanted |= {prefix + k: v for k, v in choices.items()}
    if wanted:
        estimator.set_params(**wanted)
    return wanted


def _owner(estimator: Any, params: dict[str, Any], name: str) -> Any:
    prefix, separator, _ = name.rpartition("__")
    return params.get(prefix) if separator else estimator
