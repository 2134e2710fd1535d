"""What differs between the versions of the libraries below us: one module per library, each saying
which versions it was run with.
"""
