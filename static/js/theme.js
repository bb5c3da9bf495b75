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

  function show(choice) {
    for (const button of document.querySelectorAll("[data-theme-toggle]")) label(button, choice);
    for (const button of document.querySelectorAll("[data-theme-set]")) {
      button.setAttribute("aria-pressed", String(button.dataset.themeSet === choice));
    }
  }

  function choose(choice) {
    try {
      localStorage.setItem(KEY, choice);
    } catch {
      // not remembered, still obeyed on this page
    }
    apply(choice);
    show(choice);
  }

  apply(remembered());

  document.addEventListener("DOMContentLoaded", function () {
    for (const button of document.querySelectorAll("[data-theme-toggle]")) {
      button.addEventListener("click", function () {
        choose(CHOICES[(CHOICES.indexOf(remembered()) + 1) % CHOICES.length]);
      });
    }
    for (const row of document.querySelectorAll("[data-theme-choices]")) row.hidden = false;
    for (const button of document.querySelectorAll("[data-theme-set]")) {
      button.addEventListener("click", () => choose(button.dataset.themeSet));
    }
    show(remembered());
  });

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", function () {
    if (!root.dataset.theme) apply("auto");
  });
})();
