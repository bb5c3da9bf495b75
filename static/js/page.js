// Small manners of a page: ticking ages, menus that close, rows that open, the server's clock.
(function (RiskHub) {
  "use strict";

  const format = RiskHub.format;
  let offsetMs = 0;

  // The server's clock, as far as we know it: this machine's own may be wrong by minutes.
  function setServerNow(instant) {
    const at = Date.parse(instant || "");
    if (!Number.isNaN(at)) offsetMs = at - Date.now();
  }

  function serverNow() {
    return Date.now() + offsetMs;
  }

  function tick() {
    const now = serverNow();
    for (const element of document.querySelectorAll("[data-age-at]")) {
      const seconds = (now - Date.parse(element.dataset.ageAt)) / 1000;
      if (Number.isNaN(seconds)) continue;
      const text = format.age(seconds);
      if (element.textContent !== text) element.textContent = text;
      const budget = Number(element.dataset.ageBudget || NaN);
      element.toggleAttribute("data-stale", seconds > budget);
    }
  }

  function closeMenus(except) {
    for (const menu of document.querySelectorAll(".menu[open]")) {
      if (!menu.contains(except)) menu.open = false;
    }
  }

  function openRow(event) {
    const row = event.target.closest("tr[data-href]");
    const isOther = event.target.closest("a, button, input, select, label, summary, [tabindex]");
    if (!row || isOther || String(getSelection())) return;
    if (event.metaKey || event.ctrlKey) window.open(row.dataset.href, "_blank", "noopener");
    else location.assign(row.dataset.href);
  }

  document.addEventListener("click", function (event) {
    closeMenus(event.target);
    openRow(event);
  });

  document.addEventListener("keydown", function (event) {
    if (event.key !== "Escape") return;
    const open = document.querySelector(".menu[open]");
    closeMenus(null);
    if (open) open.querySelector("summary").focus();
  });

  // A button that only a page without JavaScript needs.
  function hideNoScript() {
    for (const element of document.querySelectorAll("[data-no-script]")) element.hidden = true;
  }

  hideNoScript();
  document.addEventListener("htmx:afterSettle", hideNoScript);

  // A banner about what is over stays dismissed: its name says what it tells of, and when.
  const DISMISSED = "riskhub:dismissed";

  function dismissed() {
    try {
      return JSON.parse(localStorage.getItem(DISMISSED) || "[]");
    } catch {
      return []; // no storage, or not ours
    }
  }

  function dismiss(banner) {
    banner.hidden = true;
    try {
      localStorage.setItem(DISMISSED, JSON.stringify([...dismissed(), ...banner.dataset.banner.split(" ")].slice(-50)));
    } catch {
      // hidden on this page alone
    }
  }

  function hideDismissed() {
    const known = dismissed();
    for (const button of document.querySelectorAll("[data-dismiss]")) {
      const banner = button.closest("[data-banner]");
      button.hidden = false;
      banner.hidden = banner.hidden || banner.dataset.banner.split(" ").every((name) => known.includes(name));
    }
  }

  document.addEventListener("click", function (event) {
    const button = event.target.closest("[data-dismiss]");
    if (button) dismiss(button.closest("[data-banner]"));
  });
  document.addEventListener("htmx:afterSettle", hideDismissed);
  hideDismissed();

  setServerNow(document.body.dataset.serverNow);
  setInterval(tick, 1000);
  document.addEventListener("visibilitychange", tick);

  RiskHub.clock = { setServerNow, serverNow, tick };
})(window.RiskHub);
