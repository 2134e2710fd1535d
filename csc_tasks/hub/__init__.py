"""A folder -> one commit on the Hub.

`Publication` says what goes where, `publish` sends it: files that the repository already holds are
left out, and when nothing is left there is no commit. What the files mean is the caller's business.
The token is the one that huggingface_hub finds (HF_TOKEN or
`hf auth login`), the server the one that HF_ENDPOINT names; neither a token nor a password in that
address is ever printed.
"""

from csc_tasks.errors import HubError
from csc_tasks.hub.account import owner_kind
from csc_tasks.hub.address import endpoint, page
from csc_tasks.hub.publication import Publication, Published, readable_size
from csc_tasks.hub.sending import exists, publish, read

__all__ = [
    "HubError",
    "Publication",
    "Published",
    "endpoint",
    "exists",
    "owner_kind",
    "page",
    "publish",
    "read",
    "readable_size",
]
