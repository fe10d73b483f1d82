"""Regions given whole, and read from files of network servers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lora_marl import config
from lora_marl.core.region import REGIONS, Region
from lora_marl.core.scenario import Scenario

PLAIN: dict[str, Any] = {"topology": {"kind": "ring", "nodes": 4}, "traffic": {"payload_bytes": 15}}

CHIRPSTACK_US = """
[[regions]]
  id="us"
  common_name="US915"
  [regions.network]
    rx1_delay=5
    rx1_dr_offset=1
    rx2_dr=9
    rx2_frequency=923900000
    downlink_tx_power=20
    min_dr=0
    max_dr=3
    enabled_uplink_channels=[8, 9, 10, 11, 12, 13, 14, 15]
"""

CHIRPSTACK_EU = """
[[regions]]
  id="eu"
  common_name="EU868"
  [regions.network]
    rx1_delay=1
    rx2_dr=3
    rx2_frequency=869525000
    max_dr=5
    [[regions.network.extra_channels]]
      frequency=867100000
      min_dr=0
      max_dr=5
    [[regions.network.extra_channels]]
      frequency=867300000
      min_dr=0
      max_dr=5
"""

TTS_AS = """
band-id: AS_923_2
uplink-channels:
- {frequency: 921400000, min-data-rate: 2, max-data-rate: 5, radio: 0}
- {frequency: 921600000, min-data-rate: 2, max-data-rate: 5, radio: 0}
- {frequency: 921800000, min-data-rate: 2, max-data-rate: 5, radio: 0}
dwell-time: {uplinks: true, downlinks: false, duration: 400ms}
"""


def scenario(region: dict[str, Any], folder: Path = Path(), **values: Any) -> Scenario:
    run = config.parse(
        {"learners": {"random": {}}, "scenario": {**PLAIN, **values, "region": region}}, source="x.yaml", folder=folder
    )
    assert isinstance(run, config.PacketRun)
    again = config.parse({"learners": {"random": {}}, "scenario": run.scenario.model_dump(mode="json")}, folder=folder)
    assert isinstance(again, config.PacketRun)
    built = run.scenario.build()
    assert again.scenario.build().region == built.region and again.scenario.build().downlink == built.downlink
    return built


def test_a_region_given_whole_has_no_values_of_another() -> None:
    region = {
        "name": "lab", "own": True, "channels_hz": [433.3e6, 434e6], "duty_cycle": 0.05, "tp_dbm": [0, 10],
        "spreading_factors": [7, 8], "max_payload_bytes": {"SF7BW125": 100, "SF8BW125": 60},
        "rx1_channels_hz": [434.5e6, 434.6e6], "rx1_data_rates": {"SF7BW125": ["SF8BW125", "SF9BW125"]},
        "rx2_hz": 434.4e6, "rx2_sf": 9, "rx2_bandwidth_hz": 250e3, "gateway_tp_dbm": [10], "dwell_time_s": None,
        "max_downlink_bytes": {"SF9BW250": 80}, "default_channels": 1, "listen_before_talk": False,
    }  # fmt: skip
    built = scenario(region, feedback="downlink")
    assert built.region == Region(
        name="lab", channels_hz=(433.3e6, 434e6), duty_cycle=0.05, tp_dbm=(0.0, 10.0), spreading_factors=(7, 8),
        max_payload_bytes=(((7, 125e3), 100), ((8, 125e3), 60)), rx1_channels_hz=(434.5e6, 434.6e6),
        rx1_data_rates=(((7, 125e3), ((8, 125e3), (9, 125e3))),), rx2_hz=434.4e6, rx2_sf=9, rx2_bandwidth_hz=250e3,
        gateway_tp_dbm=(10.0,), max_downlink_bytes=(((9, 250e3), 80),), default_channels=1,
    )  # fmt: skip
    assert scenario({"name": "bare", "own": True, "channels_hz": [868.1e6]}).region.duty_cycle is None
    with pytest.raises(config.ConfigError, match="downlink.rx2_hz: is not given, and region bare has none"):
        scenario({"name": "bare", "own": True, "channels_hz": [868.1e6]}, feedback="downlink")
    with pytest.raises(config.ConfigError, match="'lab' is no region"):
        scenario({"name": "lab", "channels_hz": [868.1e6]})
    with pytest.raises(config.ConfigError, match="'SF7' is no data rate; allowed are names such as SF7BW125"):
        scenario({"max_payload_bytes": {"SF7": 3}})


def test_stated_values_replace_those_of_a_region_and_null_is_none() -> None:
    built = scenario({"name": "EU868", "max_tp_dbm": None, "tp_dbm": [14, 20], "duty_cycle": 0.02})
    assert built.region.max_tp_dbm is None and built.region.duty_cycle == 0.02
    assert built.region.rx2_hz == 869.525e6
    assert set(built.channel_duty_cycles) == {0.02}
    assert set(scenario({"name": "EU868", "duty_cycle": None}).channel_duty_cycles) == {1.0}
    us915 = scenario({"name": "US915", "channels": [8, 9, 10]}).region
    assert us915 == scenario({"name": "US915", "channels_hz": [903.9e6, 904.1e6, 904.3e6]}).region
    assert us915 == REGIONS["US915"].with_channels([8, 9, 10])


def test_chirpstacks_file_gives_channels_data_rates_and_answers(tmp_path: Path) -> None:
    (tmp_path / "us.toml").write_text(CHIRPSTACK_US, encoding="utf-8")
    (tmp_path / "eu.toml").write_text(CHIRPSTACK_EU, encoding="utf-8")
    built = scenario({"chirpstack_toml": "us.toml"}, tmp_path, feedback="downlink")
    assert built.region.channels_hz == REGIONS["US915"].channels_hz[8:16]
    assert (built.region.rx2_hz, built.region.rx2_sf, built.region.rx2_bandwidth_hz) == (923.9e6, 11, 500e3)
    down = built.downlink
    assert (down.rx1_delay_s, down.rx2_delay_s, down.rx1_dr_offset, down.tp_dbm) == (5.0, 6.0, 1, 20.0)
    eu868 = scenario({"chirpstack_toml": "eu.toml"}, tmp_path).region
    assert [hz / 1e6 for hz in eu868.channels_hz] == pytest.approx([868.1, 868.3, 868.5, 867.1, 867.3])
    assert eu868.rx2_sf == 9 and eu868.sub_band_duty_cycles == REGIONS["EU868"].sub_band_duty_cycles
    own = scenario({"chirpstack_toml": "us.toml"}, tmp_path, downlink={"tp_dbm": 10, "rx1_dr_offset": 2})
    assert (own.downlink.tp_dbm, own.downlink.rx1_dr_offset, own.downlink.rx1_delay_s) == (10.0, 2, 5.0)


def test_a_frequency_plan_of_the_things_stack_gives_channels_data_rates_and_dwell_time(tmp_path: Path) -> None:
    (tmp_path / "as.yml").write_text(TTS_AS, encoding="utf-8")
    region = scenario({"tts_yaml": "as.yml"}, tmp_path, feedback="downlink").region
    assert [hz / 1e6 for hz in region.channels_hz] == pytest.approx([921.4, 921.6, 921.8])
    assert region.spreading_factors == (7, 8, 9, 10) and region.dwell_time_s == 0.4
    assert region.rx2_hz == 921.4e6 and region.rx2_sf == 10


def test_cn470_of_servers_is_the_plan_of_96_channels(tmp_path: Path) -> None:
    """ChirpStack's channels 88 to 95 are answered on 508.3 MHz and above, and The Things Stack's 80 to 87 on 506.7."""
    chirpstack = """
