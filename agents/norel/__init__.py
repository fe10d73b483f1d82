"""NoReL, by which every node learns a mixed strategy from its regrets.

`norel` is the learner, `frugal` a variant with fewer downlinks, and `equilibrium` tells how far strategies are from an
equilibrium. `published` plays the paper's methods in the simulator of its authors.
"""
