"""The parts of `bench.py`: frozen tasks, cells (a learner on a task), their statistics, the page, and verification."""
