package web

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/descentml/descent/lab/store/storetest"
	"github.com/descentml/descent/web/launch"
)

// TestScriptInAColumnsName is shown as what it is, in the form, and in the
// error of a run.
func TestScriptInAColumnsName(t *testing.T) {
	s := newSite(t)
	table := strings.Replace(flowers(), "petal", `"`+strings.ReplaceAll(hostile, `"`, `""`)+`"`, 1)
	status, place := upload(t, s, hostile+".csv", table)
	if status != http.StatusSeeOther {
		t.Fatalf("status %d, %.300s", status, place)
	}
	page := says(t, s, place, "&lt;script&gt;document.title")
	if strings.Contains(page, "<script>document") || strings.Contains(page, "<img src=x") {
		t.Error("the name is taken as HTML")
	}
	status, page = upload(t, s, "x.csv", "a,"+`"`+strings.ReplaceAll(hostile, `"`, `""`)+`"`+"\n1,2\n3\n")
	if status != http.StatusUnprocessableEntity || strings.Contains(page, "<script>document") {
		t.Errorf("status %d, %.300s", status, page)
	}
	b := openTab(t, s)
	b.visit(place)
	b.wait("document.querySelector('select[name=target]')")
	if title := eval[string](b, "document.title"); title != "Start a run · Descent" {
		t.Errorf("the script ran: %q", title)
	}
	if got := eval[string](b, "document.querySelectorAll('select[name=target] option')[1].value"); got != hostile {
		t.Errorf("the name became %q", got)
	}
	b.enter("select[name=target]", hostile)
	if got := eval[string](b, "document.querySelector('select[name=target]').value"); got != hostile {
		t.Errorf("the name cannot be chosen: %q", got)
	}
}

// TestUploadOfTwoGigabytes is refused by its announced length before it is
// read, and cut off at the limit if there is none.
func TestUploadOfTwoGigabytes(t *testing.T) {
	const limit = 2 << 20
	s := newSite(t, func(o *Options) { o.Uploads = launch.Limits{Bytes: limit} })
	says(t, s, "/runs/new", "at most 2 MiB")
	send := func(announced int64, kind, before string) (int, int64) {
		body := &flood{before: strings.NewReader(before), left: 2 << 30}
		r := httptest.NewRequest(http.MethodPost, "http://localhost/uploads?name=x.csv&csrf="+s.formToken, nil)
		r.Header.Set("Content-Type", kind)
		r.Body, r.ContentLength = body, announced
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		return w.Code, body.read
	}
	multi := "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x.csv\"\r\n\r\n"
	for name, c := range map[string]struct {
		announced, most int64
		kind, before    string
		status          int
	}{
		"announced":           {2 << 30, 0, "text/csv", "", http.StatusRequestEntityTooLarge},
		"chunked":             {-1, limit + 1<<20, "text/csv", "", http.StatusUnprocessableEntity},
		"form":                {-1, limit + 1<<20, "multipart/form-data; boundary=b", multi, http.StatusUnprocessableEntity},
		"announced too small": {100, limit + 1<<20, "text/csv", "", http.StatusUnprocessableEntity},
		"form without a file": {-1, 3 << 20, "multipart/form-data; boundary=b", "", http.StatusRequestEntityTooLarge},
	} {
		var memory runtime.MemStats
		runtime.ReadMemStats(&memory)
		before := memory.TotalAlloc
		status, read := send(c.announced, c.kind, c.before)
		runtime.ReadMemStats(&memory)
		if status != c.status || read > c.most+64<<10 {
			t.Errorf("%s: status %d after %d bytes", name, status, read)
		}
		if grown := memory.TotalAlloc - before; grown > 8<<20 {
			t.Errorf("%s took %d bytes of memory", name, grown)
		}
	}
	if all, err := s.runs.uploads.List(); err != nil || len(all) != 0 {
		t.Errorf("%d uploads are kept, %v", len(all), err)
	}
}

// flood is a body of many bytes that counts what is read of it.
type flood struct {
	before     io.Reader
	left, read int64
}

func (c *flood) Read(b []byte) (int, error) {
	n, _ := c.before.Read(b)
	if n == 0 {
		n = int(min(int64(len(b)), c.left))
		for i := range b[:n] {
			b[i] = "1,2\n"[i%4]
		}
		c.left -= int64(n)
	}
	c.read += int64(n)
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (c *flood) Close() error { return nil }

// TestUploadsOfOtherSites are not taken.
func TestUploadsOfOtherSites(t *testing.T) {
	s := newSite(t)
	for name, header := range map[string][2]string{
		"another site": {"Origin", "https://evil.example"}, "no token": {"X-Csrf-Token", "wrong"},
	} {
		address := s.url + "/uploads?name=x.csv"
		if name == "another site" {
			address += "&csrf=" + s.formToken
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(flowers()))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set(header[0], header[1])
		if status, _ := do(t, request); status != http.StatusForbidden {
			t.Errorf("%s: status %d", name, status)
		}
	}
	// A program needs no token if it sends what no form can.
	for origin, want := range map[string]int{"": http.StatusSeeOther, "https://evil.example": http.StatusForbidden} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/uploads?name=x.csv", strings.NewReader(flowers()))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "text/csv")
		request.Header.Set("Origin", origin)
		if status, _ := do(t, request); status != want {
			t.Errorf("CSV from %q: status %d, expected %d", origin, status, want)
		}
	}
	for _, path := range []string{"/runs", "/runs/1/stop", "/runs/1/resume", "/uploads/aaaaaaaaaaaaaaaa/delete"} {
		if status, _ := post(t, s, path, url.Values{"kind": {"compare"}}); status != http.StatusForbidden {
			t.Errorf("%s without the token: status %d", path, status)
		}
	}
}

