"""What must not be published: numbers and addresses that lead to a person (phones, e-mail,
identity numbers, bank cards and accounts) and access tokens. Chinese, English, and numbers of other
countries where they are written with their country code or called a phone number.

`find` says what stands in a text; `gate` decides, finding by finding, what may be published all the
same. Names, street addresses and spelled-out English numbers are not found.

Detectors: phone numbers by phonenumbers (Google's libphonenumber), check digits of cards,
accounts and identity numbers by python-stdnum, tokens by a table of documented formats (tokens.py
says why).
"""

from csc_tasks.pii.find import find, find_in_row
from csc_tasks.pii.kinds import ACCOUNT, CARD, EMAIL, IDENTITY, KINDS, PHONE, TOKEN, Match
from csc_tasks.pii.tokens import find_tokens

__all__ = [
    "ACCOUNT",
    "CARD",
    "EMAIL",
    "IDENTITY",
    "KINDS",
    "PHONE",
    "TOKEN",
    "Match",
    "find",
    "find_in_row",
    "find_tokens",
]
