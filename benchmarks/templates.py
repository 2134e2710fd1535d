"""What the project does with every chat template it can find: form, system role, date, thinking,
and whether replies come back.

  python -m benchmarks.templates [PATH ...] [--write docs/templates.md]

PATH is a folder, a wheel, a source archive or a single file; without one the templates of the
installed TRL and transformers are read. Looked at are *.jinja files, `chat_template` entries of
JSON files, GGUF files (where the library gguf is installed) and string constants of Python files.
Templates are read and never copied. Prints a Markdown table, or puts it between the marks of the
file to write.
"""

import argparse
import ast
import hashlib
import json
import re
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata, resources
from pathlib import Path

from csc_tasks import corpora, thinking
from csc_tasks.errors import ModelError
from csc_tasks.prompts import (
    TurnPrompt,
    hides_history,
    needs_parts,
    of_tokenizer,
    prints_date,
    read_reply,
    shows_system,
)

INSTALLED = ("trl", "transformers")
SUFFIXES = {".jinja", ".jinja2", ".json", ".gguf", ".py"}
HEADER = (
    "template",
    "id",
    "found in",
    "turns",
    "thinking",
    "system",
    "text",
    "date",
    "replies come back",
    "result",
)
START, END = "<!-- generated: templates -->", "<!-- end: templates -->"

# What a turn is marked with, most specific first: templates of one family are told by it.
TURNS = {
    "<|channel|>": "Harmony",
    "<|im_start|>": "ChatML",
    "<|im_user|>": "Kimi",
    "<|header_start|>": "Llama 4",
    "<|start_header_id|>": "Llama 3",
    "<|turn>": "Gemma 4",
    "<start_of_turn>": "Gemma",
    "<|START_OF_TURN_TOKEN|>": "Command",
    "<｜User｜>": "DeepSeek",
    "[gMASK]": "GLM",
    "<|start_of_role|>": "Granite",
    "<seed:bos>": "Seed",
    "<end_of_utterance>": "Idefics",
    "]~b]": "MiniMax",
    "[|user|]": "EXAONE",
    "[INST]": "Mistral",
    "<|start|>": "Muse Glimmer",
    "<|user|>": "Phi, Zephyr",
    "<|user_start|>": "Apertus",
    "### Instruction": "Alpaca",
    "USER:": "Vicuna",
}
# Tokens that stand for marks and not for text, as the tokenizers of these families have them;
# <think> is none in most.
SPECIAL = re.compile(
    r"<\|[^|<>\s{}'\"]+\|>|<｜[^｜<>]+｜>|<\|[a-z_]+>|<[a-z_]+\|>|</?s>|<(?:start|end)_of_\w+>|<[be]os>|<sop>|</?seed:[a-z_]+>"
    r"|\[/?(?:INST|THINK|SYSTEM_PROMPT)\]|\[gMASK\]|\[\|?/?\w+\|\]"
)
ADDED = re.compile(r"</?think>")
_ANSWER = "probe-of-an-answer"


@dataclass
class Template:
    """One chat template and where it was found."""

    name: str
    text: str
    sources: list[str] = field(default_factory=list)

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()[:8]


# Finding


def find(paths: Iterable[Path]) -> list[Template]:
    """Every different template below the paths, by name."""
    found: dict[str, Template] = {}
    for path in paths:
        for file, data in files(path):
            for name, text in templates_in(file, data):
                template = found.setdefault(text.strip(), Template(name, text))
                if (source := label(path)) not in template.sources:
                    template.sources.append(source)
    return sorted(found.values(), key=lambda template: (template.name.lower(), template.digest))


def label(path: Path) -> str:
    """A package and its version, or the name of a file or folder."""
    if path.name in INSTALLED:
        return f"{path.name} {metadata.version(path.name)}"
    known = re.match(r"([\w.]+?)-(\d[\w.]*?)(?:-|\.tar\.gz$|\.whl$|\.zip$)", path.name)
    return f"{known[1]} {known[2]}" if known else path.name


def files(path: Path) -> Iterator[tuple[str, bytes]]:
    """(name, content) of the files that may hold a template."""
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.suffix in SUFFIXES and file.is_file():
                yield str(file.relative_to(path)), file.read_bytes()
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in sorted(archive.namelist()):
                if Path(name).suffix in SUFFIXES:
                    yield name, archive.read(name)
    elif tarfile.is_tarfile(path):
        with tarfile.open(path) as archive:
            for member in archive:
                if member.isfile() and Path(member.name).suffix in SUFFIXES:
                    yield member.name, archive.extractfile(member).read()
    else:
        yield path.name, path.read_bytes()


