// The calculator's sliders: each writes into its field, and the answer is asked for again.
//
// A slider is <input type="range" data-slides="ID of the field" data-low data-high>; its way from
// low to high is even in the logarithm. A question is asked at most every 80 ms and one at a time;
// the address follows when the hand rests, so that it can be shared and reloaded.
(function () {
  "use strict";

  const form = document.getElementById("calculator");
  if (!form || !window.htmx) return;

  const WAIT_MS = 80;
  const REST_MS = 400;
  const STEPS = 1000;
  const DIGITS = 4;
  const sliders = [...form.querySelectorAll("[data-slides]")];
  let waiting = 0;
  let resting = 0;
  let isAsking = false;
  let isStale = false;

  // A plain decimal for the field: no exponent, no float64 noise.
  function decimal(value) {
    const digits = Math.max(0, DIGITS - 1 - Math.floor(Math.log10(value)));
    const text = Number(value.toPrecision(DIGITS)).toFixed(Math.min(100, digits));
    return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
  }

  function ends(slider) {
    return [Number(slider.dataset.low), Number(slider.dataset.high)];
  }

  function fieldOf(slider) {
    return document.getElementById(slider.dataset.slides);
  }

  // A slider without a number in its field has no place to stand.
  function follow(slider) {
    const value = Number(fieldOf(slider).value);
    slider.hidden = !(value > 0 && Number.isFinite(value));
    if (slider.hidden) return;
    let [low, high] = ends(slider);
    if (value < low) slider.dataset.low = low = value;
    if (value > high) slider.dataset.high = high = value;
    slider.value = Math.round((STEPS * Math.log(value / low)) / Math.log(high / low));
    slider.setAttribute("aria-valuetext", fieldOf(slider).value);
  }

  function write(slider) {
    const [low, high] = ends(slider);
    fieldOf(slider).value = decimal(low * (high / low) ** (slider.value / STEPS));
    slider.setAttribute("aria-valuetext", fieldOf(slider).value);
  }

  function address() {
    const query = new URLSearchParams();
    for (const [name, value] of new FormData(form)) {
      const field = document.getElementById(`in-${name}`);
      const isKept = field && "kept" in field.dataset;
      if (name !== "shown" && (value !== "" || isKept)) query.append(name, value);
    }
    return `${form.getAttribute("action")}?${query}`;
  }

  function rest() {
    resting = 0;
    history.replaceState(history.state, "", address());
    const sentence = document.querySelector("#calc-head h1");
    const voice = document.getElementById("live-announce");
    if (sentence && voice) voice.textContent = sentence.textContent.replace(/\s+/g, " ");
  }

  function settle() {
    clearTimeout(resting);
    resting = setTimeout(rest, REST_MS);
  }

  function ask() {
    waiting = 0;
    isStale = isAsking;
    if (!isAsking) form.dispatchEvent(new Event("calculate"));
  }

  function schedule() {
    if (!waiting) waiting = setTimeout(ask, WAIT_MS);
    settle();
  }

  // What stands there belongs to earlier inputs, and must look so.
  function showLost(isLost) {
    document.getElementById("calc-lost").hidden = !isLost;
    document.getElementById("calc").toggleAttribute("data-lost", isLost);
  }

  function markErrors() {
    const wrong = new Set();
    for (const error of document.querySelectorAll("[data-error-for]")) wrong.add(error.dataset.errorFor);
    for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
    for (const error of form.querySelectorAll(".field-error")) error.remove();
    for (const name of wrong) {
      const field = document.getElementById(`in-${name}`);
      if (field) field.setAttribute("aria-invalid", "true");
    }
  }

  form.addEventListener("input", function (event) {
    if (event.target.name === "rule") return;
    if (event.target.dataset.slides) write(event.target);
    else sliders.filter((slider) => fieldOf(slider) === event.target).forEach(follow);
    schedule();
  });

  // Another rule has other fields: that is another page.
  form.elements.rule.addEventListener("change", function () {
    location.assign(`${form.getAttribute("action")}?${new URLSearchParams(new FormData(form))}`);
  });

  form.addEventListener("htmx:beforeRequest", () => { isAsking = true; });
  form.addEventListener("htmx:afterRequest", function (event) {
    isAsking = false;
    showLost(!event.detail.successful);
    if (isStale) schedule();
    isStale = false;
  });
  document.addEventListener("htmx:afterSwap", (event) => event.detail.target.id === "calc-line" && markErrors());

  sliders.forEach(follow);
  // What was filled in for a new rule becomes part of the address.
  if (new URLSearchParams(location.search).has("shown")) history.replaceState(history.state, "", address());
})();
