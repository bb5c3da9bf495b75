// Patches the rows of positions in place from live figures, and keeps them in order.
//
// A row, a card or a whole page is [data-position="ID"]; inside it
//   [data-field="FIELD"]       a figure: text, title, source; with data-quiet it is never tagged
//   [data-gauge="FIELD"]       a level that follows the figure's value
//   .mark, .severity-word      follow the severity, as does data-severity of the element itself
//   [data-gain="FIELD"]        wears the class of a gain or a loss
//   [data-age-at]              the age of the reading, unless it is data-age-fixed
//   [data-time="price_at"]     the time of the price
//   data-at                    when its newest figure arrived: nothing older is written over it
//   [data-badges]              holds the badge of the state, from <template id="state-badges">
//   data-label                 how a spoken announcement names the position
// A figure with data-dollars is never shown in coins. What is swapped in is brought up to what was
// heard last. A <tbody data-live-sort="asc|desc"> keeps its rows ordered by their data-sort.
// "riskhub:figures" is dispatched with what was heard; "riskhub:words" when sentences and badges
// must be asked for anew.
(function (RiskHub) {
  "use strict";

  const DASH = RiskHub.format.DASH;
  const WORDS = { critical: "critical", warning: "warning", unknown: "risk unknown", calm: "calm" };
  const PREFIXES = { derived: "Computed by RiskHub", unknown: "Unknown" };
  const RANK = ["calm", "unknown", "warning", "critical"];
  const MARKS = ".mark, .by-severity[data-severity], .gauge[data-severity], em[data-severity]";
  const HOLDS_MS = 1500;
  const unsorted = new Set();
  const latest = new Map();
  let sortsAt = 0;
  let pointedAt = 0;

  // When the newest of an item's figures arrived; instants in ISO are ordered as texts.
  function arrivedAt(item) {
    return [item.as_of || "", item.price_at || ""].sort()[1];
  }

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

  // Dollars are not known: where nothing else may stand the figure is unknown.
  function inDollars(element, cell) {
    if (!cell.is_in_coins || !element.hasAttribute("data-dollars")) return cell;
    return { ...cell, text: DASH, source: "unknown" };
  }

  function patchFigure(element, given) {
    const cell = inDollars(element, given);
    const target = element.querySelector(".figure-value") || element;
    const figure = element.matches(".figure") ? element : element.querySelector(".figure");
    if (figure) {
      const source = sourceOf(figure, cell);
      figure.title = explain(source, cell.title);
      setUnknown(figure, source === "unknown" ? figure.title : null);
      setSource(figure, source);
    } else element.title = cell.title || "";
    const text = figure ? cell.text : RiskHub.format.keepUnits(cell.text);
    if (target.textContent === text) return;
    target.textContent = text;
    flash(target);
  }

  function patchGauge(gauge, cell) {
    const value = cell.is_beyond ? 1 : cell.value;
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
    named("data-gauge").forEach((gauge) => patchGauge(gauge, cell));
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

  function patchTimes(element, item) {
    for (const age of item.as_of ? element.querySelectorAll("[data-age-at]:not([data-age-fixed])") : []) {
      age.dataset.ageAt = item.as_of;
      if (item.budget) age.dataset.ageBudget = item.budget;
    }
    for (const time of item.price_at ? element.querySelectorAll('[data-time="price_at"]') : []) {
      const text = RiskHub.format.timestamp(item.price_at);
      if (time.textContent === text) continue;
      time.textContent = text;
      time.removeAttribute("title"); // it told of the price before
    }
  }

  function patchElement(element, item) {
    const at = arrivedAt(item);
    if (element.dataset.at && at && at < element.dataset.at) return;
    if (element.dataset.at && at) element.dataset.at = at;
    for (const [field, cell] of Object.entries(item.cells || {})) patchCell(element, field, cell);
    if (item.severity) patchSeverity(element, item.severity);
    if (item.state) patchState(element, item.state);
    patchTimes(element, item);
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
    // Equals stand as the server puts them. Two unknowns are equal: Infinity - Infinity is NaN.
    const sorted = rows.slice().sort((a, b) => key(a, sign) - key(b, sign) || a.dataset.position - b.dataset.position);
    if (sorted.every((row, i) => row === rows[i])) return;
    const focused = document.activeElement;
    // From the end: only rows that are out of place move.
    let next = null;
    for (const row of sorted.reverse()) {
      if (row.nextElementSibling !== next) body.insertBefore(row, next);
      next = row;
    }
    if (focused && body.contains(focused)) focused.focus({ preventScroll: true });
  }

  // A row must not slip away under a pointer that is about to click: wait while it moves, but not
  // for ever, and not for one that lies still.
  function sortSoon() {
    const now = Date.now();
    sortsAt = sortsAt || now + 8000;
    const isPointing = now - pointedAt < HOLDS_MS;
    for (const body of unsorted) {
      if (!body.isConnected) unsorted.delete(body);
      else if (!isPointing || !body.matches(":hover") || now > sortsAt) {
        unsorted.delete(body);
        sort(body);
      }
    }
    if (unsorted.size) setTimeout(sortSoon, 500);
    else sortsAt = 0;
  }

  // A badge or a sentence says it, and no event of its own tells of it.
  function isNews(item) {
    const before = latest.get(item.id);
    return before && Boolean(before.is_bankrupt) !== Boolean(item.is_bankrupt);
  }

  // What is told of one instant in two pieces is kept whole; older figures are not.
  function joined(item) {
    const before = latest.get(item.id);
    if (!before || arrivedAt(before) !== arrivedAt(item)) return item;
    return { ...before, ...item, is_bankrupt: item.is_bankrupt, cells: { ...before.cells, ...item.cells } };
  }

  function write(items) {
    for (const item of items) {
      for (const element of document.querySelectorAll(`[data-position="${CSS.escape(item.id)}"]`)) patchElement(element, item);
    }
    if (unsorted.size && !sortsAt) sortSoon();
  }

  function patch(items) {
    const fresh = items.filter((item) => !latest.has(item.id) || arrivedAt(item) >= arrivedAt(latest.get(item.id)));
    if (fresh.some(isNews)) document.dispatchEvent(new CustomEvent("riskhub:words"));
    for (const item of fresh) latest.set(item.id, joined(item));
    write(fresh);
    tell(fresh);
  }

  function tell(items) {
    if (items.length) document.dispatchEvent(new CustomEvent("riskhub:figures", { detail: items }));
  }

  // What the server wrote before the last events and the browser swaps in after them. Charts are
  // drawn once it has settled, and hear of it then.
  function rewrite() {
    const known = [];
    for (const item of latest.values()) {
      if (document.querySelector(`[data-position="${CSS.escape(item.id)}"]`)) known.push(item);
      else latest.delete(item.id);
    }
    write(known);
    tell(known);
  }
  document.addEventListener("htmx:afterSwap", rewrite);
  document.addEventListener("htmx:afterSettle", () => setTimeout(() => tell(Array.from(latest.values())), 0));
  document.addEventListener("pointermove", () => { pointedAt = Date.now(); }, { passive: true });

  RiskHub.rows = { patch, arrivedAt, colour: patchSeverity };
})(window.RiskHub);
