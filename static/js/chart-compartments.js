// The compartments: each position one, grouped by venue. Width is the root of its collateral (so
// that a small one can still be seen), water its margin ratio, the deck liquidation. Data: charts.js.
(function (RiskHub) {
  "use strict";

  const { charts, format } = RiskHub;
  const BULKHEAD = 3; // px between compartments
  const QUAY = 18; // px between venues
  const NARROWEST = 20; // px
  const LABELLED = 56; // px: room for a name and a number
  const USUAL = 46; // px a compartment should have on the average before rows are added
  const CROWDED = 26; // the same where there are more than MANY
  const MANY = 40;
  const ABOVE_PX = 18; // above a deck: its label, and water that overflows
  const BELOW_PX = 22; // below a hull: the venue
  const LABEL_PX = 20; // water lower than this has its label above
  const OVERFLOW = 1.05; // how far above the deck water is drawn at most; the words tell the rest
  const SHAPES = { critical: "▲", warning: "◆", unknown: "?", calm: "" };

  function flatten(data) {
    const items = [];
    for (const venue of data.venues || []) {
      for (const one of venue.compartments || []) items.push({ ...one, venue: venue.label });
      const rest = venue.merged;
      if (rest && rest.count) {
        items.push({
          label: `+${rest.count}`, venue: venue.label, severity: "calm", isMerged: true,
          collateral_usd: rest.collateral_usd, margin_ratio: rest.max_margin_ratio, distance: null,
        });
      }
    }
    return items;
  }

  // Unknown collateral gets a middling width; its outline is dashed.
  function weigh(items) {
    const known = items.map((item) => item.collateral_usd).filter((value) => format.isNumber(value) && value > 0).sort((a, b) => a - b);
    const middling = known.length ? Math.sqrt(known[Math.floor(known.length / 2)]) : 1;
    return items.map((item) => (item.collateral_usd > 0 ? Math.sqrt(item.collateral_usd) : middling));
  }

  function isFlooded(item) {
    return Boolean(item.is_bankrupt) || item.margin_ratio > 0.5;
  }

  // What is critical and all that is half full say their name and their number, and so does the
  // worst one, which need not be the first once prices have moved.
  function mark(items) {
    const urgency = (item) => (item.is_bankrupt ? -Infinity : format.isNumber(item.distance) ? item.distance : Infinity);
    const worst = items.reduce((one, item) => (urgency(item) < urgency(one) ? item : one), items[0]);
    for (const item of items) item.mustSay = item === worst || isFlooded(item) || item.severity === "critical";
  }

  function ratioText(item) {
    if (item.is_bankrupt) return "bankrupt";
    return item.margin_ratio >= 0 && format.isNumber(item.margin_ratio) ? format.percent(item.margin_ratio) : "unknown";
  }

  function place(items, weights, scale, width) {
    const rows = [[]];
    let x = 0;
    items.forEach(function (item, i) {
      const size = Math.min(Math.max(item.mustSay ? LABELLED : NARROWEST, weights[i] * scale), width);
      let row = rows[rows.length - 1];
      const before = row[row.length - 1];
      let gap = before ? (before.item.venue === item.venue ? BULKHEAD : QUAY) : 0;
      if (before && x + gap + size > width + 0.01) {
        row = [];
        rows.push(row);
        x = 0;
        gap = 0;
      }
      row.push({ item, left: x + gap, width: size, row: rows.length - 1 });
      x += gap + size;
    });
    return rows;
  }

  // The largest scale at which all fits in the rows wanted; one scale for every row.
  function pack(items, width) {
    const weights = weigh(items);
    mark(items);
    const usual = items.length > MANY ? CROWDED : USUAL;
    const wanted = Math.max(1, Math.ceil((items.length * usual) / width));
    const least = place(items, weights, 0, width).length;
    const rows = Math.max(wanted, least);
    let low = 0;
    let high = (rows * width) / Math.max(...weights.map((weight) => Math.max(weight, 1e-9)));
    for (let i = 0; i < 30; i += 1) {
      const middle = (low + high) / 2;
      if (place(items, weights, middle, width).length <= rows) low = middle;
      else high = middle;
    }
    return place(items, weights, low, width);
  }

  function hover(item) {
    const name = item.isMerged ? `${item.label.slice(1)} more` : `${item.label} ${item.side || ""}`;
    const lines = [`${charts.plain(name)}, ${charts.plain(item.venue)}`];
    lines.push(`margin ratio ${item.isMerged ? "up to " : ""}${ratioText(item)}`);
    if (format.isNumber(item.distance)) lines.push(`${format.percent(item.distance)} from liquidation`);
    lines.push(`collateral ${format.isNumber(item.collateral_usd) ? format.dollars(item.collateral_usd) : "unknown"}`);
    if (item.is_simulated) lines.push("simulated");
    return lines.join("<br>");
  }

  function fit(text, px) {
    const room = Math.floor(px / 7);
    if (text.length <= room) return text;
    return room >= 4 ? `${text.slice(0, room - 1)}…` : "";
  }

  function bars(boxes, height, marker, more) {
    return {
      type: "bar",
      x: boxes.map((box) => box.left + box.width / 2),
      width: boxes.map((box) => box.width),
      base: boxes.map((box) => box.base),
      y: boxes.map(height),
      marker,
      hoverinfo: "skip",
      ...more,
    };
  }

  function hulls(boxes, theme) {
    return bars(boxes, () => 1, { color: theme.hull, line: { color: theme.line, width: 1 } }, {
      hoverinfo: "text",
      hovertext: boxes.map((box) => hover(box.item)),
      textposition: "none",
      customdata: boxes.map((box) => box.item.url || ""),
    });
  }

  function level(box) {
    return box.item.is_bankrupt ? OVERFLOW : Math.min(Math.max(box.item.margin_ratio, 0), OVERFLOW);
  }

  function water(boxes, theme) {
    return bars(boxes, level, { color: boxes.map((box) => theme[`${box.item.severity}Fill`] || theme.unknownFill) }, {
      opacity: 1,
    });
  }

  // What is not known is neither empty nor full.
  function fog(boxes, theme) {
    const pattern = { shape: "/", size: 8, solidity: 0.45, fgcolor: theme.unknownFill, bgcolor: theme.sheet };
    return bars(boxes, () => 1, { color: theme.sheet, line: { color: theme.unknown, width: 1 }, pattern });
  }

  function surface(boxes, severity, theme) {
    const x = [];
    const y = [];
    for (const box of boxes.filter((one) => one.item.severity === severity)) {
      x.push(box.left, box.left + box.width, null);
      y.push(box.base + level(box), box.base + level(box), null);
    }
    return { type: "scatter", mode: "lines", x, y, line: { color: theme[severity], width: 2.5 }, hoverinfo: "skip" };
  }

  function words(texts, size, weight = 400) {
    return {
      type: "scatter",
      mode: "text",
      x: texts.map((one) => one.x),
      y: texts.map((one) => one.y),
      text: texts.map((one) => one.text),
      textposition: texts.map((one) => one.at),
      textfont: { size, weight, color: texts.map((one) => one.color) },
      cliponaxis: false,
      hoverinfo: "skip",
    };
  }

  function names(boxes, theme) {
    return boxes.map((box) => ({
      x: box.left + 3, y: box.base + (box.isShallow ? level(box) : 0) + 0.015, at: "top right", color: theme.ink,
      text: charts.plain(fit(box.item.label, box.width - 6)),
    }));
  }

  function ratios(boxes, theme) {
    return boxes.filter((box) => box.isKnown && (box.item.severity !== "calm" || box.item.mustSay)).map(function (box) {
      const shape = box.item.is_bankrupt ? "" : SHAPES[box.item.severity] || "";
      const text = `${shape} ${format.keepUnits(ratioText(box.item))}`.trim();
      return {
        x: box.left + 2,
        // Over shallow water the name stands on the surface: the ratio goes above it.
        // Under the deck's line, not on it.
        y: box.base + Math.min(level(box), 0.97) - (level(box) > 0.84 ? 0.02 : 0) + (box.isShallow ? box.labelHeight : 0),
        at: level(box) > 0.84 ? "bottom right" : "top right",
        color: theme[box.item.severity] || theme.unknown,
        text: box.width > 50 ? text : SHAPES[box.item.severity] || "",
      };
    });
  }

  function questions(boxes, theme) {
    return boxes.map((box) => ({ x: box.left + box.width / 2, y: box.base + 0.5, at: "middle center", color: theme.unknown, text: "?" }));
  }

  function venues(rows, theme) {
    const labels = [];
    for (const row of rows) {
      let first = null;
      row.forEach(function (box, i) {
        first = first || box;
        const next = row[i + 1];
        if (next && next.item.venue === box.item.venue) return;
        const width = box.left + box.width - first.left;
        labels.push({
          x: first.left + width / 2, y: box.base - 0.02, at: "bottom center", color: theme.soft,
          text: charts.plain(fit(box.item.venue, width + QUAY - 4)),
        });
        first = null;
      });
    }
    return labels;
  }

  function decks(rows, theme) {
    return rows.map(function (row) {
      const last = row[row.length - 1];
      return {
        type: "line", layer: "above", x0: 0, x1: last.left + last.width, y0: row[0].base + 1, y1: row[0].base + 1,
        line: { color: theme.critical, width: 1, dash: "dot" },
      };
    });
  }

  function create(element, data) {
    let items = flatten(data);

    function draw(theme) {
      const width = element.clientWidth;
      if (!items.length) return element.replaceChildren();
      const rows = pack(items, width);
      const hullPx = rows.length > 1 ? 112 : 190;
      const above = ABOVE_PX / hullPx;
      const below = BELOW_PX / hullPx;
      const pitch = 1 + above + below;
      rows.forEach((row, i) => row.forEach((box) => {
        box.base = -i * pitch;
        box.isKnown = Boolean(box.item.is_bankrupt) || (format.isNumber(box.item.margin_ratio) && box.item.margin_ratio >= 0);
        box.isShallow = box.isKnown && level(box) * hullPx < LABEL_PX;
        box.labelHeight = 15 / hullPx;
      }));
      const boxes = rows.flat();
      const known = boxes.filter((box) => box.isKnown);
      const unknown = boxes.filter((box) => !box.isKnown);
      const range = [-(rows.length - 1) * pitch - below, 1 + above];
      const traces = [hulls(boxes, theme), water(known, theme), fog(unknown, theme)];
      for (const severity of Object.keys(SHAPES)) traces.push(surface(known, severity, theme));
      traces.push(words(names(boxes, theme), 12), words(ratios(boxes, theme), 12, 600));
      traces.push(words(questions(unknown, theme), 20, 700), words(venues(rows, theme), 12));
      const axis = { visible: false, fixedrange: true };
      window.Plotly.react(element, traces, charts.layout(theme, {
        barmode: "overlay",
        barcornerradius: 2,
        hovermode: "closest",
        height: Math.round(hullPx * (range[1] - range[0])),
        margin: { l: 0, r: 0, t: 0, b: 0 },
        xaxis: { ...axis, range: [0, width] },
        yaxis: { ...axis, range },
        shapes: decks(rows, theme),
        annotations: [{
          x: width, xanchor: "right", y: 1, yanchor: "bottom", showarrow: false,
          text: "liquidation, 100 %", font: { size: 11, color: theme.critical },
        }],
      }), charts.CONFIG).then(listen);
    }

    function listen() {
      if (element.dataset.isListening) return;
      element.dataset.isListening = "1";
      const url = (event) => event.points[0] && event.points[0].customdata;
      element.on("plotly_click", (event) => url(event) && location.assign(url(event)));
      element.on("plotly_hover", (event) => element.classList.toggle("is-over-link", Boolean(url(event))));
      element.on("plotly_unhover", () => element.classList.remove("is-over-link"));
    }

    function figures(changes) {
      let isChanged = false;
      for (const change of changes) {
        const item = items.find((one) => one.id !== undefined && String(one.id) === String(change.id));
        if (!item) continue;
        isChanged = true;
        const ratio = (change.cells || {}).margin_ratio;
        if (ratio && ratio.value !== undefined) item.margin_ratio = ratio.value;
        if (ratio) item.is_bankrupt = Boolean(change.is_bankrupt);
        if (change.severity) item.severity = change.severity;
        if (change.distance !== undefined) item.distance = change.distance;
      }
      return isChanged;
    }

    return { draw, figures };
  }

  charts.register("compartments", create);
})(window.RiskHub);
