"""The list of chat templates: how templates are found, what a row says, and that the page's rows
are what the code does.
"""

import io
import json
import re
import zipfile
from importlib import resources
from pathlib import Path

import pytest

from benchmarks.templates import HEADER, Template, examine, find, report
from tests.csc_tasks.prompts.test_templates import DATED, HIDING, PARTS, SILENT
from tests.support.models import CHATML, STRICT
from tests.support.thinking_templates import TEMPLATES as THINKING

PAGE = Path(__file__).resolve().parents[1] / "docs" / "templates.md"
# Of each of TRL's families one template; the page holds all of them.
STOCK = (
    "cohere2",
    "deepseek_r1_distill",
    "deepseekv3",
    "gemma",
    "gemma4",
    "glm4moe",
    "gptoss",
    "idefics3",
    "lfm2_2_5",
    "llama3_1",
    "llama3_2",
    "llava_next",
    "muse_glimmer",
    "nemotron_3_nano",
    "phi3_5",
    "qwen2_5_vl",
    "qwen3",
    "qwen3_5_think",
    "smolvlm",
)


def row_of(text, name="x"):
    return examine(Template(name, text, ["here"]))


def page_rows():
    """id -> cells of the page's table."""
    lines = [
        re.split(r"(?<!\\)\|", line)[1:-1]
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if line.startswith("| ")
    ]
    cells = [
        [cell.strip().replace("\\|", "|") for cell in line]
        for line in lines
        if len(line) == len(HEADER)
    ]
    return {row["id"]: row for row in (dict(zip(HEADER, line, strict=True)) for line in cells)}


@pytest.mark.parametrize("name", STOCK)
def test_stock_templates_are_used_and_their_replies_come_back(name):
    text = (
        resources.files("trl")
        .joinpath("chat_templates", f"{name}.jinja")
        .read_text(encoding="utf-8")
    )
    row = row_of(text)
    assert (row["result"], row["replies come back"]) == ("used", "yes")
    assert row["text"] == ("parts" if name in ("idefics3", "llava_next", "smolvlm") else "plain")
    assert row["date"] == (
        "pinned" if name in ("gptoss", "llama3_1", "llama3_2", "muse_glimmer") else "–"
    )
    assert row["system"] == ("moved" if name == "gemma" else "shown")
    listed = page_rows().get(row["id"])
    # A newer TRL may bring another text under this name; the page's text has to be examined as it
    # stands there.
    assert listed is None or {key: row[key] for key in HEADER[3:]} == {
        key: listed[key] for key in HEADER[3:]
    }


def test_the_page_lists_every_template_of_the_trl_it_names():
    stated = {source for row in page_rows().values() for source in row["found in"].split(", ")}
    found = find([Path(str(resources.files("trl")))])
    (source,) = found[0].sources
    assert len(found) > 40
    if source in stated:
        assert {template.digest for template in found} <= set(page_rows())


@pytest.mark.parametrize("name", DATED)
def test_a_date_is_in_the_row(name):
    assert row_of(DATED[name][0])["date"] == "pinned"


@pytest.mark.parametrize("text", PARTS.values(), ids=PARTS)
def test_parts_are_in_the_row(text):
    row = row_of(text)
    assert (row["text"], row["result"], row["replies come back"]) == ("parts", "used", "yes")


@pytest.mark.parametrize("text", SILENT.values(), ids=SILENT)
def test_a_silent_template_is_refused_in_the_row(text):
    assert row_of(text)["result"].startswith("refused: does not show what the user says")


@pytest.mark.parametrize(("fault", "text"), HIDING.items(), ids=map(str, range(len(HIDING))))
def test_a_hiding_template_is_for_one_style(fault, text):
    assert row_of(text)["result"].startswith(f"single style only: {fault}")


