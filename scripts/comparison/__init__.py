"""The parts of `compare.py`: learners of each scenario, running them, their measures, and the report."""
