import pytest

from mainspring.errors import CandidateError
from mainspring.training.sampling import PastTrial, encode_distributions, search_trial
from mainspring.training.trial import ReplayTrial, Trial


def ask(trial: Trial) -> dict[str, object]:
    trial.suggest_float("rate", 0.01, 1.0, log=True)
    trial.suggest_float("share", 0.0, 1.0, step=0.25)
    trial.suggest_int("depth", 1, 9)
    trial.suggest_int("leaves", 4, 64, log=True)
    trial.suggest_categorical("kind", ["a", "b", None, True])
    return trial.params


def past(score: float, seed: int, history: tuple[PastTrial, ...]) -> PastTrial:
    trial = search_trial(0, history, greater_is_better=True, seed=seed)
    params = ask(trial)
    return PastTrial(params, encode_distributions(trial.distributions), score)


def test_a_first_trial_is_the_middle() -> None:
    params = ask(search_trial(3, (), greater_is_better=True, seed=0, first=True))
    assert params == {"rate": pytest.approx(0.1), "share": 0.5, "depth": 5, "leaves": 16, "kind": "a"}


def test_the_same_history_and_seed_suggest_the_same() -> None:
    history: tuple[PastTrial, ...] = ()
    for number in range(12):
        history = (*history, past(float(number), number, history))
    seen = [ask(search_trial(12, history, greater_is_better=True, seed=s)) for s in (1, 1, 2)]
    assert seen[0] == seen[1] != seen[2]


def test_the_sampler_learns() -> None:
    history: tuple[PastTrial, ...] = ()
    for number in range(40):
        trial = search_trial(number, history, greater_is_better=False, seed=number)
        x = trial.suggest_float("x", -10, 10)
        history = (*history, PastTrial(trial.params, encode_distributions(trial.distributions), (x - 4) ** 2))
    missed = [abs(h.params["x"] - 4) for h in history]
    assert sum(missed[-10:]) / 10 < 4 < 5.8  # by chance alone it would be 5.8


def test_a_trial_has_our_number_and_is_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    history = tuple(past(1.0, seed, ()) for seed in range(3))
    assert search_trial(17, history, greater_is_better=True, seed=0).number == 17
    assert capfd.readouterr() == ("", "")


def test_a_replay_gives_what_is_on_record() -> None:
    params = ask(search_trial(0, (), greater_is_better=True, seed=0))
    replay = ReplayTrial(params, 8)
    assert ask(replay) == params
    assert replay.number == 8


def test_a_replay_refuses_what_is_not_on_record() -> None:
    with pytest.raises(CandidateError, match="'depth'"):
        ReplayTrial({}, 0).suggest_int("depth", 1, 3)
