"""The end of the chain "Provenienza": what counting made of an operation."""

from django.utils.translation import gettext as _

from ingestion.models import EsecuzioneEtl
from orders.models import MovimentoMagazzino, MovimentoProduzione
from production.admin import provenance
from production.admin.provenance import Item, Step, Subject, link

MOST_MOVEMENTS = 20


def steps(subject: Subject) -> list[Step]:
    """The movements of one operation, and the runs that made them."""
    if subject.operazione is None:
        return []
    pk = subject.operazione.pk
    counted = MovimentoProduzione.objects.filter(pk=pk).first()
    stock = MovimentoMagazzino.objects.filter(operazione=pk).order_by("pk")[:MOST_MOVEMENTS]
    movements = [link("orders_movimentomagazzino", row.pk, str(row)) for row in stock]
    return [
        Step(_("Conteggio"), _counting(counted), _("Non ancora contata per gli ordini.")),
        Step(_("Magazzino"), movements, _("Nessun movimento di questa sola operazione.")),
    ]


def _counting(row: MovimentoProduzione | None) -> list[Item]:
    if row is None:
        return []
    found = [link("orders_movimentoproduzione", row.pk, row.get_esito_display())]
    return found + run_of(row.esecuzione)


def run_of(number: int | None) -> list[Item]:
    """The orders' run; old ones are purged, and then only the number is left."""
    if number is None:
        return []
    text = _("esecuzione %(number)s") % {"number": number}
    if not EsecuzioneEtl.objects.filter(pk=number).exists():
        return [Item(text)]
    return [link("ingestion_esecuzioneetl", number, text)]


def of_stock(row: MovimentoMagazzino) -> list[Step]:
    """A movement of one operation has its whole chain; any other, who made it and what for."""
    if row.operazione is not None:
        return provenance.of_operation(row.operazione)
    order = [link("orders_ordine", row.ordine_id)] if row.ordine_id else []
    who = [Item(row.utente)] if row.utente else []
    return [
        Step(_("Ordine"), order, _("Nessuno.")),
        Step(_("Operazione"), empty=_("Di più operazioni, o di nessuna.")),
        Step(_("Registrato da"), [*run_of(row.esecuzione), *who], _("Non indicato.")),
    ]
