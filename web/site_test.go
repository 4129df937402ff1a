package web

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/descentml/descent/backend"
	"github.com/descentml/descent/lab/store"
	"github.com/descentml/descent/study"
)

// audit finds what keeps people with keyboards, screen readers and small
// windows out of a page.
const audit = `(() => {
	const wrong = [], all = (s) => [...document.querySelectorAll(s)];
	const name = (e) => (e.getAttribute("aria-label") ?? "") + (e.labels ? [...e.labels].map(l => l.textContent).join("") : "") + e.textContent.trim();
	if (all("h1").length !== 1) wrong.push(all("h1").length + " headings of the first level");
	if (all("main").length !== 1 || document.documentElement.lang !== "en") wrong.push("no main part or no language");
	let level = 1;
	for (const h of all("main :is(h1,h2,h3,h4)")) { const l = +h.tagName[1]; if (l > level + 1) wrong.push("heading skips to " + h.outerHTML); level = l; }
	for (const e of all("a[href], button, input:not([type=hidden]), select, textarea, summary")) if (!name(e)) wrong.push("no name: " + e.outerHTML.slice(0, 80));
	for (const e of all("svg[role=img]")) if (!document.getElementById(e.getAttribute("aria-labelledby"))?.textContent) wrong.push("picture without a title");
	for (const e of all("[aria-labelledby], [aria-describedby]")) for (const a of ["aria-labelledby", "aria-describedby"])
		for (const id of (e.getAttribute(a) ?? "").split(" ").filter(Boolean)) if (!document.getElementById(id)) wrong.push("nothing has the id " + id);
	const ids = all("[id]").map(e => e.id);
	for (const id of new Set(ids)) if (ids.filter(i => i === id).length > 1) wrong.push("twice the id " + id);
	for (const e of all("table")) if (!e.querySelector("th[scope]")) wrong.push("table without headings");
	for (const e of all("main [style], main style, main script")) wrong.push("style or script inside: " + e.outerHTML.slice(0, 80));
	return wrong;
})()`

// contrasts finds texts that are too faint on the page's background, by the
// ratio that WCAG asks for.
const contrasts = `(() => {
	const channels = (c) => { const m = c.match(/[\d.]+/g).map(Number); return m.length > 3 ? m : [...m, 1]; };
	const light = (c) => { const [r, g, b] = c.slice(0, 3).map(v => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
	const behind = (e) => { for (; e; e = e.parentElement) { const c = channels(getComputedStyle(e).backgroundColor); if (c[3] > 0.99) return c; } return [255, 255, 255, 1]; };
	const faint = new Set();
	for (const e of document.querySelectorAll("body *")) {
		if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) || !e.getClientRects().length || e.closest("option, .unseen, .skip, noscript")) continue;
		const style = getComputedStyle(e), text = light(channels(e instanceof SVGElement ? style.fill : style.color)), page = light(behind(e));
		const ratio = (Math.max(text, page) + 0.05) / (Math.min(text, page) + 0.05);
		if (ratio < 4.5) faint.add(ratio.toFixed(2) + " " + e.tagName + "." + (e.className.baseVal ?? e.className) + " " + e.textContent.slice(0, 20));
	}
	return [...faint].slice(0, 8);
})()`

// Every page reads on a screen and on a phone, in light and dark, and with a
// screen reader.
func TestEveryPageInABrowser(t *testing.T) {
	s := newFilledSite(t)
	b := openTab(t, s)
	b.allow("status of 404")
	for _, path := range append(slices.Clone(ourPages), "/nothing") {
		b.size(1280, 900)
		b.dark(false)
		b.visit(path)
		check := func(look string) {
			t.Helper()
			if faint := eval[[]string](b, contrasts); len(faint) > 0 {
				t.Errorf("%s, %s: too faint: %s", path, look, strings.Join(faint, "; "))
			}
			b.fits()
		}
		check("light")
		if wrong := eval[[]string](b, audit); len(wrong) > 0 {
			t.Errorf("%s: %s", path, strings.Join(wrong, "; "))
		}
		b.size(380, 800)
		b.dark(true)
		check("dark, on a phone")
	}
	if title := eval[string](b, "document.title"); strings.Contains(title, "owned") {
		t.Error("a name was run as a script")
	}
}

func TestSearchAsOneTypes(t *testing.T) {
	s := newFilledSite(t)
	b := openTab(t, s)
	b.visit("/papers")
	b.wait("document.querySelectorAll('.papers > li').length === 31")
	b.run(`document.body.dispatchEvent(new KeyboardEvent("keydown", {key: "/", bubbles: true, cancelable: true}))`)
	b.wait("document.activeElement.id === 'search'")
	b.do(chromedp.KeyEvent("prunin"))
	b.wait("document.querySelector('.papers h2').innerText.startsWith('M-FAC')")
	b.wait("location.search === '?search=prunin'")
	b.wait("document.querySelector('#status').innerText.endsWith('found')")
	b.do(chromedp.KeyEvent("qqqq"))
	b.wait("document.querySelector('#results').innerText.includes('No paper matches')")
	for range "pruninqqqq" {
		b.do(chromedp.KeyEvent(kb.Backspace))
	}
	b.wait("document.querySelectorAll('.papers > li').length === 31 && location.search === ''")
	if b.text("#search:focus") != "" || !eval[bool](b, "document.activeElement.id === 'search'") {
		t.Error("the field lost the focus while the results changed")
	}
}

