from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr

pytest.importorskip("orjson")
pytest.importorskip("pyarrow")

from lora_marl import config
from lora_marl.core.air import Air
from lora_marl.core.region import HOP
from lora_marl.core.tables import SENSITIVITY_DBM
from lora_marl.logs.calibration import calibrate, link_data
from lora_marl.logs.counting import sent
from lora_marl.logs.link_fit import LinkData, _log_likelihood, fit_link
from lora_marl.logs.reading import import_log
from lora_marl.logs.twin import not_identified, write_scenario
from lora_marl.logs.validation import predicted_pdr, predicted_prr, split, validate
from tests.logs import simulated, writers

ROUNDING_DB = 0.15
"""Bias of mean powers from RSSI in whole dB where a third to a half of the frames are missed."""


@pytest.fixture(scope="module")
def truth():
    return simulated.network()


@pytest.fixture(scope="module")
def log(truth, tmp_path_factory):
    folder = tmp_path_factory.mktemp("log")
    (folder / "events.ndjson").write_text(writers.ndjson(truth.frames, "chirpstack-v4"))
    return import_log([folder / "events.ndjson"], folder / "out")


@pytest.fixture(scope="module")
def fitted(log):
    return calibrate(log)


def numbers(truth, log):
    """Numbers of the truth's devices and gateways, by those of the log."""
    devices = [[writers.eui(d) for d in range(truth.scenario.nodes)].index(name) for name in log.devices]
    gateways = [[writers.gateway(g) for g in range(truth.scenario.gateways)].index(name) for name in log.gateways]
    return devices, gateways


def test_slopes_are_those_of_the_likelihood():
    rng = np.random.default_rng(2)
    data = LinkData(
        power_dbm=rng.uniform(-128, -110, 30), power_cell=rng.integers(0, 3, 30), heard=rng.integers(1, 9, 30) * 1.0,
        missed=np.array([4.0, 0.5, 20.0]), cell_channel=np.array([0, 1, 1]), cell_step_db=np.array([0.0, 0.0, -3.0]),
    )  # fmt: skip
    theta = np.array([-118.0, -121.0, -123.0, -125.0, 0.6, 0.9, 0.3, -2.0])
    for place in range(len(theta)):
        step = np.zeros(len(theta))
        step[place] = 1e-5
        slope = (_log_likelihood(theta + step, data)[0] - _log_likelihood(theta - step, data)[0]) / 2e-5
        assert _log_likelihood(theta, data)[1][place] == pytest.approx(slope, rel=1e-5, abs=1e-6)


def test_a_weak_link_is_not_overrated_by_the_frames_that_were_heard():
    rng = np.random.default_rng(4)
    power_dbm = rng.normal(-124.0, 3.0, 4000)
    heard = power_dbm > -122.0
    levels, counts = np.unique(np.round(power_dbm[heard] * 4) / 4, return_counts=True)
    data = LinkData(levels, np.zeros(len(levels), int), counts * 1.0, np.array([float((~heard).sum())]),
                    np.zeros(1, int), np.zeros(1))  # fmt: skip
    link = fit_link(data, -122.0)
    assert power_dbm[heard].mean() > -121.0
    assert link.mean_dbm[0] == pytest.approx(-124.0, abs=3 * link.standard_errors()[0][0])
    assert link.prr(np.zeros(1, int), np.zeros(1))[0] == pytest.approx(heard.mean(), abs=0.01)


def test_truth_lies_within_the_intervals(truth, log, fitted):
    """Coverage of 90 % intervals of each link's and channel's PRR and mean power."""
    devices, gateways = numbers(truth, log)
    links = truth.scenario.links
    inside, inside_mean = [], []
    for (device, gateway), link in fitted.links.items():
        d, g = devices[device], gateways[gateway]
        for channel in range(3):
            mean_dbm = 14.0 - links.path_loss_db[d, g, channel]
            limit_dbm = SENSITIVITY_DBM["dlora_table_i"][0, 0] + links.noise_db[g, channel]
            actual = ndtr((mean_dbm - limit_dbm) / links.spread_db[d, g])
            predicted = link.prr(np.array([channel]), np.zeros(1))[0]
            inside.append(abs(predicted - actual) < 1.645 * link.prr_error(channel, 0.0) + 1e-3)
            if actual > 0.3:
                away_db = abs(link.mean_dbm[channel] - mean_dbm) - ROUNDING_DB
                inside_mean.append(away_db < 1.645 * link.standard_errors()[0][channel])
    assert len(inside) == 72
    assert 0.80 <= np.mean(inside) <= 0.98
    assert np.mean(inside_mean) >= 0.80


def test_the_calibrated_scenario_behaves_as_the_network_did(log, fitted, tmp_path):
    path = write_scenario(fitted, log.gateway_lat_lon, tmp_path, "twin", "EU868")
    scenario = config.load(path).scenario.build()
    assert scenario.nodes == len(log.devices) and scenario.gateways == len(log.gateways)
    air = Air(scenario, [11], record=True)
    points = scenario.region.points(
        sf=np.full(scenario.nodes, 7), bw_hz=125e3, channel=np.full(scenario.nodes, HOP), tp_dbm=14.0
    )
    air.advance(points[None], 6 * 86400.0)
    packets, receptions = air.recording()
    played = np.array([(receptions.fate[packets.source == d] == 0).mean(axis=0) for d in range(scenario.nodes)])
    counts = sent(log)
    assert np.abs(played - counts.prr).max() < 0.08
    assert np.abs(played - counts.prr).mean() < 0.02
    assert (np.abs(predicted_prr(fitted) - counts.prr) < 0.03).all()
    assert np.abs(predicted_pdr(fitted) - counts.pdr).max() < 0.02
    assert any("Transmit powers" in sentence for sentence in not_identified(fitted))


def test_frames_that_nobody_heard_are_shared_out_and_the_rest_is_unexplained(tmp_path):
    network = simulated.network(devices=2, lost_share=0.1, path_loss_db=np.full((2, 3, 3), 132.0))
    (tmp_path / "events.ndjson").write_text(writers.ndjson(network.frames, "helium"))
    fitted = calibrate(import_log([tmp_path / "events.ndjson"], tmp_path / "out"))
    assert fitted.lost_share == pytest.approx(0.1, abs=0.025)


def test_an_unchanged_network_is_predicted_as_well_as_by_the_naive_predictor(log):
    figures = {figure.name: figure for figure in validate(log)}
    assert figures["PRR by device and gateway, absolute error, median"].by_model["calibration"] < 0.03
    power = figures["received power, log-likelihood per frame and gateway [nats]"].by_model
    assert power["calibration"] > power["one per link"] + 0.02 > power["one for all"] + 0.2
    earlier, later = split(log)
    assert len(earlier.frames) + len(later.frames) == len(log.frames)
    assert earlier.frames["time_s"].max() < later.frames["time_s"].min()


def test_what_a_gateway_heard_and_missed_adds_up_to_what_was_sent(log):
    mine = np.flatnonzero(log.frames["device"] == 0)
    cell = np.searchsorted(np.unique(log.frames["frequency_hz"]), log.frames["frequency_hz"][mine])
    data = link_data(log, mine, cell, 1, np.arange(3), np.full(3, 7))
    assert data.heard.sum() + data.missed.sum() == len(mine)
    assert data.heard.sum() == log.heard[mine, 1].sum()
