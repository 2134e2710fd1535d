"""A run's files: the results JSON and the samples JSONL beside it. The only place that reads and
writes them.
"""
