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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[regions]]\ncommon_name="CN779"\n', "common_name: 'CN779' is no region that is known here"),
        ("regions = 3", "allowed is 1"),
        ("a = [", "x.toml: "),
        (CHIRPSTACK_US.replace("[8, 9,", "[99, 9,"), "enabled_uplink_channels: 99; US915 has 0 to "),
    ],
)
def test_files_that_do_not_fit_are_named(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text(text, encoding="utf-8")
    with pytest.raises(config.ConfigError, match=message):
        scenario({"chirpstack_toml": "x.toml"}, tmp_path)
