// The reader's theme, set before the first paint; loaded in <head> without defer for that reason.
(function () {
  "use strict";

  const KEY = "riskhub-theme";
  const CHOICES = ["auto", "light", "dark"];
  const root = document.documentElement;

  function remembered() {
    try {
      const choice = localStorage.getItem(KEY);
      return CHOICES.includes(choice) ? choice : "auto";
    } catch {
      return "auto"; // storage is switched off: the system decides
    }
  }

  function apply(choice) {
    if (choice === "auto") delete root.dataset.theme;
    else root.dataset.theme = choice;
    document.dispatchEvent(new CustomEvent("riskhub:theme", { detail: choice }));
  }

  function label(button, choice) {
    button.hidden = false;
    button.setAttribute("aria-label", `Theme: ${choice}. Change it`);
    button.title = `Theme: ${choice}`;
  }

  apply(remembered());

  document.addEventListener("DOMContentLoaded", function () {
    for (const button of document.querySelectorAll("[data-theme-toggle]")) {
      label(button, remembered());
      button.addEventListener("click", function () {
        const next = CHOICES[(CHOICES.indexOf(remembered()) + 1) % CHOICES.length];
        try {
          localStorage.setItem(KEY, next);
        } catch {
          // not remembered, still obeyed on this page
        }
        apply(next);
        label(button, next);
      });
    }
  });

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", function () {
    if (!root.dataset.theme) apply("auto");
  });
})();