func TestWithoutJavaScript(t *testing.T) {
	s := newFilledSite(t)
	b := openTab(t, s)
	b.withoutScript()
	b.visit("/papers")
	b.leave(func() { b.do(chromedp.SendKeys(chromedp.CSS("#search"), "pruning\n")) })
	b.wait("location.search === '?search=pruning' && document.querySelector('.papers h2').innerText.startsWith('M-FAC')")
	b.follow(".papers h2 a")
	b.wait("document.querySelectorAll('.claim').length > 5 && document.querySelector('figure svg')")
	if !strings.Contains(b.text(".command"), "descent study run m-fac") {
		t.Error("no command that repeats it")
	}
	b.visit("/studies/" + measured)
	if !eval[bool](b, "document.querySelector('form[method=post] button') !== null") {
		t.Error("the study cannot be started")
	}
}

// The keyboard alone gets past the navigation.
func TestSkipLink(t *testing.T) {
	s := newFilledSite(t)
	b := openTab(t, s)
	b.visit("/papers")
	b.do(chromedp.KeyEvent(kb.Tab))
	if got := eval[string](b, "document.activeElement.className"); got != "skip" {
		t.Errorf("the first stop is %q", got)
	}
	b.do(chromedp.KeyEvent(kb.Enter))
	b.wait("document.activeElement.id === 'main'")
	b.do(chromedp.KeyEvent(kb.Tab))
	b.wait("document.activeElement.id === 'search'")
}

func TestSigningInInABrowser(t *testing.T) {
	const token = "0123456789abcdef0123"
	s := newSite(t, func(o *Options) { o.Token = token })
	b := openTab(t, s)
	b.allow("status of 401")
	b.visit("/papers?search=pruning")
	b.leave(func() { b.do(chromedp.SendKeys(chromedp.CSS("#token"), "wrong\n")) })
	b.wait("document.querySelector('[role=alert]')?.innerText.includes('wrong')")
	b.leave(func() { b.do(chromedp.SendKeys(chromedp.CSS("#token"), token+"\n")) })
	b.wait("location.pathname + location.search === '/papers?search=pruning' && document.querySelector('.papers')")
	if eval[string](b, "document.cookie") != "" {
		t.Error("scripts can read the session")
	}
	b.follow(".leave button")
	b.wait("location.pathname === '/login'")
	b.visit("/papers")
	b.wait("document.querySelector('#token')")
}

// Verdicts come in while a study runs, without the page being loaded again.
func TestVerdictsComeIn(t *testing.T) {
	s := newSite(t)
	definition, _ := definitionOf(measured)
	compute, err := backend.New("")
	if err != nil {
		t.Fatal(err)
	}
	config := study.Config{Paper: measured, Preset: study.Smoke, Seeds: study.Seeds(study.FirstSeed, 1)}
	w, err := s.store.Create(t.Context(), study.Kind, measured, config)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	b := openTab(t, s)
	b.visit("/studies/" + measured)
	b.wait("document.querySelector('.bar .state').innerText === 'running' && document.querySelectorAll('.badge.measuring').length > 0")
	b.run("window.sameDocument = true")
	results, err := study.Run(t.Context(), definition, study.Setup{Preset: config.Preset, Seeds: config.Seeds, Backend: compute}, w, s.store, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.wait("document.querySelectorAll('.badge.reproduced').length > 0 && document.querySelector('.bar .state').innerText === 'running'")
	if err := w.Finish(t.Context(), store.Done, definition.Judge(results), nil); err != nil {
		t.Fatal(err)
	}
	b.wait("document.querySelector('.bar .state').innerText === 'done' && document.querySelectorAll('.badge.measuring').length === 0")
	if !eval[bool](b, "window.sameDocument === true && !document.querySelector('[data-poll]')") {
		t.Error("the page was loaded again, or asks on when all is done")
	}
}

// A study is started from its page by descent itself.
func TestRunningAStudy(t *testing.T) {
	t.Setenv(actVariable, "1")
	s := newSite(t)
	b := openTab(t, s)
	b.visit("/studies/" + measured)
	b.enter("select[name=preset]", "smoke")
	b.follow(".bar form button")
	b.wait("location.search === '?run=1' && document.querySelector('.bar').innerText.includes('smoke preset')")
	b.wait("document.querySelector('.bar .state').innerText === 'done'")
}

// actVariable makes this program act as descent.
const actVariable = "DESCENT_WEB_TEST_ACT"

// actAsDescent does what `descent study run NAME --preset P --store DIR` does to
// a store, without the measurements.
func actAsDescent(arguments []string) int {
	err := func() error {
		after := func(flag string) string { return arguments[slices.Index(arguments, flag)+1] }
		st, err := store.Open(after("--store"))
		if err != nil {
			return err
		}
		defer st.Close()
		ctx := context.Background()
		config := study.Config{Paper: after("run"), Preset: study.Preset(after("--preset")), Seeds: study.Seeds(study.FirstSeed, 1)}
		w, err := st.Create(ctx, study.Kind, config.Paper, config)
		if err != nil {
			return err
		}
		defer w.Close()
		fmt.Fprintf(os.Stderr, "Run %d in %s\n", w.ID(), st.Dir())
		definition, _ := definitionOf(config.Paper)
		judged := definition.Judge(study.NewResults(study.Setup{Preset: config.Preset, Seeds: config.Seeds}))
		return w.Finish(ctx, store.Done, judged, nil)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
