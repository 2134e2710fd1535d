"""What of a logged prompt is compared: its text without what JSON and templates do to it."""

import re

import pytest

from csc_tasks.verify.asked import asked


def bare(text: str) -> str:
    found = asked({"arguments": {"gen_args_0": {"arg_0": text}}}, 0)
    assert found is not None
    return found.text


def test_white_space_quotes_and_backslashes_of_every_kind_go():
    every = "".join(map(chr, range(0x3100)))
    assert bare(every) == re.sub(r"[\s\"'\\]+", "", every)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("one\\ntwo\\\\n three", "onetwothree"),
        ("\\u60a8好 \\\\u597d", "您好好"),
        ('it\\\'s \\"so\\"', "itsso"),
        ("\\unknown", "unknown"),
        ("\u3000全 角\x1c", "全角"),
    ],
)
def test_the_escapes_of_json_are_undone(text, left):
    assert bare(text) == left
