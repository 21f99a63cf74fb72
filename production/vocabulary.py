"""The words that the tables store, each beside the Italian label under which pages show it.

No Django here: the rules use the words too. The models make their choices of them (``choices``
in ``production.models``), pages translate the labels. Other programs read and write the words:
they never change.
"""

from enum import StrEnum
from typing import Self


def gettext_noop(text: str) -> str:
    """Marks a text for makemessages; the reader's language is chosen where it is shown."""
    return text


_ = gettext_noop


class Word(StrEnum):
    """A stored word. ``label`` is in Italian: a page shows ``gettext(word.label)``."""

    label: str

    def __new__(cls, value: str, label: str = "") -> Self:
        word = str.__new__(cls, value)
        word._value_ = value
        word.label = label
        return word


# --- Operations and anomalies -------------------------------------------------------------


class TipoOperazione(Word):
    """Of an operation, and the last working step of a piece (``pezzi.fase_finale``)."""

    FORGIATURA = "forgiatura", _("Forgiatura")
    CNC = "cnc", _("CNC")


class EsitoForgiatura(Word):
    CONFORME = "CONFORME", _("Conforme")
    FUORI_SPECIFICA = "FUORI_SPECIFICA", _("Fuori specifica")
    NON_VALUTABILE = "NON_VALUTABILE", _("Non valutabile")


class OrigineAnomalia(Word):
    """Who raised an anomaly: our validation, the machine itself, or order counting."""

    VALIDAZIONE = "VALIDAZIONE", _("Validazione")
    MACCHINA = "MACCHINA", _("Macchina")
    ORDINI = "ORDINI", _("Ordini")


class StatoAnomalia(Word):
    APERTA = "aperta", _("Aperta")
    PRESA_IN_CARICO = "presa_in_carico", _("Presa in carico")
    ACCETTATA_IN_DEROGA = "accettata_in_deroga", _("Accettata in deroga")
    CHIUSA = "chiusa", _("Chiusa")

    @classmethod
    def to_handle(cls) -> tuple[Self, ...]:
        """Those that wait for somebody: open, or taken by somebody who is at it."""
        return (cls.APERTA, cls.PRESA_IN_CARICO)


class ClasseFermo(Word):
    NESSUNO = "nessuno", _("Nessuno")
    NON_PIANIFICATO = "non_pianificato", _("Non pianificato")
    ATTREZZAGGIO = "attrezzaggio", _("Attrezzaggio")
    PIANIFICATO = "pianificato", _("Pianificato")


# The two stop types that validation stores by itself: for no stop, and for an unknown word.
NESSUN_FERMO = "NESSUNO"
ALTRO_FERMO = "ALTRO"


# --- Orders and stock ---------------------------------------------------------------------


class StatoOrdine(Word):
    IN_ATTESA = "IN ATTESA", _("In attesa")
    COMPLETATO = "COMPLETATO", _("Completato")
    ANNULLATO = "ANNULLATO", _("Annullato")


class EsitoConteggio(Word):
    """What became of an operation's pieces."""

    ORDINE = "ORDINE", _("All'ordine")  # to its order line, surplus to stock
    MAGAZZINO = "MAGAZZINO", _("Al magazzino")  # to stock whole
    FASE_INTERMEDIA = "FASE_INTERMEDIA", _("Fase intermedia")  # not the last step: no piece
    FITTIZIO = "FITTIZIO", _("Ordine fittizio")  # for the fictitious order: touches nothing
    NON_ATTRIBUIBILE = "NON_ATTRIBUIBILE", _("Non attribuibile")  # no piece or no known type


class CausaMovimento(Word):
    CARICO_PRODUZIONE = "CARICO_PRODUZIONE", _("Carico da produzione")
    PRELIEVO_ORDINE = "PRELIEVO_ORDINE", _("Prelievo per ordine")
    PRELIEVO_GREZZI = "PRELIEVO_GREZZI", _("Prelievo di grezzi")
    RESO_ORDINE = "RESO_ORDINE", _("Reso da ordine annullato")
    RETTIFICA = "RETTIFICA", _("Rettifica")


# --- Records as received, and runs --------------------------------------------------------


class StatoRecord(Word):
    PENDING = "PENDING", _("In attesa")
    PROCESSED = "PROCESSED", _("Trasferito")
    ERROR = "ERROR", _("In errore")


class TipoEsecuzione(Word):
    TRANSFER = "transfer", _("Trasferimento")
    ORDINI = "ordini", _("Ordini")
    PULIZIA = "pulizia", _("Pulizia")
    VERIFICA = "verifica", _("Verifica")


class OrigineEsecuzione(Word):
    PIANIFICATA = "pianificata", _("Pianificata")
    API = "api", _("API")
    ADMIN = "admin", _("Portale")
    COMANDO = "comando", _("Comando")


class StatoEsecuzione(Word):
    IN_CODA = "IN_CODA", _("In coda")
    IN_CORSO = "IN_CORSO", _("In corso")
    OK = "OK", _("OK")
    PARZIALE = "PARZIALE", _("Parziale")
    ERRORE = "ERRORE", _("Errore")
    INTERROTTA = "INTERROTTA", _("Interrotta")
