// Refines what the page says by itself: times in the reader's zone, news without a
// reload, "unknown since" when nothing was heard for too long, the choice of colours
// and of text size, and a button that copies the address. Everything else works
// without it.
"use strict";
(() => {
  const html = document.documentElement, data = document.body.dataset, ko = html.lang === "ko";
  const $ = (q, e = document) => e.querySelector(q), all = (q, e = document) => e.querySelectorAll(q);
  const store = (k, v) => { try { localStorage[k] = v; } catch { /* the choice lasts as long as the page */ } };

  // Times of the page are in its own zone. A reader of another one gets theirs; where times are typed, in the
  // zone of the page, all others stay in it too.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone, two = (n) => String(n).padStart(2, "0");
  const write = (t) => {
    const d = new Date(t.dateTime), f = t.dataset.f;
    if (f === "D" || isNaN(d)) return;
    const clock = two(d.getHours()) + ":" + two(d.getMinutes()) + (f === "s" ? ":" + two(d.getSeconds()) : "");
    const far = f === "m" || d.toDateString() !== new Date().toDateString();
    const month = ko ? d.getMonth() + 1 + "월 " + d.getDate() + "일 " : d.getDate() + " " + d.toLocaleString("en-GB", { month: "short" }) + ", ";
    t.textContent = (far ? month : "") + clock;
  };
  const times = () => {
    if (!zone || zone === data.zone || $("#f-from")) return;
    all("time[data-f]").forEach(write);
    all(".zone").forEach((e) => { e.textContent = zone; });
  };

  // Clocks of readers are wrong at times; ours is in every answer.
  let skew = 0;
  const gone = () => {
    if (!data.until || html.dataset.gone || Date.now() + skew <= Date.parse(data.until)) return;
    html.dataset.gone = "1";
    const word = $("#gone-word"), text = $("#gone-text");
    all("main .lv:not(.changes *, table *, .is-over *)").forEach((e) => { e.className = "lv unknown"; e.replaceChildren(word.content.cloneNode(true)); });
    const box = $("#gone");
    box.replaceChildren(text.content.cloneNode(true));
    const h = $("#hero");
    box.hidden = !!h;
    if (h) { h.className = "hero unknown"; $("h1", h).replaceChildren(text.content.cloneNode(true)); $("use", h).setAttribute("href", "#l-unknown"); }
    times();
  };

  const writing = () => [...all("main input:not([type=hidden]), main textarea")].some((e) => e.type === "checkbox" || e.type === "radio" ? e.checked !== e.defaultChecked : e.value !== e.defaultValue) ||
    document.activeElement?.matches("main input, main textarea");

  async function page() {
    const res = await fetch(location.href, { cache: "no-cache" });
    if (!res.ok) return;
    const doc = new DOMParser().parseFromString(await res.text(), "text/html"), next = $("main", doc);
    if (!next || writing()) return;
    const open = [...all("main details[open]")].map((d) => d.id);
    const focus = document.activeElement?.closest("main") && document.activeElement.id;
    $("main").replaceWith(document.adoptNode(next));
    $("#fresh").replaceWith(document.adoptNode($("#fresh", doc)));
    $("#gone").hidden = true;
    delete html.dataset.gone;
    Object.assign(data, { hash: doc.body.dataset.hash, until: doc.body.dataset.until });
    document.title = doc.title;
    for (const id of open) if (id) document.getElementById(id)?.setAttribute("open", "");
    if (focus) document.getElementById(focus)?.focus({ preventScroll: true });
    times();
    buttons();
    $("#said").textContent = data.changed;
  }

  async function look() {
    if (document.hidden) return;
    try {
      const res = await fetch(data.rev, { cache: "no-cache" });
      if (!res.ok) return;
      const date = Date.parse(res.headers.get("Date"));
      if (date) skew = date - Date.now();
      const now = await res.json();
      if (now.hash !== data.hash || html.dataset.gone && !now.stale) await page();
      else if (!now.stale && now.until > data.until) {
        data.until = now.until;
        const put = (id, at) => { const t = $("#" + id + " time"); if (t) { t.dateTime = at; write(t); } };
        put("asof", now.asOf);
        put("until", now.until);
      }
    } catch { /* no network: the page expires by itself */ }
    gone();
  }

  function buttons() {
    all("[data-copy]").forEach((b) => {
      b.hidden = !navigator.clipboard;
      b.onclick = () => navigator.clipboard.writeText(b.dataset.copy).then(() => { $("#said").textContent = b.dataset.done; b.textContent = b.dataset.done; });
    });
    all("[data-print]").forEach((b) => { b.hidden = false; b.onclick = () => print(); });
  }

  for (const name of ["theme", "size"]) {
    for (const i of all(`input[name=${name}]`)) {
      if (i.value === (html.dataset[name] || "")) i.checked = true;
      i.onchange = () => { html.dataset[name] = i.value; store(name, i.value); };
    }
  }
  $("#lang")?.addEventListener("click", () => {
    document.cookie = "lang=" + $("#lang").lang + "; Path=/; Max-Age=31536000; SameSite=Lax" + (location.protocol === "https:" ? "; Secure" : "");
  });
  addEventListener("keydown", (e) => { const v = $("#view[open]"); if (v && e.key === "Escape") { v.open = false; $("summary", v).focus(); } });
  addEventListener("click", (e) => { const v = $("#view[open]"); if (v && !v.contains(e.target)) v.open = false; });

  times();
  buttons();
  gone();
  setInterval(gone, 1000);
  if (location.protocol !== "file:" && data.rev) {
    const next = () => setTimeout(() => look().then(next), 8000 + Math.random() * 4000);
    addEventListener("visibilitychange", look);
    next();
  }
})();
