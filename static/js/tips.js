// Shows a figure's reason on hover, focus and touch. The title attribute stays the source of the
// words; it is taken off while the tip is shown, so that the browser does not show it again.
(function () {
  "use strict";

  const SOURCES = { reported: "Reported by the venue", derived: "Computed by RiskHub" };
  const tip = document.createElement("div");
  let shown = null;

  tip.className = "tip";
  tip.setAttribute("aria-hidden", "true"); // the words are in the element's own name or title
  tip.hidden = true;
  document.body.append(tip);

  function words(element) {
    return element.title || SOURCES[element.dataset.source] || "";
  }

  function place(element) {
    const at = element.getBoundingClientRect();
    const size = tip.getBoundingClientRect();
    const left = Math.min(Math.max(8, at.left + at.width / 2 - size.width / 2), innerWidth - size.width - 8);
    const isAbove = at.top > size.height + 12;
    tip.style.left = `${left}px`;
    tip.style.top = `${isAbove ? at.top - size.height - 6 : at.bottom + 6}px`;
  }

  function show(element) {
    hide();
    const text = words(element);
    if (!text) return;
    shown = { element, title: element.title };
    element.removeAttribute("title");
    tip.textContent = text;
    tip.hidden = false;
    place(element);
  }

  function hide() {
    if (!shown) return;
    if (shown.title && !shown.element.title) shown.element.title = shown.title;
    shown = null;
    tip.hidden = true;
  }

  function target(event) {
    return event.target.closest ? event.target.closest(".figure, .badge[title], dd[title], .fact[title]") : null;
  }

  for (const [begin, end] of [["pointerover", "pointerout"], ["focusin", "focusout"]]) {
    document.addEventListener(begin, function (event) {
      const element = target(event);
      if (element && (!shown || shown.element !== element)) show(element);
    });
    document.addEventListener(end, function (event) {
      const goesTo = event.relatedTarget;
      if (shown && !(goesTo instanceof Node && shown.element.contains(goesTo))) hide();
    });
  }
  document.addEventListener("scroll", hide, { capture: true, passive: true });
  document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
  document.addEventListener("htmx:beforeSwap", hide);
})();
