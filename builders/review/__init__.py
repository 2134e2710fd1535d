"""Expert review of conversation sets: a table and a page to decide on, and the decisions back into
a dataset folder.
"""
