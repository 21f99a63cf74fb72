"""The refusals that a caller of the API is told: one class per case, and a sentence per status.

Part of the kit: it imports no app, and not Django. ``handlers`` makes the answers. Who is not let
in at all hears so from ``authentication`` and ``server.https``, before there is a case.
"""

from typing import Any

JSON_TYPE = "application/json; charset=utf-8"  # of every answer of the API


class ApiError(Exception):
    """One case: status, stable code and Italian sentence, which may name the case's data.

    ``dettagli``: what is wrong where, as the answer shows it ([] = nothing more to say).
    """

    status = 400
    codice: str
    messaggio: str

    def __init__(self, dettagli: list[dict[str, Any]] | None = None, **data: Any) -> None:
        self.messaggio = self.messaggio.format(**data)
        self.dettagli = dettagli or []
        super().__init__(self.messaggio)


# --- The bytes of a body --------------------------------------------------------------------


class BodyTooLarge(ApiError):
    status = 413
    codice = "corpo_troppo_grande"
    messaggio = "Il corpo è troppo grande: al più 10 MB e 10.000 record per richiesta."


class IncompleteBody(ApiError):
    codice = "corpo_incompleto"
    messaggio = "Il corpo è arrivato incompleto: meno byte di quelli annunciati."


class UnreadableGzip(ApiError):
    codice = "gzip_non_valido"
    messaggio = "Il corpo è dichiarato gzip (Content-Encoding) ma non si può decomprimere."


class UnsupportedBody(ApiError):
    status = 415
    codice = "tipo_contenuto_non_ammesso"
    messaggio = "Il corpo deve essere JSON in UTF-8 (Content-Type: application/json)."


class FormBody(UnsupportedBody):
    messaggio = "Il corpo è un modulo: inviare JSON (Content-Type: application/json)."


class OtherFormat(UnsupportedBody):
    messaggio = (
        "Il corpo non è dichiarato come JSON: inviare un elenco JSON di operazioni "
        "(Content-Type: application/json)."
    )


class OtherCharset(UnsupportedBody):
    messaggio = (
        "Il corpo è dichiarato in un set di caratteri diverso da UTF-8: inviare JSON in "
        "UTF-8 (Content-Type: application/json; charset=utf-8)."
    )


class OtherCoding(UnsupportedBody):
    codice = "codifica_non_ammessa"
    messaggio = (
        "Il corpo è compresso in un modo non previsto: inviare JSON senza Content-Encoding, "
        "oppure con gzip."
    )


class ChunkedUpload(ApiError):
    codice = "invio_a_blocchi"
    messaggio = (
        "Questo è l'avvio vuoto di un invio a blocchi (x-ms-transfer-mode: chunked), che non "
        "è previsto: nulla è stato salvato. Nelle impostazioni dell'azione HTTP del flusso "
        "disattivare «Consenti suddivisione in blocchi» (Allow chunking) e inviare al più "
        "10 MB per richiesta."
    )


# --- Its JSON -------------------------------------------------------------------------------


class UnreadableJson(ApiError):
    codice = "json_non_valido"
    messaggio = "Il corpo non è JSON valido: riga {riga}, colonna {colonna}."


class EmptyBody(UnreadableJson):
    messaggio = "Il corpo è vuoto: serve un elenco JSON di operazioni."


class NotUtf8(UnreadableJson):
    messaggio = "Il corpo non è testo UTF-8 (byte {byte}): inviare JSON in UTF-8."


class TooDeep(UnreadableJson):
    messaggio = "Il corpo ha più di {most} livelli annidati."


class RefusedValue(UnreadableJson):
    """Something that JSON does not say; ``dettagli`` name it, record by record."""

    messaggio = "Record {indice}: {motivo}"


class TooManyValues(ApiError):
    status = 413
    codice = "troppi_valori"
    messaggio = "Il corpo ha più di {most} valori JSON: dividere l'invio."


