"""The journal: every request and its reply a row, kept, counted, mended and merged."""
