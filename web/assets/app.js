// What the pages do beyond plain HTML: search as one types, and parts that
// follow the server while something is at work. Everything works without.
"use strict";

(() => {
  const status = document.getElementById("status");

  // say tells screen readers what has changed.
  const say = (text) => { if (status && text) status.textContent = text; };

  // replace takes the elements with the given ids out of a page of this server.
  async function replace(address, ids, signal) {
    const answer = await fetch(address, { headers: { Accept: "text/html" }, credentials: "same-origin", signal });
    if (!answer.ok) throw new Error(answer.statusText);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of ids) {
      const old = document.getElementById(id), fresh = page.getElementById(id);
      if (!old || !fresh) continue;
      if (old.isEqualNode(fresh)) continue;
      old.replaceWith(document.adoptNode(fresh));
      say(fresh.dataset.say);
    }
  }

  // <form data-live="results"> asks anew while one types.
  for (const form of document.querySelectorAll("form[data-live]")) {
    let pending, running;
    const ask = () => {
      running?.abort();
      running = new AbortController();
      const query = new URLSearchParams(new FormData(form));
      for (const [name, value] of [...query]) if (!value) query.delete(name);
      const address = form.action.split("?")[0] + (query.size ? "?" + query : "");
      replace(address, form.dataset.live.split(" "), running.signal)
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
      replace(location.href, parts.map((p) => p.id)).catch(() => say("The server does not answer.")).finally(poll);
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
