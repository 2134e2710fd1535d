"""How a model's chat template is used:

Its family, system role, date, thinking, and the marks that end a reply.
"""

from collections.abc import Iterator

from csc_tasks import thinking
from csc_tasks.doctor import BROKEN, NOTE, OK, Finding
from csc_tasks.doctor.subject import Subject
from csc_tasks.errors import CscError
from csc_tasks.prompts import DATE, ChatTemplate, of_tokenizer
from csc_tasks.stops import last_token, special_tokens, stop_tokens, through_first

FAMILIES = {
    "gpt-oss (harmony)": "<|start|>user<|message|>",
    "ChatML": "<|im_start|>",
    "Llama 3": "<|start_header_id|>",
    "Llama 4": "<|header_start|>",
    "Llama 2 or Mistral": "[INST]",
    "Gemma": "<start_of_turn>",
    "Gemma 4": "<|turn>",
    "DeepSeek": "<｜User｜>",
    "Command": "<|START_OF_TURN_TOKEN|>",
    "Granite": "<|start_of_role|>",
    "Seed": "<seed:bos>",
    "GLM": "[gMASK]",
    "Phi": "<|user|>",
}
"""What a family of chat templates is called -> a mark that its prompts have."""

SHOWN = 40
"""How much of a prompt's end is shown, in characters."""

_ANSWER = "probe-of-an-answer"
_QUESTION = [{"role": "user", "content": "probe-of-a-question"}]
_ANSWERED = [*_QUESTION, {"role": "assistant", "content": _ANSWER}]


def template_findings(subject: Subject) -> Iterator[Finding]:
    """The findings about a model's chat template;

    Sets `subject.stop` where replies do not stop by themselves.
    """
    tokenizer = subject.tokenizer
    if not subject.templated:
        text = "none: prompts are plain text (csc_prompt=single), up to the next speaker's line"
        yield Finding(NOTE, "chat template", text, "chat style takes an instruction-tuned model")
        yield stops(subject, tokenizer.eos_token or "")
        return
    how = thinking.of_tokenizer(tokenizer)
    template = ChatTemplate(of_tokenizer(tokenizer, **how.switch))
    try:
        prompt = str(template.render(_QUESTION))
        content = "text parts" if template.needs_parts else "plain text"
        whole = str(template.render(_ANSWERED, answered=True))
    except CscError as error:
        yield Finding(BROKEN, "chat template", str(error))
        return
    family = next((name for name, mark in FAMILIES.items() if mark in prompt), "of its own")
    text = f"{family}; takes {content}; prompts end in {prompt[-SHOWN:]!r}"
    yield Finding(OK, "chat template", text)
    hidden = "refused or hidden: instructions open the first user message instead"
    yield Finding(OK, "system role", "shown" if template.shows_system else hidden)
    try:
        template([*_ANSWERED, *_QUESTION])
    except CscError as error:
        yield Finding(NOTE, "chat style", str(error))
    yield thinking_finding(how)
    if template.prints_date:
        text = (
            f"the template prints today's: it is given {DATE} (csc_date), so that runs ask the same"
        )
        yield Finding(OK, "date", text)
    after = whole.rpartition(_ANSWER)[2]
    end = through_first(after, special_tokens(tokenizer)) or tokenizer.eos_token or ""
    yield stops(subject, end)


def thinking_finding(how: thinking.Thinking) -> Finding:
    """How the model thinks aloud, and what a run does about it by default."""
    if how.thinks is False or how.family is None:
        return Finding(OK, "thinking", how.describe())
    if how.switch:
        done = "that is done in every run unless csc_think_tokens=N gives it room"
        return Finding(OK, "thinking", f"{how.describe()}; {done}")
    done = "replies get more tokens for it (csc_think_tokens), and it is taken out of them"
    return Finding(NOTE, "thinking", f"{how.describe()}; {done}")


def stops(subject: Subject, end: str) -> Finding:
    """Where generation stops, against `end`, which the template puts behind a reply."""
    tokenizer = subject.tokenizer
    if not end:
        text = "neither template nor tokenizer has a mark that ends a reply"
        return Finding(
            NOTE, "stops", text, "every reply is max_gen_toks long; add until=... to --gen_kwargs"
        )
    tokens = stop_tokens(str(subject.folder), None, tokenizer, subject.config)
    shown = ", ".join(tokenizer.decode([token]) for token in sorted(tokens)) or "none"
    last = last_token(tokenizer, end)
    if last in tokens:
        return Finding(OK, "stops", f"{shown}; a turn ends with {tokenizer.decode([last])}")
    subject.stop = tokenizer.decode([last])
    text = f"{shown}; a turn ends with {subject.stop}, where generation goes on"
    return Finding(NOTE, "stops", text, "the command below names it")
