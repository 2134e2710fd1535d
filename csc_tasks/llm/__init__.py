"""Asking language models: one request, one checked reply, every request a row in a journal."""
