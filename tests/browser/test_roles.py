"""What each role sees: entries of the menu, and the acts that pages offer. Who may *do* what,
asked without a browser, is in ``tests/etlportal/test_access.py``.

The tables say it a second time on purpose. Each role sees what the one before does, and more.
"""

import pytest

from tests.browser import plant

pytestmark = pytest.mark.browser

MENU = {
    "operatore": [
        *("Record ricevuti", "Esecuzioni", "Lotti ricevuti"),
        *("Operazioni", "Anomalie", "Pezzi", "Macchinari", "Operatori", "Acciai"),
        *("Tipi di fermo", "Catalogo delle anomalie"),
        *("Ordini", "Scorte di magazzino"),
        *("Movimenti di produzione", "Movimenti di magazzino", "Clienti"),
    ],
    "capoturno": ["Registri"],
    "admin": ["Chiavi API", "Voci di audit", "Utenti"],
}
ADDABLE = {
    *("Pezzi", "Macchinari", "Operatori", "Acciai", "Tipi di fermo"),
    *("Ordini", "Scorte di magazzino", "Clienti", "Chiavi API", "Utenti"),
}
FILES = ["Esporta CSV", "Esporta per Excel"]
REJECTED = "ingestion/rawoperazione/?errori=da_gestire"

# List → role → the buttons that it sees more than the role before.
BUTTONS = {
    "ingestion/rawoperazione/": {"capoturno": FILES},
    "ingestion/esecuzioneetl/": {"capoturno": ["Trasferisci ora", *FILES]},
    "ingestion/lottoricevuto/": {"capoturno": FILES},
    "production/operazione/": {"capoturno": FILES},
    "production/anomaliaoperazione/": {"capoturno": FILES},
    "production/pezzo/": {"capoturno": FILES, "admin": ["Aggiungi pezzo"]},
    "production/anomalia/": {"capoturno": FILES},
    "orders/ordine/": {
        "capoturno": ["Aggiorna ordini ora", *FILES],
        "admin": ["Aggiungi ordine"],
    },
    "orders/magazzino/": {"capoturno": FILES, "admin": ["Aggiungi scorta di magazzino"]},
    "orders/movimentomagazzino/": {"capoturno": FILES},
    "logviewer/registro/file/?file=etl": {"capoturno": ["Scarica"], "admin": ["Svuota"]},
    "etlportal/chiaveapi/": {"admin": [*FILES, "Aggiungi chiave API"]},
    "etlportal/voceaudit/": {"admin": FILES},
    "auth/user/": {"admin": ["Aggiungi utente"]},
}
# The same of the acts on the rows that are chosen.
ACTIONS = {
    "production/anomaliaoperazione/": {
        "operatore": [
            "Prendi in carico le anomalie scelte",
            "Aggiungi una nota alle anomalie scelte",
        ],
        "capoturno": [
            "Accetta in deroga le anomalie scelte",
            "Chiudi le anomalie scelte",
            "Riapri le anomalie scelte",
        ],
    },
    "ingestion/rawoperazione/": {
        "capoturno": ["Rimetti in coda i record in errore", "Scarta i record in errore, con motivo"]
    },
    "production/operazione/": {},
    "production/pezzo/": {},
    "orders/ordine/": {},
    "orders/magazzino/": {},
    "etlportal/chiaveapi/": {"admin": ["Revoca le chiavi scelte"]},
    "etlportal/voceaudit/": {},
}
# And of the page of the list's first row. "Save" is there for whoever may change something.
ROWS = {
    REJECTED: {"capoturno": ["Rimetti in coda", "Scarta con motivo", "Righe di registro"]},
    "ingestion/esecuzioneetl/": {"capoturno": ["Righe di registro"]},
    "production/operazione/": {},
    "production/anomaliaoperazione/?stato=aperta": {
        "operatore": ["Prendi in carico", "Aggiungi una nota"],
        "capoturno": ["Accetta in deroga", "Chiudi"],
    },
    "production/pezzo/": {"admin": ["Cronologia", "Salva"]},
    "production/macchinario/": {"admin": ["Cronologia", "Salva"]},
    "production/anomalia/": {"admin": ["Cronologia", "Salva"]},
    "orders/ordine/?stato__exact=IN+ATTESA": {
        "operatore": ["Cronologia"],
        "capoturno": ["Annulla ordine", "Salva"],
    },
    "orders/ordine/?stato__exact=COMPLETATO": {"operatore": ["Cronologia"]},
    "orders/magazzino/": {
        "operatore": ["Cronologia"],
        "capoturno": ["Rettifica giacenza", "Salva"],
    },
    "orders/cliente/": {"admin": ["Cronologia", "Salva"]},
    "auth/user/?q=operatore": {"admin": ["Cronologia", "Salva", "Cancella"]},
}


def seen_by(role, table):
    """What a role sees of {role: [more than the one before]}."""
    upto = plant.ROLES[: plant.ROLES.index(role) + 1]
    return sorted(text for each in upto for text in table.get(each, []))


def texts(page, *places):
    """Without what style sheets do to letters."""
    found = [text.strip() for place in places for text in page.locator(place).all_text_contents()]
    return sorted(text for text in found if text)


@pytest.fixture(params=plant.ROLES)
def role(request):
    return request.param


@pytest.fixture
def page(opened, role):
    return opened(role)


def test_the_menu(page, role):
    page.goto("/admin/")
    assert texts(page, ".all-pages tbody th") == seen_by(role, MENU)
    rows = page.locator(".all-pages tbody tr").filter(has=page.locator(".addlink"))
    addable = texts(rows, "th")
    assert addable == (sorted(ADDABLE) if role == "admin" else [])


def test_the_queue_is_shown_to_superusers_alone(opened, role):
    queue = "a[href^='/admin/django_q/']"
    page = opened(role)
    page.goto("/admin/")
    assert page.locator(queue).count() == 0
    above = opened(plant.SUPERUSER)
    above.goto("/admin/")
    assert above.locator(f".all-pages tbody {queue}").count() >= 4


def test_the_buttons_of_a_list(page, role):
    found, wanted = {}, {}
    for address, table in BUTTONS.items():
        answer = page.goto(f"/admin/{address}")
        found[address] = texts(page, ".object-tools li") if answer.ok else []
        wanted[address] = seen_by(role, table)
    page.complaints[:] = [text for text in page.complaints if "403" not in text]
    assert found == wanted


def test_the_acts_on_chosen_rows(page, role):
    found, wanted = {}, {}
    for address, table in ACTIONS.items():
        answer = page.goto(f"/admin/{address}")
        offered = "select[name=action] option:not([value=''])"
        found[address] = texts(page, offered) if answer.ok else []
        wanted[address] = seen_by(role, table)
        if answer.ok and not wanted[address]:
            assert page.locator(".action-select").count() == 0, address
    page.complaints[:] = [text for text in page.complaints if "403" not in text]
    assert found == wanted


def test_the_acts_on_the_page_of_one(page, role):
    found, wanted = {}, {}
    for address, table in ROWS.items():
        wanted[address] = seen_by(role, table)
        answer = page.goto(f"/admin/{address}")
        if not answer.ok:
            found[address] = []
            continue
        page.locator("#result_list tbody th a").first.click()
        page.wait_for_url("**/change/**")
        found[address] = texts(page, ".object-tools li", ".deletelink")
        found[address] += ["Salva"] * page.locator("input[name=_save]").count()
        found[address].sort()
    page.complaints[:] = [text for text in page.complaints if "403" not in text]
    assert found == wanted
