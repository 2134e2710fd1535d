"""The lm_eval Task classes: which corpus, which requests, which metrics.

The YAML files name them as `csc_tasks.tasks.NAME`.
"""

from csc_tasks.tasks.conversations import (
    ConversationTask,
    GeneratedContextTask,
    OracleTask,
    StrategyChoiceTask,
    VanillaTask,
)
from csc_tasks.tasks.questions import (
    EarlyTask,
    FullHistoryTask,
    GroundedTask,
    LastTurnsTask,
    LateTask,
    MidTask,
    NoHistoryTask,
    QuestionTask,
)
from csc_tasks.tasks.support import SupportTask

__all__ = [
    "ConversationTask",
    "EarlyTask",
    "FullHistoryTask",
    "GeneratedContextTask",
    "GroundedTask",
    "LastTurnsTask",
    "LateTask",
    "MidTask",
    "NoHistoryTask",
    "OracleTask",
    "QuestionTask",
    "StrategyChoiceTask",
    "SupportTask",
    "VanillaTask",
]