[[regions]]
  common_name="CN470"
  [regions.network]
    rx2_dr=0
    rx2_frequency=505300000
    enabled_uplink_channels=[88, 89, 90, 91, 92, 93, 94, 95]
"""
    (tmp_path / "cn.toml").write_text(chirpstack, encoding="utf-8")
    (tmp_path / "cn.yml").write_text(plan("CN_470_510", 486.3, 486.5), encoding="utf-8")
    cn470 = scenario({"chirpstack_toml": "cn.toml"}, tmp_path, feedback="downlink").region
    assert (cn470.channels_hz[0], cn470.channels_hz[-1]) == pytest.approx((487.9e6, 489.3e6))
    assert cn470.rx1_channels_hz[0] == pytest.approx(508.3e6) and cn470.spreading_factors[-1] == 12
    assert (cn470.rx2_hz, cn470.rx2_sf, cn470.rx2_bandwidth_hz, cn470.dwell_time_s) == (505.3e6, 12, 125e3, None)
    tts = scenario({"tts_yaml": "cn.yml"}, tmp_path, feedback="downlink").region
    assert tts.rx1_channels_hz == pytest.approx((506.7e6, 506.9e6)) and tts.rx2_hz == 505.3e6


def plan(band: str, *mhz: float, more: str = "") -> str:
    """A frequency plan of The Things Stack, as its repository has them."""
    channels = "".join(
        f"- frequency: {round(1e6 * carrier)}\n  min-data-rate: 0\n  max-data-rate: 5\n  radio: 0\n" for carrier in mhz
    )
    return f"band-id: {band}\nuplink-channels:\n{channels}{more}"


def test_a_plan_without_a_dwell_time_has_the_slow_data_rates_and_their_payloads(tmp_path: Path) -> None:
    wide = "lora-standard-channel:\n  frequency: 915900000\n  data-rate: 12\n  radio: 0\n"
    without = "dwell-time:\n  uplinks: false\n  downlinks: false\n"
    (tmp_path / "au.yml").write_text(plan("AU_915_928", 915.2, 915.4, more=wide), encoding="utf-8")
    (tmp_path / "ndt.yml").write_text(plan("AU_915_928", 915.2, 915.4, more=wide + without), encoding="utf-8")
    second = plan("EU_863_870", 868.1, more="dwell-time: {uplinks: true, duration: 1s}\n")
    (tmp_path / "second.yml").write_text(second, encoding="utf-8")
    limited = scenario({"tts_yaml": "au.yml"}, tmp_path).region
    assert (limited.dwell_time_s, limited.spreading_factors) == (0.4, (7, 8, 9, 10))
    region = scenario({"tts_yaml": "ndt.yml"}, tmp_path, traffic={"payload_bytes": 64}).region
    assert (region.dwell_time_s, region.spreading_factors) == (None, (7, 8, 9, 10, 11, 12))
    assert region.max_payload(12, 125e3) == region.max_payload(10, 125e3) == 64
    assert ((12, 125e3) in region.data_rates, region.channel_data_rates[2]) == (True, ((8, 500e3),))
    assert scenario({"tts_yaml": "second.yml", "spreading_factors": [7]}, tmp_path).region.dwell_time_s == 1.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rx2-default-data-rate: 3\n", "band-id: '' is no region that is known here"),
        ("band-id: EU_863_870\nuplink-channels: all\n", "uplink-channels: is not a list of channels"),
        ("band-id: EU_863_870\nuplink-channels: [868100000]\n", "uplink-channels: is not a mapping"),
        ("band-id: EU_863_870\nuplink-channels:\n- radio: 0\n", "uplink-channels.frequency: None is not a number"),
        (plan("EU_863_870", 868.1, more="dwell-time: true\n"), "dwell-time: is not a mapping of keys"),
        (plan("EU_863_870", 868.1, more="dwell-time: {uplinks: true, duration: long}\n"), "'long' is not a number"),
        (plan("EU_863_870", 868.1, more="rx2-channel: 5\n"), "rx2-channel: is not a mapping"),
        (plan("US_902_928", 903.95), "903.95 MHz is no channel of US915"),
        ("- EU_863_870\n", "is not a mapping of keys"),
    ],
)
def test_plans_that_do_not_fit_are_named(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "x.yml").write_text(text, encoding="utf-8")
    with pytest.raises(config.ConfigError, match=message):
        scenario({"tts_yaml": "x.yml"}, tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[regions]]\ncommon_name="CN779"\n', "common_name: 'CN779' is no region that is known here"),
        ("regions = 3", "allowed is 1"),
        ("a = [", "x.toml: "),
        (CHIRPSTACK_US.replace("[8, 9,", "[99, 9,"), "enabled_uplink_channels: 99; US915 has 0 to "),
        (CHIRPSTACK_US.replace("[8, 9,", "['a', 9,"), "enabled_uplink_channels: 'a' is not a whole number"),
        (CHIRPSTACK_US.replace("rx1_delay=5", "rx_window=7"), "rx_window: 7 is not one of 0, 1, 2"),
        (CHIRPSTACK_EU.replace("frequency=867100000", ""), "extra_channels.frequency: None is not a number"),
        (CHIRPSTACK_EU.replace("869525000", "869.525"), "rx2_hz: 869.525 is not within"),
        ('regions = ["EU868"]', "allowed is 1"),
        ('[[regions]]\ncommon_name="EU868"\nnetwork=3\n', "regions.network: is not a mapping"),
    ],
)
def test_files_that_do_not_fit_are_named(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text(text, encoding="utf-8")
    with pytest.raises(config.ConfigError, match=message):
        scenario({"chirpstack_toml": "x.toml"}, tmp_path)
