// Numbers and ages that only the browser can write: a ticking age, a chart's labels.
// It follows riskhub/formatting.py to the last digit (tests/e2e/test_formatting.py); every other
// text comes ready from the server.
window.RiskHub = window.RiskHub || {};
(function (RiskHub) {
  "use strict";

  const DASH = "—";
  const MINUS = "−";
  const BEFORE_UNIT = /(?<=[\d—]) (?=(?:%|σ|bp|min|[smhd])(?!\w))/g;

  function isNumber(value) {
    return typeof value === "number" && Number.isFinite(value);
  }

  // As text a number is rounded by its shortest decimal digits and half to even, as by the server;
  // as a float 1.00005 would be a little more than it reads.
  function write(value, options) {
    const format = new Intl.NumberFormat("en-US", { roundingMode: "halfEven", ...options });
    return format.format(String(value)).replace("-", MINUS);
  }

  function fixed(value, digits, more) {
    return write(value, { minimumFractionDigits: digits, maximumFractionDigits: digits, ...more });
  }

  function price(value) {
    if (!isNumber(value)) return DASH;
    if (value === 0) return "0";
    return write(value, { minimumSignificantDigits: 5, maximumSignificantDigits: 5 });
  }

  function percentText(fraction, digits) {
    return fixed(fraction, digits, { style: "percent" }).replace("%", "");
  }

  function percent(fraction) {
    if (!isNumber(fraction)) return DASH;
    const size = Math.abs(fraction);
    if (size === 0) return "0 %";
    const sign = fraction < 0 ? MINUS : "";
    const digits = size < 0.0995 || (size >= 0.995 && size < 1) ? 1 : 0;
    // ">−0.1 %" would read as its opposite: below zero there is one decimal more.
    if (size < 0.001 && sign) return `${sign}${percentText(Math.max(size, 0.0001), 2)} %`;
    if (size < 0.001) return "<0.1 %";
    const text = percentText(size, digits);
    if (size < 1 && text.startsWith("100")) return `${sign ? "<" : ">"}${sign}99.9 %`;
    return `${sign}${text} %`;
  }

  function dollars(value) {
    if (!isNumber(value)) return DASH;
    const size = Math.abs(value);
    const sign = value < 0 ? MINUS : "";
    if (size > 0 && size < 0.01) return `${sign ? ">" : "<"}${sign}$0.01`;
    return `${sign}$${fixed(size, size === 0 || size >= 99.995 ? 0 : 2)}`;
  }

  function age(seconds) {
    if (!isNumber(seconds)) return DASH;
    const passed = Math.max(0, Math.floor(seconds));
    if (passed >= 86400) return `${write(Math.floor(passed / 86400), {})} d`;
    if (passed >= 3600) return `${Math.floor(passed / 3600)} h`;
    if (passed >= 60) return `${Math.floor(passed / 60)} min`;
    return `${passed} s`;
  }

  function timestamp(instant) {
    const at = Date.parse(instant || "");
    return Number.isNaN(at) ? DASH : `${new Date(at).toISOString().slice(0, 19).replace("T", " ")} UTC`;
  }

  // A number and its unit stay on one line, as the server's keep_units writes them.
  function keepUnits(text) {
    return text.replace(BEFORE_UNIT, "\u00a0");
  }

  RiskHub.format = { DASH, MINUS, isNumber, price, percent, dollars, age, timestamp, keepUnits };
})(window.RiskHub);
