"""Which candidate the next trial goes to: the better ones more often, none never."""

from collections.abc import Mapping, Sequence

from mainspring.training.trial_record import TrialRecord, TrialState

_LEAST_SHARE = 0.1
_GIVE_UP = 3  # failures of a candidate with no success between
_REPEATS = 5  # repeats of parameters in a row, after which a candidate has nothing new to try


def next_candidate(
    candidates: Sequence[str],
    ended: Sequence[TrialRecord],
    begun: Sequence[str],
    *,
    greater_is_better: bool,
    cost: Mapping[str, float],
) -> str | None:
    """The candidate that is furthest below its share.

    Each gets a first trial, in the order of their declaration. Then the best is due half as much again and again
    as the next one, and every one at least a tenth of the largest share.

    Args:
        ended: the trials to go by, in the order of their numbers.
        begun: the candidate of each trial begun so far, ended or not.
        cost: of each candidate so far: trials where they are counted, seconds where time is.

    Returns:
        `None` where no candidate has anything left to try.

    Examples:
        >>> next_candidate(["a", "b"], [], ["a"], greater_is_better=True, cost={})
        'b'
    """
    for name in candidates:
        if name not in begun:
            return name
    left = [name for name in candidates if not _exhausted([r for r in ended if r.candidate == name])]
    if not left:
        return None
    sign = 1.0 if greater_is_better else -1.0
    scores = {name: best_score([r for r in ended if r.candidate == name], sign) for name in left}
    ranked = sorted(left, key=lambda name: (-scores[name], candidates.index(name)))
    shares = {name: max(0.5**rank, _LEAST_SHARE) for rank, name in enumerate(ranked)}
    return min(ranked, key=lambda name: cost.get(name, 0.0) / shares[name])


def best_score(records: Sequence[TrialRecord], sign: float) -> float:
    """The best score times the sign, so that more is better; minus infinity where there is none."""
    return max(
        (sign * r.score for r in records if r.state is TrialState.FINISHED and r.score is not None),
        default=float("-inf"),
    )


def _exhausted(records: Sequence[TrialRecord]) -> bool:
    done = [r for r in records if r.state in (TrialState.FINISHED, TrialState.PRUNED)]
    failed = [r for r in records if r.state is not TrialState.STOPPED]
    if any(not r.params for r in done):
        return True  # nothing to tune
    last_failed = failed[-_GIVE_UP:]
    if len(last_failed) == _GIVE_UP and not any(r in done for r in last_failed):
        return True
    return len(done) >= _REPEATS and all("repeated" in r.notes for r in done[-_REPEATS:])
