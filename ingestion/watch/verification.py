"""The hourly check of the invariants (docs/affidabilita.md, "Invarianti"): one run; its outcome
says how it stands.
"""

from dataclasses import dataclass
from typing import Any

from ingestion.models import EsecuzioneEtl
from ingestion.runs.job import Ending, Work
from ingestion.runs.lease import Lease, Tally
from ingestion.watch.invariants import INVARIANTS

Stato = EsecuzioneEtl.Stato


@dataclass
class FoundTally(Tally):
    """How many problems each invariant has; None until all were looked at."""

    problemi: dict[str, int] | None = None

    def columns(self) -> dict[str, Any]:
        return {} if self.problemi is None else {"dettagli": {"problemi": self.problemi}}


class Verification(Work):
    """Checks every invariant: ERRORE if one does not hold; ``manage.py verifica`` shows each."""

    def __init__(self) -> None:
        self.tally: FoundTally = FoundTally()

    def do(self, lease: Lease) -> Ending:
        found: dict[str, int] = {}
        for name, check in INVARIANTS.items():
            if number := sum(1 for _ in check()):
                found[name] = number
            lease.beat()
        self.tally.problemi = found
        if not found:
            told = "Tutto bene: nulla è perso, doppio o alterato."
            return Ending(Stato.OK, told, "verification ended: well")
        named = ", ".join(f"{name} ({number})" for name, number in found.items())
        told = f"Qualcosa non torna: {named}. I dettagli: manage.py verifica."
        return Ending(Stato.ERRORE, told, f"verification ended: {found}")

    def stopped(self, stato: str, reason: str) -> Ending:
        told = "Verifica interrotta: la prossima riprende da capo."
        return Ending(Stato.INTERROTTA, told, "verification ended: interrupted")
