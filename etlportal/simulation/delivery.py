"""How a simulation reaches the portal: over HTTP as a flow does, or straight into staging."""

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from etlportal.simulation import database
from etlportal.simulation.faults import Record
from etlportal.simulation.generator import Batch, Simulation
from etlportal.simulation.work import WaitingLine
from ingestion.reception import store
from orders.next_lines import next_lines
from production.fields import Limits

SENDER = "simula"
TIMEOUT_SECONDS = 120
TRIES = 4
PASSING = {408, 429, 500, 502, 503, 504}
LONGEST_PAUSE_SECONDS = 30


class NotDelivered(database.CannotSimulate):
    """The portal did not take what was sent."""


class Staging:
    """Straight into ``raw_operazione``, as the endpoint itself would."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def check(self) -> None:
        """The databases are the caller's own."""

    def waiting(self) -> list[WaitingLine]:
        """What the portal says to make next, as a flow asks it; fictitious lines left out."""
        return _ordered(next_lines(self._limits, fictitious=False))

    def send(self, records: list[Record], body: bytes) -> None:
        store.store_lotto(store.Post(records, body, SENDER, headers={}, request_id=SENDER))


class HttpPortal:
    """A portal at an address, asked as a flow asks it. Each call raises ``NotDelivered``."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url.rstrip("/")
        self._key = key

    def check(self) -> None:
        """Whether records would be taken."""
        self._call("GET", f"{self.url}/status")

    def waiting(self) -> list[WaitingLine]:
        lines, _location = self._call("GET", f"{self.url}/ordine")
        return _ordered(lines)

    def send(self, records: list[Record], body: bytes) -> None:
        """With a key of its own: a repetition of the call is one, a repeated simulation is not."""
        self._call("POST", f"{self.url}/insert-postgres", body, str(uuid4()))

    def run_jobs(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """What the timetable does each hour: the last answers of transfer and count."""
        return self._run("/process-transfer"), self._run("/aggiorna/ordine")

    def _run(self, path: str) -> dict[str, Any]:
        result, location = self._call("POST", f"{self.url}{path}")
        while location:
            time.sleep(1)
            result, location = self._call("GET", location)
        answer: dict[str, Any] = result
        return answer

    def _call(
        self, method: str, address: str, body: bytes | None = None, idempotency_key: str = ""
    ) -> tuple[Any, str]:
        """One request, repeated as a flow does while the failure is a passing one.

        Returns the JSON that was answered and, with 202, where to ask again.
        """
        headers = {"X-API-KEY": self._key, "Content-Type": "application/json"}
        headers["x-ms-workflow-name"] = SENDER
        if idempotency_key:
            headers["Idempotency-Key"] = idempotency_key
        request = urllib.request.Request(  # noqa: S310 - the maintainer names the portal
            address, data=body, method=method, headers=headers
        )
        for attempt in range(1, TRIES + 1):
            try:
                with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
                    location = answer.headers["Location"] if answer.status == 202 else ""
                    return json.loads(answer.read()), location
            except urllib.error.HTTPError as error:
                if error.code not in PASSING or attempt == TRIES:
                    raise NotDelivered(f"{address} ha risposto {error.code}.") from error
                pause = error.headers.get("Retry-After", "")
            except (OSError, http.client.HTTPException) as error:
                if attempt == TRIES:
                    raise NotDelivered(f"{self.url} non risponde: {error}") from error
                pause = ""
            seconds = int(pause) if pause.isdigit() else attempt
            time.sleep(min(seconds, LONGEST_PAUSE_SECONDS))
        raise AssertionError("unreachable")


Delivery = Staging | HttpPortal


def play(
    simulation: Simulation, delivery: Delivery | None, *, follow: bool = False
) -> Iterator[Batch]:
    """Each hour's batch after it was sent, then what was late at the end; None is a dry run.

    An hour's orders come in first. With ``follow`` the portal is then asked what to make, as a
    flow does, and lines of other orders go before ours: the records follow from them too.
    Raises ``NotDelivered``.
    """
    for hour in range(simulation.settings.ore):
        if delivery:
            database.take_in_orders(simulation.orders_of(hour))
        waiting = delivery.waiting() if delivery and follow else ()
        yield _sent(simulation.hour(hour, waiting), delivery)
    yield _sent(simulation.leftovers(), delivery)


def _sent(batch: Batch, delivery: Delivery | None) -> Batch:
    if delivery and batch.record:
        delivery.send(batch.record, batch.body)
    return batch


def _ordered(answer: list[dict[str, Any]]) -> list[WaitingLine]:
    """Of ``GET /ordine``'s answer, the lines that somebody ordered."""
    return [
        WaitingLine(line["id_ordine"], line["codice_pezzo"], line["quantita_da_produrre"])
        for line in answer
        if not line["fittizio"]
    ]
