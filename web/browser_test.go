package web

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/descentml/descent/lab/store"
)

// patience bounds every wait for a page. It is long because machines are busy;
// nothing waits that long when all is well.
const patience = time.Minute

// site is a workbench that answers, with a store of its own.
type site struct {
	*Server
	store *store.Store
	url   string
}

// newSite starts a workbench on an empty store.
func newSite(t *testing.T, change ...func(*Options)) *site {
	t.Helper()
	st, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return startSite(t, append([]func(*Options){func(o *Options) { o.Store = st }}, change...)...)
}

// startSite starts a workbench.
func startSite(t *testing.T, change ...func(*Options)) *site {
	t.Helper()
	o := Options{FollowInterval: 50 * time.Millisecond}
	for _, c := range change {
		c(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	answering := httptest.NewServer(s.Handler())
	t.Cleanup(answering.Close)
	t.Cleanup(answering.CloseClientConnections)
	return &site{s, o.Store, answering.URL}
}

// browser is the one browser of all tests; every test has a window in it.
var browser struct {
	once sync.Once
	ctx  context.Context
	stop func()
	why  string // there is none
}

// TestMain lets tests start this program as if it were descent, see actAsDescent.
func TestMain(m *testing.M) {
	if os.Getenv(actVariable) != "" {
		os.Exit(actAsDescent(os.Args[1:]))
	}
	code := m.Run()
	if browser.stop != nil {
		browser.stop()
	}
	if filled.dir != "" {
		_ = os.RemoveAll(filled.dir)
	}
	os.Exit(code)
}

func startBrowser() {
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "headless-shell"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		browser.why = "no chromium or google-chrome is installed"
		return
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path),
		chromedp.NoSandbox, // it does not start as root otherwise; it sees only our own pages
		chromedp.Flag("force-device-scale-factor", "1"), chromedp.WSURLReadTimeout(patience))
	allocator, stopAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, stop := chromedp.NewContext(allocator)
	browser.ctx, browser.stop = ctx, func() { stop(); stopAllocator() }
	if err := chromedp.Do(ctx); err != nil {
		browser.why = fmt.Sprintf("%s does not start: %v", path, err)
	}
}

// tab is a window of the browser.
type tab struct {
	t     *testing.T
	ctx   context.Context
	home  string
	mutex sync.Mutex
	wrong []string // what the page did that no page may
	fine  []string // parts of what the browser may report
}

// openTab opens a window on a site. It skips the test where there is no
// browser. Whatever the page reports as an error, and whatever it asks from
// another host, fails the test.
func openTab(t *testing.T, s *site) *tab {
	t.Helper()
	if testing.Short() {
		t.Skip("skipped: tests in a browser take a while, and -short is on")
	}
	browser.once.Do(startBrowser)
	if browser.why != "" {
		t.Skip("skipped: " + browser.why)
	}
	ctx, stop := chromedp.NewContext(browser.ctx)
	t.Cleanup(stop)
	b := &tab{t: t, ctx: ctx, home: s.url}
	if err := chromedp.Listen(ctx, b.observe); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		b.mutex.Lock()
		defer b.mutex.Unlock()
		for _, wrong := range b.wrong {
			if !slices.ContainsFunc(b.fine, func(part string) bool { return strings.Contains(wrong, part) }) {
				t.Error(wrong)
			}
		}
	})
	command(b, network.Enable, network.EnableParams{})
	command(b, cdplog.Enable, cdp.Empty{})
	command(b, runtime.Enable, cdp.Empty{})
	b.size(1280, 900)
	b.dark(false)
	return b
}

func (b *tab) observe(event any) {
	wrong := ""
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if address := e.Request.URL; !strings.HasPrefix(address, b.home) && !strings.HasPrefix(address, "data:") && !strings.HasPrefix(address, "blob:") {
			wrong = "the page asks for " + address
		}
	case *runtime.EventExceptionThrown:
		wrong = "the script fails: " + e.ExceptionDetails.Text
		if thrown := e.ExceptionDetails.Exception; thrown != nil {
			wrong += " " + thrown.Description
		}
	case *cdplog.EventEntryAdded:
		if e.Entry.Level == cdplog.EntryLevelError {
			wrong = "the browser reports: " + e.Entry.Text + " " + e.Entry.URL
		}
	}
	if wrong != "" {
		b.mutex.Lock()
		b.wrong = append(b.wrong, wrong)
		b.mutex.Unlock()
	}
}

// allow says that the browser may report something, such as a status that the
// test wants.
func (b *tab) allow(part string) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.fine = append(b.fine, part)
}

