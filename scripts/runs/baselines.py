"""What an exported policy is compared with, on the same held-out seeds: what needs no learning.

| label | what all agents do |
|---|---|
| random | random allowed actions |
| constant | the best choice that is the same for everybody, at every step; where the channel is chosen, dealt out |
| rule | the best of `RULES`, which know every position |

Constant and rule are chosen on seeds of training, by short episodes, and only then played on the held-out ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

import agents
from lora_marl.adapters.offline import Choose, policy_choice, random_choice
from lora_marl.adapters.policy import Policy
from lora_marl.core.region import FACTORS
from lora_marl.envs.codec import sizes_of
from scripts.runs.statistics import estimate

RULES: Mapping[str, Sequence[str]] = {
    "uplink_v0": ("static-sf7", "distance-quantile", "load-sorted", "explora-at", "fadr"),
    "energy_v0": ("energy-independent", "adr-mean", "adr-max", "distance-sf", "ef-lora"),
}
"""Rules without learning by environment, as in `agents.LEARNERS`. `coexistence_v0` has none for single servers."""

SEARCH_STEPS = 20
"""Steps of the episodes by which constant and rule are chosen."""


def mean_rewards(env: Any, seeds: Sequence[int], choose: Choose, steps: int | None = None) -> NDArray[np.float64]:
    """Mean reward of an agent and step in each replica.

    Args:
        env: The environment.
        seeds: One per replica. `[B]`
        choose: Chooses the actions of all agents.
        steps: From the start of an episode; None: the whole episode.

    Returns:
        `[B]`
    """
    steps, total = min(steps or env.max_cycles, env.max_cycles), np.zeros(len(seeds))
    observations = env.reset_array(seeds)
    for _ in range(steps):
        observations, rewards, *_ = env.step_array(choose(observations, env.mask_array()))
        total += rewards.mean(axis=1)
    return total / steps


def rewards_of_random(env: Any, seeds: Sequence[int]) -> NDArray[np.float64]:
    """Mean reward of random allowed actions. `[B]`"""
    return mean_rewards(env, seeds, random_choice(env, np.random.default_rng(0)))


def rewards_of_policy(env: Any, seeds: Sequence[int], policy: Policy) -> NDArray[np.float64]:
    """Mean reward of a policy that all agents follow, drawn or greedy as its files say. `[B]`"""
    return mean_rewards(env, seeds, policy_choice(policy, env, np.random.default_rng(0)))


def compare(env: Any, policy: Policy, seeds: Sequence[int]) -> tuple[Table, list[dict[str, Any]]]:
    """Plays a policy and what needs no learning on the same seeds.

    Args:
        env: The environment, with a replica for each seed.
        policy: Of all agents.
        seeds: Held-out ones. `[B]`

    Returns:
        A table of mean rewards, with 95 % intervals and the policy's paired differences, and a record for each seed.
    """
    spaces = policy.spaces
    trained = rewards_of_policy(env, seeds, policy)
    others = {"random": rewards_of_random(env, seeds)}
    titles = {"random": "random allowed actions"}
    for label, (title, actions) in best_without_learning(env, spaces.environment).items():
        others[label], titles[label] = mean_rewards(env, seeds, held(env, actions)), title
    chosen = "the best action of its policy" if spaces.greedy else "drawn from its policy"
    table = Table(title=f"{spaces.environment}, {len(seeds)} held-out seeds: mean reward of an agent and step")
    for column in ("", "mean", "95 % interval", f"{spaces.algorithm} is better by"):
        table.add_column(column, justify="left" if not column else "right")
    table.add_row(f"{spaces.algorithm}: {chosen}", *_texts(trained), "")
    for label, by_seed in others.items():
        low, high = (f"{bound:.4f}" for bound in _interval(trained - by_seed))
        table.add_row(titles[label], *_texts(by_seed), f"{low} to {high}")
    common = {"environment": spaces.environment, "algorithm": spaces.algorithm}
    columns = {"seed": list(seeds), "reward": trained.tolist()} | {name: row.tolist() for name, row in others.items()}
    return table, [common | dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def best_without_learning(env: Any, name: str) -> dict[str, tuple[str, NDArray[np.int64]]]:
    """The best constant and the best rule on seeds of training: by label, its title and its actions `[N, ...]`."""
    best = {}
    for label, candidates in (("constant", constants(env)), ("rule", rules(env, name))):
        seeds, highest = range(env.settings.replicas), -np.inf
        for title, actions in candidates:
            reward = float(mean_rewards(env, seeds, held(env, actions), SEARCH_STEPS).mean())
            if reward > highest:
                highest, best[label] = reward, (title, actions)
    return best


def held(env: Any, actions: NDArray[np.int64]) -> Choose:
    """The same actions `[N, ...]` at every step; where one is masked, the agent's first allowed one."""
    sizes = sizes_of(env.single_action_space)
    first = np.cumsum((0, *sizes[:-1]))
    shape = (env.settings.replicas, *actions.shape)
    values = np.broadcast_to(actions.reshape(len(actions), -1), (env.settings.replicas, len(actions), len(sizes)))

    def choose(observations: NDArray[np.float32], masks: NDArray[np.bool_]) -> NDArray[np.int64]:
        chosen = values.copy()
        for factor, (begin, size) in enumerate(zip(first, sizes, strict=True)):
            allowed = masks[..., begin : begin + size]
            wanted = np.take_along_axis(allowed, chosen[..., factor, None], axis=-1)[..., 0]
            chosen[..., factor] = np.where(wanted, chosen[..., factor], allowed.argmax(axis=-1))
        return chosen.reshape(shape)

    return choose


