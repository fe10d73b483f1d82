"""What holds for every learner: exact resume, and results that no batch, replica or order changes."""

import numpy as np
import pytest

import agents

LEARNERS = sorted(agents.LEARNERS)


@pytest.mark.parametrize("name", LEARNERS)
def test_a_resumed_learner_chooses_as_if_it_had_not_stopped(network_of, run_of, name):
    network = network_of(name)
    seeds = [3, 4]
    whole = run_of(agents.make(name, network, seeds), seeds, 60)
    stopped = agents.make(name, network, seeds)
    before = run_of(stopped, seeds, 25)
    saved = stopped.state_dict()
    run_of(stopped, seeds, 5, first=25, points=before[-1].copy())
    resumed = agents.make(name, network, seeds)
    resumed.load_state_dict(saved)
    after = run_of(resumed, seeds, 35, first=25, points=before[-1].copy())
    np.testing.assert_array_equal(np.concatenate([before, after]), whole)


@pytest.mark.parametrize("name", LEARNERS)
def test_three_replicas_are_three_runs(network_of, run_of, name):
    network = network_of(name)
    seeds = [0, 7, 2]
    together = run_of(agents.make(name, network, seeds), seeds, 40)
    alone = [run_of(agents.make(name, network, [seed]), [seed], 40) for seed in seeds]
    np.testing.assert_array_equal(together, np.concatenate(alone, axis=1))


@pytest.mark.parametrize("name", LEARNERS)
def test_neither_the_order_nor_the_cut_of_a_batch_matters(network_of, run_of, name):
    network = network_of(name)
    seeds = [0, 1]
    expected = run_of(agents.make(name, network, seeds), seeds, 40)
    shuffled = run_of(agents.make(name, network, seeds), seeds, 40, order=np.random.default_rng(0), batches=7)
    np.testing.assert_array_equal(shuffled, expected)


@pytest.mark.parametrize("name", LEARNERS)
def test_choices_lie_within_the_region(network_of, run_of, name):
    network = network_of(name)
    chosen = run_of(agents.make(name, network, [0]), [0], 60)
    assert chosen.dtype == np.int16
    network.region.physical(chosen)  # an error where one lies outside; a channel may be hop


@pytest.mark.parametrize("name", ["cucb", "ucb1", "random"])
def test_a_state_of_another_learner_is_refused(journal, name):
    learner = agents.make(name, journal, [0, 1])
    other = agents.make(name, journal, [0])
    with pytest.raises(ValueError, match=rf"state of {name}: .* \[1, 12.* expected .* \[2, 12"):
        learner.load_state_dict(other.state_dict())
    with pytest.raises(ValueError, match=f"state of {name} has"):
        learner.load_state_dict({})


def test_a_refused_state_changes_nothing(journal):
    learner = agents.make("cucb", journal, [0])
    broken = learner.state_dict() | {"t": np.full((1, 12), 9.0), "arms": np.zeros(3)}
    with pytest.raises(ValueError, match="arms"):
        learner.load_state_dict(broken)
    assert (learner.t == 1).all()


def test_no_seeds_is_an_error(journal):
    with pytest.raises(ValueError, match="seeds"):
        agents.make("cucb", journal, [])


@pytest.mark.parametrize(
    ("name", "array", "value", "message"),
    [
        ("window-cucb", "past", 9, "past, column 0,.* is 9; allowed are 0 to"),
        ("window-cucb", "sent", -5, "sent.* is -5"),
        ("adr-chirpstack", "entries", 21, "entries.* is 21; allowed are 0 to 20"),
        ("adr-chirpstack", "rate", 17, "rate.* is 17; allowed are 0 to"),
        ("adr-chirpstack", "nb_trans", 0, "nb_trans.* is 0; allowed are 1 to 3"),
        ("adr-server", "commanded", 99, "commanded"),
        ("norel", "state_filled", 100, "state_filled.* is 100; allowed are 0 to 99"),
        ("norel", "state_estimates", np.nan, "state_estimates, column 0,"),
    ],
)
def test_a_state_with_an_index_that_points_nowhere_is_refused(network_of, name, array, value, message):
    learner = agents.make(name, network_of(name), [1])
    before = learner.state_dict()
    damaged = {key: values.copy() for key, values in before.items()}
    damaged[array].flat[0] = value
    with pytest.raises(ValueError, match=message):
        learner.load_state_dict(damaged)
    assert all(np.array_equal(a, before[key], equal_nan=a.dtype.kind == "f") for key, a in learner.state_dict().items())
