"""The beginning of the chain "Provenienza": the flow's run, its request, the batch, the record,
the run that transferred it. Also what the pages of a batch and of a run show of it.
"""

from collections.abc import Iterable
from typing import Any

from django.db import DatabaseError
from django.db.models import Count
from django.urls import reverse
from django.utils.translation import gettext as _

from ingestion.models import EsecuzioneEtl, LottoRicevuto, RawOperazione
from production.admin import provenance
from production.admin.provenance import Item, Step, Subject, link
from production.models import Operazione

RAW, LOTTO, ESECUZIONE = (
    "ingestion_rawoperazione",
    "ingestion_lottoricevuto",
    "ingestion_esecuzioneetl",
)
# Of a batch of thousands of records, so many runs at most are named.
MOST_RUNS = 20


def steps(subject: Subject) -> list[Step]:
    """Of an operation, by the identity that its record got at reception."""
    label = _("Record ricevuto")
    if subject.raw_uid is None:
        return [Step(label, empty=_("Nessuno: l'operazione è di un altro programma."))]
    rows = RawOperazione.objects.filter(uid=subject.raw_uid).select_related("lotto", "esecuzione")
    raw = rows.defer("lotto__corpo", "lotto__risposta").first()
    if raw is None:
        return [Step(label, empty=_("Non più conservato: dopo il trasferimento resta per un po'."))]
    position = "" if raw.indice is None else _(" (posizione %(n)s nel lotto)") % {"n": raw.indice}
    return [
        *steps_of_batch(raw.lotto),
        Step(label, [link(RAW, raw.pk, f"{raw.pk}{position}")]),
        Step(_("Esecuzione"), _run_links([raw.esecuzione]), _("Non ancora trasferito.")),
    ]


def steps_of_batch(lotto: LottoRicevuto | None) -> list[Step]:
    """The flow, the request and the batch itself."""
    if lotto is None:
        return [Step(_("Lotto"), empty=_("Nessuno: il record è stato scritto con SQL."))]
    flow = (lotto.flusso, lotto.flusso_esecuzione, lotto.flusso_operazione)
    return [
        Step(_("Flusso"), [Item(text) for text in flow if text], _("Non indicato.")),
        Step(_("Richiesta"), _texts(lotto.request_id), _("Non indicata.")),
        Step(_("Lotto"), [link(LOTTO, lotto.pk)]),
    ]


def of_raw(raw: RawOperazione) -> list[Step]:
    """The whole chain, from the side of the record."""
    try:
        operazione = Operazione.objects.filter(raw_uid=raw.uid).first()
    except DatabaseError:
        away = _("Il database di produzione (MySQL) ora non risponde.")
        return [*steps(Subject(None, raw.uid)), Step(_("Operazione"), empty=away)]
    return provenance.chain(Subject(operazione, raw.uid))


def of_batch(lotto: LottoRicevuto) -> list[Step]:
    rows = RawOperazione.objects.filter(lotto=lotto).order_by()
    number = rows.count()
    runs = EsecuzioneEtl.objects.filter(pk__in=rows.values("esecuzione").distinct())
    return [
        *steps_of_batch(lotto)[:-1],
        Step(_("Record"), _raws(number, lotto=lotto.pk), _("Non più conservati.")),
        Step(_("Esecuzioni"), _run_links(runs.order_by("pk")[:MOST_RUNS]), _("Nessuna.")),
    ]


def of_run(run: EsecuzioneEtl) -> list[Step]:
    """What asked for the run, and what it did: records here, movements in the orders' lists."""
    asked = Step(_("Richiesta"), _texts(run.request_id), _("Non viene da una richiesta."))
    if run.tipo == EsecuzioneEtl.Tipo.ORDINI:
        return [asked, Step(_("Movimenti"), _movements(run))]
    if run.tipo != EsecuzioneEtl.Tipo.TRANSFER:
        return [asked]
    rows = RawOperazione.objects.filter(esecuzione=run).order_by()
    batches = rows.exclude(lotto=None).values_list("lotto").annotate(n=Count("pk"))
    found = list(batches.order_by("lotto")[:MOST_RUNS])
    return [
        asked,
        Step(_("Lotti"), [link(LOTTO, uuid) for uuid, _n in found], _("Nessuno.")),
        Step(_("Record"), _raws(rows.count(), esecuzione=run.pk), _("Nessuno.")),
    ]


def _texts(text: str) -> list[Item]:
    return [Item(text)] if text else []


def _run_links(runs: Iterable[EsecuzioneEtl | None]) -> list[Item]:
    return [link(ESECUZIONE, run.pk) for run in runs if run]


def _raws(number: int, **parameters: Any) -> list[Item]:
    url = reverse(f"admin:{RAW}_changelist", query=parameters)
    return [Item(number, url)] if number else []


def _movements(run: EsecuzioneEtl) -> list[Item]:
    page = reverse("admin:orders_movimentoproduzione_changelist", query={"esecuzione": run.pk})
    return [Item(_("Movimenti di produzione di questa esecuzione"), page)]
