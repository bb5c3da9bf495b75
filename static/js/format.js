// Numbers and ages that only the browser can write: a ticking age, a chart's labels.
// It follows riskhub/formatting.py; every other text comes ready from the server.
window.RiskHub = window.RiskHub || {};
(function (RiskHub) {
  "use strict";

  const DASH = "—";
  const MINUS = "−";

  function isNumber(value) {
    return typeof value === "number" && Number.isFinite(value);
  }

  function write(value, options) {
    return value.toLocaleString("en-US", options).replace("-", MINUS);
  }

  function price(value) {
    if (!isNumber(value)) return DASH;
    if (value === 0) return "0";
    return write(value, { minimumSignificantDigits: 5, maximumSignificantDigits: 5 });
  }

  function percent(fraction) {
    if (!isNumber(fraction)) return DASH;
    const size = Math.abs(fraction * 100);
    if (size === 0) return "0 %";
    const sign = fraction < 0 ? MINUS : "";
    const digits = size < 9.95 || (size >= 99.5 && size < 100) ? 1 : 0;
    const step = digits ? 0.1 : 1;
    if (size < step) return `${sign ? ">" : "<"}${sign}0.1 %`;
    if (size < 100 && Number(size.toFixed(digits)) === 100) return `${sign ? "<" : ">"}${sign}99.9 %`;
    return `${sign}${write(size, { minimumFractionDigits: digits, maximumFractionDigits: digits })} %`;
  }

  function dollars(value) {
    if (!isNumber(value)) return DASH;
    const size = Math.abs(value);
    const sign = value < 0 ? MINUS : "";
    if (size > 0 && size < 0.01) return `${sign ? ">" : "<"}${sign}$0.01`;
    const digits = size === 0 || size >= 99.995 ? 0 : 2;
    return `${sign}$${write(size, { minimumFractionDigits: digits, maximumFractionDigits: digits })}`;
  }

  function age(seconds) {
    if (!isNumber(seconds)) return DASH;
    const passed = Math.max(0, Math.floor(seconds));
    if (passed >= 86400) return `${write(Math.floor(passed / 86400), {})} d`;
    if (passed >= 3600) return `${Math.floor(passed / 3600)} h`;
    if (passed >= 60) return `${Math.floor(passed / 60)} min`;
    return `${passed} s`;
  }

  RiskHub.format = { DASH, isNumber, price, percent, dollars, age };
})(window.RiskHub);
