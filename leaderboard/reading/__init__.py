"""Results and samples files as rows that may stand together."""
