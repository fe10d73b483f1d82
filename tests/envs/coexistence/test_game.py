from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from lora_marl.core.coexistence import Coexistence, Deployment
from lora_marl.core.presets.ccs import ccs_eu868, ccs_study, non_learning
from lora_marl.envs import coexistence_v0
from lora_marl.envs.coexistence.groups import FULL_DBM, MARGIN_DB

CHANNELS, OFFSETS, POWERS = 8, 3, 2


def make(networks: Coexistence | str | None, **settings: Any) -> coexistence_v0.Coexisting:
    return coexistence_v0.parallel_env(coexistence=networks, **{"decider": "group", "max_cycles": 12} | settings)


def two(**others: Any) -> Coexistence:
    return ccs_study([Deployment(nodes=12), Deployment(nodes=12)], load=4.0, interference="static", **others)


def action(channel: int, offset: int = 0, power: int = 1) -> int:
    return (channel * OFFSETS + offset) * POWERS + power


def played(env: coexistence_v0.Coexisting, first: int, second: int, steps: int = 10, seed: int = 1) -> np.ndarray:
    """Attempts and received of both networks after steps with one action each."""
    env.reset_array([seed])
    total = np.zeros((2, 2))
    for _ in range(steps):
        *_, infos = env.step_array(np.array([[first] * 4 + [second] * 4]))
        total += [infos[name][0].reshape(2, 4).sum(-1) for name in ("attempts", "received")]
    return total


def test_a_choice_is_what_the_groups_nodes_send_with() -> None:
    env = make(two())
    env.reset_array([0])
    chosen = np.array([[action(q, offset=q % 3, power=q % 2) for q in range(8)]])
    for _ in range(3):
        env.step_array(chosen)
    groups, points = env.game.groups, env.game.air.last_point[0]
    sent = env.game.air.last_fate[0] >= 0
    row = groups.row[0]
    assert np.array_equal(points[sent, 2], row[sent])
    least = groups.least_sf[0]
    assert np.array_equal(points[sent, 0], np.minimum(least + row % 3, 5)[sent])
    tp_dbm = np.array(env.game.coexistence.radio.region.tp_dbm)[points[:, 3]]
    assert np.array_equal(tp_dbm[sent], np.where(row % 2, 14.0, 8.0)[sent])


def test_groups_go_from_the_best_links_to_the_worst_and_least_sf_leaves_its_margin() -> None:
    env = make(two())
    env.reset_array([3])
    groups, scenario = env.game.groups, env.game.air.scenario
    for network in range(2):
        of_network = groups.network == network
        assert np.bincount(groups.group[0, of_network]).tolist() == [3, 3, 3, 3]
        gain_db, group = groups.gain_db[0, of_network], groups.group[0, of_network]
        for better in range(3):
            assert gain_db[group == better].min() >= gain_db[group == better + 1].max()
    sensitivity_dbm = scenario.reception.sensitivity_dbm[:, 0]
    over_db = groups.gain_db[0] + FULL_DBM - sensitivity_dbm[groups.least_sf[0]]
    enough = over_db >= MARGIN_DB
    assert np.all(groups.least_sf[0][~enough] == 5)
    faster = np.maximum(groups.least_sf[0] - 1, 0)
    slower_was_needed = groups.gain_db[0] + FULL_DBM - sensitivity_dbm[faster] < MARGIN_DB
    assert np.all(slower_was_needed | (groups.least_sf[0] == 0))


def test_networks_on_other_channels_do_not_meet() -> None:
    env = make(two())
    apart, further = played(env, action(0), action(4)), played(env, action(0), action(6))
    assert np.array_equal(apart[:, 0], further[:, 0])


def test_networks_on_one_channel_harm_each_other() -> None:
    env = make(two(occupancy=(0.0,) * 8))
    apart, together = played(env, action(0), action(4)), played(env, action(0), action(0))
    assert together[1].sum() / together[0].sum() < apart[1].sum() / apart[0].sum() - 0.05


