"""Access tokens by the formats that their makers document.

A table of its own: of the formats here detect-secrets 1.5 names AWS, GitHub's older, Slack's and
JSON Web Tokens only, and what finds the others there, entropy of quoted strings in code, reports
ordinary text.
"""

import re
from collections.abc import Iterator

from csc_tasks.pii.kinds import TOKEN, Match, masked

# Maker -> the format, after a place where no letter, digit or underscore stands.
FORMATS = {
    # https://huggingface.co/docs/hub/security-tokens
    "Hugging Face": r"hf_[A-Za-z0-9]{30,}",
    # Both start with sk-: https://platform.openai.com/docs, https://docs.anthropic.com
    "OpenAI, Anthropic": r"sk-[A-Za-z0-9_-]{20,}",
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
    "AWS": r"(?:AKIA|ASIA)[0-9A-Z]{16}(?![0-9A-Za-z])",
    # https://github.blog/engineering/behind-githubs-new-authentication-token-formats
    "GitHub": r"gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9]{20,24}_?[A-Za-z0-9]{16,}",
    # https://docs.gitlab.com/security/tokens
    "GitLab": r"gl(?:pat|dt|rt|ptt|ft|soat)-[A-Za-z0-9_-]{20,}",
    # https://docs.slack.dev/authentication/tokens
    "Slack": r"xox[abeoprs](?:\.xox[bp])?-[A-Za-z0-9-]{10,}|xapp-[0-9]-[A-Za-z0-9-]{10,}",
    # https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
    "Slack webhook": r"hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9_/]{20,}",
    # https://cloud.google.com/docs/authentication/api-keys
    "Google": r"AIza[0-9A-Za-z_-]{35}(?![0-9A-Za-z_-])|ya29\.[0-9A-Za-z_-]{20,}"
    r"|GOCSPX-[0-9A-Za-z_-]{28}",
    # https://docs.stripe.com/keys
    "Stripe": r"(?:sk|rk|pk|whsec)_(?:live|test)_[0-9A-Za-z]{16,}",
    # https://docs.npmjs.com/about-access-tokens, https://pypi.org/help/#apitoken
    "npm, PyPI": r"npm_[A-Za-z0-9]{36}|pypi-AgE[A-Za-z0-9_-]{30,}",
    # RFC 7519: three parts, the first two JSON objects in base64url
    "JSON Web Token": r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{10,}",
    # RFC 7468
    "private key": r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----",
}
_TOKENS = re.compile(
    r"(?<![A-Za-z0-9_])(?:" + "|".join(f"(?:{one})" for one in FORMATS.values()) + ")"
)
# What documentation puts in a token's place.
_PLACEHOLDER = re.compile(
    r"example|your[-_]|[-_]your|placeholder|redacted|x{6}|0{12}",
    re.IGNORECASE,
)


def find_tokens(text: str) -> Iterator[Match]:
    """The access tokens in a text."""
    for match in _TOKENS.finditer(text):
        if not _PLACEHOLDER.search(match[0]):
            yield Match(TOKEN, match.start(), match.end(), masked(TOKEN, match[0]), match[0])
