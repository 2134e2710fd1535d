"""Conversation or question -> prompt, and reply -> strategy and text: the two directions of talking to a model."""

from csc_tasks.prompts.render import AnswerPrompt, TurnPrompt, instructions, tagged
from csc_tasks.prompts.reply import Reply, read_answer, read_reply, read_text, writable
from csc_tasks.prompts.template import shows_system, without_system

__all__ = [
    "AnswerPrompt", "Reply", "TurnPrompt", "instructions", "read_answer", "read_reply", "read_text", "shows_system", "tagged",
    "without_system", "writable",
]
