from __future__ import annotations

import numpy as np
import pytest

from lora_marl.envs.coexistence.observation import ServerFeatures, group_table, network_table
from lora_marl.envs.coexistence.totals import IntervalTotals
from lora_marl.envs.features import names

GROUPS, CHANNELS = 2, 8
NAMES = names(network_table(CHANNELS, 4))


def features(seed: int = 0) -> ServerFeatures:
    return ServerFeatures((1, 1, GROUPS, CHANNELS), np.full((1, 1, GROUPS), 20.0), [np.random.default_rng(seed)])


def totals(
    attempts: tuple[int, ...] = (6, 2), received: tuple[int, ...] = (3, 2), delivered: tuple[int, ...] = (3, 1),
    channel: int = 1, queued: float = 0.5,
) -> IntervalTotals:  # fmt: skip
    by_channel, received_by_channel = np.zeros((1, 1, CHANNELS)), np.zeros((1, 1, CHANNELS))
    by_channel[..., channel], received_by_channel[..., channel] = sum(attempts), sum(received)
    first = np.array([[[1.0, 0.0, 0.0]]])
    as_groups = [np.array([[values]], np.float64) for values in (attempts, received, delivered)]
    return IntervalTotals(
        attempts=as_groups[0], received=as_groups[1], acknowledged=as_groups[1], energy_mj=30.0 * as_groups[0],
        frames_delivered=as_groups[2], downlink_airtime_s=np.zeros((1, 1)),
        frames_lost=np.zeros((1, 1, GROUPS)), delay_s=np.zeros((1, 1, GROUPS)), queued=np.array([[queued]]),
        channel_attempts=by_channel, channel_received=received_by_channel, channel_airtime_s=0.1 * by_channel,
        offset_attempts=first * sum(attempts), offset_received=first * sum(received),
    )  # fmt: skip


def seen(server: ServerFeatures) -> dict[str, float]:
    return dict(zip(NAMES, server.network_array()[0, 0].tolist(), strict=True))


def test_there_are_34_features_of_a_network_and_6_of_a_group() -> None:
    assert len(NAMES) == 34
    assert len(names(group_table(4, ""))) == 6


def test_a_server_begins_with_what_it_does_not_know() -> None:
    first = seen(features())
    assert first["prr"] == pytest.approx(2 * 0.7 - 1)
    assert {first[f"received_channel_{c}"] for c in range(8)} == {first["prr"]}
    assert {first[name] for name in NAMES if name.startswith(("share", "busy"))} == {0.0}
    assert (first["trend"], first["queue"], first["repeats"]) == (0.0, 0.0, 0.0)
    assert features().group_array()[0, 0, 0].tolist() == pytest.approx([1, 0, 0.4, 0.0])


def test_an_interval_moves_every_average_half_way() -> None:
    server = features()
    server.update(totals(), None)
    values = seen(server)
    assert values["prr"] == pytest.approx(2 * (0.7 + 0.5 * (5 / 8 - 0.7)) - 1)
    assert values["received_channel_1"] == values["received_offset_0"] == values["prr"]
    assert values["share_channel_1"] == pytest.approx(2 * 0.5)
    assert values["share_offset_0"] == pytest.approx(0.5)
    assert values["trend"] == pytest.approx(4 * (0.5 - 0.1) * (5 / 8 - 0.7))
    assert values["queue"] == pytest.approx(0.25)
    assert values["repeats"] == pytest.approx(8 / 4 - 1)
    first, second = server.group_array()[0, 0]
    assert first.tolist() == pytest.approx([1, 0, 2 * 0.6 - 1, 0.25])
    assert second.tolist() == pytest.approx([0, 1, 2 * 0.85 - 1, 0.25])


def test_few_attempts_count_less_and_unused_channels_drift_back() -> None:
    server = features()
    server.update(totals((1, 0), (0, 0), (0, 0)), None)
    values = seen(server)
    assert values["received_channel_1"] == pytest.approx(2 * (0.7 - 0.5 * 0.25 * 0.7) - 1)
    low = 0.7 - 0.5 * 0.25 * 0.7
    server.update(totals(channel=0), None)
    assert seen(server)["received_channel_1"] == pytest.approx(2 * (low + 0.02 * (0.7 - low)) - 1)


def test_a_silent_interval_changes_nothing_but_queue_and_repeats() -> None:
    server = features()
    server.update(totals(), None)
    before = seen(server)
    server.update(totals((0, 0), (0, 0), (0, 0), queued=0.0), None)
    after = seen(server)
    assert after["queue"] == after["repeats"] == 0.0
    same = [name for name in NAMES if name.startswith(("share", "received_offset", "prr"))]
    assert [after[name] for name in same] == [before[name] for name in same]


def test_nothing_delivered_counts_as_four_attempts() -> None:
    server = features()
    server.update(totals((3, 3), (0, 0), (0, 0)), None)
    assert seen(server)["repeats"] == pytest.approx(3.0)


@pytest.mark.parametrize(("busy", "level"), [(0.0, 0), (0.05, 1), (0.1, 2), (0.18, 3), (0.3, 4), (0.6, 5)])
def test_the_indicator_has_levels(busy: float, level: int) -> None:
    server = features()
    for _ in range(60):
        server.update(totals(), np.full((1, 1, CHANNELS), busy))
    levels = [seen(server)[f"busy_channel_{c}"] for c in range(CHANNELS)]
    assert np.mean(levels) == pytest.approx(level / 2.5, abs=0.08)


def test_the_indicators_noise_is_of_the_replica() -> None:
    busy = np.full((1, 1, CHANNELS), 0.075)
    results = []
    for seed in (0, 0, 1):
        server = features(seed)
        for _ in range(5):
            server.update(totals(), busy)
        results.append(server.network_array())
    assert np.array_equal(results[0], results[1])
    assert not np.array_equal(results[0], results[2])
