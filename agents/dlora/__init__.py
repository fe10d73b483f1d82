"""What D-LoRa adds to the bandits: its rewards, CAASI's survey of channels, the conference paper's learner as run."""
