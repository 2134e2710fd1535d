"""Conversations as support tools export them -> an unlabelled dataset folder.

files.py      a file or folder -> records: CSV, TSV, JSON, JSON lines, parquet, text
shapes.py     which of the shapes below the records are in, and which columns hold what
tables.py     a row an utterance
turns.py      a record a conversation with a list of turns (chat messages, tickets)
lines.py      a text a conversation with `Name:` lines (also WhatsApp)
times.py      when something was said, in the forms that exports have
store.py      utterances grouped by conversation on disk
speakers.py   who is the supporter, who the customer
cleaning.py   HTML, quoted mail, signatures, system lines
masking.py    personal data out of the texts
reading.py    all of the above for one source: cleaned conversations
report.py     what was guessed and counted, in lines
build.py      `csc build transcripts`
"""
