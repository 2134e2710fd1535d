"""Where the Hub is, and text without what is secret about it."""

import re


def endpoint() -> str:
    """The address of the Hub, without a user or password."""
    from huggingface_hub import constants

    return without_secrets(constants.ENDPOINT)


def page(repo_id: str, repo_type: str) -> str:
    """The address at which a browser shows a repository."""
    return f"{endpoint()}/{'' if repo_type == 'model' else f'{repo_type}s/'}{repo_id}"


def without_secrets(text: str) -> str:
    """`text` without the token in use, anything that looks like one, and a password in an
    address.
    """
    from huggingface_hub import get_token

    token = get_token()
    if token:
        text = text.replace(token, "***")
    text = re.sub(r"\bhf_[A-Za-z0-9]{8,}", "***", text)
    return re.sub(r"(?<=://)[^/@\s]+@", "***@", text)
