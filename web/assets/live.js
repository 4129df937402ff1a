// What the pages of runs do beyond plain HTML: curves that grow while a run
// works, values read off a chart with the mouse or the arrow keys, lines that
// are shown and hidden in place, and a list that follows the store. Everything
// works without, by loading the page again.
"use strict";

(() => {
  const parts = window.descent, say = parts.say; // of app.js

  // take brings parts of this page to another state of it; what reading has
  // added to a chart is taken away before and comes back after.
  const take = (address, ids, signal) => parts.take(address, ids, signal, {
    before: (old) => { if (old.id === "chart") unread(old); },
    after: (fresh) => { if (fresh.id === "chart") reading(fresh); },
  });

  // follow calls changed() whenever a topic has news, one call at a time. A
  // window that nobody sees follows nothing, for browsers open few streams.
  function follow(address, changed) {
    let source, busy = false, again = false, ended = false, timer;
    const news = async () => {
      if (busy) { again = true; return; }
      busy = true;
      try { await changed(); } catch { say("The server does not answer."); }
      busy = false;
      if (again) { again = false; news(); }
    };
    const open = () => {
      if (source || ended || document.hidden) return;
      clearTimeout(timer);
      source = new EventSource(address);
      source.addEventListener("change", (event) => {
        let told;
        try { told = JSON.parse(event.data); } catch { told = null; }
        if (Array.isArray(told) && told.length && told.every((run) => run.state === "done" || run.state === "failed")) {
          ended = true;
          close();
        }
        news();
      });
      source.addEventListener("error", () => {
        if (source?.readyState !== EventSource.CLOSED) return; // the browser asks again by itself
        source = undefined;
        if (!ended) timer = setTimeout(() => { news(); open(); }, 5000); // refused: too many streams
      });
    };
    const close = () => { source?.close(); source = undefined; };
    document.addEventListener("visibilitychange", () => { if (document.hidden) close(); else open(); });
    addEventListener("pagehide", close);
    open();
  }

  // readers hold, for each chart, how its reading ends and where its cursor is.
  const readers = new WeakMap();

  // unread takes away what reading has added.
  function unread(chart) {
    readers.get(chart)?.end.abort();
    for (const cursor of chart.querySelectorAll(".cursor")) cursor.remove();
    const box = chart.querySelector(".values");
    if (box) { box.replaceChildren(); box.hidden = true; }
  }

  // reading shows the values under the mouse, or under a cursor that the arrow
  // keys move.
  function reading(chart) {
    const figure = chart.querySelector("figure[data-readout]");
    const plot = figure?.querySelector(".plot"), box = figure?.querySelector(".values");
    const pictures = [...(plot?.querySelectorAll("svg.descent-figure") ?? [])];
    if (!pictures.length || !box) return;
    const { frames, x: label, lines } = JSON.parse(figure.dataset.readout);
    if (!lines.length) return;
    let svg, frame;
    // choose takes the picture that a window of this width shows.
    const choose = () => {
      const shown = Math.max(0, pictures.findIndex((picture) => picture.getClientRects().length));
      svg = pictures[shown];
      frame = frames[shown];
    };
    const share = (axis, value) => axis.Log
      ? Math.log(value / axis.Low) / Math.log(axis.High / axis.Low) : (value - axis.Low) / (axis.High - axis.Low);
    const across = (value) => frame.Left + share(frame.X, value) * (frame.Right - frame.Left);
    const up = (value) => frame.Bottom - share(frame.Y, value) * (frame.Bottom - frame.Top);
    const stops = [...new Set(lines.flatMap((line) => line.x))].sort((a, b) => a - b);
    const number = (value) => String(Number(value.toPrecision(4)));
    const before = readers.get(chart), reader = { end: new AbortController(), value: undefined };
    readers.set(chart, reader);
    const on = (name, heard) => plot.addEventListener(name, heard, { signal: reader.end.signal });
    let at = -1, marks;

    // nearest returns the index of the value of a sorted list next to one.
    const nearest = (list, value) => {
      let low = 0, high = list.length - 1;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (list[middle] < value) low = middle + 1; else high = middle;
      }
      return low > 0 && Math.abs(across(list[low - 1]) - across(value)) <= Math.abs(across(list[low]) - across(value)) ? low - 1 : low;
    };
    const element = (name, attributes) => {
      const made = document.createElementNS("http://www.w3.org/2000/svg", name);
      for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
      return made;
    };
    const hide = () => {
      marks?.remove();
      marks = reader.value = undefined;
      at = -1;
      box.textContent = "Point at the chart to read values, or choose it and use the arrow keys.";
      box.hidden = false;
    };

    const show = (stop, aloud) => {
      choose();
      at = stop;
      const value = reader.value = stops[stop], where = across(value);
      marks?.remove();
      marks = element("g", { class: "cursor", "aria-hidden": "true" });
      marks.append(element("line", { x1: where, x2: where, y1: frame.Top, y2: frame.Bottom }));
      const told = [`${label} ${number(value)}`];
      const rows = lines.map((line) => {
        const i = nearest(line.x, value);
        if (Math.abs(across(line.x[i]) - where) > 0.05 * (frame.Right - frame.Left)) return null;
        marks.append(element("circle", { cx: across(line.x[i]), cy: up(line.y[i]), r: 3, fill: line.color }));
        told.push(`${line.name} ${number(line.y[i])}`);
        return { name: line.name, color: line.color, value: number(line.y[i]) };
      }).filter(Boolean);
      svg.append(marks);
      const head = document.createElement("b");
      head.textContent = told[0];
      box.replaceChildren(head, ...rows.map((row) => {
        const entry = document.createElement("span");
        const dot = element("svg", { viewBox: "0 0 8 8", class: "descent-dot", "aria-hidden": "true" });
        dot.append(element("circle", { cx: 4, cy: 4, r: 4, fill: row.color }));
        entry.append(dot, row.name + " ", Object.assign(document.createElement("em"), { textContent: row.value }));
        return entry;
      }));
      if (aloud) say(told.join(", "));
    };

    choose();
    hide();
    if (before?.value !== undefined) show(nearest(stops, before.value), false);
    on("pointermove", (event) => {
      choose();
      const place = svg.getBoundingClientRect();
      const inside = (event.clientX - place.left) / place.width * frame.Width;
      const part = (inside - frame.Left) / (frame.Right - frame.Left);
      if (part < -0.02 || part > 1.02) { hide(); return; }
      const { Low, High, Log } = frame.X;
      show(nearest(stops, Log ? Low * (High / Low) ** part : Low + part * (High - Low)), false);
    });
    on("pointerleave", hide);
    on("blur", hide);
    on("keydown", (event) => {
      const stride = event.shiftKey ? Math.max(1, Math.round(stops.length / 20)) : 1;
      let next;
      switch (event.key) {
        case "ArrowRight": next = at < 0 ? 0 : at + stride; break;
        case "ArrowLeft": next = at < 0 ? stops.length - 1 : at - stride; break;
        case "Home": next = 0; break;
        case "End": next = stops.length - 1; break;
        case "Escape": hide(); return;
        default: return;
      }
      event.preventDefault();
      show(Math.min(Math.max(next, 0), stops.length - 1), true);
    });
  }

  // Curves: options and lines change the chart in place.
  for (const part of document.querySelectorAll("[data-curves]")) {
    let running;
    const draw = (address, ids) => {
      running?.abort();
      running = new AbortController();
      history.replaceState(null, "", address);
      take(address, ids, running.signal).catch((problem) => {
        if (problem.name !== "AbortError") say("The chart cannot be drawn like this.");
      });
    };
    part.classList.add("scripted");
    part.addEventListener("change", (event) => {
      const form = event.target.closest("form.options");
      if (!form) return;
      draw(form.getAttribute("action") + "?" + new URLSearchParams(new FormData(form)), ["chart"]);
    });
    part.addEventListener("submit", (event) => {
      event.preventDefault();
      draw(event.target.getAttribute("action") + "?" + new URLSearchParams(new FormData(event.target)), ["chart"]);
    });
    part.addEventListener("click", (event) => {
      const line = event.target.closest("a.line");
      if (!line || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      draw(line.getAttribute("href"), ["chart", "curve-options"]);
    });
    part.addEventListener("keydown", (event) => {
      if (event.key !== " " || !event.target.matches("a.line")) return;
      event.preventDefault();
      event.target.click();
    });
    const chart = document.getElementById("chart");
    if (chart) reading(chart);
    if (document.querySelector("[data-following]")) {
      follow(part.dataset.events, () => {
        const options = document.getElementById("curve-options");
        const quiet = options && !options.contains(document.activeElement);
        return take(location.href, ["chart", "standing", "outcome", ...(quiet ? ["curve-options"] : [])]);
      });
    }
  }

  // The list of runs follows the store.
  for (const part of document.querySelectorAll("[data-follow][id]")) {
    follow(part.dataset.follow, () => take(location.href, [part.id]));
  }

  // A file that would be refused is not sent.
  for (const form of document.querySelectorAll("form.upload")) {
    const file = form.querySelector("input[type=file]");
    file.addEventListener("change", () => {
      const large = file.files[0] && file.files[0].size > Number(form.dataset.bytes);
      file.setCustomValidity(large ? `The file is larger than ${form.dataset.most}.` : "");
      if (large) file.reportValidity();
    });
    form.addEventListener("submit", () => {
      const button = form.querySelector("button");
      button.textContent = "Uploading…";
      say("Uploading the file.");
    });
  }
})();
