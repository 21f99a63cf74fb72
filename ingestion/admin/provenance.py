"""The beginning of the chain "Provenienza": the flow's run, its request, the batch, the record,
the run that transferred it. Also what the pages of a batch and of a run show of it.
"""

from collections.abc import Iterable
from typing import Any

from django.db import DatabaseError
from django.db.models import Count
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from etlportal.lists.columns import link, link_to, row_link
from etlportal.lists.panels import Step, step
from ingestion.admin.filters import raw_list
from ingestion.models import EsecuzioneEtl, LottoRicevuto, RawOperazione
from production.admin import provenance
from production.admin.provenance import Subject
from production.models import Operazione

batch_link, run_link = link_to("ingestion_lottoricevuto"), link_to("ingestion_esecuzioneetl")
# Of a batch of thousands of records, so many runs at most are named.
MOST_RUNS = 20


def steps(subject: Subject) -> list[Step]:
    """Of an operation, by the identity that its record got at reception."""
    label = _("Record ricevuto")
    if subject.raw_uid is None:
        return [step(label, empty=_("Nessuno: l'operazione è di un altro programma."))]
    rows = RawOperazione.objects.filter(uid=subject.raw_uid).select_related("lotto", "esecuzione")
    raw = rows.defer("lotto__corpo", "lotto__risposta").first()
    if raw is None:
        return [step(label, empty=_("Non più conservato: dopo il trasferimento resta per un po'."))]
    position = "" if raw.indice is None else _(" (posizione %(n)s nel lotto)") % {"n": raw.indice}
    return [
        *steps_of_batch(raw.lotto),
        step(label, row_link("ingestion_rawoperazione", raw.pk, f"{raw.pk}{position}")),
        step(_("Esecuzione"), *_links([raw.esecuzione]), empty=_("Non ancora trasferito.")),
    ]


def steps_of_batch(lotto: LottoRicevuto | None) -> list[Step]:
    """The flow, the request and the batch itself."""
    if lotto is None:
        return [step(_("Lotto"), empty=_("Nessuno: il record è stato scritto con SQL."))]
    flow = (lotto.flusso, lotto.flusso_esecuzione, lotto.flusso_operazione)
    return [
        step(_("Flusso"), *flow, empty=_("Non indicato.")),
        step(_("Richiesta"), lotto.request_id, empty=_("Non indicata.")),
        step(_("Lotto"), batch_link(lotto.pk)),
    ]


def of_raw(raw: RawOperazione) -> list[Step]:
    """The whole chain, from the side of the record."""
    try:
        operazione = Operazione.objects.filter(raw_uid=raw.uid).first()
    except DatabaseError:
        away = _("Il database di produzione (MySQL) ora non risponde.")
        return [*steps(Subject(None, raw.uid)), step(_("Operazione"), empty=away)]
    return provenance.chain(Subject(operazione, raw.uid))


def of_batch(lotto: LottoRicevuto) -> list[Step]:
    rows = RawOperazione.objects.filter(lotto=lotto).order_by()
    runs = EsecuzioneEtl.objects.filter(pk__in=rows.values("esecuzione").distinct())
    return [
        *steps_of_batch(lotto)[:-1],
        step(_("Record"), _records(rows.count(), lotto=lotto.pk), empty=_("Non più conservati.")),
        step(_("Esecuzioni"), *_links(runs.order_by("pk")[:MOST_RUNS]), empty=_("Nessuna.")),
    ]


def of_run(run: EsecuzioneEtl) -> list[Step]:
    """What asked for the run, and what it did: records here, movements in the orders' lists."""
    asked = step(_("Richiesta"), run.request_id, empty=_("Non viene da una richiesta."))
    if run.tipo == EsecuzioneEtl.Tipo.ORDINI:
        url = reverse("admin:orders_movimentoproduzione_changelist", query={"esecuzione": run.pk})
        words = _("Movimenti di produzione di questa esecuzione")
        return [asked, step(_("Movimenti"), link(url, words))]
    if run.tipo != EsecuzioneEtl.Tipo.TRANSFER:
        return [asked]
    rows = RawOperazione.objects.filter(esecuzione=run).order_by()
    batches = rows.exclude(lotto=None).values_list("lotto").annotate(n=Count("pk"))
    found = [batch_link(uuid) for uuid, _n in batches.order_by("lotto")[:MOST_RUNS]]
    return [
        asked,
        step(_("Lotti"), *found, empty=_("Nessuno.")),
        step(_("Record"), _records(rows.count(), esecuzione=run.pk), empty=_("Nessuno.")),
    ]


def _links(runs: Iterable[EsecuzioneEtl | None]) -> list[SafeString]:
    return [run_link(run.pk) for run in runs if run]


def _records(number: int, **parameters: Any) -> SafeString | None:
    """Their number as a link to their list; nothing for none."""
    return link(raw_list(**parameters), number) if number else None
