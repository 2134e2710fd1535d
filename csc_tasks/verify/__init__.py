"""Whether results hold: their documents against a corpus that the verifier has, and every number
that needs no weights computed again from the raw replies.

`examine(measurement, trusted)` gives a `Verified` for one task of one results file. Nothing that a
file says of itself is proof: neither its corpus hash nor its directions, ranges or units.
"""

from csc_tasks.verify.copies import Print, prints_of, shared
from csc_tasks.verify.examine import (
    Examined,
    examine,
    examine_run,
    trust_of_run,
    without_samples,
)
from csc_tasks.verify.references import References, read_references
from csc_tasks.verify.trusted import Trusted, trusted_corpora
from csc_tasks.verify.verdict import Finding, Number, Pair, Trust, Verified, badge, together

__all__ = [
    "Examined",
    "Finding",
    "Number",
    "Pair",
    "Print",
    "References",
    "Trust",
    "Trusted",
    "Verified",
    "badge",
    "examine",
    "examine_run",
    "prints_of",
    "read_references",
    "shared",
    "together",
    "trust_of_run",
    "trusted_corpora",
    "without_samples",
]
