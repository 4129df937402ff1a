package web

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/descentml/descent/lab/store"
)

// post sends a form as a program does that has no browser's headers.
func post(t *testing.T, s *site, path string, form url.Values, header ...string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	return do(t, request)
}

// A form of another site, and one without the token of this server, start
// nothing.
func TestForeignForms(t *testing.T) {
	s := newSite(t)
	right := url.Values{"csrf": {s.formToken}, "preset": {"smoke"}}
	for name, c := range map[string]struct {
		form   url.Values
		header []string
	}{
		"another site":        {right, []string{"Origin", "https://evil.example"}},
		"another port":        {right, []string{"Origin", "http://localhost:1"}},
		"fetch metadata":      {right, []string{"Sec-Fetch-Site", "cross-site"}},
		"without token":       {url.Values{"preset": {"smoke"}}, nil},
		"wrong token":         {url.Values{"csrf": {"wrong"}}, nil},
		"empty token":         {url.Values{"csrf": {""}}, []string{"X-Csrf-Token", ""}},
		"as text":             {right, []string{"Content-Type", "text/plain"}},
		"as multipart":        {right, []string{"Content-Type", "multipart/form-data; boundary=x"}},
		"text that says JSON": {url.Values{}, []string{"Content-Type", "text/plain; application/json"}},
	} {
		for _, path := range []string{"/studies/" + measured, "/logout"} {
			if status, _ := post(t, s, path, c.form, c.header...); status != http.StatusForbidden {
				t.Errorf("%s to %s: status %d, want 403", name, path, status)
			}
		}
	}
	if runs, err := s.store.Runs(t.Context(), store.Filter{}); err != nil || len(runs) != 0 {
		t.Errorf("%d runs were started, error %v", len(runs), err)
	}
}

// No path leaves the folders of the site.
func TestPathTraversal(t *testing.T) {
	s := newFilledSite(t)
	for _, path := range []string{
		"/assets/../web.go", "/assets/%2e%2e/web.go", "/assets/..%2fweb.go", "/assets/../../../../../../etc/passwd", "/assets/..%5c..%5cweb.go",
		"/assets/%2e%2e%2f%2e%2e%2f%2e%2e%2fetc/passwd", "/assets/", "/assets//etc/passwd", "/assets/.", "/assets/style.css/../../web.go",
		"/papers/..%2f..%2fetc%2fpasswd", "/papers/%2e%2e", "/studies/..%2fdescent.db", "/curvature/..%2f1", "/../../etc/passwd", "/..%2fdescent.db",
		"/descent.db", "/reports/run-1.html", "/assets/style.css%00", "//etc/passwd",
	} {
		status, body := raw(t, s, path)
		if status == http.StatusOK || strings.Contains(body, "root:") || strings.Contains(body, "package web") || strings.Contains(body, "SQLite") {
			t.Errorf("%s: status %d, %.100q", path, status, body)
		}
	}
	if status, body := raw(t, s, "/assets/style.css"); status != http.StatusOK || !strings.Contains(body, "color-scheme") {
		t.Errorf("the style sheet: status %d", status)
	}
}

// raw asks for a path as it stands, which net/http's client would clean.
func raw(t *testing.T, s *site, path string) (int, string) {
	t.Helper()
	host := strings.TrimPrefix(s.url, "http://")
	c, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path, host)
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// Names are text, on every page that shows them.
func TestNamesAreNotHTML(t *testing.T) {
	s := newFilledSite(t)
	for _, path := range []string{"/", "/papers?search=" + url.QueryEscape(hostile), "/papers/" + url.PathEscape(hostile), "/studies/m-fac?run=" + url.QueryEscape(hostile),
		"/curvature/" + url.PathEscape(hostile), "/login?next=" + url.QueryEscape("/"+hostile)} {
		_, page := get(t, s, path)
		if strings.Contains(page, "<script>document") || strings.Contains(page, "<img") {
			t.Errorf("%.40s: the name is taken as HTML", path)
		}
	}
	if _, page := get(t, s, "/"); !strings.Contains(page, "&lt;script&gt;document.title") {
		t.Error("the first page does not show the run with the hostile name")
	}
}