def test_rewards_are_their_terms_by_hand() -> None:
    env = make(two(), reward={"delivery": 1.0, "energy": 0.1, "delay": 0.5})
    env.reset_array([0])
    _, rewards, _, _, infos = env.step_array(np.arange(8)[None] * 6)
    attempts = np.maximum(infos["attempts"][0], 1)
    reference = env.game.reference_mj[0].ravel()
    delivered = infos["frames_delivered"][0]
    delay = np.where(delivered > 0, infos["delay_s"][0] / np.maximum(delivered, 1) / 60.0, 1.0)
    by_hand = infos["received"][0] / attempts - 0.1 * infos["energy_mj"][0] / attempts / reference - 0.5 * delay
    np.testing.assert_allclose(rewards[0], np.where(infos["attempts"][0] > 0, by_hand, 0.0))


def test_delivering_nothing_is_no_way_of_being_quick() -> None:
    env = make(two(occupancy=(0.99,) * 8), reward={"delay": 1.0})
    env.reset_array([0])
    _, rewards, _, _, infos = env.step_array(np.arange(8)[None] * 6)
    nothing = (infos["attempts"] > 0) & (infos["frames_delivered"] == 0)
    assert nothing.any()
    assert (rewards[nothing] == -1.0).all()


def test_a_server_is_its_groups_together() -> None:
    groups, servers = make(two()), make(two(), decider="server")
    seen = groups.reset_array([5]), servers.reset_array([5])
    rng = np.random.default_rng(0)
    for _ in range(4):
        assert np.array_equal(seen[0].reshape(1, 2, 4, 40)[:, :, 0, :34], seen[1][..., :34])
        assert np.array_equal(seen[0].reshape(1, 2, 4, 40)[..., 34:].reshape(1, 2, 24), seen[1][..., 34:])
        actions = rng.integers(0, 48, (1, 8))
        one, other = groups.step_array(actions), servers.step_array(actions.reshape(1, 2, 4))
        attempts = one[4]["attempts"].reshape(1, 2, 4)
        mean = (one[1].reshape(1, 2, 4) * attempts).sum(-1) / attempts.sum(-1)
        np.testing.assert_allclose(other[1], mean)
        seen = one[0], other[0]


def test_numbers_and_factors_are_the_same_actions() -> None:
    numbers, factors = make(two()), make(two(), action_format="multidiscrete")
    numbers.reset_array([2]), factors.reset_array([2])
    actions = np.random.default_rng(1).integers(0, 48, (1, 8))
    one = numbers.step_array(actions)[0]
    other = factors.step_array(np.stack(np.unravel_index(actions, (8, 3, 2)), axis=-1))[0]
    assert np.array_equal(one, other)


def test_a_sure_distribution_is_an_action() -> None:
    whole, drawn = make(two()), make(two(), operating_points="per_packet")
    whole.reset_array([2]), drawn.reset_array([2])
    actions = np.random.default_rng(1).integers(0, 48, (1, 8))
    for _ in range(3):
        assert np.array_equal(whole.step_array(actions)[0], drawn.step_array(3.0 * np.eye(48)[actions])[0])


def test_a_distribution_is_drawn_from_for_every_packet() -> None:
    env = make(two(), operating_points="per_packet")
    env.reset_array([0])
    for _ in range(8):
        env.step_array(np.full((1, 8, 48), 0.5))
    used = env.game.totals.channel_attempts[0]
    assert np.all((used > 0).sum(axis=-1) >= 6)
    for wrong in (np.inf, np.nan, -1.0, 0.0):
        with pytest.raises(ValueError, match="actions: weights must be finite and at least 0, with one above 0"):
            env.step_array(np.full((1, 8, 48), wrong))


def test_networks_that_do_not_learn_play_along_without_agents() -> None:
    env = make(ccs_study([non_learning(nodes=30), Deployment(nodes=8)], load=4.0), decider="server", max_cycles=30)
    assert env.possible_agents == ["server_1"]
    env.reset_array([0])
    used = np.zeros(8)
    for _ in range(30):
        env.step_array(np.full((1, 1, 4), action(2)))
        used += env.game.totals.channel_attempts[0, 0]
    assert used.min() > 0.6 * used.max()
    assert env.game.totals.channel_attempts[0, 1].nonzero()[0].tolist() == [2]


def test_adaptive_data_rate_reaches_its_nodes_and_ends_with_less_than_it_began() -> None:
    env = make(
        ccs_study([non_learning("adr", nodes=20), Deployment(nodes=8)], load=4.0, interference="none"), max_cycles=60
    )
    env.reset_array([0])
    for _ in range(60):
        adr = env.game._commands.adr
        assert adr is not None
        adapted = np.stack([adr.sf[0, :20], adr.tp[0, :20]], axis=-1)
        env.step_array(np.full((1, 4), action(7)))
    assert np.array_equal(env.game._commands.points[0, :20][:, [0, 3]], adapted)
    assert adapted[:, 0].mean() < 2.5
    assert set(env.game.air.last_point[0, :20, 2].tolist()) <= {0, 1, 2}
    slow = adapted[:, 0] > 0
    assert np.all(adapted[slow, 1] == 4)


