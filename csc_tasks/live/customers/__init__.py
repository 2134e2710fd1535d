"""Who plays the customer: recorded.py, scripted.py, or another model (model.py)."""

from csc_tasks.live.customers.customer import (
    RECORDED,
    SAME,
    SCRIPTED,
    Customer,
    Move,
    Part,
)
from csc_tasks.live.customers.recorded import RecordedCustomer
from csc_tasks.live.customers.scripted import ScriptedCustomer
from csc_tasks.live.customers.settings import CustomerSettings, check_customer

__all__ = [
    "RECORDED",
    "SAME",
    "SCRIPTED",
    "Customer",
    "CustomerSettings",
    "Move",
    "Part",
    "RecordedCustomer",
    "ScriptedCustomer",
    "check_customer",
    "customer_of",
]


def customer_of(settings: CustomerSettings, url: str | None = None, model: str = "") -> Customer:
    """The customer of these settings. url, model: of the evaluated model's server, for `same`.

    Raises SettingError where a server cannot be asked, and MissingExtra when the openai package is
    not installed.
    """
    if settings.customer == RECORDED:
        return RecordedCustomer()
    if settings.customer == SCRIPTED:
        return ScriptedCustomer()
    from csc_tasks.live.customers.model import ModelCustomer

    if settings.customer == SAME:
        return ModelCustomer(settings, url, f"openai:{model}")
    return ModelCustomer(settings, None, settings.customer)
