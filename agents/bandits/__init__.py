"""Bandits: every node learns from the fates of its own packets which spreading factor, channel and power to use.

`CUCB` is D-LoRa and `UCB1` is NaiveMAB. The other bandits change what counts (`nonstationary`), how they explore
(`exploration`) or the rule itself (`exp3`, `mix_mab`); they share `index_bandit`, `kernel` and `rewards`.
"""

from agents.bandits.cucb import CUCB, UCB1

__all__ = ["CUCB", "UCB1"]
