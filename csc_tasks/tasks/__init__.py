"""The lm_eval Task classes: which corpus, which requests, which metrics.

The YAML files name them as `csc_tasks.tasks.NAME`.
"""

from csc_tasks.tasks.conversations import (
    ConversationTask,
    ForcedTask,
    GeneratedContextTask,
    GeneratedForcedTask,
    OracleTask,
    StrategyChoiceTask,
    VanillaTask,
)
from csc_tasks.tasks.live import LiveTask
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
    "ForcedTask",
    "FullHistoryTask",
    "GeneratedContextTask",
    "GeneratedForcedTask",
    "GroundedTask",
    "LastTurnsTask",
    "LateTask",
    "LiveTask",
    "MidTask",
    "NoHistoryTask",
    "OracleTask",
    "QuestionTask",
    "StrategyChoiceTask",
    "SupportTask",
    "VanillaTask",
]
