package web

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/descentml/descent/lab/experiment"
	"github.com/descentml/descent/lab/store"
	"github.com/descentml/descent/lab/store/storetest"
	"github.com/descentml/descent/web/launch"
)

// waiting is a wait with an end.
type waiting time.Time

func waitBegin() waiting { return waiting(time.Now()) }

// over waits a little and tells whether it was too long.
func (w waiting) over() bool {
	time.Sleep(10 * time.Millisecond)
	return time.Since(time.Time(w)) > patience
}

// submit sends a form as a page of the site does.
func submit(t *testing.T, s *site, path string, fields ...string) (int, string) {
	t.Helper()
	form := url.Values{"csrf": {s.formToken}}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return do(t, request)
}

// upload sends a file as a program does.
func upload(t *testing.T, s *site, name, content string) (int, string) {
	t.Helper()
	address := s.url + "/uploads?csrf=" + s.formToken + "&name=" + url.QueryEscape(name)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "text/csv")
	return do(t, request)
}

// says checks that a page is there and says some things.
func says(t *testing.T, s *site, path string, texts ...string) string {
	t.Helper()
	status, page := get(t, s, path)
	if status != http.StatusOK {
		t.Errorf("%s: status %d: %.300s", path, status, page)
	}
	for _, text := range texts {
		if !strings.Contains(page, text) {
			t.Errorf("%s does not say %q", path, text)
		}
	}
	return page
}

