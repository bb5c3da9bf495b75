// Who dies first, said again with every price: the headline of the overview and the totals that
// name a position go to another one in the same instant as the rows change their order.
//
// <script id="front"> holds those that may soon come first (positions/overview.py, _front):
//   [{id, cells: {liquidation_distance, margin_ratio}, sort, distance, severity, state, as_of,
//     price_at, is_bankrupt?, label, url, is_simulated, is_shown}]
//   is_shown: it passes the filters, the totals speak of it; the headline is of the whole book.
// [data-extreme="nearest|fullest"][data-book="real|simulated"] is a total that names a position.
// "riskhub:first" is dispatched where the rest of the summary must be asked for: another position
// comes first, or one does of which nothing but its figures is known.
(function (RiskHub) {
  "use strict";

  const { rows, format, headline } = RiskHub;
  const HELD = ["open", "stale", "breached", "disputed"];
  const FIELDS = { nearest: "liquidation_distance", fullest: "margin_ratio" };
  const ABOUT = ["label", "url", "is_simulated", "is_shown"];
  const ASKED_MS = 10000;
  const asked = new Map();
  let front = new Map();
  let read = null;

  const nearer = (a, b) => a.sort - b.sort || a.id - b.id;

  function isHeld(item) {
    return HELD.includes(item.state);
  }

  function isRanked(item) {
    return isHeld(item) && format.isNumber(item.sort);
  }

  function ratioOf(item) {
    if (item.is_bankrupt) return Infinity;
    const value = ((item.cells || {}).margin_ratio || {}).value;
    return format.isNumber(value) ? value : -Infinity;
  }

  function about(item) {
    return Object.fromEntries(ABOUT.map((name) => [name, item[name]]));
  }

  // Takes the server's list; what was heard since it was written is kept.
  function take() {
    const script = document.getElementById("front");
    if (!script || script === read) return;
    read = script;
    const before = front;
    const given = JSON.parse(script.textContent);
    front = new Map();
    for (const item of given) {
      const heard = before.get(item.id);
      const isOld = heard && rows.arrivedAt(heard) > rows.arrivedAt(item);
      front.set(item.id, isOld ? { ...heard, ...about(item) } : item);
    }
    // The answer may be ahead of the rows: they are brought up to it.
    rows.patch(given);
  }

  // Returns whether an item matters of which the page knows no name.
  function hear(items) {
    let isNeeded = false;
    for (const item of items) {
      const known = front.get(item.id);
      if (known) front.set(item.id, { ...item, ...about(known) });
      else isNeeded = isNeeded || couldLead(item);
    }
    return isNeeded;
  }

  // Asked about once in a while: the answer may be that it belongs to the other book.
  function couldLead(item) {
    if (!isHeld(item) || Date.now() - (asked.get(item.id) || 0) < ASKED_MS) return false;
    const others = Array.from(front.values()).filter(isHeld);
    const firstOf = (all) => all.filter(isRanked).sort(nearer)[0];
    const lead = firstOf(others.filter((other) => !other.is_simulated)) || firstOf(others);
    const isNearer = isRanked(item) && (!lead || item.sort < lead.sort);
    const isFuller = others.every((other) => ratioOf(item) > ratioOf(other));
    if (isNearer || isFuller) asked.set(item.id, Date.now());
    return isNearer || isFuller;
  }

  function sayFirst(ranked) {
    const header = document.querySelector(".headline[data-is-first]");
    const first = ranked.find((item) => !item.is_simulated) || ranked[0];
    if (!header || !first) return Boolean(header) !== Boolean(first);
    if (!headline.say(header, first, first.label)) return true;
    const own = header.querySelector("[data-own]");
    // Until it is asked for anew, the second line speaks of another position.
    if (own) own.toggleAttribute("data-waits", own.dataset.own !== first.id);
    if (header.dataset.position === first.id) return false;
    header.dataset.position = first.id;
    header.dataset.says = first.label;
    const link = header.querySelector("a[data-part]");
    if (link) link.href = first.url;
    return true;
  }

  function chosen(fact, ranked) {
    const isPaper = fact.dataset.book === "simulated";
    const all = fact.dataset.extreme === "nearest" ? ranked : Array.from(front.values()).filter(isHeld);
    const mine = all.filter((item) => item.is_shown && item.is_simulated === isPaper);
    if (fact.dataset.extreme === "nearest") return mine[0];
    return mine.sort((a, b) => ratioOf(b) - ratioOf(a) || 0)[0];
  }

  function sayExtreme(fact, item) {
    const value = fact.querySelector(".fact-value");
    const note = fact.querySelector(".fact-note");
    const cell = (item.cells || {})[FIELDS[fact.dataset.extreme]];
    if (!cell || !value) return;
    fact.dataset.position = item.id;
    value.dataset.severity = item.severity;
    value.textContent = format.keepUnits(cell.text);
    if (note) note.textContent = item.label;
  }

  function say() {
    const ranked = Array.from(front.values()).filter(isRanked).sort(nearer);
    const isOther = sayFirst(ranked);
    for (const fact of document.querySelectorAll("[data-extreme]")) {
      const item = chosen(fact, ranked);
      if (item) sayExtreme(fact, item);
    }
    return isOther;
  }

  // The mark and the colour of the headline follow like those of any other element.
  function colour() {
    const header = document.querySelector(".headline[data-is-first]");
    const first = header && front.get(header.dataset.position);
    if (first) rows.colour(header, first.severity);
  }

  function update(items) {
    take();
    const isNeeded = hear(items);
    const isOther = say();
    colour();
    if (isNeeded || isOther) document.dispatchEvent(new CustomEvent("riskhub:first"));
  }

  if (!document.getElementById("front")) return;
  document.addEventListener("riskhub:figures", (event) => update(event.detail));
  document.addEventListener("htmx:afterSwap", () => update([]));
  take();
})(window.RiskHub);
