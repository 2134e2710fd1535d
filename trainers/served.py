"""What a merged model's folder says about prompts and replies.

Whoever serves the model then sends it what it was trained on.

An adapter is scored with arguments on the command line: thinking is switched off there, and a mark
to stop at is named. A merged model is served by programs that know none of that, so its chat
template does it by itself (no thinking unless a request asks for it) and its generation config
names the mark.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from csc_tasks.errors import ModelError
from csc_tasks.prompts import ChatTemplate, of_tokenizer
from trainers.rendering import Rendering, encode
from trainers.rows import Asked


def template_as_trained(tokenizer, rendering: Rendering, asked: Sequence[Asked]) -> list[str]:
    """Change the tokenizer's chat template where it renders other prompts than in training.

    `asked` are prompts and targets to try it with. Returns one line about each change; a template
    that needs none is left alone.
    """
    lines: list[str] = []
    if rendering.template is None:
        return lines
    templates = tokenizer.chat_template
    named = isinstance(templates, Mapping)
    templates = dict(templates) if named else {"default": templates}
    if _served(tokenizer, rendering, asked) != [rendering.text(prompt) for prompt, _ in asked]:
        templates = {
            name: _defaults(rendering.template_arguments) + text for name, text in templates.items()
        }
        shown = ", ".join(f"{name}={value}" for name, value in rendering.template_arguments.items())
        lines.append(
            f"thinking: switched off in the chat template ({shown}), as in training, "
            "unless a request asks for it"
        )
    if rendering.closes_thinking and _can_close(rendering, asked):
        templates["default"] = _closed(templates["default"], rendering.opening)
        lines.append(
            "thinking: the chat template closes it where it opens it, as targets did in training"
        )
    if lines:
        tokenizer.chat_template = templates if named else templates["default"]
    return lines


def check_prompts(tokenizer, rendering: Rendering, asked: Sequence[Asked]) -> None:
    """Raise ModelError unless `tokenizer`, given no arguments, renders the prompts of training.

    They are compared token by token.

    What targets opened with, where they closed a thought, may stand at the end of its prompts.
    """
    if rendering.template is None:
        return
    for (prompt, _), exchange, served in zip(
        asked, rendering.exchanges(asked), _served(tokenizer, rendering, asked), strict=True
    ):
        trained = rendering.text(prompt)
        ids = encode(tokenizer, [served])[0]
        row = exchange.prompt + exchange.target
        if served not in (trained, trained + rendering.opening) or row[: len(ids)] != ids:
            raise ModelError(
                "nothing is written: the merged model's chat template would not render the prompts "
                f"it was trained on (they end in {trained[-60:]!r}, its in {served[-60:]!r}); "
                "score and serve base and adapter instead"
            )


def name_stop(folder: Path, token: int) -> bool:
    """Add a token to those at which generation stops;

    False where generation_config.json names it already.
    """
    file = folder / "generation_config.json"
    # Not by transformers: it refuses to save what many bases come with, such as a temperature
    # beside greedy decoding.
    settings = json.loads(file.read_text(encoding="utf-8"))
    stops = settings.get("eos_token_id")
    if not isinstance(stops, list):
        stops = [] if stops is None else [stops]
    if token in stops:
        return False
    settings["eos_token_id"] = [*stops, token]
    # Else transformers takes the list from the model's configuration instead.
    settings.pop("_from_model_config", None)
    file.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    return True


def _served(tokenizer, rendering: Rendering, asked: Sequence[Asked]) -> list[str]:
    """The prompts as the template renders them without arguments, on the day of training."""
    template = ChatTemplate(of_tokenizer(tokenizer), rendering.today)
    return [str(template(prompt.messages())) for prompt, _ in asked]


def _can_close(rendering: Rendering, asked: Sequence[Asked]) -> bool:
    """Whether the tokens of a prompt with its thought closed are those of training.

    Where one token runs over the end of the closing mark into the reply, they are not; then the
    model closes the thought itself, as it was trained to.
    """
    closed = encode(
        rendering.tokenizer, [rendering.text(prompt) + rendering.opening for prompt, _ in asked]
    )
    rows = [exchange.prompt + exchange.target for exchange in rendering.exchanges(asked)]
    return all(row[: len(ids)] == ids for row, ids in zip(rows, closed, strict=True))


def _defaults(arguments: Mapping[str, object]) -> str:
    """Jinja that gives template arguments a value unless they are given one.

    Chat templates are rendered with trim_blocks, so that the newline at its end shows nowhere.
    """
    return "".join(
        f"{{% if {name} is not defined %}}{{% set {name} = {json.dumps(value)} %}}{{% endif %}}\n"
        for name, value in arguments.items()
    )


def _closed(template: str, closing: str) -> str:
    """A template with `closing` at the end of its generation prompt."""
    # Jinja drops one newline at a template's end; before something else it would show.
    return (
        template.removesuffix("\n")
        + f"{{% if add_generation_prompt %}}{{{{ {json.dumps(closing)} }}}}{{% endif %}}\n"
    )
