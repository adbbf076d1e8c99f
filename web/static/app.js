// Keeps a page up to date: after every change that the node tells of, the page is
// fetched again and what is in #live is put in place of the old. Everything works
// without it. It also tells the server the reader's time zone, by a cookie.
"use strict";
(() => {
  const body = document.body;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const path = body.dataset.path || "/";
  const secure = location.protocol === "https:" ? "; Secure" : "";
  if (zone && !document.cookie.includes("bongsu-zone=" + zone)) {
    document.cookie = "bongsu-zone=" + zone + "; Path=" + path + "; Max-Age=31536000; SameSite=Strict" + secure;
    if ("live" in body.dataset) queueMicrotask(() => refresh());
  }
  if (!("live" in body.dataset)) return;

  const offline = document.getElementById("offline");
  let busy = false, again = false, timer = 0;

  // A reader who is filling in a form is not disturbed.
  const writing = () => {
    const e = document.activeElement;
    return e && e.closest("#live") && e.matches("input, select, textarea") ||
      [...document.querySelectorAll("#live form input:not([type=hidden])")].some((i) => i.type === "checkbox" ? i.checked !== i.defaultChecked : i.value !== i.defaultValue);
  };

  const keep = () => {
    const open = new Set([...document.querySelectorAll("#live details[open][id]")].map((d) => d.id));
    const scroll = [...document.querySelectorAll("#live .scroll")].map((e) => [e.scrollLeft, e.scrollTop]);
    const focus = document.activeElement && document.activeElement.closest("#live") && document.activeElement.id;
    return () => {
      for (const id of open) document.getElementById(id)?.setAttribute("open", "");
      document.querySelectorAll("#live .scroll").forEach((e, i) => { if (scroll[i]) [e.scrollLeft, e.scrollTop] = scroll[i]; });
      if (focus) document.getElementById(focus)?.focus({ preventScroll: true });
    };
  };

  async function refresh() {
    if (busy) { again = true; return; }
    if (writing()) { later(3000); return; }
    busy = true;
    try {
      const res = await fetch(location.href, { headers: { "X-Bongsu-Live": "1" }, cache: "no-store" });
      if (res.redirected && new URL(res.url).pathname !== location.pathname) { location.reload(); return; }
      const doc = new DOMParser().parseFromString(await res.text(), "text/html");
      const next = doc.getElementById("live");
      if (next && !writing()) {
        const restore = keep();
        document.getElementById("live").replaceWith(document.adoptNode(next));
        document.documentElement.className = doc.documentElement.className;
        document.title = doc.title;
        restore();
      }
      offline.hidden = true;
    } catch {
      offline.hidden = false;
    } finally {
      busy = false;
      if (again) { again = false; later(300); }
    }
  }

  // Many changes in a moment make one refresh.
  const later = (ms) => { clearTimeout(timer); timer = setTimeout(refresh, ms); };

  let events;
  const connect = () => {
    events = new EventSource(body.dataset.events);
    events.addEventListener("change", () => later(150));
    events.addEventListener("hello", () => { if (!offline.hidden) later(0); });
    events.addEventListener("beat", () => later(0));
    events.onerror = () => {
      offline.hidden = false;
      if (events.readyState === EventSource.CLOSED) setTimeout(connect, 5000);
    };
  };
  connect();
  // What moves by the clock alone (the now line, "in 3 min") is drawn again now and then.
  setInterval(() => { if (!document.hidden) later(0); }, 10000);
  addEventListener("pagehide", () => events.close());
})();
