import numpy as np
import pytest

import agents
from agents.learner import Learner
from lora_marl.core.checks import suggest


@pytest.mark.parametrize("name", sorted(agents.LEARNERS))
def test_every_learner_goes_by_its_own_name(network_of, name):
    learner = agents.make(name, network_of(name), [0])
    assert learner.name == name
    assert learner.initial_points().shape == (1, network_of(name).nodes, 4)


@pytest.mark.parametrize("path", ["agents.bandits.cucb:CUCB", "agents.bandits:CUCB"])
def test_a_class_can_be_named_by_its_import_path(journal, path):
    assert agents.make(path, journal, [0], eta=3.5).name == "cucb"


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("d-lora", "cucb"),
        ("D-LoRa", "cucb"),
        ("naive-mab", "ucb1"),
        ("NaiveMAB", "ucb1"),
        ("MIX-MAB", "mix-mab"),
        ("MinSF", "min-sf"),
        ("CAASI", "caasi"),
        ("CD-LoRa", "cd-lora"),
        ("RS-LoRa", "rs-lora"),
        ("DyLoRa", "dylora"),
        ("NoReL", "norel"),
        ("EF-LoRa", "ef-lora"),
        ("LoRa-MAB", "exp3"),
        ("EXPLoRa-SF", "explora-sf"),
        ("ADR-Lite", "adr-lite"),
    ],
)
def test_the_papers_names_work(network_of, typed, name):
    assert agents.learner_name(typed) == name
    assert agents.make(typed, network_of(name), [0]).name == name


@pytest.mark.parametrize("typed", ["d-loro", "d-lorra", "D-LoRa2"])
def test_a_misspelt_paper_name_is_never_sent_to_another_algorithm(journal, typed):
    with pytest.raises(ValueError, match="did you mean 'd-lora'"):
        agents.make(typed, journal, [0])


@pytest.mark.parametrize(
    "word",
    ["ppo", "mappo", "ippo", "a2c", "sac", "td3", "qmix", "vdn", "iql", "dqn", "lora", "naive-ucb", "ql"],
)
def test_well_known_algorithms_that_are_missing_are_not_answered_with_one_of_ours(word):
    assert "did you mean" not in suggest(word, agents.LEARNERS, same_start=True)


def test_no_spelling_means_two_learners():
    names = [*agents.LEARNERS, *agents.PAPER_NAMES, *agents.RENAMED]
    assert len({name.replace("-", "") for name in names}) == len(names)
    assert not set(agents.RENAMED) & {*agents.LEARNERS, *agents.PAPER_NAMES}
    assert {*agents.PAPER_NAMES.values(), *agents.RENAMED.values()} <= {*agents.LEARNERS, "maac"}


@pytest.mark.parametrize("name", ["cuc b2", "mylib.Learner", "pkg.mod:Cls", "independentt"])
def test_what_is_no_name_of_a_learner_stays_as_it_is(name):
    assert agents.learner_name(name) == name


def test_an_old_name_is_accepted_with_a_warning(network_of):
    with pytest.warns(DeprecationWarning, match="learner 'independent' is now 'energy-independent'"):
        learner = agents.make("independent", network_of("energy-independent"), [0])
    assert learner.name == "energy-independent"


@pytest.mark.parametrize("typed", ["maac", "MAAC", "MMALoRa"])
def test_attention_critics_are_no_learner_of_packets(journal, typed):
    with pytest.raises(ValueError, match=f"learner '{typed}' learns on the closed form"):
        agents.make(typed, journal, [0])


@pytest.mark.parametrize(
    ("learner", "message"),
    [
        ("cucbb", "did you mean 'cucb'"),
        ("zzz", "known: adr, adr-chirpstack, adr-ideal, adr-lite, adr-max, adr-mean, adr-ns3, adr-semtech"),
        ("agents.nowhere:X", "cannot be imported"),
        ("agents.bandits.cucb:X", "cannot be imported"),
        ("agents.bandits.cucb.CUCB", "unknown learner 'agents.bandits.cucb.CUCB'; an import path is 'module:Class'"),
        ("agents.bandits.rewards:Rewards", "cannot be imported"),
        ("agents.run:run_until", "'agents.run:run_until' is no subclass of agents.learner.Learner"),
    ],
)
def test_an_unknown_learner_is_an_error_that_helps(journal, learner, message):
    with pytest.raises(ValueError, match=message):
        agents.make(learner, journal, [0])


def test_an_unknown_parameter_is_an_error_that_names_the_nearest(journal):
    with pytest.raises(ValueError, match="learner cucb has no parameter 'etta'; did you mean 'eta'"):
        agents.make("cucb", journal, [0], etta=1.0)
    with pytest.raises(ValueError, match="known: none"):
        agents.make("static-sf7", journal, [0], eta=1.0)


SINGLE = [
    (name, parameter)
    for name in agents.LEARNERS
    for parameter in sorted(agents._single_valued(agents.learner_class(name)))
]


@pytest.mark.parametrize(("name", "parameter"), SINGLE)
def test_a_list_where_one_value_holds_for_all_nodes_is_refused_in_words(journal, name, parameter):
    words = rf"learner {name}: {parameter}: \[10, 25\] has several values; it takes one for all"
    with pytest.raises(ValueError, match=words):
        agents.make(name, journal, [0], **{parameter: [10, 25]})


@pytest.mark.parametrize("name", ["adr", "adr-ideal", "adr-server", "min-sf", "load-br", "load-sorted", "norel"])
def test_margins_may_differ_by_node(journal, name):
    margins_db = np.where(np.arange(journal.nodes) % 2, 25.0, 10.0)
    agents.make(name, journal, [0], margin_db=margins_db.tolist())
    alike = [agents.make(name, journal, [0], margin_db=given) for given in (12.0, np.full(journal.nodes, 12.0))]
    assert np.array_equal(alike[0].initial_points(), alike[1].initial_points())
    with pytest.raises(ValueError, match=f"margin_db: .*one for each of {journal.nodes} nodes"):
        agents.make(name, journal, [0], margin_db=[10.0, 25.0])


def test_defaults_of_a_learner_can_be_listed():
    assert agents.parameters_of(agents.learner_class("conference-cucb")) == {"variant": "D", "c": 2.0}


def test_a_learner_without_a_name_goes_by_that_of_its_class():
    class Lazy(Learner):
        def select(self, decisions):
            return self.initial_points()[decisions.replica, decisions.node]

    assert Lazy.name == "Lazy"
