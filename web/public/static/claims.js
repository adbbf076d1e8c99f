// Helps with the report: fills in the recorded time of the service that is chosen, says
// when files are too large before they are sent, and does the proof of work that is
// asked for under attack. Everything else works without it.
"use strict";
(() => {
  const $ = (q) => document.querySelector(q);
  $("#problem")?.focus();

  const service = $("#f-service"), from = $("#f-from"), to = $("#f-to");
  let filled = ["", ""];
  const untouched = () => (from.value === "" || from.value === filled[0]) && (to.value === "" || to.value === filled[1]);
  service?.addEventListener("change", () => {
    if (!from || !to || !untouched()) return;
    const d = service.selectedOptions[0]?.dataset ?? {};
    filled = [d.from ?? "", d.to ?? ""];
    [from.value, to.value] = filled;
  });
  if (service && from) { const d = service.selectedOptions[0]?.dataset ?? {}; filled = [d.from ?? "", d.to ?? ""]; }

  for (const input of document.querySelectorAll("input[type=file]")) {
    input.addEventListener("change", () => {
      const all = [...input.files].reduce((n, f) => n + f.size, 0);
      const wrong = [...input.files].some((f) => f.size > 10485760) || all > 26000000 || input.files.length > 10;
      input.setCustomValidity(wrong ? input.dataset.large : "");
      input.reportValidity();
    });
  }

  const box = $("#proof");
  if (!box) return;
  const form = box.closest("form"), field = form.elements.altcha, said = $("#proof-said"), bar = $("#proof progress");
  const unhex = (s) => Uint8Array.from(s.match(/../g) ?? [], (h) => parseInt(h, 16));
  const hex = (b) => [...new Uint8Array(b)].map((x) => x.toString(16).padStart(2, "0")).join("");
  let done, busy;

  async function solve() {
    const challenge = JSON.parse(box.dataset.challenge), p = challenge.parameters, nonce = unhex(p.nonce), salt = unhex(p.salt);
    const began = performance.now(), lanes = Math.min(8, Math.max(2, navigator.hardwareConcurrency || 2));
    // The deriving runs on threads of the browser's own; here we only hand it out.
    const tryOne = async (counter) => {
      const password = new Uint8Array(nonce.length + 4);
      password.set(nonce);
      new DataView(password.buffer).setUint32(nonce.length, counter);
      const key = await crypto.subtle.importKey("raw", password, "PBKDF2", false, ["deriveBits"]);
      return hex(await crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt, iterations: p.cost }, key, p.keyLength * 8));
    };
    for (let n = 0; ; n += lanes) {
      const keys = await Promise.all(Array.from({ length: lanes }, (_, k) => tryOne(n + k)));
      const at = keys.findIndex((k) => k.startsWith(p.keyPrefix));
      bar.value = 1 - Math.exp(-(n + lanes) / 256);
      if (at < 0) continue;
      const solution = { counter: n + at, derivedKey: keys[at], time: Math.round(performance.now() - began) };
      field.value = btoa(JSON.stringify({ challenge, solution }));
      bar.value = 1;
      return;
    }
  }
  if (!window.isSecureContext || !crypto.subtle) return;
  box.hidden = false;
  const start = () => done ??= solve().then(() => { said.textContent = box.dataset.done; }, () => { said.textContent = box.dataset.failed; field.value = ""; });
  form.addEventListener("focusin", start, { once: true });
  if (box.dataset.now) start();
  form.addEventListener("submit", (e) => {
    if (field.value || busy === "sent") return;
    e.preventDefault();
    said.textContent = box.dataset.wait;
    const button = e.submitter;
    start().then(() => { busy = "sent"; form.requestSubmit(button ?? undefined); });
  });
})();
