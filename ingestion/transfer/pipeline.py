"""The transfer: claim → parse → judge → build → load → mark, a batch at a time.

MySQL commits before PostgreSQL does. A crash between the two leaves rows PENDING, and the next
run finds them already there by their uid (docs/adr/0001-no-two-phase-commit.md).
"""

import logging
from collections import Counter
from dataclasses import asdict, dataclass, field
from functools import partial

from django.db import transaction
from django.utils import timezone

from ingestion.models import EsecuzioneEtl
from ingestion.runs.job import Ending, Work
from ingestion.runs.lease import Lease, RowTally, retry_at_the_end
from ingestion.transfer import outcomes
from ingestion.transfer.build import LoadRow, build
from ingestion.transfer.claim import Span, claim, count_pending, last_id, peek, spans
from ingestion.transfer.load import ids_by_uid, load
from ingestion.transfer.master_data import load_master_data
from ingestion.transfer.parse import parse
from ingestion.transfer.records import RawRecord
from ingestion.transfer.rules import judge
from production.fields import Limits, MasterData
from production.timestamps import utc_to_plant

logger = logging.getLogger("etl")

Stato = EsecuzioneEtl.Stato


@dataclass(frozen=True)
class TransferOptions:
    """How a run works. ``limit``: at most so many rows; None = all that were pending at start."""

    limits: Limits = field(default_factory=Limits)
    batch_size: int = 2000
    limit: int | None = None


class Transfer(Work):
    """Moves what is pending when it starts; what it could not move is still PENDING."""

    def __init__(self, options: TransferOptions) -> None:
        self.options = options
        self.tally: RowTally = RowTally()
        self.scope_end = 0
        self.killers = 0  # rows set aside untried, beside the limit

    def do(self, lease: Lease) -> Ending:
        logger.info("transfer started", extra=lease.run.log_extra())
        self.scope_end = last_id()
        self.killers = outcomes.quarantine_killers(lease.run, timezone.now())
        self.tally.add(RowTally(letti=self.killers, in_errore=self.killers))
        master, limits = lease.retry(load_master_data), self.options.limits
        for span in spans(self.scope_end, self.options.batch_size, self.options.limit):
            lease.beat(batch_da=span.first, batch_a=span.last)
            lease.add(lease.retry(partial(transfer_span, lease.run, span, master, limits)))
        if not self.tally.in_errore:
            return self._ending(Stato.OK, f"{self.tally.caricati} record caricati.")
        told = f"{self.tally.caricati} record caricati, {self.tally.in_errore} in errore."
        return self._ending(Stato.PARZIALE, told)

    def stopped(self, stato: str, reason: str) -> Ending:
        left = retry_at_the_end(partial(count_pending, self.scope_end))
        if self.options.limit is not None:
            left = min(left, self.options.limit + self.killers - self.tally.letti)
        self.tally.add(RowTally(letti=left, rimanenti=left))
        return self._ending(stato, f"{reason} {left} record restano in attesa.")

    def _ending(self, stato: str, messaggio: str) -> Ending:
        return Ending(stato, messaggio, f"transfer ended {stato} {asdict(self.tally)}")


def transfer_span(run: EsecuzioneEtl, span: Span, master: MasterData, limits: Limits) -> RowTally:
    """One batch through the whole corridor. The order of the two commits is the guarantee."""
    now = timezone.now()
    with transaction.atomic(using="default"):
        claimed = claim(span)
        rows, refused = _judge_and_build(claimed, master, limits)
        loaded = load(rows, utc_to_plant(now))  # MySQL has committed when this returns
        id_of = {raw.uid: raw.id_operazione for raw in claimed}
        refused |= {id_of[uid]: error for uid, error in loaded.rejected}
        outcomes.mark_processed([id_of[uid] for uid in loaded.new + loaded.present], run, now)
        outcomes.mark_refused(refused, run, now)
    return RowTally(
        letti=len(claimed),
        caricati=len(loaded.new),
        gia_presenti=len(loaded.present),
        in_errore=len(refused),
        anomalie=loaded.anomalies,
    )


def preview(options: TransferOptions) -> tuple[RowTally, Counter[int]]:
    """What a transfer would do now, writing nothing: its tally, and anomalies by kind."""
    tally = RowTally()
    kinds: Counter[int] = Counter()
    master = load_master_data()
    for span in spans(last_id(), options.batch_size, options.limit):
        rows, refused = _judge_and_build(peek(span), master, options.limits)
        present = len(ids_by_uid([row.uid for row in rows]))
        kinds.update(finding.id_anomalia for row in rows for finding in row.anomalie)
        tally.add(
            RowTally(
                letti=len(rows) + len(refused),
                caricati=len(rows) - present,
                gia_presenti=present,
                in_errore=len(refused),
            )
        )
    tally.anomalie = kinds.total()
    return tally, kinds


def _judge_and_build(
    claimed: list[RawRecord], master: MasterData, limits: Limits
) -> tuple[list[LoadRow], dict[int, Exception]]:
    rows: list[LoadRow] = []
    refused: dict[int, Exception] = {}
    for raw in claimed:
        try:
            verdict = judge(parse(raw), raw.ricevuto_il, master, limits)
            rows.append(build(raw.uid, verdict, master))
        except Exception as error:  # a defect of ours must not hold up its neighbours
            logger.exception("row %s cannot be judged", raw.id_operazione)
            refused[raw.id_operazione] = error
    return rows, refused
