"""The hourly check of the invariants (reliability.md): one run; its outcome says how it stands."""

import logging
from collections import Counter

from ingestion import runs
from ingestion.models import EsecuzioneEtl
from ingestion.watch.invariants import INVARIANTS

logger = logging.getLogger("etl")

Stato = EsecuzioneEtl.Stato


def verify(run: EsecuzioneEtl) -> EsecuzioneEtl:
    """Checks every invariant, for a run that is IN_CORSO, and closes the run: ERRORE if one does
    not hold. Its ``dettagli`` count the problems; ``manage.py verifica`` shows each.
    """
    found: Counter[str] = Counter()
    try:
        for name, check in INVARIANTS.items():
            found[name] += sum(1 for _ in check())
            runs.beat(run)
    except runs.LeaseLost:
        run.refresh_from_db()
        return run
    except Exception as error:  # noqa: BLE001 - whatever happens, the run row must tell it
        runs.stopped_because(error, run)
        runs.finish(run, Stato.INTERROTTA, "Verifica interrotta: la prossima riprende da capo.")
        return run
    wrong = {name: number for name, number in found.items() if number}
    EsecuzioneEtl.objects.filter(pk=run.pk).update(dettagli={"problemi": wrong})
    runs.finish(run, Stato.ERRORE if wrong else Stato.OK, _told(wrong))
    logger.info("verification ended: %s", wrong or "well", extra=runs.marks(run))
    return run


def _told(wrong: dict[str, int]) -> str:
    if not wrong:
        return "Tutto bene: nulla è perso, doppio o alterato."
    named = ", ".join(f"{name} ({number})" for name, number in wrong.items())
    return f"Qualcosa non torna: {named}. I dettagli: manage.py verifica."
