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


# A page as the server sends it, read by the browser and not drawn: many pages in little time.
READ = """async ([address, places]) => {
    const answer = await fetch(address);
    const read = new DOMParser().parseFromString(await answer.text(), "text/html");
    return answer.ok ? places.map(place => Array.from(read.querySelectorAll(place), found =>
        found.getAttribute("href") && place.endsWith("th a")
            ? found.getAttribute("href") : found.textContent.trim())) : null;
}"""
FIRST_ROW = "#result_list tbody th a"
TOOLS = ".object-tools li"


def read(page, address, *places):
    """The texts (of a row, the address) found at each of the places; None if it is not for us."""
    found = page.evaluate(READ, [f"/admin/{address}", places])
    page.complaints[:] = [text for text in page.complaints if "403" not in text]
    return found


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
    page.goto("/admin/")
    found, wanted = {}, {}
    for address, table in BUTTONS.items():
        (tools,) = read(page, address, TOOLS) or [[]]
        found[address] = sorted(tools)
        wanted[address] = seen_by(role, table)
    assert found == wanted


def test_the_acts_on_chosen_rows(page, role):
    page.goto("/admin/")
    found, wanted = {}, {}
    offered = "select[name=action] option:not([value=''])"
    for address, table in ACTIONS.items():
        acts, boxes = read(page, address, offered, ".action-select") or ([], [])
        found[address] = sorted(acts)
        wanted[address] = seen_by(role, table)
        assert wanted[address] or not boxes, address
    assert found == wanted


def test_the_acts_on_the_page_of_one(page, role):
    page.goto("/admin/")
    found, wanted = {}, {}
    for address, table in ROWS.items():
        wanted[address] = seen_by(role, table)
        (rows,) = read(page, address, FIRST_ROW) or [[]]
        if not rows:
            found[address] = []
            continue
        first = rows[0].removeprefix("/admin/")
        tools, deleting, saving = read(page, first, TOOLS, ".deletelink", "input[name=_save]")
        found[address] = sorted([*tools, *deleting, *["Salva"] * len(saving)])
    assert found == wanted