func TestSigningIn(t *testing.T) {
	const token = "0123456789abcdef0123"
	s := newSite(t, func(o *Options) { o.Token = token })
	for _, path := range []string{"/", "/papers", "/papers.json", "/studies/m-fac", "/nothing"} {
		if status, page := get(t, s, path); status != http.StatusUnauthorized || strings.Contains(page, "diffGrad") {
			t.Errorf("%s without the token: status %d", path, status)
		}
	}
	for _, path := range []string{"/assets/style.css", "/assets/app.js", "/login"} {
		if status, _ := get(t, s, path); status != http.StatusOK {
			t.Errorf("%s: status %d", path, status)
		}
	}
	form := func(token, next string) url.Values {
		return url.Values{"csrf": {s.formToken}, "token": {token}, "next": {next}}
	}
	if status, page := post(t, s, "/login", form("0123456789abcdef0124", "/")); status != http.StatusUnauthorized || !strings.Contains(page, "The token is wrong") {
		t.Errorf("a wrong token: status %d", status)
	}
	if status, _ := post(t, s, "/login", url.Values{"token": {token}}); status != http.StatusForbidden {
		t.Errorf("signing in by another site's form: status %d", status)
	}
	for next, want := range map[string]string{
		"/papers?search=x": "/papers?search=x", "https://evil.example/": "/", "//evil.example": "/", `/\evil.example`: "/", "javascript:alert(1)": "/",
		"/%2f/evil.example": "/", "/login": "/", "/runs?token=" + token: "/runs", "": "/", "papers": "/",
	} {
		if status, to := post(t, s, "/login", form(token, next)); status != http.StatusSeeOther || to != want {
			t.Errorf("next %q: status %d to %q, want %q", next, status, to, want)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	if _, err := New(Options{}); err == nil {
		t.Error("a server without a store")
	}
	s := newSite(t)
	if _, err := New(Options{Store: s.store, Token: "short"}); err == nil || !strings.Contains(err.Error(), "at least 16") {
		t.Errorf("a short token: %v", err)
	}
}

// A body of 2 GB is refused before it is read, and one of no announced length
// after the first megabyte.
func TestHugeBodies(t *testing.T) {
	s := newSite(t)
	r := httptest.NewRequest(http.MethodPost, s.url+"/studies/"+measured, nil)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	announced := &endless{}
	r.Body, r.ContentLength = announced, 2<<30
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	if w.Code != http.StatusRequestEntityTooLarge || announced.read > 0 {
		t.Errorf("an announced body: status %d after %d bytes", w.Code, announced.read)
	}
	r = httptest.NewRequest(http.MethodPost, s.url+"/login", nil)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	chunked := &endless{}
	r.Body, r.ContentLength = chunked, -1
	w = httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	if w.Code != http.StatusRequestEntityTooLarge || chunked.read > 4<<20 {
		t.Errorf("a body without end: status %d after %d bytes", w.Code, chunked.read)
	}
}

// endless is a body that does not end.
type endless struct{ read int }

func (e *endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'a'
	}
	e.read += len(b)
	return len(b), nil
}

func (e *endless) Close() error { return nil }

// Clients that send the head of a request by drops are given up, others are
// served meanwhile, and all of them together do not keep the server from
// stopping.
func TestSlowClients(t *testing.T) {
	s := newSite(t)
	s.slow.header = 200 * time.Millisecond
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	var slow []net.Conn
	for range 100 {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, "GET /papers HTTP/1.1\r\nHost: localhost\r\nX-Slow: "); err != nil {
			t.Fatal(err)
		}
		slow = append(slow, c)
	}
	s.url = "http://" + l.Addr().String()
	if status, _ := get(t, s, "/papers"); status != http.StatusOK {
		t.Errorf("status %d beside slow clients", status)
	}
	for i, c := range slow {
		if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("slow client %d is still waited for", i)
		}
	}
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("stopping: %v", err)
		}
	case <-time.After(patience):
		t.Error("the server does not stop")
	}
}

func TestHeadsAreBounded(t *testing.T) {
	s := newSite(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() { _ = s.Serve(ctx, l) }()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+l.Addr().String()+"/papers", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Long", strings.Repeat("a", 1<<20))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return // cut off while it sent
	}
	response.Body.Close()
	if response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a head of 1 MiB: status %d, want 431", response.StatusCode)
	}
}

// A page whose handler panics is an error page, and the server lives on.
func TestPanics(t *testing.T) {
	s := newSite(t)
	s.handle("GET /panics", func(http.ResponseWriter, *http.Request) error { panic("on purpose") })
	if status, page := get(t, s, "/panics"); status != http.StatusInternalServerError || strings.Contains(page, "on purpose") {
		t.Errorf("status %d, %.100s", status, page)
	}
	if status, _ := get(t, s, "/papers"); status != http.StatusOK {
		t.Errorf("afterwards: status %d", status)
	}
}
