from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("orjson")

from lora_marl.logs.merging import merge, merged_receptions
from lora_marl.logs.rows import EVENT, HEARD

START_S = 1.7e9


def events(rows: list[tuple[int, int, float]], **values: float) -> np.ndarray:
    """Rows of device, counter and time after the start; all else as given."""
    result = np.zeros(len(rows), EVENT)
    result["frequency_hz"], result["sf"], result["spread_s"] = 868_100_000, 7, 2.0
    for name, value in values.items():
        result[name] = value
    for number, (device, counter, time_s) in enumerate(rows):
        result[number]["device"], result[number]["counter"] = device, counter
        result[number]["time_s"] = START_S + time_s + 0.25
    return result


def merged(rows, **values):
    return merge(events(rows, **values), np.zeros(len(rows), np.int32))


def test_rows_of_a_frame_are_merged_and_repetitions_are_frames():
    result = merged([(0, 5, 0.0), (0, 5, 0.4), (0, 5, 7.0), (0, 5, 13.0), (0, 6, 600.0)])
    assert result.frame_of_event.tolist() == [0, 0, 1, 2, 3]
    assert result.frames["repeat"].tolist() == [0, 1, 2, 0]
    assert result.counts["rows merged into frames"] == 1 and result.counts["repetitions"] == 2


def test_a_copy_on_another_channel_is_a_repetition():
    rows = events([(0, 5, 0.0), (0, 5, 0.4)])
    rows["frequency_hz"][1] += 200_000
    assert merge(rows, np.zeros(2, np.int32)).frames["repeat"].tolist() == [0, 1]


def test_resets_begin_sessions_and_sixteen_bits_go_on():
    counters = [65_530, 65_534, 2, 9, 0, 1, 0, 0, 4]
    result = merged([(0, counter, 600.0 * number) for number, counter in enumerate(counters)])
    assert result.frames["session"].tolist() == [0, 0, 0, 0, 1, 1, 2, 3, 3]
    assert result.frames["counter"].tolist() == [65_530, 65_534, 65_538, 65_545, 0, 1, 0, 0, 4]
    assert result.counts["counter resets"] == 3 and result.counts["counters of 16 bits continued"] == 1


def test_a_long_loss_is_no_leap_and_a_leap_is_no_loss():
    quiet = [(0, number, 604.0 * number) for number in range(20)]
    lost = merged([*quiet, (0, 3668, 604.0 * 3668)])
    assert lost.frames["session"].max() == 0
    leapt = merged([*quiet, (0, 3668, 604.0 * 20)])
    assert leapt.frames["session"][-1] == 1 and leapt.counts["counter leaps"] == 1


@pytest.mark.parametrize("shift_s", [4295.0, -4295.0])
def test_a_clock_that_was_wrong_for_a_moment_is_mended(shift_s):
    rows = [(0, number, 600.0 * number + shift_s * (number == 12)) for number in range(30)]
    result = merged(rows)
    assert result.frames["counter"].tolist() == list(range(30))
    assert result.frames["session"].max() == 0
    assert result.frames["time_s"][12] == pytest.approx(START_S + 7200.25)
    assert result.counts["times contradicted by counters"] == 1


def test_devices_and_files_do_not_touch_one_another():
    rows = [(device, number, 600.0 * number) for number in range(9) for device in (1, 0)]
    doubled = np.concatenate([events(rows), events(rows)])
    result = merge(doubled, np.repeat(np.arange(2, dtype=np.int32), len(rows)))
    assert len(result.frames) == len(rows)
    assert result.frames["device"].tolist() == [0] * 9 + [1] * 9
    assert (result.frames["session"] == 0).all()


def test_the_stronger_of_two_antennas_stays():
    heard = np.array([(0, 3, -112.0, 0.0), (0, 3, -110.0, 1.0), (0, 2, -90.0, 9.0), (1, 3, -100.0, 2.0)], HEARD)
    receptions, doubled = merged_receptions(heard, np.array([7, 8]), 7, 9)
    assert doubled == 1
    assert receptions[["frame", "gateway"]].tolist() == [(7, 2), (7, 3), (8, 3)]
    assert receptions["rssi_dbm"].tolist() == [-90.0, -110.0, -100.0]
    assert len(merged_receptions(heard, np.array([7, 8]), 8, 9)[0]) == 1
