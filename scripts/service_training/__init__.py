"""How the coordination service is trained, and its model of the air calibrated: what `train_ccs.py` and others run."""