def templates_in(file: str, data: bytes) -> Iterator[tuple[str, str]]:
    """(name, template) for every chat template in a file."""
    path = Path(file)
    if b"{%" not in data:
        return
    if path.suffix == ".gguf":
        found = in_gguf(path, data)
    else:
        text = data.decode("utf-8", errors="replace")
        found = {".json": in_json, ".py": in_python}.get(path.suffix, in_jinja)(path, text)
    for name, text in found:
        if is_chat_template(text):
            yield name, text


def is_chat_template(text: str) -> bool:
    """Whether this is a Jinja template that goes through messages."""
    import jinja2

    if len(text) < 150 or not re.search(
        r"\{%.*\b(for \w+ in \w*messages|messages\[)", text, re.DOTALL
    ):
        return False
    try:
        jinja2.Environment(extensions=["jinja2.ext.loopcontrols"]).parse(
            re.sub(r"\{%-?\s*(?:end)?generation\s*-?%\}", "", text)
        )
    except jinja2.exceptions.TemplateSyntaxError:
        return False
    return "{{" in text


def in_jinja(path: Path, text: str) -> list[tuple[str, str]]:
    return [(path.stem, text)]


def in_json(path: Path, text: str) -> list[tuple[str, str]]:
    try:
        content = json.loads(text)
    except ValueError:
        return []
    found = content.get("chat_template") if isinstance(content, dict) else None
    if isinstance(found, list):
        found = {one.get("name"): one.get("template") for one in found if isinstance(one, dict)}
    named = found if isinstance(found, dict) else {"": found}
    return [
        (f"{path.parent.name or path.stem}{name and ':' + name}", one)
        for name, one in named.items()
        if isinstance(one, str)
    ]


def in_python(path: Path, text: str) -> list[tuple[str, str]]:
    """String constants, named by what they are assigned to or else by their line."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return []
    names: dict[int, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            names[id(node.value)] = node.targets[0].id
        elif isinstance(node, ast.Dict):
            names |= {
                id(value): str(key.value)
                for key, value in zip(node.keys, node.values, strict=True)
                if isinstance(key, ast.Constant)
            }
    constants = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    return [(f"{path.stem}:{names.get(id(node), node.lineno)}", node.value) for node in constants]


def in_gguf(path: Path, data: bytes) -> list[tuple[str, str]]:
    try:
        from gguf import GGUFReader
    except ModuleNotFoundError:
        print(f"{path}: not read, because the library gguf is not installed", file=sys.stderr)
        return []
    with tempfile.NamedTemporaryFile(suffix=".gguf") as file:
        file.write(data)
        file.flush()
        entry = GGUFReader(file.name).get_field("tokenizer.chat_template")
        return [(path.stem, bytes(entry.parts[entry.data[0]]).decode())] if entry else []


# Examining


def examine(template: Template) -> dict[str, str]:
    """A row of the table: column -> cell."""
    row = dict.fromkeys(HEADER, "–") | {
        "template": template.name,
        "id": template.digest,
        "found in": ", ".join(template.sources),
    }
    row["turns"] = next((family for mark, family in TURNS.items() if mark in template.text), "–")
    tokenizer = make_tokenizer(template.text)
    apply = of_tokenizer(tokenizer)
    try:
        row["text"] = "parts" if needs_parts(apply) else "plain"
    except ModelError as error:
        return row | {"result": f"refused: {shortened(error)}"}
    row["system"] = "shown" if shows_system(apply) else "moved"
    row["date"] = "pinned" if prints_date(apply) else "–"
    row["thinking"] = thinking_of(thinking.of_tokenizer(tokenizer))
    hidden = hides_history(apply)
    row["result"] = f"single style only: {shortened(hidden)}" if hidden else "used"
    try:
        faults = round_trip(tokenizer, ("single",) if hidden else ("single", "chat"))
    except ModelError as error:
        return row | {
            "replies come back": "no training",
            "result": f"{row['result']}; no training: {shortened(error)}",
        }
    row["replies come back"] = "; ".join(faults) or "yes"
    return row


def thinking_of(found) -> str:
    """How a model thinks aloud, in a cell."""
    if found.family is None or found.thinks is False:
        return "–"
    opens = (
        "may"
        if found.thinks is None
        else "opened in the prompt"
        if found.opened
        else "opened by the model"
    )
    off = ", ".join(f"{name}={value}" for name, value in found.switch.items())
    return f"{found.family.name}, {opens}{', off: ' + off if off else ''}"


def round_trip(tokenizer, styles: Iterable[str]) -> list[str]:
    """What goes wrong when targets are rendered, decoded as a backend decodes replies, and read:
    nothing, or where it does.
    """
    from trainers.rendering import Rendering

    rendering = Rendering(tokenizer, True)
    thinks = thinking.of_tokenizer(tokenizer, rendering.template_arguments)
    faults = []
    for style in styles:
        for conversation in conversations():
            turn = conversation.scored_turns()[-1]
            gold, prompt = conversation.dialogue[turn], TurnPrompt(conversation, turn, style)
            (exchange,) = rendering.exchanges([(prompt, prompt.target())])
            written = thinking.decode(
                exchange.target,
                thinking.special_marks(tokenizer),
                lambda tokens: tokenizer.decode(tokens, skip_special_tokens=True),
            )
            reply = read_reply(thinking.separate(written, thinks).text)
            if (reply.strategy, reply.text) != (gold.strategy, gold.text):
                faults.append(f"not in {style} style, {conversation.language}: {written[:60]!r}")
    return faults


@cache
def conversations() -> list:
    """One conversation in each language of the demo corpus."""
    items = corpora.load("demo", "csconv", "test").items
    return [next(item for item in items if item.language == language) for language in ("en", "zh")]


def make_tokenizer(text: str):
    """A tokenizer of bytes and of a template's marks, which ends a text as the template ends a
    turn.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    def make(special: Iterable[str], end: str):
        letters = sorted(pre_tokenizers.ByteLevel.alphabet())
        bare = Tokenizer(models.BPE({letter: number for number, letter in enumerate(letters)}, []))
        bare.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        bare.decoder = decoders.ByteLevel()
        bare.add_special_tokens(list(dict.fromkeys(["<s>", "</s>", *special])))
        bare.add_tokens(
            [
                AddedToken(mark, special=False, normalized=False)
                for mark in dict.fromkeys(ADDED.findall(text))
            ]
        )
        return PreTrainedTokenizerFast(
            tokenizer_object=bare,
            bos_token="<s>",
            eos_token=end,
            pad_token="<s>",
            chat_template=text,
            clean_up_tokenization_spaces=False,
        )

    # Some marks are put together from pieces and show in a prompt only.
    said = [{"role": "user", "content": "Hello?"}, {"role": "assistant", "content": _ANSWER}]
    shown = ""
    for parts in (False, True):
        messages = (
            [m | {"content": [{"type": "text", "text": m["content"]}]} for m in said]
            if parts
            else said
        )
        try:
            shown = of_tokenizer(make([], "</s>"))(messages, answered=True)
        except Exception:
            # Templates are programs of others, which may raise anything; whether this one can be
            # used at all is examined later.
            continue
        if _ANSWER in shown:
            break
    end = SPECIAL.search(shown.rpartition(_ANSWER)[2])
    return make(SPECIAL.findall(text + shown), end[0] if end else "</s>")


