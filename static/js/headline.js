// The first sentence of a page, said anew when the position it speaks of changes its state.
//
// <header class="headline" data-position="ID" data-says="NAME"> holds its phrases as JSON:
//   {bankrupt|pooled|beyond|near|far|unknown: {before, figure, end, after, shows}}   "{}" is the
//   name; without a figure that of the position which `shows` names stands there. The words are the server's (positions/pages/phrases.py).
// Severity and mark follow as in every element of a position, see rows.js.
(function (RiskHub) {
  "use strict";

  const { format } = RiskHub;
  const NEAR = ["critical", "warning"];

  function kindOf(item) {
    if (item.is_bankrupt) return "bankrupt";
    if (item.is_pooled) return "pooled";
    if (!format.isNumber(item.distance)) return "unknown";
    if (item.distance <= 0) return "beyond";
    return NEAR.includes(item.severity) ? "near" : "far";
  }

  function phrasesOf(header) {
    const script = header.querySelector('script[type="application/json"]');
    return script ? JSON.parse(script.textContent) : {};
  }

  // "beyond by 0.4 %": the sign is in the words.
  function unsigned(text) {
    return text.replace(format.MINUS, "");
  }

  function write(header, part, text) {
    const element = header.querySelector(`[data-part="${part}"]`);
    const kept = format.keepUnits(text);
    if (element && element.textContent !== kept) element.textContent = kept;
  }

  // Returns whether it could be said: the page may lack the figure or the phrase.
  function say(header, item, name) {
    const phrase = phrasesOf(header)[kindOf(item)];
    const cell = phrase && (item.cells || {})[phrase.shows];
    if (!phrase || (!phrase.figure && !cell) || !header.querySelector('[data-part="figure"]')) return false;
    write(header, "before", phrase.before.replace("{}", () => name));
    write(header, "figure", phrase.figure || unsigned(cell.text));
    write(header, "end", phrase.end);
    write(header, "after", phrase.after);
    return true;
  }

  document.addEventListener("riskhub:figures", function (event) {
    for (const header of document.querySelectorAll(".headline[data-says]:not([data-is-first])")) {
      const item = event.detail.find((one) => one.id === header.dataset.position);
      if (item) say(header, item, header.dataset.says);
    }
  });

  RiskHub.headline = { say };
})(window.RiskHub);
