"""What tokens cost: `--price IN,OUT` of the verbs that ask models, `csc_price` of an evaluation."""

import math
from dataclasses import dataclass

from csc_tasks.errors import SettingError


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars, or whatever currency, for a million tokens in and out."""

    input: float
    output: float

    @classmethod
    def parse(cls, text: str) -> "Price":
        """`IN,OUT`, as in `0.15,0.60`; raises SettingError."""
        try:
            price = cls(*map(float, text.split(",")))
        except (ValueError, TypeError):
            price = cls(math.nan, math.nan)
        if not (0 <= price.input < math.inf and 0 <= price.output < math.inf):
            raise SettingError(f"price {text!r} is not IN,OUT per million tokens, as in 0.15,0.60")
        return price

    def of(self, input_tokens: int, output_tokens: int) -> float:
        """What these tokens cost."""
        return (input_tokens * self.input + output_tokens * self.output) / 1_000_000

    def __str__(self) -> str:
        return f"{self.input:g},{self.output:g}"
