"""Measurements: `python -m tests.benchmarks NAME`. Ratios within one run, medians, one JSON object on the last line."""
