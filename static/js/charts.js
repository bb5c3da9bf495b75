// Charts by Plotly: what they share. Each kind is one file, chart-<kind>.js.
//
// A chart is <div data-chart="KIND" data-chart-data="ID">, its data the JSON in
// <script type="application/json" id="ID">. Unknown is null, never 0; the list or table beside the
// chart says the same in words. The data of each kind:
//
// compartments
//   {venues: [{label,
//              compartments: [{id, label, side, collateral_usd|null, margin_ratio|null, severity,
//                              url, distance|null, is_simulated, is_bankrupt}],
//              merged: {count, collateral_usd|null, max_margin_ratio|null} | null}]}
//   The server decides which positions keep a compartment of their own and which are merged.
//   Live: figures whose id is a compartment's; cells.margin_ratio.value, severity, distance,
//   is_bankrupt: beyond full, whatever the ratio.
//
// price
//   {symbol, simulated, entry|null, at: [ISO],
//    mark: [number|null], liquidation: [number|null], bankruptcy: [number|null]}
//   The four lists are equally long; a null is a gap in the line.
//   Live: figures of data-chart-position; cells.mark_price.value, .liquidation_price.value,
//   .bankruptcy_price.value and price_at (else as_of) add a point, if it is a later one.
(function (RiskHub) {
  "use strict";

  const NAMES = {
    ink: "--ink", soft: "--soft", faint: "--faint", line: "--line", sheet: "--sheet", hull: "--sunk",
    accent: "--accent", control: "--control",
    calm: "--risk-calm", warning: "--risk-warning", critical: "--risk-critical", unknown: "--risk-unknown",
    calmFill: "--risk-calm-fill", warningFill: "--risk-warning-fill",
    criticalFill: "--risk-critical-fill", unknownFill: "--risk-unknown-fill",
  };
  const CONFIG = {
    displaylogo: false,
    displayModeBar: false,
    modeBarButtonsToRemove: ["sendChartToCloud", "select2d", "lasso2d", "autoScale2d"],
    plotlyServerURL: "",
    responsive: false, // the observer below redraws, with the layout for the new width
    showTips: false,
  };
  const kinds = {};
  const drawn = new Map();

  // A custom property that holds light-dark() resolves only where it is used as a colour.
  function colours() {
    const probe = document.createElement("span");
    probe.style.forcedColorAdjust = "none"; // a picture in one colour says nothing
    document.body.append(probe);
    const found = {};
    for (const [name, token] of Object.entries(NAMES)) {
      probe.style.color = `var(${token})`;
      found[name] = getComputedStyle(probe).color;
    }
    probe.remove();
    return found;
  }

  // Plotly reads a little HTML in every text; names from a venue are no markup.
  function plain(text) {
    return String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  }

  function layout(theme, own) {
    const font = { family: getComputedStyle(document.body).fontFamily, size: 12, color: theme.soft };
    return {
      font,
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      showlegend: false,
      dragmode: false,
      hoverlabel: { bgcolor: theme.sheet, bordercolor: theme.control, align: "left", font: { ...font, color: theme.ink, size: 13 } },
      ...own,
    };
  }

  function read(element) {
    const script = document.getElementById(element.dataset.chartData);
    try {
      return script ? JSON.parse(script.textContent) : null;
    } catch {
      return null; // the list beside the chart stays
    }
  }

  function create(element) {
    const kind = kinds[element.dataset.chart];
    const data = read(element);
    if (!kind || !data) return;
    const chart = kind(element, data);
    const entry = { chart, width: 0, timer: 0 };
    drawn.set(element, entry);
    observer.observe(element);
  }

  function draw(element) {
    const entry = drawn.get(element);
    if (!entry || entry.timer) return;
    // Events come every second or faster; one picture for all that came in between.
    entry.timer = setTimeout(function () {
      entry.timer = 0;
      if (element.clientWidth) entry.chart.draw(colours());
    }, 60);
  }

  const observer = new ResizeObserver(function (changes) {
    for (const { target } of changes) {
      const entry = drawn.get(target);
      if (!entry || entry.width === target.clientWidth) continue;
      entry.width = target.clientWidth;
      draw(target);
    }
  });

  function boot() {
    if (!window.Plotly) return;
    for (const element of Array.from(drawn.keys())) {
      if (element.isConnected) continue;
      observer.unobserve(element);
      window.Plotly.purge(element);
      drawn.delete(element);
    }
    for (const element of document.querySelectorAll("[data-chart]")) {
      if (!drawn.has(element)) create(element);
    }
  }

  document.addEventListener("DOMContentLoaded", boot);
  document.addEventListener("htmx:afterSettle", boot);
  document.addEventListener("riskhub:theme", () => Array.from(drawn.keys()).forEach(draw));
  document.addEventListener("riskhub:figures", function (event) {
    for (const [element, entry] of drawn) {
      if (entry.chart.figures && entry.chart.figures(event.detail)) draw(element);
    }
  });

  RiskHub.charts = { register: (name, kind) => { kinds[name] = kind; }, layout, plain, CONFIG };
})(window.RiskHub);