def constants(env: Any) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """Choices that are the same for everybody, with titles; actions `[N, ...]`."""
    number, space = len(env.game.agents), env.single_action_space
    codec = getattr(env.game, "codec", None)
    if codec is None:
        sizes = sizes_of(space)
        for value in range(sizes.min()):
            actions = np.full((number, len(sizes)), value)
            yield f"constant: {value}", actions.reshape(number, *space.shape)
        return
    region, dealt = env.game.scenario.region, np.arange(number)
    texts = {
        "sf": [f"SF{sf}" for sf in region.spreading_factors],
        "bw": [f"{bw_hz / 1e3:g} kHz" for bw_hz in region.bandwidths_hz],
        "channel": ["channels dealt"],
        "tp": [f"{tp_dbm:g} dBm" for tp_dbm in region.tp_dbm],
    }
    for values in product(*(range(len(texts[factor])) for factor in codec.factors)):
        points = np.tile(codec.fixed_point, (number, 1))
        for factor, value in zip(codec.factors, values, strict=True):
            column = FACTORS.index(factor)
            points[:, column] = dealt % len(region.channels_hz) if factor == "channel" else value
        title = ", ".join(texts[factor][value] for factor, value in zip(codec.factors, values, strict=True))
        yield f"constant: {title}", codec.encode(points)


def rules(env: Any, name: str) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """Actions `[N, ...]` of the rules that take this network, with titles."""
    if getattr(env.settings, "redraw", None) is not None:
        return  # positions change from episode to episode
    for rule in RULES.get(name, ()):
        try:
            points = agents.make(rule, env.game.scenario, [0]).initial_points()[0]
        except ValueError:
            continue
        numbers = [int(agent.rpartition("_")[2]) for agent in env.game.agents]
        yield f"rule: {rule}", env.game.codec.encode(points[numbers])


def _texts(by_seed: NDArray[np.float64]) -> tuple[str, str]:
    low, high = _interval(by_seed)
    return f"{by_seed.mean():.4f}", f"{low:.4f} to {high:.4f}"


def _interval(by_seed: NDArray[np.float64]) -> tuple[float, float]:
    value = estimate(by_seed.tolist())
    return value.ci_low, value.ci_high
