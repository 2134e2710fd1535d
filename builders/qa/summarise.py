"""Running summaries: the summary before a question is made from the last one that held and the
turns since, within a bound of tokens.

The turns of a long conversation are so sent once each and not once a question. A summary that is
longer than the bound is asked for again, with its length, a bounded number of times; then its pair
is dropped. Nothing is cut. So is one that is none: a refusal, a text in another language.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from builders.qa.conversations import Chosen
from builders.qa.tokens import TokenCounter
from builders.transcript import history
from builders.wording import templates, words
from csc_tasks.errors import SettingError
from csc_tasks.languages import language as of
from csc_tasks.languages.detect import in_another_language
from csc_tasks.llm.accepted import REPLY_TOKENS
from csc_tasks.llm.client import LLM
from csc_tasks.llm.outcomes import Dropped
from csc_tasks.llm.prompting import chat_messages, placeholders
from csc_tasks.llm.repair import excerpt, with_repair
from csc_tasks.llm.reply_form import clean_text
from csc_tasks.llm.unwanted import control_character, loop, placeholders_beyond, refusal
from csc_tasks.reading import read_text

SPARE = 4
TOO_LONG = "more tokens than allowed"
VALUES = {"earlier", "turns", "tokens", "words"}


@dataclass(frozen=True, slots=True)
class Variant:
    """One kind of summary: the config `qa` (no name) or `qa_<name>`.

    `tokens` bounds a summary, `llm` is the spec of its model ("" for that of the stage summary),
    `template` its prompt ("" for ours).
    """

    name: str = ""
    tokens: int = 250
    llm: str = ""
    template: str = ""

    @property
    def config(self) -> str:
        return f"qa_{self.name}" if self.name else "qa"

    @property
    def stage(self) -> str:
        return f"summary_{self.name}" if self.name else "summary"

    @classmethod
    def parse(cls, text: str, tokens: int) -> "Variant":
        """`NAME=tokens:64,llm:openai:MODEL,prompt:FILE`, every part but one optional; `tokens`
        where none is given. Raises SettingError.
        """
        name, _, rest = text.partition("=")
        parts = [part.partition(":") for part in rest.split(",")]
        given = {key: value for key, _, value in parts}
        if (
            not re.fullmatch(r"\w+", name, re.ASCII)
            or len(given) < len(parts)
            or not all(given.values())
            or given.keys() - _PARTS
        ):
            raise SettingError(
                f"--variant {text!r} is not NAME=tokens:64[,llm:openai:MODEL][,prompt:FILE] (a part"
                " once, one at least)"
            )
        if "tokens" in given and not (given["tokens"].isdecimal() and int(given["tokens"])):
            raise SettingError(
                f"--variant {text!r}: tokens {given['tokens']!r} is not a number from 1 on"
            )
        template = _read_template(given["prompt"]) if "prompt" in given else ""
        return cls(name, int(given.get("tokens", tokens)), given.get("llm", ""), template)

    def messages(self, language: str, values: Mapping[str, str]) -> list[dict]:
        """The prompt; a template of the user's need not have a place for every value."""
        if not self.template:
            return templates(language).messages("qa_summary", **values)
        used = {key: value for key, value in values.items() if key in placeholders(self.template)}
        return chat_messages(self.template, used, f"the prompt of --variant {self.name}")


_PARTS = {"tokens", "llm", "prompt"}


class Summariser:
    """Makes the summaries of one variant. `again` counts those asked for again, `counted_by` who
    counted the tokens of the kept ones.
    """

    def __init__(self, llm: LLM, variant: Variant, counter: TokenCounter) -> None:
        self.llm, self.variant, self.counter = llm, variant, counter
        self.again = 0
        self.counted_by: Counter = Counter()

    async def run(self, chosen: Chosen) -> dict[int, str | Dropped]:
        """Wanted pair -> its summary, or why there is none. A pair without history has the empty
        summary and costs no request.

        When a summary fails, the next one is made from the one before it and all turns since.
        """
        summaries: dict[int, str | Dropped] = {}
        earlier, told = "", 0
        for pair in chosen.wanted:
            asked = chosen.asked[pair]
            if asked == 0:
                summaries[pair] = ""
                continue
            try:
                earlier = summaries[pair] = await self._summary(chosen, pair, earlier, told)
                told = asked
            except Dropped as error:
                summaries[pair] = error
        return summaries

    async def _summary(self, chosen, pair, earlier, told):
        language, most = chosen.raw.language, self.variant.tokens
        turns = history(chosen.raw.turns[told : chosen.asked[pair]], language, strategies=False)
        values = {"earlier": earlier or words(language).no_summary, "turns": turns}
        values |= {"tokens": str(most), "words": str(_words(most, language))}
        messages = self.variant.messages(language, values)
        given = "\n".join((earlier, turns))
        item_id = f"{chosen.conversation_id}/{pair}"
        # As often as the layer below asks for a reply of the right form.
        for attempt in range(self.llm.attempts):
            answer = await self.llm.ask(
                stage=self.variant.stage,
                messages=messages,
                item_id=item_id,
                repeat=attempt,
                sampling={"temperature": 0},
                # A summary beyond its bound is asked for again in words; cut, it says too little.
                tokens=max(REPLY_TOKENS, SPARE * most),
                language=language,
            )
            tokens, by = self.counter.count(answer)
            if unfit := not_a_summary(answer.text, given, language):
                reason, detail = unfit
                problem = f"it {reason}: {detail}" if detail else f"it {reason}"
                messages = with_repair(messages, answer.text, problem, language)
                continue
            if tokens <= most:
                self.counted_by[by] += 1
                return clean_text(answer.text)
            reason, detail = TOO_LONG, f"{tokens} tokens, {most} allowed"
            self.again += attempt == 0
            fewer = {
                "counted": str(tokens),
                "tokens": str(most),
                "words": str(max(8, _words(most, language) * most // tokens)),
            }
            messages = [
                *messages,
                {"role": "assistant", "content": excerpt(answer.text)},
                *templates(language).messages("qa_summary_again", **fewer),
            ]
        raise Dropped(f"{self.variant.stage}: {reason}", detail)


def not_a_summary(text: str, given: str, language: str) -> tuple[str, str] | None:
    """(why, the words) where `text` cannot be a summary in `language` of what was `given`, else
    None.
    """
    if words_of_refusal := refusal(text):
        return "declines", words_of_refusal
    if bad := control_character(text):
        return "holds a control character", bad
    if piece := loop(" ".join(text.split())):
        return "says the same over and over", piece[:60]
    if unfilled := placeholders_beyond(text, given):
        return "holds a placeholder", unfilled[0]
    if in_another_language(text, language):
        return "is in another language", f"not in {of(language).name}"
    return None


def _words(tokens: int, language: str) -> int:
    """About how many words (characters where words are not spaced) surely fit: models count words
    better than tokens.
    """
    return max(8, tokens * 3 // 5 if of(language).text.spaced else tokens * 4 // 5)


def _read_template(path: str) -> str:
    text = read_text(Path(path), "give the file of a prompt", f"--variant: the prompt {path}")
    places = placeholders(text)
    if not {"earlier", "turns"} <= places or places - VALUES:
        raise SettingError(
            f"--variant: the prompt {path} needs ${{earlier}} and ${{turns}}, may have ${{tokens}}"
            f" and ${{words}}, and has {', '.join(sorted(places)) or 'no places'}"
        )
    return text
