"""Jobs as trials of Ray Tune, which plays the trial of a worker that dies again. Imported where Ray is connected.

Tune only deals jobs out: it neither chooses nor stops any, so what they answer is what the other backends get. Its own
files are dropped; whoever asked keeps the answers.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from typing import Any

import ray
from ray import tune

_SETTINGS = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # an answer is arrays, not a line of a log
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # paths are those of where the script was called
}


class Watch(tune.Callback, tune.Stopper):
    """Hands answers over as they come, and ends all trials once nobody asks.

    Attributes:
        answers: Of trials that are complete.
        abandoned: Whether nobody asks any more.
    """

    def __init__(self) -> None:
        self.answers: SimpleQueue[Any] = SimpleQueue()
        self.abandoned = False

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune writes what watches it to its files, which nobody reads."""
        return {}

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        if not self.abandoned:
            self.answers.put(trial.last_result["answer"])

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """No single trial is stopped."""
        return False

    def stop_all(self) -> bool:
        return self.abandoned


def trials(
    function: Callable[..., Any], jobs: Sequence[tuple[Any, ...]], *, at_once: int, retries: int
) -> Iterator[Any]:
    """Yields the results of a function for tuples of arguments as they come; closing the iterator ends the rest.

    Args:
        function: Importable by the workers.
        jobs: Its arguments; a trial each.
        at_once: Trials played at the same time.
        retries: How often a trial is played again.

    Raises:
        Exception: the first that a trial ended with, when all others are there.
    """
    os.environ.update(_SETTINGS | os.environ)
    arguments, watch = ray.put(list(jobs)), Watch()

    def trial(setting: dict[str, Any]) -> None:
        tune.report({"answer": function(*ray.get(arguments)[setting["job"]])})

    with TemporaryDirectory() as folder, ThreadPoolExecutor(1) as thread:
        tuner = tune.Tuner(
            tune.with_resources(trial, {"cpu": 1}),
            param_space={"job": tune.grid_search(list(range(len(jobs))))},
            tune_config=tune.TuneConfig(max_concurrent_trials=at_once),
            run_config=tune.RunConfig(
                storage_path=folder,
                verbose=0,
                failure_config=tune.FailureConfig(max_failures=retries),
                callbacks=[watch],
                stop=watch,
            ),
        )
        fitting = thread.submit(tuner.fit)
        fitting.add_done_callback(watch.answers.put)
        try:
            while (answer := watch.answers.get()) is not fitting:
                yield answer
        finally:
            watch.abandoned = True
        results = fitting.result()
    if results.errors:
        raise results.errors[0]
