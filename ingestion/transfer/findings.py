"""The anomalies found in one record, collected while its fields are judged."""

from ingestion.transfer.records import Finding, RawRecord
from ingestion.transfer.text import shorten
from production.catalogue import AnomaliaId

# Stored values of production.models.Origine; named here so that the rules need no Django.
VALIDAZIONE = "VALIDAZIONE"
MACCHINA = "MACCHINA"


class Findings:
    """Collects findings in the order in which they are made. One per judged record."""

    def __init__(self, raw: RawRecord) -> None:
        self._raw = raw
        self.found: list[Finding] = []

    def report(self, anomalia: AnomaliaId, campo: str, note: str) -> None:
        """An anomaly of a record column; its value is the column's text as received."""
        self.add(anomalia, campo, getattr(self._raw, campo), note)

    def add(
        self,
        anomalia: int,
        campo: str | None,
        valore: str | None,
        note: str,
        origine: str = VALIDAZIONE,
    ) -> None:
        self.found.append(
            Finding(
                int(anomalia),
                campo,
                None if valore is None else shorten(valore),
                shorten(note),
                origine,
            )
        )

    def reported_fields(self) -> set[str | None]:
        """Fields that have an anomaly of ours already."""
        return {finding.campo for finding in self.found if finding.origine == VALIDAZIONE}
