/* The key "/" leads to the search box of the page. A page without one has the navigation's.

   Whoever speaks to the computer or types with a switch may press keys unmeant: the sign beside
   the box, a button, turns the key off and on (WCAG 2.1.4). Without this script the sign is hidden. */
"use strict";

(() => {
  const SETTING = "portal.shortcuts";
  const box = document.querySelector('[aria-keyshortcuts="/"]') || document.querySelector("#nav-filter");
  if (!box) {
    return;
  }

  const isOn = () => {
    try {
      return localStorage.getItem(SETTING) !== "off";
    } catch {
      return true;
    }
  };

  const isTyping = (target) =>
    target.isContentEditable || Boolean(target.closest("input, textarea, select"));

  document.addEventListener("keydown", (event) => {
    const plain = !event.ctrlKey && !event.altKey && !event.metaKey && !event.isComposing;
    if (event.key !== "/" || !plain || event.defaultPrevented || !isOn() || isTyping(event.target)) {
      return;
    }
    if (box.checkVisibility && !box.checkVisibility()) {
      return;
    }
    event.preventDefault();
    box.focus();
    box.select();
  });

  const sign = document.querySelector(".key-hint");
  if (!sign) {
    return;
  }
  const show = () => sign.setAttribute("aria-pressed", String(isOn()));
  sign.hidden = false;
  show();
  sign.addEventListener("click", () => {
    try {
      localStorage.setItem(SETTING, isOn() ? "off" : "on");
    } catch {
      /* A browser that keeps nothing leaves the key on. */
    }
    show();
  });
})();
