"""The transfer: claim → parse → judge → build → load → mark, a batch at a time.

MySQL commits before PostgreSQL does. A crash between the two leaves rows PENDING, and the next
run finds them already there by their uid (docs/adr/0001-no-two-phase-commit.md).
"""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial

from django.db import transaction
from django.utils import timezone

from ingestion import runs
from ingestion.models import EsecuzioneEtl
from ingestion.runs import Tally
from ingestion.transfer import outcomes
from ingestion.transfer.build import LoadRow, build
from ingestion.transfer.claim import Span, claim, count_pending, last_id, peek, spans
from ingestion.transfer.load import Loaded, ids_by_uid, load
from ingestion.transfer.master_data import load_master_data
from ingestion.transfer.outcomes import Refusal
from ingestion.transfer.parse import parse
from ingestion.transfer.records import Limits, MasterData, RawRecord
from ingestion.transfer.rules import judge
from ingestion.transfer.timestamps import utc_to_plant

logger = logging.getLogger("etl")

Stato = EsecuzioneEtl.Stato
Progress = Callable[[Tally], None]


@dataclass(frozen=True)
class Options:
    """How a run works. ``limit``: at most so many rows; None = all that were pending at start."""

    limits: Limits = field(default_factory=Limits)
    batch_size: int = 2000
    limit: int | None = None


def transfer(
    run: EsecuzioneEtl, options: Options, on_progress: Progress | None = None
) -> EsecuzioneEtl:
    """Moves what is pending now, for a run that is IN_CORSO, and closes the run.

    Never raises for what a plant must expect (MySQL away, a full disk, bad rows): the run says it.
    """
    tally = Tally()
    scope_end = 0
    allowed = options.limit
    logger.info("transfer started", extra=runs.marks(run))
    try:
        scope_end = last_id()
        killers = outcomes.quarantine_killers(run, timezone.now())
        tally.add(Tally(letti=killers, in_errore=killers))
        if allowed is not None:
            allowed += killers  # rows set aside are beside the limit
        master = runs.persistently(run, load_master_data)
        for span in spans(scope_end, options.batch_size, options.limit):
            runs.beat(run, batch_da=span.first, batch_a=span.last, **asdict(tally))
            batch = partial(transfer_span, run, span, master, options.limits)
            tally.add(runs.persistently(run, batch))
            if on_progress:
                on_progress(tally)
    except runs.LeaseLost:
        logger.error("transfer stopped: another run took over", extra=runs.marks(run))
        run.refresh_from_db()
        return run
    except Exception as error:  # noqa: BLE001 - whatever happens, the run row must tell it
        return _close_stopped(run, tally, scope_end, allowed, error)
    return _close_finished(run, tally)


def transfer_span(run: EsecuzioneEtl, span: Span, master: MasterData, limits: Limits) -> Tally:
    """One batch through the whole corridor. The order of the two commits is the guarantee."""
    now = timezone.now()
    with transaction.atomic(using="default"):
        claimed = claim(span)
        rows, refusals = _judge_and_build(claimed, master, limits)
        loaded = load(rows, utc_to_plant(now))  # MySQL has committed when this returns
        id_of = {raw.uid: raw.id_operazione for raw in claimed}
        refusals += [Refusal(id_of[uid], error) for uid, error in loaded.rejected]
        outcomes.mark_processed([id_of[uid] for uid in loaded.new + loaded.present], run, now)
        outcomes.mark_refused(refusals, run, now)
    return _tally_of(len(claimed), loaded, len(refusals))


def preview(options: Options) -> tuple[Tally, Counter[int]]:
    """What a transfer would do now, writing nothing: its tally, and anomalies by kind."""
    tally = Tally()
    kinds: Counter[int] = Counter()
    master = load_master_data()
    for span in spans(last_id(), options.batch_size, options.limit):
        rows, refusals = _judge_and_build(peek(span), master, options.limits)
        present = len(ids_by_uid([row.uid for row in rows]))
        kinds.update(row_anomaly[0] for row in rows for row_anomaly in row.anomalie)
        tally.add(
            Tally(
                letti=len(rows) + len(refusals),
                caricati=len(rows) - present,
                gia_presenti=present,
                in_errore=len(refusals),
            )
        )
    tally.anomalie = kinds.total()
    return tally, kinds


def _judge_and_build(
    claimed: list[RawRecord], master: MasterData, limits: Limits
) -> tuple[list[LoadRow], list[Refusal]]:
    rows: list[LoadRow] = []
    refusals: list[Refusal] = []
    for raw in claimed:
        try:
            verdict = judge(parse(raw), raw.ricevuto_il, master, limits)
            rows.append(build(raw.uid, verdict, master))
        except Exception as error:  # a defect of ours must not hold up its neighbours
            logger.exception("row %s cannot be judged", raw.id_operazione)
            refusals.append(Refusal(raw.id_operazione, error))
    return rows, refusals


def _tally_of(claimed: int, loaded: Loaded, refused: int) -> Tally:
    return Tally(
        letti=claimed,
        caricati=len(loaded.new),
        gia_presenti=len(loaded.present),
        in_errore=refused,
        anomalie=loaded.anomalies,
    )


def _close_finished(run: EsecuzioneEtl, tally: Tally) -> EsecuzioneEtl:
    if tally.in_errore:
        stato = Stato.PARZIALE
        messaggio = f"{tally.caricati} record caricati, {tally.in_errore} in errore."
    else:
        stato = Stato.OK
        messaggio = f"{tally.caricati} record caricati."
    runs.finish(run, stato, messaggio, **asdict(tally))
    logger.info("transfer ended %s %s", stato, asdict(tally), extra=runs.marks(run))
    return run


def _close_stopped(
    run: EsecuzioneEtl, tally: Tally, scope_end: int, limit: int | None, error: Exception
) -> EsecuzioneEtl:
    """Closes a run that could not go on; what it had not moved is still PENDING."""
    stato, reason = runs.stopped_because(error, run)
    left = runs.patiently(partial(count_pending, scope_end))
    tally.rimanenti = left if limit is None else min(left, limit - tally.letti)
    tally.letti += tally.rimanenti
    messaggio = f"{reason} {tally.rimanenti} record restano in attesa."
    runs.finish(run, stato, messaggio, **asdict(tally))
    logger.info("transfer ended %s %s", stato, asdict(tally), extra=runs.marks(run))
    return run
