"""Whose token this is, and whether a name on the Hub is a person or an organisation of theirs."""

from typing import Literal

from csc_tasks.hub.errors import one_line


def owner_kind(name: str, again: str) -> Literal["user", "org"] | None:
    """What the account `name` is to the token's owner: themself, an organisation they belong to, or
    neither (None). Raises HubError.

    again: as for `publish`.
    """
    from huggingface_hub import HfApi

    with one_line(f"account {name}", again):
        account = HfApi().whoami()
    if account.get("name") == name:
        return "user"
    return "org" if any(one.get("name") == name for one in account.get("orgs") or ()) else None
