"""Asking in batches: the files of requests, the Batch API, a command that answers a file."""
