"""Briefs for the customers of live conversations."""