@pytest.mark.parametrize("indicator", ["external", "all", "none"])
def test_what_the_indicator_sees(indicator: str) -> None:
    quiet = ccs_study([Deployment(nodes=12), Deployment(nodes=12)], load=8.0, occupancy=(0.0,) * 8, moves_s=None)
    env = make(quiet, interference_indicator=indicator)
    env.reset_array([0])
    for _ in range(10):
        seen = env.step_array(np.array([[action(0, offset=2)] * 4 + [action(5, offset=2)] * 4]))[0]
    busy = seen[0, 0, 16:24]
    assert (busy[5] > 0.3) == (indicator == "all")
    assert np.all(np.delete(busy, 5) < 0.3)


def test_a_silent_network_earns_nothing_and_comes_back() -> None:
    networks = ccs_study([Deployment(nodes=8), Deployment(nodes=8, silent_s=((120.0, 360.0),))], interference="none")
    env = make(networks)
    env.reset_array([0])
    attempts, rewards = [], []
    for _ in range(10):
        _, earned, _, _, infos = env.step_array(np.full((1, 8), action(1)))
        attempts.append(infos["attempts"][0, 4:].sum())
        rewards.append(np.abs(earned[0, 4:]).sum())
    assert min(attempts[:2]) > 0 and attempts[4] == attempts[5] == 0
    assert rewards[4] == rewards[5] == 0.0
    assert sum(attempts[7:]) > 0


def test_acknowledgements_by_downlinks_cost_repeats() -> None:
    few = [Deployment(nodes=60), Deployment(nodes=60)]
    total = []
    for acknowledgements in ("free", "downlink"):
        env = make(ccs_eu868(few, load=4.0, acknowledgements=acknowledgements, interference="none"))
        counts = played(env, action(0), action(1))
        frames = env.game.totals.frames_delivered.sum()
        assert frames > 0
        total.append(counts[0].sum())
    assert total[1] > 1.1 * total[0]


def test_fewer_spreading_factors_leave_the_offsets_right() -> None:
    networks = two()
    region = replace(networks.radio.region, spreading_factors=(7, 8, 9, 10))
    env = make(replace(networks, radio=replace(networks.radio, region=region)))
    env.reset_array([0])
    for _ in range(4):
        env.step_array(np.full((1, 8), action(0, offset=1)))
        totals, least = env.game.totals, env.game.groups.least_sf
        highest = env.game.groups.network_sums(np.where(least == 3, 1, 0)[..., None])[..., 0]
        assert np.all(totals.offset_attempts.sum(-1) == totals.channel_attempts.sum(-1))
        assert np.all(totals.offset_attempts[..., 2] == 0)
        assert np.all((totals.offset_attempts[..., 0] > 0) <= (highest > 0))


def test_facts_add_up() -> None:
    env = make(ccs_study([Deployment(nodes=9), non_learning(nodes=8)], load=2.0), max_cycles=70)
    env.reset_array([0])
    facts = env.game.facts()
    assert facts["nodes"].sum(-1).tolist() == [[9.0, 8.0]]
    np.testing.assert_allclose(facts["rate_hz"].sum(-1), [[0.9, 0.8]])
    np.testing.assert_allclose(facts["sf_share"].sum(-1), 1.0)
    assert facts["non_learning"].tolist() == [[False, True]]
    assert np.all(np.diff(facts["link"], axis=-1) >= 0) and np.all(np.diff(facts["link"], axis=-2) >= 0)
    before = facts["occupancy"].copy()
    for _ in range(30):
        env.step_array(np.zeros((1, 4), int))
    after = env.game.facts()["occupancy"]
    assert not np.array_equal(before, after)
    assert np.array_equal(np.sort(before), np.sort(after))