func fillSite(t testing.TB, st *store.Store, size storetest.Size) []int64 {
	t.Helper()
	ids, err := storetest.Fill(t.Context(), st, size, 1)
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func TestRunListFiltersAndPages(t *testing.T) {
	s := newSite(t)
	says(t, s, "/runs", "Nothing is recorded yet")
	fillSite(t, s.store, storetest.Size{Runs: 120, Points: 120 * 5})
	page := says(t, s, "/runs", "120 runs", "adam on digits", "Older runs", `href="/runs?before=71"`, "/runs/120")
	if strings.Count(page, `<a class="what"`) != pageSize {
		t.Errorf("%d runs on the page", strings.Count(page, `<a class="what"`))
	}
	says(t, s, "/runs?before=71", "/runs/70", "Newest")
	says(t, s, "/runs?data=churn.csv&method=diffgrad&state=done", "30 runs match", "show all")
	says(t, s, "/runs?model=linear", "40 runs match")
	says(t, s, "/runs?state=running", "No run is like this")
	today := time.Now().Format(time.DateOnly)
	says(t, s, "/runs?from="+today+"&to="+today, "120 runs match")
	says(t, s, "/runs?to=2001-01-01", "No run is like this")
	for _, bad := range []string{"state=ready", "from=yesterday", "to=1", "before=x", "before=-1"} {
		if status, _ := get(t, s, "/runs?"+bad); status != http.StatusBadRequest && status != http.StatusNotFound {
			t.Errorf("%s: status %d", bad, status)
		}
	}
	var answer struct {
		Total int
		Runs  []listedRun
	}
	_, text := get(t, s, "/runs.json?data=digits")
	if err := json.Unmarshal([]byte(text), &answer); err != nil || answer.Total != 30 || len(answer.Runs) != 30 || answer.Runs[0].Data != "digits" {
		t.Errorf("%v, %d of %d", err, len(answer.Runs), answer.Total)
	}
}

func TestRunPageShowsCurvesAndDownloads(t *testing.T) {
	s := newSite(t)
	ids := fillSite(t, s.store, storetest.Size{Runs: 3, Points: 3 * 5 * 40})
	path := fmt.Sprintf("/runs/%d", ids[0])
	says(t, s, path, "adam on digits", "<svg", "train loss", "--methods adam", "1 training done", "data-readout", "All points as CSV")
	says(t, s, path+"?series=gradient_norm&x=step&log=y&smooth=0.9", "gradient norm, smoothed with weight 0.9", "against step", "Smoothing flattens peaks")
	says(t, s, fmt.Sprintf("%s?hide=%d:adam", path, ids[0]), `aria-checked="false"`)
	for _, bad := range []string{"x=moon", "smooth=2", "log=z"} {
		if status, _ := get(t, s, path+"?"+bad); status != http.StatusBadRequest {
			t.Errorf("%s: status %d", bad, status)
		}
	}
	var run runData
	_, text := get(t, s, path+".json")
	if err := json.Unmarshal([]byte(text), &run); err != nil || run.Run != ids[0] || len(run.Trials) != 1 || !strings.Contains(string(run.Config), "digits") {
		t.Errorf("%v in %.200s", err, text)
	}
	_, text = get(t, s, path+"/points.csv")
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(rows) != 1+5*40 || rows[1][4] != "gradient_norm" || rows[1][1] != "adam" {
		t.Errorf("%v, %d rows, %q", err, len(rows), rows[1])
	}
	for _, path := range []string{"/runs/99", "/runs/0", "/runs/x", "/runs/-1", "/runs/99/events", "/runs/99/points.csv", "/runs/99.json", "/runs/..%2f..%2fetc", "/runs/1e0"} {
		if status, _ := get(t, s, path); status != http.StatusNotFound {
			t.Errorf("%s: status %d", path, status)
		}
	}
}

func TestSpreadsheetsGetNoFormulas(t *testing.T) {
	for text, want := range map[string]string{"adam": "adam", "=1+1": "'=1+1", "@x": "'@x", "-x": "'-x", "": ""} {
		if got := cell(text); got != want {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func TestNamesOfFilesLoseTheirFolders(t *testing.T) {
	for source, want := range map[string]string{"": "", "digits": "digits", "/home/a/churn.csv": "churn.csv", `C:\data\x.csv`: "x.csv", "a/b/": "b/", "/": "/"} {
		if got := baseName(source); got != want {
			t.Errorf("%q became %q, expected %q", source, got, want)
		}
	}
}

func TestComparePage(t *testing.T) {
	s := newSite(t)
	ids := fillSite(t, s.store, storetest.Size{Runs: 14, Points: 14 * 5 * 40})
	path := fmt.Sprintf("/runs/compare?id=%d&id=%d&id=%d", ids[0], ids[1], ids[2])
	page := says(t, s, path, "3 runs compared", "run 1: adam", "run 2: sgd", "run 3: momentum", "breast-cancer")
	if n := strings.Count(page, `role="switch"`); n != 3 {
		t.Errorf("%d lines in the legend", n)
	}
	says(t, s, "/runs/compare?id=1,2", "2 runs compared")
	if status, _ := get(t, s, "/runs/compare"); status != http.StatusBadRequest {
		t.Errorf("status %d without runs", status)
	}
	if status, _ := get(t, s, "/runs/compare?id=1,2,3,4,5,6,7,8,9,10,11,12,13"); status != http.StatusBadRequest {
		t.Errorf("status %d for 13 runs", status)
	}
	if status, _ := get(t, s, "/runs/compare?id=1&id=99"); status != http.StatusNotFound {
		t.Errorf("status %d for a run that is not there", status)
	}
	var compared []comparedRun
	_, text := get(t, s, path, "Accept", "application/json")
	if err := json.Unmarshal([]byte(text), &compared); err != nil || len(compared) != 3 {
		t.Errorf("%v in %.200s", err, text)
	}
}

// TestRunIsStartedStoppedAndResumed by a program, with the engine itself.
func TestRunIsStartedStoppedAndResumed(t *testing.T) {
	s := withDescent(t)
	_, data := upload(t, s, "flowers.csv", flowers())
	if !strings.HasPrefix(data, "/runs/new?data=upload%3A") {
		t.Fatal(data)
	}
	chosen, err := url.QueryUnescape(strings.TrimPrefix(data, "/runs/new?data="))
	if err != nil {
		t.Fatal(err)
	}
	says(t, s, data, "flowers.csv", `<option value="petal"`)
	status, place := submit(t, s, "/runs", "kind", "compare", "data", chosen, "target", "kind", "method", "sgd", "method", "adam",
		"model", "linear", "epochs", "100000", "seeds", "1", "batch", "16")
	if status != http.StatusSeeOther || place != "/runs/1" {
		t.Fatalf("status %d, %.300s", status, place)
	}
	says(t, s, place, "running", "2 methods on flowers.csv", "Stop</button>")
	begin := waitBegin()
	for page := ""; !strings.Contains(page, "<path") || !strings.Contains(page, `class="last"`); _, page = get(t, s, place) {
		if begin.over() {
			t.Fatal("no curve appears")
		}
	}
	if status, to := submit(t, s, place+"/stop"); status != http.StatusSeeOther || to != place {
		t.Fatalf("status %d, %.300s", status, to)
	}
	says(t, s, place, "interrupted", "Resume</button>", "descent compare --resume 1")
	before, err := s.store.Trials(t.Context(), 1)
	if err != nil || len(before) == 0 {
		t.Fatal(err)
	}
	if status, to := submit(t, s, place+"/resume"); status != http.StatusSeeOther || to != place {
		t.Fatalf("status %d, %.300s", status, to)
	}
	says(t, s, place, "running")
	if status, page := submit(t, s, place+"/resume"); status != http.StatusConflict {
		t.Errorf("status %d, %.300s", status, page)
	}
	if status, to := submit(t, s, place+"/stop"); status != http.StatusSeeOther {
		t.Errorf("status %d, %.300s", status, to)
	}
	if status, _ := submit(t, s, place+"/stop"); status != http.StatusConflict {
		t.Errorf("status %d for a run that has stopped", status)
	}
}

// flowers is a table with a target in the middle.
func flowers() string {
	var b strings.Builder
	b.WriteString("petal,kind,sepal\n")
	for i := range 60 {
		fmt.Fprintf(&b, "%g,%s,%g\n", math.Sin(float64(i)), []string{"rose", "lily"}[i%2], float64(i%7)+3*float64(i%2))
	}
	return b.String()
}

func TestRunThatCannotBeginSaysWhy(t *testing.T) {
	s := withDescent(t)
	status, place := submit(t, s, "/runs", "kind", "compare", "data", "iris", "method", "sgd", "model", "cnn", "epochs", "1", "seeds", "1")
	if status != http.StatusSeeOther || !strings.HasPrefix(place, "/launches/") {
		t.Fatalf("status %d, %.300s", status, place)
	}
	begin := waitBegin()
	for status, page := get(t, s, place); !strings.Contains(page, "did not begin"); status, page = get(t, s, place) {
		if status != http.StatusOK || begin.over() {
			t.Fatalf("status %d, %.500s", status, page)
		}
	}
	says(t, s, place, "cnn", "Back to the form")
}

func TestFormComesBackWithItsProblems(t *testing.T) {
	s := newSite(t)
	status, page := submit(t, s, "/runs", "kind", "compare", "data", "../../etc/passwd", "method", "nonesuch", "epochs", "<b>", "target", hostile)
	if status != http.StatusBadRequest {
		t.Fatalf("status %d", status)
	}
	for _, text := range []string{"3 fields cannot be taken", "Choose one of the sets", "nonesuch", "Write a whole number", "&lt;b&gt;"} {
		if !strings.Contains(page, text) {
			t.Errorf("the form does not say %q", text)
		}
	}
	if strings.Contains(page, "<script>document") {
		t.Error("what was filled in is not escaped")
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/runs", strings.NewReader(`{"kind":"compare","epochs":-3,"method":["adam"]}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	var answer struct{ Fields launch.Problems }
	status, text := do(t, request)
	if err := json.Unmarshal([]byte(text), &answer); err != nil || status != http.StatusBadRequest || answer.Fields["epochs"] == "" || answer.Fields["data"] == "" || answer.Fields["method"] != "" {
		t.Errorf("status %d, %v in %s", status, err, text)
	}
}

func TestRunsAtOnceAreBounded(t *testing.T) {
	s := withDescent(t, func(o *Options) { o.MaxRuns = 1 })
	fields := []string{"kind", "compare", "data", "iris", "method", "sgd", "model", "linear", "epochs", "100000", "seeds", "1"}
	if status, place := submit(t, s, "/runs", fields...); status != http.StatusSeeOther {
		t.Fatalf("status %d, %.300s", status, place)
	}
	if status, page := submit(t, s, "/runs", fields...); status != http.StatusTooManyRequests {
		t.Errorf("status %d, %.300s", status, page)
	}
}

// TestRunGoesOnWithoutTheServer and is known to the next one.
func TestRunGoesOnWithoutTheServer(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("skipped: without /proc a later server cannot tell the process from another")
	}
	s := withDescent(t)
	status, place := submit(t, s, "/runs", "kind", "compare", "data", "iris", "method", "sgd", "model", "linear", "epochs", "100000", "seeds", "1")
	if status != http.StatusSeeOther || place != "/runs/1" {
		t.Fatalf("status %d, %.300s", status, place)
	}
	if err := s.closeRuns(); err != nil {
		t.Fatal(err)
	}
	next := startSite(t, func(o *Options) { o.Store = s.store })
	says(t, next, "/runs/1", "running", "Stop</button>")
	if status, to := submit(t, next, "/runs/1/stop"); status != http.StatusSeeOther {
		t.Fatalf("status %d, %.300s", status, to)
	}
	says(t, next, "/runs/1", "interrupted")
}

func TestRunFromAShellIsNotStoppedFromHere(t *testing.T) {
	s := newSite(t)
	w, err := s.store.Create(t.Context(), "compare", "from a shell", experiment.Default())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	says(t, s, "/runs/1", "started elsewhere")
	if status, page := submit(t, s, "/runs/1/stop"); status != http.StatusConflict || !strings.Contains(page, "stop it where it was started") {
		t.Errorf("status %d, %.300s", status, page)
	}
	w.Close()
	says(t, s, "/runs/1", "interrupted", "Resume</button>")
	other, err := s.store.Create(t.Context(), "fleet", "another kind", nil)
	if err != nil {
		t.Fatal(err)
	}
	other.Close()
	if status, _ := submit(t, s, "/runs/2/resume"); status != http.StatusConflict {
		t.Errorf("status %d for a kind that cannot be resumed", status)
	}
}

func TestUploadsAreListedAndDeleted(t *testing.T) {
	s := newSite(t)
	_, place := upload(t, s, "../../My data.csv", flowers())
	says(t, s, place, "my-data.csv", "60 rows", "3 columns")
	all, err := s.runs.uploads.List()
	if err != nil || len(all) != 1 {
		t.Fatalf("%d uploads, %v", len(all), err)
	}
	if status, to := submit(t, s, "/uploads/"+all[0].ID+"/delete"); status != http.StatusSeeOther || to != "/runs/new" {
		t.Errorf("status %d, %s", status, to)
	}
	if left, _ := filepath.Glob(filepath.Join(s.store.Dir(), "uploads", "*")); len(left) != 0 {
		t.Errorf("%q is left", left)
	}
	for _, broken := range []string{"", "a,b\n1\n", "a,b\n"} {
		if status, page := upload(t, s, "broken.csv", broken); status != http.StatusUnprocessableEntity || !strings.Contains(page, "The file is") {
			t.Errorf("%q: status %d, %.300s", broken, status, page)
		}
	}
}
