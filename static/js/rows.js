// Patches the rows of positions in place from live figures, and keeps them in order.
//
// A row, a card or a whole page is [data-position="ID"]; inside it
//   [data-field="FIELD"]       a figure: text, title, source; with data-quiet it is never tagged
//   [data-gauge="FIELD"]       a level that follows the figure's value
//   .mark, .severity-word      follow the severity, as does data-severity of the element itself
//   [data-gain="FIELD"]        wears the class of a gain or a loss
//   [data-age-at]              the age of the reading, unless it is data-age-fixed
//   [data-badges]              holds the badge of the state, from <template id="state-badges">
//   data-label                 how a spoken announcement names the position
// A <tbody data-live-sort="asc|desc"> keeps its rows ordered by their data-sort; when another one
// comes first, "riskhub:first" is dispatched.
(function (RiskHub) {
  "use strict";

  const DASH = RiskHub.format.DASH;
  const WORDS = { critical: "critical", warning: "warning", unknown: "risk unknown", calm: "calm" };
  const PREFIXES = { derived: "Computed by RiskHub", unknown: "Unknown" };
  const RANK = ["calm", "unknown", "warning", "critical"];
  const MARKS = ".mark, .by-severity[data-severity], .gauge[data-severity], em[data-severity]";
  const unsorted = new Set();
  let sortsAt = 0;

  function flash(element) {
    element.dataset.flash = element.dataset.flash === "a" ? "b" : "a";
  }

  function setUnknown(element, why) {
    const isUnknown = why !== null;
    element.toggleAttribute("tabindex", isUnknown);
    if (isUnknown) {
      element.tabIndex = 0;
      element.setAttribute("role", "img");
      element.setAttribute("aria-label", why.replace("Unknown", "unknown"));
    } else {
      element.removeAttribute("role");
      element.removeAttribute("aria-label");
    }
  }

  function setSource(element, source) {
    element.dataset.source = source;
    const tag = element.querySelector(".figure-source");
    if (source === "derived" && !tag && !element.hasAttribute("data-quiet")) {
      const ours = document.createElement("small");
      ours.className = "figure-source";
      ours.textContent = "ours";
      element.prepend(ours);
    } else if (source !== "derived" && tag) tag.remove();
  }

  // Without a source of its own a cell keeps the one that stands, unless the dash came or went.
  function sourceOf(figure, cell) {
    if (cell.text === DASH) return "unknown";
    if (cell.source) return cell.source;
    return figure.dataset.source === "unknown" ? "reported" : figure.dataset.source;
  }

  // The same words as the server's: `title` of a cell is the reason, or all that is to be said.
  function explain(source, title) {
    const reason = (title || "").replaceAll("_", " ");
    const start = PREFIXES[source];
    if (!start || reason.startsWith(start)) return reason;
    return reason ? `${start}: ${reason}` : source === "unknown" ? `${start}: no reason was given` : start;
  }

  function patchFigure(element, cell) {
    const target = element.querySelector(".figure-value") || element;
    const figure = element.matches(".figure") ? element : element.querySelector(".figure");
    if (figure) {
      const source = sourceOf(figure, cell);
      figure.title = explain(source, cell.title);
      setUnknown(figure, source === "unknown" ? figure.title : null);
      setSource(figure, source);
    } else element.title = cell.title || "";
    if (target.textContent === cell.text) return;
    target.textContent = cell.text;
    flash(target);
  }

  function patchGauge(gauge, value) {
    const isKnown = RiskHub.format.isNumber(value);
    gauge.toggleAttribute("data-unknown", !isKnown);
    const level = isKnown ? Math.min(Math.max(value, 0), 1) : 0;
    gauge.querySelector(".gauge-fill").setAttribute("width", (level * 100).toFixed(1));
  }

  function patchGain(element, value) {
    element.classList.toggle("is-gain", value > 0);
    element.classList.toggle("is-loss", value < 0);
  }

  function announce(element, severity, before) {
    const region = document.getElementById("live-announce");
    if (!region || !element.dataset.label || RANK.indexOf(severity) <= RANK.indexOf(before)) return;
    region.textContent = `${element.dataset.label}: ${WORDS[severity]}`;
  }

  function patchSeverity(element, severity) {
    const before = element.dataset.severity;
    if (!WORDS[severity] || before === severity) return;
    element.dataset.severity = severity;
    for (const mark of element.querySelectorAll(MARKS)) mark.dataset.severity = severity;
    for (const word of element.querySelectorAll(".severity-word")) word.textContent = WORDS[severity];
    for (const text of element.querySelectorAll(".severity-text")) {
      text.dataset.severity = severity;
      text.textContent = WORDS[severity];
    }
    if (element.tagName === "TR") announce(element, severity, before);
  }

  function patchCell(element, field, cell) {
    const named = (attribute) => element.querySelectorAll(`[${attribute}="${CSS.escape(field)}"]`);
    named("data-field").forEach((figure) => patchFigure(figure, cell));
    if (cell.value === undefined) return;
    named("data-gauge").forEach((gauge) => patchGauge(gauge, cell.value));
    named("data-gain").forEach((gain) => patchGain(gain, cell.value));
  }

  function patchState(element, state) {
    if (element.dataset.state === state) return;
    element.dataset.state = state;
    const place = element.querySelector("[data-badges]");
    const ready = document.getElementById("state-badges");
    if (!place || !ready) return;
    for (const old of place.querySelectorAll("[data-state-badge]")) old.remove();
    const badge = ready.content.querySelector(`[data-state-badge="${CSS.escape(state)}"]`);
    if (badge) place.append(" ", badge.cloneNode(true));
  }

  function patchElement(element, item) {
    for (const [field, cell] of Object.entries(item.cells || {})) patchCell(element, field, cell);
    if (item.severity) patchSeverity(element, item.severity);
    if (item.state) patchState(element, item.state);
    for (const age of item.as_of ? element.querySelectorAll("[data-age-at]:not([data-age-fixed])") : []) {
      age.dataset.ageAt = item.as_of;
      if (item.budget) age.dataset.ageBudget = item.budget;
    }
    noteOrder(element, item.sort === undefined ? item.distance : item.sort);
  }

  function noteOrder(element, order) {
    const body = element.closest("tbody[data-live-sort]");
    if (!body || order === undefined) return;
    element.dataset.sort = order === null ? "" : order;
    unsorted.add(body);
  }

  function key(row, sign) {
    const text = row.dataset.sort;
    return text === undefined || text === "" ? Infinity : sign * Number(text);
  }

  function sort(body) {
    const sign = body.dataset.liveSort === "desc" ? -1 : 1;
    const rows = Array.from(body.rows);
    const sorted = rows.slice().sort((a, b) => key(a, sign) - key(b, sign) || 0);
    if (sorted.every((row, i) => row === rows[i])) return;
    if (sorted[0] !== rows[0]) document.dispatchEvent(new CustomEvent("riskhub:first"));
    const focused = document.activeElement;
    // From the end: only rows that are out of place move.
    let next = null;
    for (const row of sorted.reverse()) {
      if (row.nextElementSibling !== next) body.insertBefore(row, next);
      next = row;
    }
    if (focused && body.contains(focused)) focused.focus({ preventScroll: true });
  }

  // A row must not slip away under a pointer that is about to click: wait, but not for ever.
  function sortSoon() {
    const now = Date.now();
    sortsAt = sortsAt || now + 8000;
    for (const body of unsorted) {
      if (!body.isConnected) unsorted.delete(body);
      else if (!body.matches(":hover") || now > sortsAt) {
        unsorted.delete(body);
        sort(body);
      }
    }
    if (unsorted.size) setTimeout(sortSoon, 500);
    else sortsAt = 0;
  }

  function patch(items) {
    for (const item of items) {
      for (const element of document.querySelectorAll(`[data-position="${CSS.escape(item.id)}"]`)) patchElement(element, item);
    }
    if (unsorted.size && !sortsAt) sortSoon();
    document.dispatchEvent(new CustomEvent("riskhub:figures", { detail: items }));
  }

  RiskHub.rows = { patch };
})(window.RiskHub);
