"""Whether results hold: their documents against a corpus that the verifier has, and every number
that needs no weights computed again from the raw replies.

`examine(measurement, trusted)` gives a `Verified` for one task of one results file. Nothing that a
file says of itself is proof: neither its corpus hash nor its directions, ranges or units.
"""

from csc_tasks.verify.examine import examine, trust_of_run
from csc_tasks.verify.trusted import Trusted, trusted_corpora
from csc_tasks.verify.verdict import Finding, Number, Trust, Verified

__all__ = [
    "Finding",
    "Number",
    "Trust",
    "Trusted",
    "Verified",
    "examine",
    "trust_of_run",
    "trusted_corpora",
]
