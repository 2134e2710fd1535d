"""Ratings by language models and people: what is shown to them, what they say, and how far they can
be believed.
"""
