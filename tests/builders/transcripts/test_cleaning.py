"""What is cut from a message, and what only looks as if it could be."""

import pytest

from builders.transcripts.cleaning import clean, is_system


@pytest.mark.parametrize(
    ("text", "wanted", "done"),
    [
        ("Hi,\nfine.\nKind regards\nBob\nACME", "Hi,\nfine.", ("signatures",)),
        ("Hallo,\ndanke.\nMit freundlichen Grüßen\nEva", "Hallo,\ndanke.", ("signatures",)),
        ("> old\nnew answer", "new answer", ("quoted mail",)),
        ("Ok\nFrom: a@b.c\nSent: Monday\nTo: x\nSubject: y\n\nold", "Ok", ("quoted mail",)),
        ("<p>Hi &amp; he<b>ll</b>o</p><blockquote>old</blockquote>", None, ("HTML", "quoted mail")),
        ("Hi\nThanks for the reply\nMy order is late", None, ()),
        ("It works.\n- one\n- two\nOk?", None, ()),
        ("On Monday I called\nand nobody answered", None, ()),
        ("2 < 3 and 4 > 1", None, ()),
    ],
)
def test_quotations_and_signatures_go_and_the_rest_stays(text, wanted, done):
    cleaned = clean(text)
    if text.startswith("<p>"):
        wanted = "Hi & hello\n"
    assert cleaned == (text if wanted is None else wanted, done)


def test_a_line_of_the_system_is_told_from_what_a_customer_says():
    for line in ("Ann joined the chat", "The chat has ended.", "<Media omitted>"):
        assert is_system(line)
    for text in ("The call ended before I could explain", "I left my card in the room", "null and"):
        assert not is_system(text)
