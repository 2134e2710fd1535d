"""Personal data out of the texts: placeholders for what the gate before publishing would find."""

from collections import Counter

from csc_tasks.pii.find import find
from csc_tasks.pii.kinds import ACCOUNT, CARD, EMAIL, IDENTITY, PHONE, TOKEN

PLACEHOLDERS = {
    EMAIL: ("[email address]", "[邮箱地址]"),
    PHONE: ("[phone number]", "[电话号码]"),
    CARD: ("[card number]", "[银行卡号]"),
    ACCOUNT: ("[account number]", "[账号]"),
    IDENTITY: ("[ID number]", "[身份证号]"),
    TOKEN: ("[access token]", "[访问令牌]"),
}
"""Kind -> what stands in its place in English and in Chinese."""


def mask(text: str, language: str, counts: Counter[str]) -> str:
    """The text with a placeholder for every finding; `counts` counts them by kind. Placeholders are
    English in every language but Chinese.
    """
    matches = find(text)
    if not matches:
        return text
    parts, end = [], 0
    for match in matches:
        if match.start < end:  # a spoken number within another finding
            continue
        parts += [text[end : match.start], PLACEHOLDERS[match.kind][language == "zh"]]
        end = match.end
        counts[match.kind] += 1
    return "".join([*parts, text[end:]])
