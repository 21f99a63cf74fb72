"""The end of the chain "Provenienza": what counting made of an operation."""

from django.utils.translation import gettext as _

from etlportal.lists.columns import row_link
from etlportal.lists.panels import Step, step
from ingestion.models import EsecuzioneEtl
from orders.models import MovimentoMagazzino, MovimentoProduzione
from production.admin import provenance
from production.admin.provenance import Subject

MOST_MOVEMENTS = 20


def steps(subject: Subject) -> list[Step]:
    """The movements of one operation, and the runs that made them."""
    if subject.operazione is None:
        return []
    pk = subject.operazione.pk
    counted = MovimentoProduzione.objects.filter(pk=pk).first()
    stock = MovimentoMagazzino.objects.filter(operazione=pk).order_by("pk")[:MOST_MOVEMENTS]
    outcome = counted and row_link("orders_movimentoproduzione", pk, counted.get_esito_display())
    run = counted and run_of(counted.esecuzione)
    movements = [row_link("orders_movimentomagazzino", row.pk, row) for row in stock]
    return [
        step(_("Conteggio"), outcome, run, empty=_("Non ancora contata per gli ordini.")),
        step(_("Magazzino"), *movements, empty=_("Nessun movimento di questa sola operazione.")),
    ]


def run_of(number: int | None) -> str | None:
    """The orders' run; old ones are purged, and then only the number is left."""
    if number is None:
        return None
    text = _("esecuzione %(number)s") % {"number": number}
    kept = EsecuzioneEtl.objects.filter(pk=number).exists()
    return row_link("ingestion_esecuzioneetl", number, text) if kept else text


def of_stock(row: MovimentoMagazzino) -> list[Step]:
    """A movement of one operation has its whole chain; any other, who made it and what for."""
    if row.operazione is not None:
        return provenance.of_operation(row.operazione)
    order = row.ordine_id and row_link("orders_ordine", row.ordine_id)
    return [
        step(_("Ordine"), order, empty=_("Nessuno.")),
        step(_("Operazione"), empty=_("Di più operazioni, o di nessuna.")),
        step(_("Registrato da"), run_of(row.esecuzione), row.utente, empty=_("Non indicato.")),
    ]
