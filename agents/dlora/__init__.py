"""D-LoRa beyond its bandit: the survey CAASI with CD-LoRa, which starts from it, and the conference paper's learner.

D-LoRa itself (CUCB) is `agents.bandits.cucb`, and its rewards are `agents.bandits.rewards`.
"""
