"""Runs as rows that may stand together."""
