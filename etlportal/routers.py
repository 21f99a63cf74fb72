"""Which database a table lives in: the one place that knows.

``production`` (MySQL) holds the tables that the plant's other programs share;
``default`` (PostgreSQL) holds staging, runs, users, sessions and the queue.
"""

from typing import Any

from django.db.models import Model

ALIAS_BY_APP = {"production": "production", "orders": "production"}


def alias_for(app_label: str) -> str:
    return ALIAS_BY_APP.get(app_label, "default")


class AppRouter:
    """Routes by app label and answers for every app, third-party ones included.

    ``allow_migrate`` never says None: with an undecided answer Django would create
    users, sessions and the queue in MySQL too.
    """

    def db_for_read(self, model: type[Model], **hints: Any) -> str:
        return alias_for(model._meta.app_label)

    def db_for_write(self, model: type[Model], **hints: Any) -> str:
        return alias_for(model._meta.app_label)

    def allow_relation(self, obj1: Model, obj2: Model, **hints: Any) -> bool:
        return alias_for(obj1._meta.app_label) == alias_for(obj2._meta.app_label)

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return alias_for(app_label) == db
