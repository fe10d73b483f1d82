"""Jobs over processes or machines: on this machine (joblib's loky) or on a Ray cluster, as tasks or as Tune's trials.

A cluster's machines need the same version of this repository installed, and the files that configurations name. Where
the cluster asks for a token, Ray takes it from its own settings. Ray repeats the job of a worker that dies.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from threading import current_thread, main_thread
from typing import Annotated, Any

import typer
from joblib import Parallel, delayed
from joblib.externals.loky.process_executor import TerminatedWorkerError

from scripts.runs.cli import UsageError

_RETRIES = 3
"""How often Ray repeats a job whose worker has died."""


class Backend(StrEnum):
    """The place where jobs run."""

    loky = "loky"
    ray = "ray"
    tune = "tune"


BackendOption = Annotated[
    Backend, typer.Option(help="Processes of this machine, or a Ray cluster: its tasks, or Tune's trials.")
]
RayAddress = Annotated[str | None, typer.Option(help="Address of the cluster; default: Ray on this machine.")]
"""Options of scripts that run jobs; see `checked_workers`."""


@dataclass(frozen=True)
class Workers:
    """The processes that run jobs.

    Attributes:
        count: Processes, at least 1.
        backend: Where they run.
        address: Of the Ray cluster, such as `ray://host:10001` or `auto`; None: Ray on this machine.
    """

    count: int
    backend: Backend
    address: str | None


def checked_workers(count: int, backend: Backend, address: str | None) -> Workers:
    """The workers of the command line.

    Raises:
        UsageError: a cluster's address without its backend.
    """
    if address is not None and backend is Backend.loky:
        raise UsageError(f"--ray-address: {address} needs --backend ray or tune")
    return Workers(count, backend, address)


def in_parallel(function: Callable[..., Any], jobs: Sequence[tuple[Any, ...]], workers: Workers) -> Iterator[Any]:
    """Yields the results of a function for tuples of arguments as they come.

    Args:
        function: Importable by the workers.
        jobs: Its arguments.
        workers: The processes that run them.

    Raises:
        UsageError: Ray is not installed, or does not answer; or a worker has died (on Ray: time and again).
    """
    if not jobs:
        return
    if workers.backend is Backend.ray:
        yield from _on_ray(function, jobs, workers)
        return
    if workers.backend is Backend.tune:
        yield from _on_tune(function, jobs, workers)
        return
    calls = [delayed(function)(*arguments) for arguments in jobs]
    try:
        with _ignoring_interrupts():
            results = Parallel(n_jobs=workers.count, batch_size=1, return_as="generator_unordered")(calls)
        yield from results
    except TerminatedWorkerError as error:
        raise _died(error) from None


@contextmanager
def _ignoring_interrupts() -> Iterator[None]:
    """Within, processes are started that ignore Ctrl-C, which a terminal sends to all: this process ends them."""
    if current_thread() is not main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _on_ray(function: Callable[..., Any], jobs: Sequence[tuple[Any, ...]], workers: Workers) -> Iterator[Any]:
    with ray_cluster(workers):
        import ray

        remote, waiting = ray.remote(max_retries=_RETRIES)(function), iter(jobs)
        running = [remote.remote(*arguments) for arguments in islice(waiting, workers.count)]
        while running:
            (done,), running = ray.wait(running)
            running += [remote.remote(*arguments) for arguments in islice(waiting, 1)]
            try:
                yield ray.get(done)
            except (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError) as error:
                raise _died(error) from None


def _on_tune(function: Callable[..., Any], jobs: Sequence[tuple[Any, ...]], workers: Workers) -> Iterator[Any]:
    with ray_cluster(workers):
        from ray.exceptions import OutOfMemoryError, RayActorError

        try:
            from scripts.runs.ray_tune import trials
        except ImportError as error:
            raise _missing(error, workers.backend) from None
        try:
            yield from trials(function, jobs, at_once=workers.count, retries=_RETRIES)
        except (RayActorError, OutOfMemoryError) as error:
            raise _died(error) from None


def _died(error: Exception) -> UsageError:
    why = str(error).splitlines()[0]
    return UsageError(f"a worker has died ({why}); what was finished is kept, and the same command goes on")


def _missing(error: ImportError, extra: str) -> UsageError:
    return UsageError(
        f"--backend {extra}: {error}; it needs the extra `{extra}`: pip install 'lora_marl[scripts,{extra}]'"
    )


def ray_cluster(workers: Workers) -> AbstractContextManager[None]:
    """Ray, connected; left again at the end.

    Raises:
        UsageError: it is not installed, or does not answer.
    """
    try:
        import ray
    except ImportError as error:
        raise _missing(error, workers.backend) from None

    @contextmanager
    def connected() -> Iterator[None]:
        address = workers.address
        local = {"address": "local", "num_cpus": workers.count, "include_dashboard": False}
        try:
            ray.init(log_to_driver=False, logging_level="ERROR", **(local if address is None else {"address": address}))
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise UsageError(f"--ray-address: {address}: {str(error).splitlines()[0]}") from None
        try:
            yield
        finally:
            ray.shutdown()

    return connected()