def test_pictures() -> None:
    text, picture = make(two(), render_mode="ansi"), make(two(), render_mode="rgb_array")
    for env in (text, picture):
        env.reset(seed=0)
        for _ in range(2):
            env.step(dict.fromkeys(env.agents, action(3)))
    shown = text.render()
    assert isinstance(shown, str) and "network 1 (learns): received" in shown and "ccs_study at 120 s" in shown
    image = picture.render()
    assert isinstance(image, np.ndarray) and image.shape == (600, 600, 3) and image.std() > 1.0


def test_a_picture_of_many_networks_shows_the_first_ones() -> None:
    env = make(ccs_study([Deployment(nodes=4)] * 12), render_mode="rgb_array")
    env.reset(seed=0)
    env.step(dict.fromkeys(env.agents, action(3)))
    figure = Figure()
    env.game.frame().draw(figure)
    assert len(figure.axes) == 8 + 1
    assert figure.axes[0].get_title().endswith("(4 more networks)")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"decider": "owner"}, "decider: 'owner' is not one of server, group"),
        ({"decider": "server", "action_format": "discrete"}, "action_format: 'discrete' needs decider 'group'"),
        ({"decider": "server", "operating_points": "per_packet"}, "operating_points: 'per_packet' needs decider"),
        ({"interference_indicator": "some"}, "interference_indicator: 'some'"),
        ({"tp_dbm": (8.0, 9.0)}, r"tp_dbm: 9\.0 is not one of the region's"),
        ({"reward": {"fun": 1.0}}, "reward: 'fun' is not a term; known: delay, delivery, energy"),
        ({"reward": {"delivry": 1.0}}, "did you mean 'delivery'"),
        ({"reward": {"delivery": float("nan")}}, "the weight of delivery is nan; it must be a finite number"),
        ({"tp_dbm": (14.0, 8.0)}, "tp_dbm: .* allowed are powers that ascend"),
        ({"reward": [{"delivery": 1.0}]}, "reward: 1 rewards"),
        ({"interval_s": 0.0}, "interval_s: 0.0"),
        ({"interval_s": "x"}, "interval_s: 'x' is not a number above 0"),
        ({"tp_dbm": 14}, "tp_dbm: 14; allowed are powers that ascend"),
        ({"reward": None}, "reward: None is neither a mapping from reward term to weight"),
    ],
)
def test_what_is_wrong_is_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(two(), **settings).reset_array([0])


def test_a_network_of_fewer_nodes_than_groups_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="groups: 13; network 1 has 12 nodes"):
        make(ccs_study([Deployment(nodes=13), Deployment(nodes=12)]), groups=13)


def test_frames_that_find_their_queue_full_are_lost() -> None:
    env = make(ccs_study([Deployment(nodes=8)], interference="none", load=50.0), max_cycles=6, decider="group")
    env.reset_array([0])
    for _ in range(6):
        *_, infos = env.step_array(np.arange(4)[None] * 6)
        served, lost = infos["frames_delivered"].sum(), infos["frames_lost"].sum()
        # 8 nodes have 150 new frames a minute each, of which their duty cycle serves a small part.
        assert served + lost == pytest.approx(8 * 150, rel=0.12) and lost > 3 * served > 0


def test_periodic_frames_come_in_a_fixed_rhythm() -> None:
    delivered = {}
    for traffic in ("poisson", "periodic"):
        networks = ccs_study([Deployment(nodes=20)], interference="none", traffic=traffic)
        env = make(networks, max_cycles=30, decider="group")
        env.reset_array([0])
        counts = []
        for _ in range(30):
            env.step_array(np.arange(4)[None] * 6)  # a channel for each group
            counts.append(env.game.totals.frames_delivered.sum())
        delivered[traffic] = np.array(counts[1:-1])
    assert np.abs(delivered["periodic"] - 60).max() <= 4  # three frames a minute and node, some of them a try later
    assert np.abs(delivered["poisson"] - 60).max() > 8


def test_presets_go_by_name() -> None:
    for name, networks in (("ccs_study", ccs_study(2)), ("ccs_eu868", ccs_eu868(2)), (None, ccs_eu868(2))):
        ours = make(name).game.coexistence
        assert (ours.name, ours.deployments) == (networks.name, networks.deployments)
    with pytest.raises(ValueError, match=r"coexistence: 'ccs_studies' is not a .*, or one of ccs_study, ccs_eu868"):
        make("ccs_studies")


def test_networks_without_learners_are_refused() -> None:
    with pytest.raises(ValueError, match="none has the rule 'learns'"):
        make(ccs_study([non_learning(), non_learning()]))