def shortened(error: object) -> str:
    """The fault in an error's text, without the way out."""
    said = re.sub(r"^this (?:model|tokenizer)'s chat template ", "", str(error))
    return said.split("; ")[0][:160]


# Writing


def table(rows: Iterable[dict[str, str]]) -> str:
    """The rows in Markdown."""
    cells = [HEADER, ["---"] * len(HEADER), *([row[name] for name in HEADER] for row in rows)]
    return "\n".join(
        "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in line) + " |"
        for line in cells
    )


def report(templates: Iterable[Template]) -> str:
    """The table, and what its rows add up to."""
    rows = sorted(
        map(examine, templates), key=lambda row: (row["turns"], row["template"].lower(), row["id"])
    )
    counted = {
        "templates": len(rows),
        "used in both styles": sum(row["result"] == "used" for row in rows),
        "refused": sum(row["result"].startswith("refused") for row in rows),
        "with the system message moved": sum(row["system"] == "moved" for row in rows),
        "given text parts": sum(row["text"] == "parts" for row in rows),
        "given the pinned date": sum(row["date"] == "pinned" for row in rows),
        "with thinking": sum(row["thinking"] != "–" for row in rows),
        "whose replies come back": sum(row["replies come back"] == "yes" for row in rows),
    }
    return ", ".join(f"{count} {what}" for what, count in counted.items()) + ".\n\n" + table(rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "paths",
        nargs="*",
        type=Path,
        metavar="PATH",
        help="folders, wheels, archives or files to look at",
    )
    parser.add_argument(
        "--write",
        type=Path,
        metavar="FILE",
        help=f"put the table between {START} and {END} of this file",
    )
    args = parser.parse_args()
    paths = args.paths or [Path(str(resources.files(name))) for name in INSTALLED]
    text = report(find(paths))
    if args.write is None:
        print(text)
        return
    page = args.write.read_text(encoding="utf-8")
    before, after = page.split(START)[0], page.split(END)[1]
    args.write.write_text(f"{before}{START}\n\n{text}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
