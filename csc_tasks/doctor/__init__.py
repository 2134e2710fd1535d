"""What `csc doctor` looks at, one file a subject; a check returns Findings and never raises."""

from dataclasses import dataclass

OK, NOTE, OFF, BROKEN = "ok", "note", "off", "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report: what was looked at, what was found and, unless all is well, what to
    do about it.

    state: OK; NOTE for something optional that is absent; OFF for a part that is switched off by
    the versions installed; BROKEN for something that will fail.
    """

    state: str
    subject: str
    found: str
    advice: str = ""

    def line(self) -> str:
        """The finding as it is printed."""
        advice = f" -> {self.advice}" if self.advice else ""
        return f"{self.state:<6}  {self.subject:<18}  {self.found}{advice}"
