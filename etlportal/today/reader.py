"""Who looks at the start page, and when; with MySQL away the page opens all the same."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.contrib.admin import AdminSite
from django.db import InterfaceError, OperationalError, connections
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from etlportal.today.window import Window
from ingestion.runs.failures import Failure, classify


class MySqlAway(Exception):
    """The figures live in MySQL, which does not answer."""


@dataclass
class Reader:
    """``databases``: which of them answer, by name; MySQL does not from its first refusal on."""

    site: AdminSite
    request: HttpRequest
    now: datetime
    window: Window
    databases: dict[str, bool]

    @property
    def today(self) -> date:
        return timezone.localdate(self.now)

    def may_see(self, model: type[Model]) -> bool:
        admin = self.site._registry.get(model)
        return admin is not None and admin.has_view_permission(self.request)

    @contextmanager
    def mysql(self) -> Iterator[None]:
        """Around what reads MySQL, which is asked in vain once a page. Raises ``MySqlAway``."""
        if not self.databases["mysql"]:
            raise MySqlAway
        try:
            yield
        except (OperationalError, InterfaceError) as error:
            if classify(error) is not Failure.PASSING:
                raise
            connections["production"].close()
            self.databases["mysql"] = False
            raise MySqlAway from error


def changelist(model: type[Model], **parameters: Any) -> str:
    """The address of the admin's list of a model, filtered."""
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
    return reverse(name, query=parameters)


def change_page(model: type[Model], pk: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[pk])
