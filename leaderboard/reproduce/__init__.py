"""csc reproduce: the tables and figures of both papers, for any corpora and any results.

exhibits.py says what a table, a figure and a missing one are; writing.py and drawing.py put them
into files. A maker is a function that takes what was read and returns exhibits and what is missing:
corpus_tables.py and corpus_figures.py from stats.json, the others from a board and from the files
of the other verbs. command.py is the verb.
"""
