"""What D-LoRa's papers add to their bandits: rewards, the survey of channels (CAASI), the conference's learner as run."""
