package web

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/descentml/descent/lab/experiment"
	"github.com/descentml/descent/lab/store"
	"github.com/descentml/descent/lab/store/storetest"
)

// liveRun records a run in progress that tests add points to.
type liveRun struct {
	t     *testing.T
	w     *store.Writer
	trial int64
	steps int
}

func newLiveRun(t *testing.T, st *store.Store) *liveRun {
	t.Helper()
	config := experiment.Default()
	config.Methods = []string{"adam"}
	w, err := st.Create(t.Context(), "compare", "live", config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	trial, err := w.StartTrial(t.Context(), store.TrialKey{Phase: store.Final, Method: "adam", LearningRate: 0.01, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	return &liveRun{t: t, w: w, trial: trial.ID}
}

// grow records some more points of a falling loss.
func (l *liveRun) grow(points int) {
	l.t.Helper()
	s := store.Series{Name: "train_loss"}
	for range points {
		s.Points = append(s.Points, store.Point{Step: int64(l.steps), Epoch: float64(l.steps), Seconds: float64(l.steps), Value: math.Exp(-float64(l.steps) / 10)})
		l.steps++
	}
	if err := l.w.Append(l.t.Context(), l.trial, s); err != nil {
		l.t.Fatal(err)
	}
}

// curve is the number of points of the first line in the chart.
const curve = `(document.querySelector('#chart path[stroke="#0072B2"]')?.getAttribute("d").match(/[ML]/g) ?? []).length`

func TestLiveRunGrowsInThePage(t *testing.T) {
	s := newSite(t)
	run := newLiveRun(t, s.store)
	run.grow(5)
	b := openTab(t, s)
	b.visit("/runs/1")
	b.wait(curve + " === 5")
	b.run("window.sameDocument = true")
	run.grow(7)
	b.wait(curve + " === 12")
	if text := b.text(".legend .last"); text != fmt.Sprintf("%.4g", math.Exp(-1.1)) {
		t.Errorf("the newest value is %q", text)
	}
	// A choice of the reader stays while the run goes on.
	b.press("input[name=log][value=y]")
	b.wait("location.search.includes('axes=linear') && !location.search.includes('log=')")
	run.grow(1)
	b.wait(curve + " === 13 && !document.querySelector('input[value=y]').checked")
	if err := run.w.Finish(t.Context(), store.Done, nil, nil); err != nil {
		t.Fatal(err)
	}
	b.wait("document.querySelector('#standing').dataset.state === 'done' && document.querySelector('#status').innerText.includes('done')")
	if !eval[bool](b, "window.sameDocument === true") {
		t.Error("the page was loaded again")
	}
}

func TestInterruptedRunShowsAtOnce(t *testing.T) {
	s := newSite(t)
	run := newLiveRun(t, s.store)
	run.grow(3)
	b := openTab(t, s)
	b.visit("/runs/1")
	b.wait("document.querySelector('#standing').dataset.state === 'running'")
	run.w.Close() // as the death of its process: nothing is written
	b.wait("document.querySelector('#standing').dataset.state === 'interrupted' && document.body.innerText.includes('Resume')")
}

func TestLiveRunWithoutScript(t *testing.T) {
	s := newSite(t)
	run := newLiveRun(t, s.store)
	run.grow(5)
	b := openTab(t, s)
	b.withoutScript()
	b.visit("/runs/1")
	b.wait(curve + " === 5 && document.querySelector('noscript')")
	run.grow(2)
	b.visit("/runs/1")
	b.wait(curve + " === 7")
	// Lines are shown and hidden by links, options by a button.
	b.follow(".legend .line")
	b.wait("location.search.includes('hide=') && document.querySelector('.legend .off')")
	b.follow(".legend .line")
	b.wait("!location.search.includes('hide=')")
	b.press("input[name=log][value=x]")
	b.follow(".options button")
	b.wait("location.search.includes('log=x') && " + curve + " === 6") // step 0 has no place on a log axis
}

func TestListFollowsTheStore(t *testing.T) {
	s := newSite(t)
	b := openTab(t, s)
	fillSite(t, s.store, storetest.Size{Runs: pageSize + 2, Points: (pageSize + 2) * 5})
	b.visit("/runs")
	b.wait(fmt.Sprintf("document.querySelectorAll('.runs > li').length === %d", pageSize))
	b.press("input[name=id][value='30']")
	b.run("document.querySelector(\"input[name=id][value='30']\").focus()")
	run := newLiveRun(t, s.store) // as from a shell
	b.wait(fmt.Sprintf("document.querySelector(\".runs > li:first-child input[name=id][value='%d']\") && document.querySelector('.state.running')", run.w.ID()))
	// All others have moved by a place, and what was chosen is still so.
	if chosen := eval[[]string](b, "[...document.querySelectorAll('input[name=id]:checked')].map(box => box.value)"); !slices.Equal(chosen, []string{"30"}) {
		t.Errorf("runs %q are chosen", chosen)
	}
	if at := eval[string](b, "document.activeElement.value"); at != "30" {
		t.Errorf("the keyboard is at %q", at)
	}
	if err := run.w.Finish(t.Context(), store.Done, nil, nil); err != nil {
		t.Fatal(err)
	}
	b.wait("!document.querySelector('.state.running')")
	b.enter("select[name=method]", "sgd")
	b.wait("document.querySelectorAll('.runs > li').length < 20 && location.search === '?method=sgd'")
}

func TestComparingThreeRuns(t *testing.T) {
	s := newSite(t)
	fillSite(t, s.store, storetest.Size{Runs: 5, Points: 5 * 5 * 40})
	b := openTab(t, s)
	b.visit("/runs")
	for _, id := range []int{1, 2, 4} {
		b.press(fmt.Sprintf("input[name=id][value='%d']", id))
	}
	b.follow(".listhead button")
	b.wait("location.pathname === '/runs/compare' && document.querySelectorAll('.legend li').length === 3")
	lines := `new Set([...document.querySelectorAll('#chart path[fill=none]')].map(p => p.getAttribute('stroke')).filter(c => ['#0072B2', '#D55E00', '#00673D'].includes(c))).size`
	b.wait(lines + " === 3")
	// By keyboard: space hides a line, and again shows it.
	b.do(chromedp.Focus(chromedp.CSS(".legend li:nth-child(2) .line")), chromedp.KeyEvent(" "))
	b.wait(lines + " === 2 && document.querySelector('.legend li:nth-child(2)').className === 'off'")
	if got := eval[string](b, "document.activeElement.dataset.key"); got != "2:sgd" {
		t.Errorf("the keyboard is at %q", got)
	}
	b.do(chromedp.KeyEvent(" "))
	b.wait(lines + " === 3")
	b.enter("select[name=smooth]", "0.9")
	b.wait("document.querySelector('#chart').innerText.includes('smoothed with weight 0.9') && location.search.includes('id=4')")
	// Values are read off with the arrow keys.
	b.do(chromedp.Focus(chromedp.CSS(".plot")), chromedp.KeyEvent(kb.Home), chromedp.KeyEvent(kb.ArrowRight))
	b.wait("document.querySelector('.values b').innerText.startsWith('epoch') && document.querySelectorAll('.cursor circle').length === 3 && document.querySelector('#status').innerText.includes('run 4: diffgrad')")
	b.do(chromedp.KeyEvent(kb.Escape))
	b.wait("!document.querySelector('.cursor')")
}

func TestValuesUnderTheMouse(t *testing.T) {
	s := newSite(t)
	run := newLiveRun(t, s.store)
	run.grow(11)
	if err := run.w.Finish(t.Context(), store.Done, nil, nil); err != nil {
		t.Fatal(err)
	}
	b := openTab(t, s)
	b.visit("/runs/1")
	b.wait("document.querySelector('.values')?.innerText.includes('Point at')")
	b.run(`(() => {
		const box = document.querySelector(".plot svg").getBoundingClientRect();
		const frame = JSON.parse(document.querySelector("[data-readout]").dataset.readout).frames[0];
		const x = frame.Left + (frame.Right - frame.Left) * (4 - frame.X.Low) / (frame.X.High - frame.X.Low);
		document.querySelector(".plot").dispatchEvent(new PointerEvent("pointermove",
			{ bubbles: true, clientX: box.left + box.width * x / frame.Width, clientY: box.top + 50 }));
	})()`)
	if got, want := b.text(".values"), fmt.Sprintf("adam %.4g", math.Exp(-0.4)); !strings.Contains(got, "epoch 4") || !strings.Contains(got, want) {
		t.Errorf("%q does not say %q", got, want)
	}
}

// TestStartingARunFromTheForm uploads a broken file and a whole one, starts a
// comparison on it, sees it grow, stops it and goes on with it.
func TestStartingARunFromTheForm(t *testing.T) {
	s := withDescent(t)
	b := openTab(t, s)
	folder := t.TempDir()
	for name, text := range map[string]string{"broken.csv": "a,b,c\n1,2,3\n4,5\n", "flowers.csv": flowers()} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b.allow("status of 422") // the broken file
	b.visit("/runs")
	b.follow("#start a")
	b.do(chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{filepath.Join(folder, "broken.csv")}))
	b.follow(".upload button")
	b.wait("document.body.innerText.includes('broken.csv:3: the row has 2 cells')")
	b.visit("/runs/new")
	b.do(chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{filepath.Join(folder, "flowers.csv")}))
	b.follow(".upload button")
	b.wait("location.search.startsWith('?data=upload')")
	b.enter("select[name=target]", "kind")
	b.enter("input[name=model]", "linear")
	b.enter("input[name=epochs]", "100000")
	b.enter("input[name=seeds]", "1")
	b.follow(".newrun .actions button")
	b.wait("location.pathname === '/runs/1' && document.querySelector('#standing')?.dataset.state === 'running'")
	b.wait("document.querySelector('.legend .last')") // of whichever method is first
	before := b.text(".legend .last")
	b.wait(fmt.Sprintf("document.querySelector('.legend .last').innerText !== %q", before))
	b.follow("form[action='/runs/1/stop'] button")
	b.wait("document.querySelector('#standing').dataset.state === 'interrupted'")
	b.follow("form[action='/runs/1/resume'] button")
	b.wait("document.querySelector('#standing').dataset.state === 'running'")
	b.follow("form[action='/runs/1/stop'] button")
	b.wait("document.querySelector('#standing').dataset.state === 'interrupted'")
}

func TestRunPagesFitAPhone(t *testing.T) {
	s := newSite(t)
	fillSite(t, s.store, storetest.Size{Runs: 60, Points: 60 * 5 * 10})
	if status, place := upload(t, s, strings.Repeat("long-name-", 9)+".csv", flowers()); status >= 400 {
		t.Fatal(place)
	}
	b := openTab(t, s)
	b.size(380, 800)
	for _, path := range []string{"/runs", "/runs?state=done&method=adam", "/runs/1", "/runs/new", "/runs/compare?id=1&id=2&id=3"} {
		b.visit(path)
		b.wait("document.querySelector('h1')")
		b.fits()
	}
	// The whole chart is in sight, and its values are read off where they are.
	b.wait(`[...document.querySelectorAll(".plot svg")].filter(p => p.getClientRects().length).every(p => p.viewBox.baseVal.width === 320)`)
	if !eval[bool](b, `(() => { const plot = document.querySelector(".plot"); return plot.scrollWidth <= plot.clientWidth; })()`) {
		t.Error("the chart scrolls sideways")
	}
	b.do(chromedp.Focus(chromedp.CSS(".plot")), chromedp.KeyEvent(kb.End))
	b.wait(`(() => {
		const box = document.querySelector(".plot").getBoundingClientRect();
		const marks = [...document.querySelectorAll(".cursor circle")].map(c => c.getBoundingClientRect());
		return marks.length > 0 && marks.every(m => m.width > 0 && m.left > box.left + 0.8 * box.width && m.right < box.right && m.top > box.top && m.bottom < box.bottom);
	})()`)
}
