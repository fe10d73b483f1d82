"""The proxy of the air: by hand, by laws, and by a loop that says the formula literally."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from agents.ccs.dataset import Worlds
from agents.ccs.proxy import Constants, Proxy, optimum


def by_the_letter(proxy: Proxy, policy, worlds: Worlds, m: int, attempts_hz) -> torch.Tensor:
    """Success of every group of world m, every sum written out."""
    _, s_count, q_count = worlds.rate_hz.shape
    by = proxy.constants
    weak, in_bursts, loud = (constant.expand(q_count).tolist() for constant in (by.weak, by.weak_in_bursts, by.loud))
    weak_power, loud_power = (constant.expand(2).tolist() for constant in (by.weak_power, by.loud_power))
    t, actual = worlds.airtime_s[m].tolist(), torch.zeros(s_count, q_count)
    harm = [[float(by.collision[s, v]) * (t[s] + t[v]) for v in range(6)] for s in range(6)]
    share = worlds.sf_share[m]
    spread = worlds.non_learning[m]
    mix = policy[m].unflatten(-1, (8, 3, 2)).clone()
    for k in range(s_count):
        if spread[k]:
            mix[k] = 0.0
            mix[k, :, :, 0, 1] = 1.0 / 8
    for k in range(s_count):
        for q in range(q_count):
            alone = 1.0 - 1.0 / float(worlds.nodes[m, k, q])
            for c in range(8):
                o_c = float(worlds.occupancy[m, c])
                for o in range(3):
                    total = 0.0
                    for s in range(6):
                        load = 0.0
                        for v in range(6):
                            for j in range(s_count):
                                for r in range(q_count):
                                    weights = mix[j, r, c] @ torch.tensor(loud_power)
                                    if (j, r) != (k, q) or spread[k]:
                                        rate = float(attempts_hz[m, j, r] * (weights @ share[j, r, :, v]))
                                        rate *= alone if (j, r) == (k, q) else 1.0
                                    else:
                                        rate = alone * float(attempts_hz[m, k, q] * share[k, q, o, v])
                                    load += weak[q] * harm[s][v] * loud[r] * rate
                        f = float(by.burst[s]) * in_bursts[q]
                        external = math.exp(-o_c / 0.5 * t[s] * f) * (1.0 - o_c * f)
                        total += float(share[k, q, o, s]) * math.exp(-load) * external
                    for p in range(2):
                        chance = total ** weak_power[p] * float(worlds.link[m, k, q, o, p])
                        actual[k, q] += float(mix[k, q, c, o, p]) * chance
    return actual


UNLIKE = Constants(
    weak=torch.tensor([0.4, 0.8, 1.4, 2.1]),
    weak_in_bursts=torch.tensor([0.4, 0.8, 0.9, 1.0]),
    loud=torch.tensor([1.8, 1.0, 0.7, 0.6]),
    weak_power=torch.tensor([1.4, 1.0]),
    loud_power=torch.tensor([0.5, 1.0]),
)
"""Groups and powers."""


@pytest.mark.parametrize("constants", [Constants(), UNLIKE])
def test_agrees_with_the_formula_written_out(constants, worlds_of, policies_of) -> None:
    non_learning = torch.tensor([[False, True, False], [False, False, False]])
    worlds, policy, proxy = worlds_of(non_learning=non_learning), policies_of(), Proxy(constants)
    actual = proxy(policy, worlds)
    expected = by_the_letter(proxy, policy, worlds, 0, actual.attempts_hz)
    torch.testing.assert_close(actual.success[0], expected, rtol=2e-5, atol=1e-6)


def test_one_group_alone_by_hand(worlds_of) -> None:
    worlds = worlds_of(1, 1)
    rate = torch.tensor([[[2.0, 0.0, 0.0, 0.0]]])
    worlds = replace(worlds, rate_hz=rate, link=torch.ones(1, 1, 4, 3, 2), nodes=torch.full((1, 1, 4), 1e9))
    policy = torch.zeros(1, 1, 4, 48)
    policy[..., (3 * 3 + 0) * 2 + 1] = 1.0  # channel 3, minimum SF, 14 dBm
    actual = Proxy(Constants(gap_s=torch.tensor(0.0)))(policy, worlds)
    o, t = float(worlds.occupancy[0, 3]), 0.057
    attempts = 1.25
    for _ in range(3):
        success = math.exp(-0.345 * 2 * t * 2.0 * attempts) * math.exp(-o / 0.5 * t * 0.82) * (1 - o * 0.82)
        last, attempts = attempts, (1 - (1 - success) ** 4) / success
    assert actual.success[0, 0, 0].item() == pytest.approx(success, rel=1e-5)
    assert actual.attempts_hz[0, 0, 0].item() == pytest.approx(2.0 * last, rel=1e-5)
    assert actual.utility.item() == pytest.approx(success - 0.1, rel=1e-4)
    assert actual.epn_mj.item() == pytest.approx((0.057 * 3.3 * 44 + 3.0) / success, rel=1e-4)


def test_chance_by_action_is_that_of_choosing_it(worlds_of, policies_of) -> None:
    worlds, policy, proxy = worlds_of(), policies_of(), Proxy()
    actual = proxy(policy, worlds)
    torch.testing.assert_close(actual.success, (policy * actual.by_action).sum(-1))


def test_permuted_networks_and_channels(worlds_of, policies_of) -> None:
    worlds, policy, proxy = worlds_of(), policies_of(), Proxy()
    before = proxy(policy, worlds)
    order = torch.stack([torch.randperm(8, generator=torch.Generator().manual_seed(m)) for m in range(2)])
    moved = policy.unflatten(-1, (8, 6)).gather(-2, order[:, None, None, :, None].expand(2, 3, 4, 8, 6)).flatten(-2)
    torch.testing.assert_close(proxy(moved, worlds.permuted(order)).success, before.success)
    swapped = {name: torch.from_numpy(array) for name, array in worlds.arrays().items()}
    for name in ("rate_hz", "nodes", "sf_share", "link", "energy_mj", "reference_mj", "non_learning"):
        swapped[name] = swapped[name].flip(1)
    torch.testing.assert_close(proxy(policy.flip(1), Worlds(**swapped)).utility.flip(1), before.utility)


def test_more_load_and_more_occupancy_never_help(worlds_of, policies_of) -> None:
    worlds, policy, proxy = worlds_of(), policies_of(), Proxy()
    before = proxy(policy, worlds).success
    assert (proxy(policy, replace(worlds, rate_hz=2.0 * worlds.rate_hz)).success < before).all()
    assert (proxy(policy, replace(worlds, occupancy=worlds.occupancy + 0.1)).success < before).all()


def test_a_silent_network_disturbs_nobody(worlds_of, policies_of) -> None:
    worlds, policy = worlds_of(networks=3), policies_of()
    silent = worlds.rate_hz.clone()
    silent[:, 2] = 0.0
    two = {name: torch.from_numpy(a if name in ("airtime_s", "occupancy") else a[:, :2])
           for name, a in worlds.arrays().items()}  # fmt: skip
    actual = Proxy()(policy, replace(worlds, rate_hz=silent))
    torch.testing.assert_close(actual.success[:, :2], Proxy()(policy[:, :2], Worlds(**two)).success)
    assert actual.prr[:, 2].tolist() == [0.0, 0.0]


def test_spread_attempts_meet_less_of_their_own(worlds_of, policies_of) -> None:
    worlds, policy = worlds_of(networks=1), policies_of(networks=1, scale=0.0)
    assert (Proxy(per_packet=True)(policy, worlds).prr > Proxy()(policy, worlds).prr).all()


def test_queues_bound_what_is_served(worlds_of, policies_of) -> None:
    worlds, policy = worlds_of(), policies_of()
    actual = Proxy()(policy, replace(worlds, rate_hz=100.0 * worlds.rate_hz))
    assert (actual.attempts_hz / worlds.nodes <= 1.001 / 4.0).all()
    light = Proxy()(policy, replace(worlds, rate_hz=0.01 * worlds.rate_hz))
    torch.testing.assert_close(light.frames_hz, 0.01 * worlds.rate_hz)


def test_optimum_separates_two_networks_on_good_channels(worlds_of, policies_of) -> None:
    worlds = worlds_of(2, 2)
    proxy = Proxy()
    actions = optimum(proxy, worlds, range(len(worlds)))
    chosen = torch.nn.functional.one_hot(actions, 48).float()
    together = torch.zeros_like(chosen)
    together[..., (int(worlds.occupancy[0].argmin()) * 3) * 2] = 1.0
    assert (proxy(chosen, worlds).utility.mean(1) > proxy(policies_of(2, 2), worlds).utility.mean(1)).all()
    assert proxy(chosen, worlds).utility[0].mean() > 1.1 * proxy(together, worlds).utility[0].mean()
    alone = optimum(proxy, worlds.rows(torch.tensor([0])), [0])
    assert alone[0].tolist() == actions[0].tolist()


def test_gradients_reach_fitted_parameters(worlds_of, policies_of) -> None:
    same_sf, burst = (torch.full((6,), value, requires_grad=True) for value in (0.345, 0.7))
    Proxy(Constants(same_sf=same_sf, burst=burst))(policies_of(), worlds_of()).utility.sum().backward()
    assert same_sf.grad is not None and bool((same_sf.grad[:5] < 0).all())
    assert burst.grad is not None and bool((burst.grad[:5] < 0).all())


def test_what_is_not_answered_is_sent_again(worlds_of, policies_of) -> None:
    worlds, policy = worlds_of(), policies_of()
    free, asked = Proxy()(policy, worlds), Proxy(Constants(answer_s=torch.tensor(1e6)))(policy, worlds)
    torch.testing.assert_close(
        asked.attempts_hz / asked.frames_hz, torch.full_like(asked.frames_hz, 4.0), rtol=0.05, atol=0
    )
    assert (asked.success < free.success).all()


def test_a_gateway_that_answers_does_not_listen(worlds_of, policies_of) -> None:
    worlds, policy = worlds_of(), policies_of()
    deaf = Proxy(Constants(deaf_s=torch.tensor(0.1)))(policy, worlds)
    assert (deaf.success < Proxy()(policy, worlds).success).all()
    torch.testing.assert_close(deaf.success, (policy * deaf.by_action).sum(-1))


def test_a_wrong_shape_is_named(worlds_of) -> None:
    arrays = worlds_of().arrays()
    with pytest.raises(ValueError, match=r"occupancy has shape \[3, 8\]; expected \[2, 8\]"):
        Worlds.of(arrays | {"occupancy": torch.zeros(3, 8).numpy()})
    del arrays["link"]
    with pytest.raises(ValueError, match="link is missing"):
        Worlds.of(arrays)
