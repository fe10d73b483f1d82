"""Jobs as trials of Ray Tune, which plays the trial of a worker that dies again."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from tempfile import TemporaryDirectory
from typing import Any


def trials(function: Callable[..., Any], jobs: Sequence[tuple[Any, ...]], *, at_once: int, retries: int) -> list[Any]:
    """What a function answers to each tuple of arguments, in the order of their ends, when all are there.

    Ray is connected.

    Args:
        function: Importable by the workers.
        jobs: Its arguments; a trial each.
        at_once: Trials played at the same time.
        retries: How often a trial is played again.

    Raises:
        Exception: the first that a trial ended with.
    """
    import ray
    from ray import tune

    os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")  # an answer is arrays, not a line of a log
    given = ray.put(list(jobs))

    def trial(setting: dict[str, Any]) -> None:
        tune.report({"answer": function(*ray.get(given)[setting["job"]])})

    with TemporaryDirectory() as folder:
        tuner = tune.Tuner(
            tune.with_resources(trial, {"cpu": 1}),
            param_space={"job": tune.grid_search(list(range(len(jobs))))},
            tune_config=tune.TuneConfig(max_concurrent_trials=at_once),
            run_config=tune.RunConfig(
                storage_path=folder, verbose=0, failure_config=tune.FailureConfig(max_failures=retries)
            ),
        )
        found = tuner.fit()
    if found.errors:
        raise found.errors[0]
    return [result.metrics["answer"] for result in found]
