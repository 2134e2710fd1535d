"""Real conversations -> strategy-annotated evaluation set: CSConv, Section 3 of arXiv
2508.04423.
"""
