// Live events: one EventSource a page, on the address in <body data-live-url>.
//
//   figures     [{id, cells: {field: {text, title?, value?, source?}}, severity?, state?,
//                 sort?, distance?, as_of?, budget?}]   patched in place, see rows.js
//   membership  anything                         refetches every [data-live-refetch]
//   gap         anything                         the same: events were missed
//   ping        {now: ISO} or nothing            proof of life, and the server's clock
//
// [data-live-refetch] is an element with an id; its value is the address to ask (the page's own
// when empty), whose answer holds the element anew. With data-live-on="first" it is also refetched
// at once when another position dies first (front.js); with data-live-on="read" when the position
// data-live-of was read anew, which moves more than an event tells. With
// data-live-every="SECONDS" it is refetched that often while the page is looked at and nothing in
// it is in use, whether the stream stands or not.
(function (RiskHub) {
  "use strict";

  const url = document.body.dataset.liveUrl;
  const state = document.getElementById("live-state");
  if (!url || !state || !window.EventSource) return;

  const SILENCE_MS = 45000; // three missed pings
  const HIDDEN_MS = 60000;
  const FIRST_MS = 300;
  const FIRST_EVERY_MS = 2000;
  const loadedAt = Date.now();
  const renewedAt = new Map();
  let source = null;
  let lastAt = 0;
  let hasPings = false;
  let hasIds = false;
  let isNew = false;
  let wasOpen = false;
  let retries = 0;
  let retryTimer = 0;
  let refetchTimer = 0;
  let firstTimer = 0;
  let firstAt = 0;
  let readTimer = 0;
  let hiddenTimer = 0;

  function show(name, text, title) {
    if (state.dataset.state !== name) state.dataset.state = name;
    const element = state.querySelector(".live-text");
    if (element.textContent !== text) element.textContent = text;
    state.title = title || "";
  }

  function tick() {
    if (!source) return;
    const silence = Date.now() - lastAt;
    if (source.readyState === EventSource.OPEN && lastAt) {
      if (hasPings && silence > SILENCE_MS) return restart();
      const text = RiskHub.format.age(silence / 1000);
      // The stream stands, but what it should tell of does not happen.
      if (document.querySelector("#banners [data-is-late]")) show("late", "late", `Connected, last event ${text} ago; the banner says what is late`);
      else show("live", `live · ${text}`, "Time since the last event");
    } else if (source.readyState === EventSource.CONNECTING && wasOpen) {
      show("waiting", "reconnecting", lastAt ? `Last event ${RiskHub.format.age(silence / 1000)} ago` : "");
    }
  }

  function heard(handle) {
    return function (event) {
      lastAt = Date.now();
      hasIds = hasIds || Boolean(event.lastEventId);
      let data = null;
      try {
        data = event.data ? JSON.parse(event.data) : null;
      } catch {
        data = null; // a bare word is a signal without a body
      }
      handle(data);
      tick();
    };
  }

  // Another answer has replaced the element meanwhile: this one is not the newest any more.
  function dropLate(event) {
    if (!event.currentTarget.isConnected) event.detail.shouldSwap = false;
  }

  function renew(element) {
    renewedAt.set(element.id, Date.now());
    const address = element.dataset.liveRefetch || location.pathname + location.search;
    element.addEventListener("htmx:beforeSwap", dropLate, { once: true });
    const banners = document.getElementById("banners");
    const headers = banners ? { "X-Banners": banners.dataset.digest || "" } : {};
    htmx.ajax("GET", address, { source: element, target: element, swap: "outerHTML", select: `#${CSS.escape(element.id)}`, headers });
  }

  function refetchNow() {
    refetchTimer = 0;
    document.querySelectorAll("[data-live-refetch][id]").forEach(renew);
  }

  // The sentence itself is right already: its second line may wait for the dust to settle.
  function refetchFirst() {
    if (firstTimer || refetchTimer) return;
    const waitMs = Math.max(FIRST_MS, firstAt + FIRST_EVERY_MS - Date.now());
    firstTimer = setTimeout(function () {
      firstTimer = 0;
      firstAt = Date.now();
      document.querySelectorAll('[data-live-refetch][data-live-on="first"][id]').forEach(renew);
    }, waitMs);
  }

  // What is being read by keyboard or has been unfolded must not be swapped away; htmx gives the
  // focus back to what has an id.
  function isInUse(element) {
    const active = document.activeElement;
    return (element.contains(active) && !active.id) || element.querySelector("details[open]");
  }

  function refetchRead(event) {
    for (const element of document.querySelectorAll('[data-live-refetch][data-live-on="read"][id]')) {
      const item = event.detail.find((one) => one.id === element.dataset.liveOf);
      const isNew = item && item.as_of > element.dataset.liveAt;
      const isReading = document.activeElement?.closest("main [tabindex]:not(#main)");
      if (!isNew || isReading || readTimer) continue;
      readTimer = setTimeout(() => { readTimer = 0; if (element.isConnected) renew(element); }, FIRST_MS);
    }
  }

  function refetchAged() {
    if (document.hidden) return;
    for (const element of document.querySelectorAll("[data-live-refetch][data-live-every][id]")) {
      const since = renewedAt.get(element.id) || loadedAt;
      if (Date.now() - since < 1000 * Number(element.dataset.liveEvery) || isInUse(element)) continue;
      renew(element);
    }
  }

  // Jitter: a thousand browsers hear of a change in the same instant.
  function refetch() {
    if (!refetchTimer) refetchTimer = setTimeout(refetchNow, Math.random() * 2000);
  }

  function ping(data) {
    hasPings = true;
    if (data && data.now) RiskHub.clock.setServerNow(data.now);
  }

  function opened() {
    // A connection the browser mended itself names the last event: the server sends what was
    // missed, or `gap`. A connection of ours is new, what happened in between is not known.
    if (wasOpen && (isNew || !hasIds)) refetch();
    wasOpen = true;
    isNew = false;
    retries = 0;
    lastAt = Date.now();
    tick();
  }

  // The browser retries a broken connection by itself, but not a refusal (503, a new login).
  function failed() {
    if (source && source.readyState !== EventSource.CLOSED) return tick();
    retries += 1;
    const waitMs = Math.min(30000, 1000 * 2 ** Math.min(retries, 5)) * (0.5 + Math.random() / 2);
    show("lost", "not live", "The server does not answer; these figures stand still");
    clearTimeout(retryTimer);
    retryTimer = setTimeout(start, waitMs);
  }

  function stop() {
    clearTimeout(retryTimer);
    if (source) source.close();
    source = null;
  }

  function start() {
    stop();
    source = new EventSource(url);
    isNew = true;
    source.addEventListener("open", opened);
    source.addEventListener("error", failed);
    source.addEventListener("figures", heard((items) => items && RiskHub.rows.patch(items)));
    source.addEventListener("membership", heard(refetch));
    source.addEventListener("gap", heard(refetch));
    source.addEventListener("ping", heard(ping));
    if (!wasOpen) show("waiting", "connecting");
  }

  function restart() {
    show("waiting", "reconnecting");
    start();
  }

  // A tab nobody looks at costs the server nothing; it catches up when it is looked at again.
  document.addEventListener("visibilitychange", function () {
    clearTimeout(hiddenTimer);
    if (document.hidden) hiddenTimer = setTimeout(stop, HIDDEN_MS);
    else if (!source) start();
  });
  // Pages kept for the back button must not hold a connection; browsers allow six a host.
  addEventListener("pagehide", stop);
  addEventListener("pageshow", (event) => event.persisted && start());

  document.addEventListener("riskhub:first", refetchFirst);
  document.addEventListener("riskhub:figures", refetchRead);
  document.addEventListener("riskhub:words", refetch);
  // What came by the side of another answer is as new as that.
  document.addEventListener("htmx:oobAfterSwap", (event) => event.target.id && renewedAt.set(event.target.id, Date.now()));
  start();
  setInterval(tick, 1000);
  setInterval(refetchAged, 1000);
})(window.RiskHub);
