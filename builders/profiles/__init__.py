"""A pool of customer profiles, taken from conversations (arXiv 2508.04423, section 4.1)."""
