"""Conversation or question -> prompt, and reply -> strategy and text: the two directions of talking to a model."""

from csc_tasks.prompts.render import AnswerPrompt, TurnPrompt, instructions, tagged
from csc_tasks.prompts.reply import Reply, read_reply, read_text, strip_thinking, writable

__all__ = ["AnswerPrompt", "Reply", "TurnPrompt", "instructions", "read_reply", "read_text", "strip_thinking", "tagged", "writable"]
