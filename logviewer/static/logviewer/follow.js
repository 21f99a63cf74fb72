"use strict";
// Follows a log: asks for the same lines again and again, and shows them when they change.

(() => {
  const PAUSE_MS = 2000;
  const table = document.getElementById("log-lines-table");
  const scroll = document.getElementById("log-scroll");
  const button = document.getElementById("log-follow");
  const status = document.getElementById("log-status");
  let timer = null;
  let shown = "";

  const toEnd = () => { scroll.scrollTop = scroll.scrollHeight; };
  const atEnd = () => scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 40;

  function link(url, text) {
    const anchor = document.createElement("a");
    anchor.href = url;
    anchor.textContent = text;
    return anchor;
  }

  function cell(row, className, ...content) {
    const td = row.insertCell();
    if (className) td.className = className;
    td.append(...content);
  }

  // As the page has it: the beginning is enough to see which lines go together.
  function requestOf(line) {
    if (!line.richiesta) return [];
    const cut = line.richiesta.length > 9 ? `${line.richiesta.slice(0, 8)}…` : line.richiesta;
    const anchor = link(line.richiesta_url, cut);
    anchor.title = line.richiesta;
    return [anchor];
  }

  function rowOf(line) {
    const row = document.createElement("tr");
    const badge = document.createElement("span");
    badge.className = `badge badge-${line.colore}`;
    badge.textContent = line.livello;
    cell(row, "log-time", line.ora);
    cell(row, "", ...(line.livello ? [badge] : []));
    cell(row, "", line.esecuzione_url ? link(line.esecuzione_url, line.esecuzione) : line.esecuzione);
    const record = line.record_url ? [" ", link(line.record_url, table.dataset.record)] : [];
    cell(row, "log-message", line.messaggio, ...record);
    cell(row, "log-request", ...requestOf(line));
    return row;
  }

  function show(answer) {
    const stay = !atEnd();  // who scrolled up to read is left there
    table.tBodies[0].replaceChildren(...answer.righe.map(rowOf));
    document.getElementById("log-empty").hidden = answer.righe.length > 0;
    document.getElementById("log-truncated").hidden = !answer.troncato;
    if (!stay) toEnd();
  }

  async function poll() {
    try {
      const response = await fetch(table.dataset.url, { headers: { Accept: "application/json" } });
      if (response.redirected || response.status === 403) {
        stop(status.dataset.expired);
        return;
      }
      if (!response.ok) throw new Error(String(response.status));
      const text = await response.text();
      if (timer === null) return;  // stopped meanwhile
      if (text !== shown) show(JSON.parse(text));
      shown = text;
      status.textContent = status.dataset.following;
    } catch {
      status.textContent = status.dataset.failed;
    }
    if (timer !== null) timer = setTimeout(poll, PAUSE_MS);
  }

  function start() {
    button.setAttribute("aria-pressed", "true");
    status.textContent = status.dataset.following;
    toEnd();
    timer = setTimeout(poll, 0);
  }

  function stop(message) {
    button.setAttribute("aria-pressed", "false");
    status.textContent = message;
    clearTimeout(timer);
    timer = null;
  }

  button.hidden = false;
  button.addEventListener("click", () => (timer === null ? start() : stop("")));
  toEnd();
})();