@pytest.mark.parametrize("actions", [np.full((1, 8), 48), np.full((1, 7), 0), np.zeros((1, 8))])
def test_foreign_actions_are_refused(actions: np.ndarray) -> None:
    env = make(two())
    env.reset_array([0])
    with pytest.raises(ValueError, match="actions"):
        env.step_array(actions)


def test_any_delivery_costs_no_more_delay_than_none() -> None:
    env = make(ccs_study([Deployment(nodes=30), Deployment(nodes=30)], load=20.0), reward={"delay": 1.0}, max_cycles=30)
    env.reset_array([0])
    late = 0
    for _ in range(30):
        _, rewards, _, _, infos = env.step_array(np.full((1, 8), action(0, offset=2)))
        delivered = infos["frames_delivered"] > 0
        mean = infos["delay_s"] / np.maximum(infos["frames_delivered"], 1) / 60.0
        late += int((mean[delivered] > 1.0).sum())
        np.testing.assert_allclose(rewards[delivered], -np.minimum(mean[delivered], 1.0))
        assert (rewards >= -1.0).all()
    assert late > 5


def test_acknowledged_attempts_may_be_what_counts_and_are_fewer() -> None:
    few, sums = [Deployment(nodes=60), Deployment(nodes=60)], {}
    for success in ("received", "acknowledged"):
        networks = ccs_eu868(few, load=4.0, interference="none")
        env = make(networks, success=success, reward={"delivery": 1.0})
        env.reset_array([0])
        counted = np.zeros(3)
        for _ in range(8):
            _, rewards, _, _, infos = env.step_array(np.full((1, 8), action(0)))
            received, totals = infos["received"], env.game.totals
            counted += [(rewards * infos["attempts"]).sum(), received.sum(), totals.acknowledged.sum()]
        sums[success] = counted
    (by_received, received, _), (by_acknowledged, _, acknowledged) = sums.values()
    assert by_received == pytest.approx(received)
    assert by_acknowledged == pytest.approx(acknowledged, abs=3.0), "some come an interval later"
    assert 0.0 < by_acknowledged < 0.95 * by_received


def test_a_gateway_that_is_to_answer_stops_receiving() -> None:
    """Else whoever hears a full air would never answer, whatever the law allows."""
    few = [Deployment(nodes=400) for _ in range(4)]
    shares = []
    for priority in ("downlink", "uplink"):
        networks = ccs_eu868(few, load=1.0, interference="none")
        assert networks.radio.downlink.priority == "downlink"
        radio = replace(networks.radio, downlink=replace(networks.radio.downlink, priority=priority))
        env = make(replace(networks, radio=radio), max_cycles=4)
        env.reset_array([0])
        acknowledged = 0
        for _ in range(4):
            env.step_array(np.array([[action(c) for c in range(4) for _ in range(4)]]))
            acknowledged += int(env.game.totals.acknowledged.sum())
        shares.append(acknowledged)
    assert shares[0] > 1.5 * shares[1] > 0


def test_the_busiest_of_several_gateways_is_what_a_server_sees_of_others() -> None:
    networks = ccs_study([Deployment(nodes=20, gateways=2), Deployment(nodes=20)], load=4.0, interference="none")
    env = make(networks, interference_indicator="all")
    env.reset_array([0])
    advance, outcomes = env.game.air.advance, []
    env.game.air.advance = lambda *arguments, **named: outcomes.append(advance(*arguments, **named)) or outcomes[-1]
    env.step_array(np.full((1, 8), action(2)))
    foreign_s = outcomes[-1].foreign_busy_s[0]
    assert foreign_s.shape == (3, CHANNELS) and foreign_s[0, 2] != foreign_s[1, 2]
    expected = 1.0 - np.exp(-foreign_s[:2, 2].max() / 60.0)
    assert env.game._busy(outcomes[-1])[0, 0, 2] == pytest.approx(expected)  # type: ignore[index]


