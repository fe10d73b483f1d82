"""Jobs over processes or machines, through joblib: on this machine (loky) or on a Ray cluster.

A cluster's machines need the same version of this repository installed, and the files that configurations name. Where
the cluster asks for a token, Ray takes it from its own settings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from joblib import Parallel, delayed, parallel_config

from scripts.cli import UsageError

_ROUND = 4
"""Ray's backend gives its results all at once, so it is given this many jobs per worker at a time."""


class Backend(StrEnum):
    """Where jobs are played."""

    loky = "loky"
    ray = "ray"


@dataclass(frozen=True)
class Workers:
    """Who plays.

    Attributes:
        count: Processes, at least 1.
        backend: Where they run.
        address: Of the Ray cluster, such as `ray://host:10001` or `auto`; None: Ray on this machine.
    """

    count: int
    backend: Backend
    address: str | None


def in_parallel(function: Callable[..., Any], jobs: Sequence[tuple[Any, ...]], workers: Workers) -> Iterator[Any]:
    """What a function answers to each tuple of arguments, as soon as it is there.

    Args:
        function: Importable by the workers.
        jobs: Its arguments.
        workers: Who plays.

    Raises:
        UsageError: Ray is not installed, or does not answer.
    """
    if not jobs:
        return
    calls = [delayed(function)(*arguments) for arguments in jobs]
    with ExitStack() as stack:
        if workers.backend is Backend.loky:
            yield from Parallel(n_jobs=workers.count, batch_size=1, return_as="generator_unordered")(calls)
            return
        stack.enter_context(ray_cluster(workers))
        stack.enter_context(parallel_config(backend="ray", n_jobs=workers.count))
        parallel = stack.enter_context(Parallel(batch_size=1))
        at_once = _ROUND * workers.count
        for first in range(0, len(calls), at_once):
            yield from parallel(calls[first : first + at_once])


def ray_cluster(workers: Workers) -> AbstractContextManager[None]:
    """Ray, connected and registered with joblib; left again at the end.

    Raises:
        UsageError: it is not installed, or does not answer.
    """
    try:
        import ray
        from ray.util.joblib import register_ray
    except ImportError as error:
        raise UsageError(
            f"--backend ray: {error}; it needs the extra `ray`: pip install 'lora_marl[scripts,ray]'"
        ) from None

    @contextmanager
    def connected() -> Iterator[None]:
        address = workers.address
        local = {"num_cpus": workers.count, "include_dashboard": False} if address is None else {"address": address}
        try:
            ray.init(log_to_driver=False, logging_level="ERROR", **local)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise UsageError(f"--ray-address: {address}: {str(error).splitlines()[0]}") from None
        register_ray()
        try:
            yield
        finally:
            ray.shutdown()

    return connected()
