"""Runs: configuration to folder, the training loop, tables and pictures; one package per kind of run."""