def test_the_episode_tells_strategies_sizes_and_what_is_true() -> None:
    networks = ccs_study(
        [Deployment(nodes=4, gateways=2), non_learning(nodes=4), Deployment(nodes=4)], interference="static"
    )
    env = make(networks, replicas=2)
    env.reset_array([0, 1])
    episode = env.game.episode
    assert (episode.replicas, episode.groups, episode.offsets, episode.intervals) == (2, 4, OFFSETS, 12)
    assert episode.learning.tolist() == [0, 2]
    assert episode.gateways.tolist() == [2, 1, 1]
    assert len(episode.powers) == POWERS
    assert episode.actions == env.game.actions.size and episode.channels == len(env.game.facts()["occupancy"][0])
    assert episode.seeds == tuple(env.game.air.seeds)
    assert episode.interval_s == env.game.settings.interval_s
    facts = env.game.facts()
    assert all(np.array_equal(values, facts[name]) for name, values in episode.facts().items())


@pytest.mark.parametrize("points", ["per_interval", "per_packet"])
@pytest.mark.parametrize("preset", [ccs_study, ccs_eu868])
def test_a_resumed_episode_goes_on_bit_by_bit(preset: Any, points: str) -> None:
    """Through moves of interference, alarms, a silence, adaptive data rate and the indicator's noise."""
    deployments = [Deployment(nodes=8, silent_s=((240.0, 420.0),)), non_learning("adr", nodes=8), non_learning(nodes=6)]
    networks = preset(deployments, load=3.0, moves_s=300.0, alarm_probability=0.2)
    settings = {"decider": "group", "replicas": 2, "max_cycles": 14, "operating_points": points}
    whole, resumed = (make(networks, **settings) for _ in range(2))
    whole.reset_array([5, 6])
    state = {}
    for step in range(14):
        if step == 7:
            state = whole.state_dict()
            resumed.reset_array([5, 6])
            resumed.load_state_dict(state)
        rng = np.random.default_rng(step)
        actions = rng.random((2, 4, 48)) if points == "per_packet" else rng.integers(48, size=(2, 4))
        results = [env.step_array(actions) for env in ((whole, resumed) if step >= 7 else (whole,))]
        for observations, rewards, _, ended, infos in results[1:]:
            assert np.array_equal(observations, results[0][0]) and np.array_equal(rewards, results[0][1])
            assert np.array_equal(ended, results[0][3])
            assert all(np.array_equal(infos[name], values) for name, values in results[0][4].items())
    first, second = whole.state_dict(), resumed.state_dict()
    assert first.keys() == second.keys()
    for name in (name for name in first if not name.startswith("air.")):  # those have padding between their fields
        assert np.array_equal(first[name], second[name]), name
    with pytest.raises(ValueError, match="seeds are"):
        whole.reset_array([5, 7])
        whole.load_state_dict(state)
    with pytest.raises(ValueError, match="noise is missing"):
        resumed.load_state_dict({name: array for name, array in state.items() if name != "noise"})


STORED = (
    "adr.floor_dbm adr.heard adr.margins_db adr.sf adr.tp commands.points cycle features.channel "
    "features.channel_share features.energy features.group features.level features.offset features.offset_share "
    "features.prr features.queued features.reference_mj features.repeats features.slow noise totals.acknowledged "
    "totals.attempts totals.channel_airtime_s totals.channel_attempts totals.channel_received totals.delay_s "
    "totals.downlink_airtime_s totals.energy_mj totals.frames_delivered totals.frames_lost totals.offset_attempts "
    "totals.offset_received totals.queued totals.received usage"
)


def test_names_in_files_stay() -> None:
    """They do not follow names of attributes: a rename would leave the snapshots of older runs unreadable."""
    env = make(ccs_study([Deployment(nodes=8), non_learning("adr", nodes=8)]))
    env.reset_array([0])
    assert sorted(name for name in env.state_dict() if not name.startswith("air.")) == STORED.split()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("features.prr", lambda array: array[:, :1]),
        ("features.queued", lambda array: array.astype(np.float32)),
        ("commands.points", lambda array: array.astype(np.int64)),
        ("totals.attempts", lambda array: array[..., None]),
        ("usage", lambda array: array[:1]),
    ],
)
def test_a_state_of_another_shape_or_type_is_refused_and_leaves_the_episode(name: str, change: Any) -> None:
    env = make(two())
    env.reset_array([0])
    for _ in range(2):
        env.step_array(np.full((1, 8), action(0)))
    state = env.state_dict()
    env.step_array(np.full((1, 8), action(1)))
    before = env.state_dict()
    with pytest.raises(ValueError, match=rf"{name} is .*; expected is "):
        env.load_state_dict(state | {name: change(state[name])})
    after = env.state_dict()
    assert all(np.array_equal(before[key], after[key]) for key in before if not key.startswith("air."))
