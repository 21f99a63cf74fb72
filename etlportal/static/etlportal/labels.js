/* Names for what Django's own pages and scripts draw without one, so that a screen reader has
   something to say: choices with a search (select2), date and time boxes, signs with a hint. */
"use strict";

(() => {
  /* The label of a field, or the heading of its column where rows stand in a table. */
  const labelOf = (field) => {
    const cell = field.closest("td[class*='field-']");
    const column = cell && [...cell.classList].find((name) => name.startsWith("field-"));
    return (
      field.labels[0] ||
      (column && cell.closest("table").querySelector(`th.${column.replace("field-", "column-")}`))
    );
  };

  const nameChoice = (select) => {
    const box = select.parentElement.querySelector(".select2-selection");
    const label = labelOf(select);
    if (box && label) {
      label.id ||= `${select.id}-label`;
      const chosen = box.querySelector(".select2-selection__rendered");
      box.setAttribute("aria-labelledby", `${label.id} ${chosen.id}`);
      chosen.setAttribute("aria-labelledby", label.id);
    }
  };

  /* "Data:" and "Ora:" stand before their boxes as plain text. */
  const nameMoment = (input) => {
    const text = input.previousSibling?.textContent.trim();
    if (text && !input.labels.length) {
      input.setAttribute("aria-label", text.replace(/:$/, ""));
    }
  };

  const nameAll = () => {
    document.querySelectorAll("select.admin-autocomplete").forEach(nameChoice);
    document.querySelectorAll("p.datetime input").forEach(nameMoment);
    document
      .querySelectorAll("span.help-tooltip[aria-label]")
      .forEach((sign) => sign.setAttribute("role", "img"));
  };

  /* The admin's own scripts draw some time after the page is ready, and with each new row. */
  nameAll();
  new MutationObserver(nameAll).observe(document.body, { childList: true, subtree: true });
})();
