"""What a run that fails says to people: the commonest problem, a reply with it, what was spent and
which option may help.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from csc_tasks.llm.answers import CUT
from csc_tasks.llm.outcomes import TIMED_OUT, Dropped, Malformed, Refused
from csc_tasks.llm.responses import NO_GRAMMAR, TOO_LARGE, TOO_LONG
from csc_tasks.llm.sending import UNREACHABLE
from csc_tasks.refusals import shortened

SAMPLE, PROBLEM = 300, 400


@dataclass(frozen=True, slots=True)
class Settings:
    """What the stage that fails was asked with. `form`: how JSON was asked for, "" where it was
    not; `tokens`: the most of a reply, None for no bound.
    """

    stage: str
    model: str
    form: str
    tokens: int | None
    timeout: float
    concurrency: int


def diagnosis(
    alike: Sequence[Dropped], of: int, spent: str, settings: Settings, stops: bool = True
) -> str:
    """What failed, for people: the commonest problem, a sample reply, what was `spent`, what to
    change. `stops`: whether the run ends with it.
    """
    error = alike[-1]
    problems = Counter(failed.detail or failed.reason for failed in alike)
    problem, count = problems.most_common(1)[0]
    lines = [
        (
            f"{len(alike):,} of the last {of:,} failed alike, so the run stops here: {error.reason}"
            if stops
            else f"{len(alike):,} of {of:,} failed alike: {error.reason}"
        ),
        f"  the commonest problem ({count:,} times): {_one_line(problem, PROBLEM)}",
    ]
    if sample := _sample(alike, problem):
        lines.append(f"  a reply with it: {sample}")
    lines.append(f"  asked: {settings.model}; {spent}")
    lines.append(f"  what may help: {_help(error, problem, settings)}")
    if stops:
        lines.append(
            "  every reply is in the journal; --stop-after-failures 0 goes on in spite of all this"
        )
    return "\n".join(lines)


def _sample(alike: Sequence[Dropped], problem: str) -> str:
    """The start of one reply with this problem."""
    for error in alike:
        if isinstance(error, Malformed) and error.detail == problem:
            text, thinking = error.answer.text, error.answer.thinking
            if text.strip():
                return repr(_one_line(text, SAMPLE))
            if thinking.strip():
                return f"no text, only thinking: {_one_line(thinking, SAMPLE)!r}"
    return ""


def _help(error: Dropped, problem: str, settings: Settings) -> str:
    """The options that change what failed."""
    stage, tokens = settings.stage, settings.tokens
    other = f"another model for it (--llm {stage}=BACKEND:MODEL)"
    if isinstance(error, Refused):
        return other
    more = f"--max-tokens {stage}={4 * tokens}" if tokens else "a server with a larger context"
    if isinstance(error, Malformed):
        if problem.startswith(CUT) or (not error.answer.text.strip() and error.answer.thinking):
            return f"{more} (now {tokens or 'unbounded'}), or {other}"
        if not settings.form:
            return other
        form = "json-schema" if settings.form in ("json-object", "text") else "json-object"
        return f"{other}, or --response-format {stage}={form} (now {settings.form})"
    less = f"--max-tokens {stage}={max(256, tokens // 2)}" if tokens else "--max-tokens"
    known = {
        TIMED_OUT: (
            f"--timeout above {settings.timeout:g}, --concurrency below"
            f" {settings.concurrency}, {less}"
        ),
        TOO_LONG: f"a model or server with a larger context for {stage}",
        TOO_LARGE: "a server that takes larger requests",
        NO_GRAMMAR: f"--response-format {stage}=text",
        UNREACHABLE: "the server's own log",
    }
    why = error.reason.removeprefix(f"{stage}: ")
    return known.get(why, "what the server says; --sampling leaves a field out with null")


def _one_line(text: str, most: int) -> str:
    return shortened(" ".join(text.split()), most)
