from collections.abc import Iterator
from typing import Any

from etlportal.management.base import PortalCommand
from ingestion.watch.invariants import INVARIANTS

SHOWN = 20


class Command(PortalCommand):
    help = "Controlla che nulla sia perso, doppio o alterato. Uscita: 0 = bene, 1 = problemi."
    dry_run = ""

    def handle(self, *args: Any, **options: Any) -> None:
        found = {name: list(check()) for name, check in INVARIANTS.items()}
        well = not any(found.values())
        told = [problem._asdict() for problems in found.values() for problem in problems]
        self.tell({"ok": well, "problemi": told}, _in_words(found))
        if not well:
            self.fail()


def _in_words(found: dict[str, list[Any]]) -> Iterator[str]:
    for name, problems in found.items():
        yield f"{name}: {len(problems) or 'bene'}"
        for problem in problems[:SHOWN]:
            yield f"  {problem.soggetto}: {problem.messaggio}"
    yield "Ci sono problemi." if any(found.values()) else "Tutto bene."
