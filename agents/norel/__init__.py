"""NoReL: mixed strategies learned by regret, the channel state, and the distance of strategies from equilibrium."""