# --- Its records ----------------------------------------------------------------------------


class NoList(ApiError):
    codice = "formato_non_valido"
    messaggio = "Serve un elenco JSON di operazioni, oppure una sola operazione."


class TooManyRecords(ApiError):
    status = 413
    codice = "troppi_record"
    messaggio = "Al più {most} record per richiesta: ricevuti {ricevuti}. Dividere l'invio."


class NoRecord(ApiError):
    codice = "record_non_valido"
    messaggio = "{wrong} elementi su {ricevuti} non sono operazioni: nulla è stato salvato."


# --- Headers and parameters -----------------------------------------------------------------


class UselessIdempotencyKey(ApiError):
    codice = "chiave_idempotenza_non_valida"
    messaggio = (
        "L'intestazione {header} deve avere da 1 a {most} caratteri ASCII (niente "
        "accenti): usare un testo diverso per ogni invio, per esempio un GUID."
    )


class ReusedIdempotencyKey(ApiError):
    status = 422
    codice = "chiave_idempotenza_riusata"
    messaggio = "Questa {header} è già servita per un corpo diverso: usarne una nuova."


class WrongParameter(ApiError):
    codice = "parametro_non_valido"
    messaggio = "Il parametro {name} deve essere un numero intero fra 1 e {most}."


class WrongCursor(ApiError):
    codice = "cursore_non_valido"
    messaggio = (
        "Il parametro dopo non vale: usare l'indirizzo o il valore dell'ultima risposta, "
        "oppure toglierlo per partire da adesso."
    )


# --- A run ----------------------------------------------------------------------------------


class RunFailed(ApiError):
    """A run that failed, in the run's own words."""

    status = 422
    codice = "esecuzione_fallita"
    messaggio = "{messaggio}"


# --- Logs -----------------------------------------------------------------------------------


class WrongLogOption(WrongParameter):
    messaggio = "{sentence}"


class ClearBody(ApiError):
    codice = "corpo_non_valido"
    messaggio = "Il corpo deve essere un oggetto JSON."


class Prefetched(ApiError):
    codice = "richiesta_anticipata"
    messaggio = "Richiesta anticipata dal programma e non voluta: nulla è stato svuotato."


class AuditUnavailable(ApiError):
    status = 503
    codice = "audit_non_disponibile"
    messaggio = (
        "Il registro di audit non si può scrivere ora: nulla è stato svuotato, riprovare più tardi."
    )


class ClearImpossible(ApiError):
    status = 500
    codice = "registro_non_svuotato"
    messaggio = "{sentence}"


# --- What is known by its status alone ------------------------------------------------------

SENTENCES = {
    400: (
        "richiesta_non_valida",
        "La richiesta non è valida: controllare indirizzo, parametri e intestazioni.",
    ),
    401: ("chiave_non_valida", "Serve una chiave valida nell'intestazione X-API-KEY."),
    403: ("permesso_negato", "Questa chiave non ha il permesso per l'operazione richiesta."),
    404: ("non_trovato", "Questo indirizzo non esiste: controllarlo nel flusso."),
    405: (
        "metodo_non_ammesso",
        "Questo indirizzo non accetta il metodo usato: vedi l'intestazione Allow.",
    ),
    413: (BodyTooLarge.codice, BodyTooLarge.messaggio),
    414: ("indirizzo_troppo_lungo", "L'indirizzo è troppo lungo: ridurre i parametri."),
    415: (UnsupportedBody.codice, UnsupportedBody.messaggio),
    429: ("troppe_richieste", "Troppe richieste con questa chiave: attendere e riprovare."),
    431: ("intestazioni_troppo_lunghe", "Le intestazioni della richiesta sono troppo lunghe."),
    500: ("errore_interno", "Errore interno: riprovare; se continua, avvisare la manutenzione."),
    503: (
        "database_non_disponibile",
        "Il database non è raggiungibile: nulla è stato scritto, riprovare più tardi.",
    ),
}
