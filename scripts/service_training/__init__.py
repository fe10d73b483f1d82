"""Training of the coordination service and calibration of its model of the air, run by `train_ccs.py` and others."""
