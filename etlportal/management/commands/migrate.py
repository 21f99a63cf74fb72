from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandParser
from django.core.management.commands import migrate


class Command(migrate.Command):
    help = "Aggiorna le tabelle dei due database; con --database, di quello solo."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(database=None)

    def get_check_kwargs(self, options: dict[str, Any]) -> Any:
        return super().get_check_kwargs(options) | {"databases": _aliases(options["database"])}

    def handle(self, *args: Any, **options: Any) -> None:
        for alias in _aliases(options.pop("database")):
            super().handle(*args, database=alias, **options)
            call_command("createcachetable", database=alias, verbosity=0)


def _aliases(chosen: str | None) -> list[str]:
    return [chosen] if chosen else list(settings.DATABASES)