// TestPathsOfUploadsStayInTheStore, whatever the file is called.
func TestPathsOfUploadsStayInTheStore(t *testing.T) {
	s := newSite(t)
	for _, name := range []string{"../../../evil.csv", `..\evil.csv`, "/tmp/evil.csv", "a/../../evil.csv"} {
		if status, place := upload(t, s, name, flowers()); status != http.StatusSeeOther {
			t.Errorf("%q: status %d, %.200s", name, status, place)
		}
	}
	for _, data := range []string{"upload:..", "upload:../uploads", "upload:/etc/passwd", "/etc/passwd", "file:///etc/passwd", "upload:aaaaaaaaaaaaaaaa/../../descent.db"} {
		if status, page := submit(t, s, "/runs", "kind", "compare", "data", data, "method", "sgd"); status != http.StatusBadRequest {
			t.Errorf("%q: status %d, %.200s", data, status, page)
		}
		if _, page := get(t, s, "/runs/new?data="+url.QueryEscape(data)); strings.Contains(page, "root:") {
			t.Errorf("%q is read", data)
		}
	}
	for _, path := range []string{"/launches/..%2f..%2fetc", "/launches/%2e%2e", "/uploads/..%2f..%2fx/delete"} {
		if status, _ := get(t, s, path); status == http.StatusOK {
			t.Errorf("%s: status %d", path, status)
		}
	}
}

// TestTenThousandEventStreams: as many as the limit are served, the others are
// refused, the pages answer meanwhile, and the run that they look at goes on.
func TestTenThousandEventStreams(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: ten thousand requests take a while, and -short is on")
	}
	const places, real, all = 60, 300, 10_000
	s := newSite(t, func(o *Options) { o.MaxStreams = places })
	run := newLiveRun(t, s.store)
	run.grow(3)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	open := make(chan *http.Response, real)
	refused := 0
	for range real {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/runs/1/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		switch answer.StatusCode {
		case http.StatusOK:
			open <- answer
			continue
		case http.StatusServiceUnavailable:
			refused++
		default:
			t.Errorf("status %d", answer.StatusCode)
		}
		answer.Body.Close()
	}
	// The others without a connection: the test is about what the server does,
	// not about how many connections the machine allows.
	for range all - real {
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/runs/1/events", nil))
		if w.Code != http.StatusServiceUnavailable {
			t.Fatalf("status %d beyond the limit", w.Code)
		}
		refused++
	}
	if len(open) != places || refused != all-places {
		t.Errorf("%d served, %d refused", len(open), refused)
	}
	if topics := s.runs.hub.Topics(); topics != 1 {
		t.Errorf("%d pollers", topics)
	}
	if goroutines := runtime.NumGoroutine(); goroutines > 1000 {
		t.Errorf("%d goroutines", goroutines)
	}
	run.grow(4)
	says(t, s, "/runs/1", "running")
	cancel()
	for range places {
		(<-open).Body.Close()
	}
	for begin := waitBegin(); s.streams.Taken() > 0; {
		if begin.over() {
			t.Fatalf("%d streams are still held", s.streams.Taken())
		}
	}
	status, _ := get(t, s, fmt.Sprintf("/runs/%d", 1))
	if status != http.StatusOK {
		t.Errorf("status %d afterwards", status)
	}
}

// TestSlowDownloads: those who take all points by drops hold only a part of the
// store's connections, further ones are refused, and pages answer meanwhile.
func TestSlowDownloads(t *testing.T) {
	s := newSite(t)
	fillSite(t, s.store, storetest.Size{Runs: 1, LongRuns: 1, LongPoints: 20_000})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan struct{}, mostDownloads)
	for range mostDownloads {
		w := &stuck{ResponseRecorder: httptest.NewRecorder(), writing: make(chan struct{}), free: ctx.Done()}
		go func() {
			defer func() { _ = recover(); ended <- struct{}{} }() // a client that goes away ends the handler by a panic
			s.Handler().ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/runs/1/points.csv", nil))
		}()
		<-w.writing
	}
	if status, _ := get(t, s, "/runs/1/points.csv"); status != http.StatusServiceUnavailable {
		t.Errorf("status %d for one download more", status)
	}
	says(t, s, "/runs/1", "<svg")
	says(t, s, "/runs", "1 run")
	cancel()
	for range mostDownloads {
		<-ended
	}
	if status, text := get(t, s, "/runs/1/points.csv"); status != http.StatusOK || strings.Count(text, "\n") < 20_000 {
		t.Errorf("status %d, %d bytes afterwards", status, len(text))
	}
}

// stuck is a client that takes nothing until it is freed, and then is gone.
type stuck struct {
	*httptest.ResponseRecorder
	writing chan struct{} // closed by the first write
	free    <-chan struct{}
	once    sync.Once
}

func (s *stuck) Write(b []byte) (int, error) {
	s.once.Do(func() { close(s.writing) })
	<-s.free
	return 0, io.ErrClosedPipe
}
