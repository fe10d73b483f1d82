"""Adapters for other libraries: one module for each, which needs that library alone."""
