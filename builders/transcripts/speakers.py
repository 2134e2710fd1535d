"""Who is the supporter, who the customer: known names of roles, names that the user gives, and, for
names of people, who talks in more of the conversations.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from builders.transcripts.said import plain_name
from csc_tasks.errors import SettingError
from csc_tasks.shapes import CUSTOMER, SPEAKERS, SUPPORTER

NOBODY = "left out"
"""The role of what no person or bot says: system messages, calls of tools."""

_SUPPORTERS = """
agent assistant support supporter bot chatbot admin administrator operator advisor adviser
representative rep gpt model ai chatgpt employee staff team teammate helper wizard sys csr
customer_service customer_support service consultant clerk human_agent virtual_agent bot_agent
agent_bot outbound outgoing out business company seller specialist tech technician expert
support_agent
customer_service_agent service_agent live_agent help_desk helpdesk moderator kundenservice
soporte agente sachbearbeiter
"""
_CUSTOMERS = """
customer client user end_user enduser human visitor contact lead requester guest caller buyer
consumer patient member subscriber inbound incoming in usr shopper prompter passenger kunde cliente
borrower account_holder
"""
_NOBODY = """
system tool function function_call function_response observation developer action tool_call
tool_result ivr automation trigger event log note environment context api
"""

ROLES = {
    **dict.fromkeys(_SUPPORTERS.split(), SUPPORTER),
    **dict.fromkeys(_CUSTOMERS.split(), CUSTOMER),
    **dict.fromkeys(_NOBODY.split(), NOBODY),
    **{plain_name(name): role for name, role in SPEAKERS.items()},
}
"""A speaker's plain name -> role."""

_NUMBERED = re.compile(r"_?\d+$")


@dataclass(frozen=True, slots=True)
class Label:
    """A name that speakers have in a source: its role ("" where nothing tells it), in how many
    conversations it stands, and why it has its role.
    """

    name: str
    role: str
    conversations: int
    why: str


def known_role(name: str) -> str:
    """The role that a name says by itself ("Agent", "end-user", "bot 2"); "" for any other."""
    plain = plain_name(name)
    return ROLES.get(plain) or ROLES.get(_NUMBERED.sub("", plain), "")


def parse_agents(text: str) -> frozenset[str]:
    """`"Support,Bot"` -> the names, in the form in which they are compared."""
    return frozenset(filter(None, (plain_name(name) for name in text.split(","))))


def first_roles(
    counts: Iterable[tuple[str, int]], agents: frozenset[str]
) -> Iterable[tuple[str, str, str]]:
    """(name, role, why) of every name; role "" where the name does not say it.

    Where agents are given, they alone are supporters among the names that say nothing, and a name
    that says it is a supporter's stays one.
    """
    for name, _ in counts:
        if plain_name(name) in agents:
            yield name, SUPPORTER, "--agents"
        elif role := known_role(name):
            yield name, role, "by its name"
        elif agents:
            yield name, CUSTOMER, "not among --agents"
        else:
            yield name, "", ""


def check_agents(agents: frozenset[str], names: Iterable[str]) -> None:
    """Raise SettingError for an agent that speaks nowhere."""
    there = {plain_name(name): name for name in names}
    if missing := sorted(agents - there.keys()):
        shown = ", ".join(sorted(there.values())[:20])
        raise SettingError(
            f"--agents {', '.join(missing)}: nobody has this name; there are {shown}"
        )


def unknown_roles(undecided: Mapping[str, int], ambiguous: int) -> str:
    """The error for conversations in which names do not tell who is who."""
    most = sorted(undecided.items(), key=lambda item: (-item[1], item[0]))[:8]
    names = ", ".join(f"{name!r} ({n:,})" for name, n in most)
    more = f" and {len(undecided) - 8:,} more" if len(undecided) > 8 else ""
    return (
        f"cannot tell who is the supporter in {ambiguous:,} conversations; speakers (in how many"
        f" conversations): {names}{more}; give --agents NAME,NAME"
    )


def decided(
    casts: Iterable[list[tuple[str, int, str]]],
) -> tuple[list[tuple[str, str, str]], int, int]:
    """(name, role, why) of names that say nothing, by the conversations (name, in how many
    conversations, role) they stand in; in how many of these nothing tells who is who, and how many
    there are.

    Beside a known supporter somebody is a customer, beside a known customer a supporter; of several
    unknown ones the supporter is who talks in most conversations.
    """
    votes: dict[str, Counter[str]] = {}
    ambiguous = total = 0
    for cast in casts:
        total += 1
        chosen = _chosen(cast)
        ambiguous += not chosen
        for name, role in chosen:
            votes.setdefault(name, Counter())[role] += 1
    roles = []
    for name, own in votes.items():
        role = SUPPORTER if own[SUPPORTER] > own[CUSTOMER] else CUSTOMER
        why = f"guessed: so in {own[role]:,} of {own.total():,} conversations"
        roles.append((name, role, why))
    return roles, ambiguous, total


def _chosen(cast: list[tuple[str, int, str]]) -> list[tuple[str, str]]:
    """The roles of the names in one conversation that say nothing; none where nothing tells."""
    unknown = sorted(
        ((conversations, name) for name, conversations, role in cast if not role), reverse=True
    )
    roles = {role for _, _, role in cast}
    if SUPPORTER in roles and CUSTOMER not in roles:
        return [(name, CUSTOMER) for _, name in unknown]
    if CUSTOMER in roles and SUPPORTER not in roles:
        return [(name, SUPPORTER) for _, name in unknown]
    if SUPPORTER in roles:
        # A third party, such as whoever takes over from a bot.
        return [(name, SUPPORTER if n > 1 else CUSTOMER) for n, name in unknown]
    if len(unknown) == 1 or unknown[0][0] == unknown[1][0]:
        return []
    return [(name, CUSTOMER if i else SUPPORTER) for i, (_, name) in enumerate(unknown)]
