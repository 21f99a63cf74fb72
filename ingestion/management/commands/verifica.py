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
        words = []
        for name, problems in found.items():
            words.append(f"{name}: {len(problems) or 'bene'}")
            words += [f"  {each.soggetto}: {each.messaggio}" for each in problems[:SHOWN]]
        words.append("Tutto bene." if well else "Ci sono problemi.")
        self.tell({"ok": well, "problemi": told}, words)
        if not well:
            self.fail()
