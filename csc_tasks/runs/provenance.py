"""What a results file says of the data, the prompts and the customer of one of its tasks, read
strictly.
"""

from pydantic import BaseModel, ConfigDict


class Read(BaseModel):
    """Base of what is read: other keys are lm_eval's business, types are not changed, NaN is
    refused.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, allow_inf_nan=False)


class Provenance(Read):
    """What metadata.csc of a task says, as far as readers go by it."""

    corpus: str
    config: str
    split: str
    content_hash: str
    rows: int
    languages: list[str]
    draft_languages: list[str] = []
    signatures: dict[str, str]
    revision: str | None = None
    project: str | None = None
    prompt: str | None = None
    format: str | None = None
    reask: int | None = None
    date: str | None = None
    reference: str | None = None
    forced: dict[str, str] | None = None
    customer: str | None = None
    customer_prompt: str | None = None
    customer_temperature: float | None = None
    customer_seed: int | None = None
    briefs: str | None = None
    brief_source: str | None = None
    max_turns: int | None = None

    @property
    def played(self) -> str | None:
        """Who played the customer of live conversations, and how; None for other tasks."""
        if self.customer is None:
            return None
        how = [f"prompt {self.customer_prompt}", f"briefs {self.briefs}"]
        if self.customer_temperature is not None:
            how.append(f"temperature {self.customer_temperature:g}, seed {self.customer_seed}")
        return f"{self.customer} ({', '.join([*how, f'at most {self.max_turns} turns'])})"

    @property
    def asked(self) -> str | None:
        """The prompt style, and after it what else was asked otherwise than by default: the form of
        replies, and that those which could not be read were asked for again.
        """
        if self.prompt is None:
            return None
        more = [self.format] if self.format else []
        return "-".join([self.prompt, *more, *(["reask"] if self.reask else [])])