// do runs actions in the window, in order.
func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// command sends a command of the DevTools protocol.
func command[P, R any](b *tab, c cdp.Command[P, R], parameters P) {
	b.t.Helper()
	b.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, parameters)
		return err
	}))
}

// visit opens a path. No other page may be about to load.
func (b *tab) visit(path string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.home + path))
	b.wait(`document.readyState === "complete"`)
}

// press clicks on an element once it is there. It is the page that clicks, not
// a mouse at a place: a script may move what is in the place meanwhile.
func (b *tab) press(selector string) {
	b.t.Helper()
	// Should the page be left before it says that it clicked, what is waited
	// for next tells.
	b.until(fmt.Sprintf(`(() => {
		const found = document.readyState === "complete" && document.querySelector(%q);
		if (!found) return false;
		window.left = true;
		found.click();
		return true;
	})()`, selector), true)
}

// follow presses what leads to another page, and waits until that is loaded:
// not for the state of the old page, which may change meanwhile.
func (b *tab) follow(selector string) {
	b.t.Helper()
	b.press(selector)
	b.wait(loaded)
}

// leave does what makes the browser load another page, and waits for that.
func (b *tab) leave(do func()) {
	b.t.Helper()
	b.run("window.left = true")
	do()
	b.wait(loaded)
}

// loaded tells whether the page is another one than that which was left.
const loaded = `window.left !== true && document.readyState === "complete"`

// enter gives a field a value, as somebody who types it or chooses it.
func (b *tab) enter(selector, value string) {
	b.t.Helper()
	b.wait(fmt.Sprintf(`document.querySelector(%q)`, selector))
	b.run(fmt.Sprintf(`(() => {
		const field = document.querySelector(%q);
		field.value = %q;
		for (const name of ["input", "change"]) field.dispatchEvent(new Event(name, { bubbles: true }));
	})()`, selector, value))
}

// run evaluates an expression for what it does. No page may be about to load.
func (b *tab) run(expression string) {
	b.t.Helper()
	b.do(chromedp.Evaluate[chromedp.Void]("void (" + expression + ")"))
}

// size sets the size of the window in CSS pixels.
func (b *tab) size(width, height int64) {
	b.t.Helper()
	command(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: width, Height: height, DeviceScaleFactor: 1, Mobile: width < 600,
	})
}

// dark chooses the colour scheme.
func (b *tab) dark(on bool) {
	b.t.Helper()
	scheme := "light"
	if on {
		scheme = "dark"
	}
	command(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme},
			{Name: "prefers-reduced-motion", Value: "reduce"}, // colours change at once
		},
	})
}

// withoutScript switches JavaScript off in pages that are opened from now on.
// Tests can still look into them.
func (b *tab) withoutScript() {
	b.t.Helper()
	command(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
}

// eval returns the value of an expression in the page that changes nothing.
func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	for {
		value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
		if err == nil {
			return value
		}
		// The page that was asked may just have been left.
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			b.t.Fatalf("%s: %v", expression, err)
		}
	}
}

// wait waits until an expression in the page is true.
func (b *tab) wait(expression string) {
	b.t.Helper()
	b.until("Boolean("+expression+")", false)
}

// until evaluates an expression until it is true, and also ends at an error if
// once is set: else a page that is being left is asked again.
func (b *tab) until(expression string, once bool) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	for {
		yes, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression))
		if err == nil && yes || err != nil && once {
			return
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			b.t.Fatalf("%s did not come true, %v; the page says: %.500s", expression, err, eval[string](b, "document.body.innerText"))
		}
	}
}

// text is what the page or its first element that a selector fits says.
func (b *tab) text(selector string) string {
	b.t.Helper()
	return eval[string](b, fmt.Sprintf("document.querySelector(%q)?.innerText ?? ''", selector))
}

// fits fails the test if the page scrolls sideways, and names what sticks out.
func (b *tab) fits() {
	b.t.Helper()
	out := eval[[]string](b, `(() => {
		const wide = document.documentElement.clientWidth;
		if (document.documentElement.scrollWidth <= wide) return [];
		return ["the page is " + document.documentElement.scrollWidth + " wide, the window " + wide,
			...[...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > wide + 0.5
				&& !e.parentElement.closest(".scroll")).map(e => e.tagName + "." + e.className)].slice(0, 12);
	})()`)
	if len(out) > 0 {
		b.t.Errorf("%s scrolls sideways: %s", eval[string](b, "location.pathname"), strings.Join(out, ", "))
	}
}
