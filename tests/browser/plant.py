"""A portal with a day of production and one user of each role, for who looks at its pages."""

import json
import secrets

from tests.portal import LivePortal

ROLES = ("operatore", "capoturno", "admin")
SUPERUSER = "superutente"
FORGETFUL = "smemorata"  # a user of no group, whom the lock-out may keep out
PEOPLE = (*ROLES, SUPERUSER, FORGETFUL)
HOURS = 6
ORDERS = 6
REJECTED = 8  # more than the tests handle

USERS = """
import json, sys
from django.contrib.auth.models import Group, User

for name, word in json.loads({words!r}).items():
    user = User.objects.create_user(name, password=word, is_staff=True)
    user.is_superuser = name == {superuser!r}
    user.save()
    user.groups.set(Group.objects.filter(name=name))
"""

# As transfers, orders and stock are after a bad day: a record that stopped the process three
# times, an order that is late, an article below its minimum.
TROUBLE = """
from datetime import timedelta
from django.utils import timezone
from ingestion.models import EsecuzioneEtl, RawOperazione
from orders.models import Magazzino, Ordine

run = EsecuzioneEtl.objects.filter(tipo="transfer").latest("pk")
for number in range({rejected}):
    RawOperazione.objects.create(
        stato="ERROR", codice_pezzo="PZC01", tipo_operazione="forgiatura", tentativi=3,
        codice_macchinario="MF01", errore_codice="riga_letale", esecuzione=run,
        errore_messaggio="Il record ha fermato il processo tre volte.",
        elaborato_il=timezone.now(),
    )
stock = Magazzino.objects.order_by("pk")
stock.filter(pk__in=list(stock.values_list("pk", flat=True)[:2])).update(scorta_minima=60)
late = Ordine.objects.filter(stato="IN ATTESA", fittizio=False).earliest("pk")
Ordine.objects.filter(pk=late.pk).update(data_inizio=timezone.localdate() - timedelta(days=40))
"""


def add_people(portal: LivePortal) -> dict[str, str]:
    """One user of each role, with the role's name, and a superuser; their passwords."""
    words = {name: secrets.token_urlsafe(16) for name in PEOPLE}
    portal.run_python(USERS.format(words=json.dumps(words), superuser=SUPERUSER))
    return words


def add_day(
    portal: LivePortal, hours: int = HOURS, orders: int = ORDERS, jobs_every: int = 0
) -> None:
    """A simulated day, transferred and counted, with something for everybody to do.

    ``jobs_every``: hours after which the jobs run each time; 0, once when the day is over.
    """
    on_the_way = ["--http", portal.url, "--lavori", str(jobs_every)] if jobs_every else []
    day = ["--ore", str(hours), "--ordini", str(orders), "--seed", "7", *on_the_way]
    must(portal, "loaddata", "--database", "production", "impianto_demo_ordini")
    must(portal, "simula", *day)
    portal.transfer()
    portal.request("POST", "/aggiorna/ordine")
    portal.run_python(TROUBLE.format(rejected=REJECTED))


def must(portal: LivePortal, *arguments: str) -> None:
    result = portal.manage(*arguments)
    assert result.returncode == 0, result.stderr
