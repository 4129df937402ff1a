// What the pages do beyond plain HTML: search as one types, and parts that
// follow the server while something is at work. Everything works without.
"use strict";

(() => {
  const status = document.getElementById("status");

  // say tells screen readers what has changed.
  const say = (text) => { if (status && text && status.textContent !== text) status.textContent = text; };

  // keep carries over what people did in an old part of the page.
  function keep(old, fresh) {
    for (const box of old.querySelectorAll("input[type=checkbox][name=id]:checked")) {
      const same = fresh.querySelector(`input[type=checkbox][name=id][value="${CSS.escape(box.value)}"]`);
      if (same) same.checked = true;
    }
    const at = document.activeElement;
    if (!at || !old.contains(at)) return null;
    if (at.dataset.key) return `[data-key="${CSS.escape(at.dataset.key)}"]`;
    if (at.name && at.value) return `${at.tagName}[name="${CSS.escape(at.name)}"][value="${CSS.escape(at.value)}"]`;
    return at.getAttribute("href") ? `a[href="${CSS.escape(at.getAttribute("href"))}"]` : null;
  }

  // moved tells whether the runs of a list have other places in a fresh one.
  const moved = (old, fresh) => [...(old.children ?? [])].some((child, i) => child.dataset?.run !== fresh.children[i]?.dataset?.run);

  // become makes an old part of the page equal to a fresh one and touches only
  // what differs, so that what is being pressed, read or scrolled stays.
  function become(old, fresh) {
    if (old.isEqualNode(fresh)) return;
    if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName || old.childNodes.length !== fresh.childNodes.length || moved(old, fresh)) {
      const focus = old.nodeType === Node.ELEMENT_NODE && fresh.nodeType === Node.ELEMENT_NODE ? keep(old, fresh) : null;
      old.replaceWith(document.adoptNode(fresh));
      if (focus) (fresh.matches(focus) ? fresh : fresh.querySelector(focus))?.focus({ preventScroll: true });
      return;
    }
    if (old.nodeType !== Node.ELEMENT_NODE) { old.data = fresh.data; return; }
    for (const { name } of [...old.attributes]) {
      if (!fresh.hasAttribute(name) && !(name === "open" && old.nodeName === "DETAILS")) old.removeAttribute(name);
    }
    for (const { name, value } of fresh.attributes) {
      if (old.getAttribute(name) !== value && !(name === "open" && old.nodeName === "DETAILS")) old.setAttribute(name, value);
    }
    const children = [...fresh.childNodes];
    [...old.childNodes].forEach((child, i) => become(child, children[i]));
  }

  // take brings the elements with some ids to the state that they have in
  // another page of this server.
  async function take(address, ids, signal, { before, after } = {}) {
    const answer = await fetch(address, { headers: { Accept: "text/html" }, credentials: "same-origin", signal });
    if (!answer.ok) throw new Error(answer.statusText);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of ids) {
      const old = document.getElementById(id), fresh = page.getElementById(id);
      if (!old || !fresh) continue;
      const told = fresh.dataset.say !== old.dataset.say && fresh.dataset.say;
      before?.(old);
      become(old, fresh);
      if (told) say(told);
      after?.(document.getElementById(id));
    }
  }
  window.descent = { say, take }; // for live.js

  // <form data-live="results"> asks anew while one types.
  for (const form of document.querySelectorAll("form[data-live]")) {
    let pending, running;
    const ask = () => {
      running?.abort();
      running = new AbortController();
      const query = new URLSearchParams(new FormData(form));
      for (const [name, value] of [...query]) if (!value) query.delete(name);
      const address = form.action.split("?")[0] + (query.size ? "?" + query : "");
      take(address, form.dataset.live.split(" "), running.signal)
        .then(() => history.replaceState(null, "", address))
        .catch((problem) => { if (problem.name !== "AbortError") say("The server does not answer."); });
    };
    form.addEventListener("input", () => { clearTimeout(pending); pending = setTimeout(ask, 120); });
    form.addEventListener("submit", (event) => { event.preventDefault(); clearTimeout(pending); ask(); });
  }

  // <div id="x" data-poll="2"> asks anew every 2 s while it has the attribute.
  const polled = () => [...document.querySelectorAll("[data-poll][id]")];
  const poll = () => {
    const parts = polled();
    if (!parts.length) return;
    const seconds = Math.min(...parts.map((p) => Number(p.dataset.poll) || 5));
    setTimeout(() => {
      if (document.hidden) { poll(); return; }
      take(location.href, parts.map((p) => p.id)).catch(() => say("The server does not answer.")).finally(poll);
    }, seconds * 1000);
  };
  poll();

  // <pre data-copy> gets a button that copies its text.
  for (const block of document.querySelectorAll("pre[data-copy]")) {
    if (!navigator.clipboard) break;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.setAttribute("aria-label", "Copy the command");
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(block.textContent.trim());
      button.textContent = "Copied";
      say("Copied.");
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
    block.after(button);
  }

  // "/" goes to the search field, as on other sites.
  document.addEventListener("keydown", (event) => {
    const field = document.querySelector("input[type=search]");
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || !field) return;
    if (event.target.closest("input, textarea, select, [contenteditable]")) return;
    event.preventDefault();
    field.focus();
    field.select();
  });
})();