def test_system_messages_and_thinking_are_in_the_row():
    assert (row_of(CHATML)["turns"], row_of(CHATML)["system"], row_of(STRICT)["system"]) == (
        "ChatML",
        "shown",
        "moved",
    )
    assert row_of(CHATML)["thinking"] == "–"
    assert row_of(THINKING["always opened"][0])["thinking"] == "think, opened in the prompt"
    assert (
        row_of(THINKING["opened by default"][0])["thinking"]
        == "think, opened in the prompt, off: enable_thinking=False"
    )
    assert (
        row_of(THINKING["by the model"][0])["thinking"]
        == "think, opened by the model, off: enable_thinking=False"
    )


def test_a_reply_that_does_not_come_back_is_shown():
    # The template writes a label before each reply, which it does not write into the prompt, and
    # which is no strategy.
    text = (
        "{% for m in messages %}{% if m.role == 'assistant' %}[Oracle] {% endif %}{{ m.content"
        " }}</s>{% endfor %}"
    )
    assert row_of(text)["replies come back"].startswith("not in single style, en: '[Oracle] [")


def test_a_thought_is_closed_where_the_template_shows_answers_inside_it():
    # As Nemotron Nano 2: the conversation goes on from the prompt, with the answer where the
    # thought should be.
    text = (
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' %}<think>\n{%"
        " endif %}{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt"
        " %}<|im_start|>assistant\n<think>\n{% endif %}"
    )
    row = row_of(text)
    assert (row["thinking"], row["replies come back"]) == ("think, opened in the prompt", "yes")


def test_templates_are_found_in_every_kind_of_file(tmp_path):
    one, two, three, four = (f"{{# {number} #}}{CHATML}" for number in range(4))
    (tmp_path / "a.jinja").write_text(one, encoding="utf-8")
    (tmp_path / "again.jinja").write_text(one, encoding="utf-8")
    (tmp_path / "no_template.jinja").write_text(
        "{% for line in lines %}{{ line }}{% endfor %}" * 5, encoding="utf-8"
    )
    (tmp_path / "broken.jinja").write_text(one + "{% endif %}", encoding="utf-8")
    model = tmp_path / "model"
    model.mkdir()
    named = [{"name": "default", "template": two}, {"name": "tools", "template": three}]
    (model / "tokenizer_config.json").write_text(
        json.dumps({"chat_template": named}), encoding="utf-8"
    )
    (model / "config.json").write_text("{", encoding="utf-8")
    wheel = io.BytesIO()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("package/prompts.py", f"TEMPLATE = {four!r}\nOTHER = 1\n")
        archive.writestr("package/wrong.py", "def (:  # {% messages %}")
        archive.writestr("package/a.jinja", one)
    (tmp_path / "some_package-1.2.3-py3-none-any.whl").write_bytes(wheel.getvalue())
    found = find([tmp_path / "a.jinja", model, tmp_path / "some_package-1.2.3-py3-none-any.whl"])
    assert [(template.name, template.text, template.sources) for template in found] == [
        ("a", one, ["a.jinja", "some_package 1.2.3"]),
        ("prompts:TEMPLATE", four, ["some_package 1.2.3"]),
        ("tokenizer_config:default", two, ["model"]),
        ("tokenizer_config:tools", three, ["model"]),
    ]
    # A file of a model's folder is named by the folder.
    assert [(template.name, template.text) for template in find([tmp_path])] == [
        ("a", one),
        ("model:default", two),
        ("model:tools", three),
    ]


def test_the_report_counts_its_rows():
    text = report(
        [
            Template("a", CHATML, ["x"]),
            Template("b", SILENT["nothing"], ["x"]),
            Template("c", PARTS["parts alone"], ["y"]),
        ]
    )
    assert text.startswith(
        "3 templates, 2 used in both styles, 1 refused, 0 with the system message moved, 1 given"
        " text parts, 0 given the pinned date, 0 with thinking, 2 whose replies come back.\n\n|"
        " template | id |"
    )
    assert text.count("\n") == 6
