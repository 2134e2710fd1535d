"""Passages for questions: what a model is shown beside a question, and what an audit of facts
counts as support.

They come from a file of passages, or are looked up by BM25 in a folder of policies. Whoever shows
them, audits with them or verifies a run asks the same `Evidence`.

passages.py   the file of passages, one form for everybody, and its hash
policies.py   a folder of text, Markdown, HTML or JSON lines -> passages
index.py      BM25 over passages (needs the extra retrieval)
choosing.py   Evidence: a question -> its passages; look_up: those of all questions of a run
"""

from csc_tasks.evidence.choosing import (
    COUNT,
    DEMO,
    Evidence,
    FileEvidence,
    FolderEvidence,
    LookedUp,
    counts_line,
    look_up,
    open_evidence,
)
from csc_tasks.evidence.passages import Passages, evidence_hash, read_evidence

__all__ = [
    "COUNT",
    "DEMO",
    "Evidence",
    "FileEvidence",
    "FolderEvidence",
    "LookedUp",
    "Passages",
    "counts_line",
    "evidence_hash",
    "look_up",
    "open_evidence",
    "read_evidence",
]
