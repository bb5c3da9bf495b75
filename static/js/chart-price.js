// The price against the prices that end the position. Data: charts.js.
(function (RiskHub) {
  "use strict";

  const { charts, format } = RiskHub;
  const MOST_POINTS = 6000;
  const TABLE_ROWS = 48;
  const LABEL_PX = 16;
  const TALL_LABEL_PX = 29; // two lines, where the chart is narrow
  const NARROW_MARGIN_PX = 84;

  function last(values) {
    for (let i = values.length - 1; i >= 0; i -= 1) if (format.isNumber(values[i])) return values[i];
    return null;
  }

  // Always shows the price and its liquidation: their distance is what the picture is about.
  function span(data) {
    const shown = [...data.mark, ...data.liquidation].filter(format.isNumber);
    if (!shown.length) return null;
    let low = Math.min(...shown);
    let high = Math.max(...shown);
    const room = (high - low || Math.abs(high) * 0.01 || 1) * 0.45;
    for (const value of [last(data.bankruptcy), data.entry]) {
      if (!format.isNumber(value) || value < low - room || value > high + room) continue;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
    const pad = (high - low || Math.abs(high) * 0.01 || 1) * 0.09;
    return [low - pad, high + pad];
  }

  function line(data, name, values, style) {
    return {
      type: "scatter",
      mode: "lines",
      name,
      x: data.at,
      y: values,
      line: style,
      connectgaps: false,
      hovertemplate: `${name} %{text}<extra></extra>`,
      text: values.map(format.price),
    };
  }

  function now(data, theme) {
    let i = data.mark.length - 1;
    while (i >= 0 && !format.isNumber(data.mark[i])) i -= 1;
    return {
      type: "scatter", mode: "markers", hoverinfo: "skip",
      x: i < 0 ? [] : [data.at[i]], y: i < 0 ? [] : [data.mark[i]],
      cliponaxis: false,
      marker: { color: theme.ink, size: 8, line: { color: theme.sheet, width: 2 } },
    };
  }

  // Labels at the right end, pushed apart where their lines lie close together.
  function labels(data, theme, range, height, isWide) {
    const wanted = [
      ["liquidation", last(data.liquidation), theme.critical, true],
      ["bankrupt", last(data.bankruptcy), theme.soft, false],
      ["entry", data.entry, theme.soft, false],
      ["mark", last(data.mark), theme.ink, true],
    ].filter(([, value]) => format.isNumber(value) && value >= range[0] && value <= range[1]);
    wanted.sort((a, b) => b[1] - a[1]);
    const perUnit = height / (range[1] - range[0]);
    let above = -Infinity;
    return wanted.map(function ([name, value, color, isStrong]) {
      const lineAt = (range[1] - value) * perUnit;
      const at = Math.max(lineAt, above + (isWide ? LABEL_PX : TALL_LABEL_PX));
      above = at;
      return {
        xref: "paper", x: 1, xanchor: "left", y: value, yanchor: "middle",
        yshift: lineAt - at, xshift: 8, showarrow: false, align: "left", borderpad: 1,
        text: `${format.price(value)}${isWide ? " " : "<br>"}${name}`, font: { color, size: isWide ? 12 : 11, weight: isStrong ? 600 : 400 },
      };
    });
  }

  function nothing(theme) {
    return [{ xref: "paper", yref: "paper", x: 0.5, y: 0.5, showarrow: false, text: "No price was read yet", font: { color: theme.soft, size: 14 } }];
  }

  function unknownLiquidation(theme) {
    return { xref: "paper", yref: "paper", x: 0, xanchor: "left", y: 1, yanchor: "top", showarrow: false, text: "? liquidation price unknown", bgcolor: theme.sheet, font: { color: theme.unknown, size: 13 } };
  }

  function traces(data, theme) {
    const all = [];
    const hasZone = format.isNumber(last(data.bankruptcy)) && !data.bankruptcy.includes(null) && !data.liquidation.includes(null);
    all.push(line(data, "liquidation", data.liquidation, { color: theme.critical, width: 2, shape: "hv" }));
    all.push({
      ...line(data, "bankrupt", data.bankruptcy, { color: theme.control, width: 1.2, dash: "dot", shape: "hv" }),
      fill: hasZone ? "tonexty" : "none",
      fillcolor: theme.criticalFill.replace("rgb(", "rgba(").replace(")", ", 0.5)"),
    });
    if (format.isNumber(data.entry) && data.at.length) {
      const ends = { ...data, at: [data.at[0], data.at[data.at.length - 1]] };
      all.push(line(ends, "entry", [data.entry, data.entry], { color: theme.control, width: 1.2, dash: "dash" }));
    }
    all.push(line(data, "mark", data.mark, { color: theme.ink, width: 1.7 }));
    all.push(now(data, theme));
    return all;
  }

  function axes(data, theme, range, isWide) {
    const common = { fixedrange: true, zeroline: false, gridcolor: theme.line, tickfont: { color: theme.soft, size: 11 } };
    return {
      xaxis: { ...common, type: "date", range: data.at.length > 1 ? [data.at[0], data.at[data.at.length - 1]] : undefined, showgrid: false, ticklen: 4, tickcolor: theme.line, nticks: isWide ? 7 : 4, tickangle: 0, hoverformat: "%Y-%m-%d %H:%M:%S UTC", spikemode: "across", spikethickness: 1, spikedash: "dot", spikecolor: theme.control, showspikes: true },
      yaxis: { ...common, range, tickformat: ",.5~r", nticks: 6, automargin: true },
    };
  }

  function cell(row, tag, text, label) {
    const element = document.createElement(tag);
    element.textContent = text;
    if (label) element.dataset.label = label;
    else element.className = "is-text";
    if (tag === "th") element.scope = "row";
    row.append(element);
  }

  // The table beside the chart, filled when it is first opened: newest first, thinned out evenly.
  function fillTable(element, data) {
    const table = document.querySelector(`[data-chart-table="${CSS.escape(element.dataset.chartData)}"]`);
    const details = table && table.closest("details");
    if (!details) return;
    details.addEventListener("toggle", function () {
      if (!details.open) return;
      const step = Math.max(1, Math.ceil(data.at.length / TABLE_ROWS));
      const rows = [];
      for (let i = data.at.length - 1; i >= 0; i -= step) {
        const row = document.createElement("tr");
        cell(row, "th", new Date(data.at[i]).toISOString().slice(0, 19).replace("T", " "));
        cell(row, "td", format.price(data.mark[i]), "Mark");
        cell(row, "td", format.price(data.liquidation[i]), "Liquidation");
        cell(row, "td", format.price(data.bankruptcy[i]), "Bankruptcy");
        rows.push(row);
      }
      table.tBodies[0].replaceChildren(...rows);
    });
  }

  function create(element, given) {
    const data = { at: [], mark: [], liquidation: [], bankruptcy: [], entry: null, ...given };
    const known = (cells, name, list) => (cells[name] && cells[name].value !== undefined ? cells[name].value : list[list.length - 1]);
    fillTable(element, data);

    function draw(theme) {
      const range = span(data);
      const isWide = element.clientWidth > 620;
      const height = isWide ? 340 : 280;
      const margin = { l: 8, r: isWide ? 140 : NARROW_MARGIN_PX, t: 12, b: 40 };
      const notes = range ? labels(data, theme, range, height - margin.t - margin.b, isWide) : nothing(theme);
      if (range && last(data.liquidation) === null) notes.push(unknownLiquidation(theme));
      window.Plotly.react(element, range ? traces(data, theme) : [], charts.layout(theme, {
        height, margin, annotations: notes, hovermode: "x unified", ...(range ? axes(data, theme, range, isWide) : { xaxis: { visible: false }, yaxis: { visible: false } }),
      }), charts.CONFIG);
    }

    function figures(changes) {
      const change = changes.find((one) => String(one.id) === element.dataset.chartPosition);
      if (!change || !change.cells || !change.cells.mark_price) return false;
      const cells = change.cells;
      const at = change.price_at || change.as_of || new Date(RiskHub.clock.serverNow()).toISOString();
      if (data.at.length && Date.parse(at) <= Date.parse(data.at[data.at.length - 1])) return false;
      data.at.push(at);
      data.mark.push(known(cells, "mark_price", data.mark) ?? null);
      data.liquidation.push(known(cells, "liquidation_price", data.liquidation) ?? null);
      data.bankruptcy.push(known(cells, "bankruptcy_price", data.bankruptcy) ?? null);
      while (data.at.length > MOST_POINTS) for (const list of [data.at, data.mark, data.liquidation, data.bankruptcy]) list.shift();
      return true;
    }

    return { draw, figures };
  }

  charts.register("price", create);
})(window.RiskHub);
