"""How many cores a trial uses, and how many trials run side by side."""

from dataclasses import dataclass

_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "LOKY_MAX_CPU_COUNT",
)
_LARGE = 20_000_000  # cells; two copies of more than this side by side cost more memory than they save time
_MOST = 4  # more trials at once than that learn too little from each other


@dataclass(frozen=True, slots=True)
class Parallelism:
    """How many trials at once, and how many threads each."""

    trials: int
    threads: int


def choose_parallelism(cores: int, cells: int) -> Parallelism:
    """Side by side with one thread each, as long as the data are small.

    Half of a trial is work of a single thread (encoding, binning, scoring), which more threads do not speed up;
    trials beside each other use that time.

    Args:
        cores: that may be used.
        cells: rows × features of the training part.

    Examples:
        >>> choose_parallelism(2, 400_000), choose_parallelism(2, 50_000_000)
        (Parallelism(trials=2, threads=1), Parallelism(trials=1, threads=2))
    """
    if cells > _LARGE:
        return Parallelism(1, max(1, cores))
    trials = max(1, min(cores, _MOST))
    return Parallelism(trials, max(1, cores // trials))


def thread_environment(threads: int) -> dict[str, str]:
    """The variables that fix the number of threads of numeric libraries; read by them as they are loaded.

    A waiting thread sleeps, since spinning takes the core from the trial beside it. Sets of texts iterate in the
    same order in every process.
    """
    return {
        **dict.fromkeys(_VARIABLES, str(threads)),
        "OMP_WAIT_POLICY": "PASSIVE",
        "PYTHONHASHSEED": "0",
    }
