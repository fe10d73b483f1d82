"""ADR plug-ins in an embedded JavaScript engine: ChirpStack's contract, and its default rule written as a plug-in."""

import json

import numpy as np
import pytest

pytest.importorskip("quickjs")

import agents
from agents.rules import adr_js
from lora_marl.core.outcome import Heard
from tests.agents.rules.test_served_adr import NETWORK, answers, commanded, uplinks

ADR_JS = "agents.rules.adr_js:AdrJs"


@pytest.fixture
def plugin(tmp_path):
    """A function that writes a plug-in whose `handle` has the given body, and makes a learner of it."""

    def make(body, **parameters):
        path = tmp_path / "plugin.js"
        path.write_text(
            'export function id() { return "mine"; }\nexport function name() { return "Mine"; }\n'
            f"let calls = 0;\nexport function handle(req) {{ {body} }}\n"
        )
        return agents.make(ADR_JS, NETWORK, [0], plugin=path, **parameters)

    return make


def test_the_default_rule_as_a_plugin_decides_as_the_one_that_is_built_in():
    # Uplinks of three nodes, with losses, repeats, back-off and commands that are obeyed or not.
    rng = np.random.default_rng(1)
    built_in, in_js = (agents.make(name, NETWORK, [0]) for name in ("adr-chirpstack", ADR_JS))
    for _ in range(600):
        node = int(rng.integers(3))
        rate, power, nb_trans = commanded(built_in, node)
        if rng.random() < 0.05:
            rate = int(rng.integers(6))
        missed = int(rng.choice([0, 0, 0, 1, 4, -1, -2]))
        heard = uplinks([rng.normal(-4.0, 8.0)], node=node, rate=rate, power=power, missed=missed, nb_trans=nb_trans)
        for learner in (built_in, in_js):
            learner.hear(heard)
        assert commanded(in_js, node) == commanded(built_in, node)
    assert not in_js.failures.any()


def test_a_request_has_the_fields_and_the_history_of_the_server(plugin):
    learner = plugin("throw new Error(JSON.stringify(req));", device_variables={"margin": "3"})
    with pytest.warns(RuntimeWarning):
        learner.hear(Heard(np.concatenate([uplinks([-3.0, 2.0], missed=4).records for _ in range(12)])))
    request = learner.request(0, 0)
    history = request["uplinkHistory"]
    assert [len(history), request["dr"], request["maxDr"], request["maxTxPowerIndex"]] == [20, 0, 5, 6]
    assert np.diff([uplink["fCnt"] for uplink in history]).tolist() == [5] * 19
    assert [uplink["maxSnr"] for uplink in history[-2:]] == pytest.approx([-3.0, 2.0], abs=1e-5)
    assert history[-1]["maxRssi"] - history[-2]["maxRssi"] == 5
    assert request["requiredSnrForDr"] == -20.0 and request["deviceVariables"] == {"margin": "3"}
    assert json.loads(json.dumps(request)) == request


def test_a_plugin_remembers_nothing_between_calls(plugin):
    learner = plugin("calls += 1; return {dr: calls, txPowerIndex: 0, nbTrans: 1};")
    assert answers(learner, [0.0] * 3) == [(1, 0, 1)] * 3


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('throw new Error("no idea");', "no idea"),
        ("return {dr: 9, txPowerIndex: 0, nbTrans: 1};", "data rates are 0 to 5"),
        ("return {dr: 2.5, txPowerIndex: 0, nbTrans: 1};", "must be whole numbers"),
        ("return {dr: 2};", "must be whole numbers"),
        ("return undefined;", "an object with dr, txPowerIndex and nbTrans is needed"),
    ],
)
def test_a_call_that_fails_keeps_the_parameters_and_warns_once(plugin, body, message):
    learner = plugin(body)
    with pytest.warns(RuntimeWarning, match=message) as warned:
        assert answers(learner, [40.0] * 3) == [(0, 0, 1)] * 3
    assert len(warned) == 1 and learner.failures[0].tolist() == [3, 0, 0]


def test_an_endless_loop_is_a_call_that_fails(plugin, monkeypatch):
    monkeypatch.setattr("agents.rules.js_plugin.CALL_LIMIT_S", 0.05)
    with pytest.warns(RuntimeWarning, match="interrupted"):
        assert answers(plugin("while (true) {}"), [40.0]) == [(0, 0, 1)]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("export function id() { return 1; }", "no ADR plug-in.*'name' is not defined"),
        ("export const id = () => 1, name = () => 2, handle = 3;", "handle is no function"),
        ("export function {", "no ADR plug-in"),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_is_no_plugin_is_an_error_that_names_it(tmp_path, source, message):
    path = tmp_path / "broken.js"
    if source is not None:
        path.write_text(source)
    with pytest.raises(ValueError, match=f"broken.js.*{message}|{message}"):
        agents.make(ADR_JS, NETWORK, [0], plugin=path)


def test_device_variables_are_texts():
    with pytest.raises(ValueError, match="device_variables: 'margin' is 3; names and values are texts"):
        adr_js.AdrJs(NETWORK, [0], device_variables={"margin": 3})
