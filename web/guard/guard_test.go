package guard_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/descentml/descent/web/guard"
)

const token = "0123456789abcdef-secret"

// guarded is a page behind a guard, which says hello.
func guarded(token string) (*guard.Guard, http.Handler) {
	g := guard.New(guard.Policy{
		Token: token,
		Open:  func(path string) bool { return path == "/login" },
		Fail: func(w http.ResponseWriter, _ *http.Request, status int, sentence string) {
			http.Error(w, sentence, status)
		},
	})
	return g, g.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hello ", r.URL.Path) }))
}

func ask(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func request(method, address string, header ...string) *http.Request {
	r := httptest.NewRequest(method, address, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

// A name of somebody else's that resolves to this machine is not served, so
// that a page at that name cannot read this one (DNS rebinding).
func TestOnlyOwnNamesAreServed(t *testing.T) {
	_, h := guarded("")
	for host, want := range map[string]int{
		"127.0.0.1:8080": 200, "localhost:8080": 200, "LOCALHOST.": 200, "[::1]:8080": 200, "127.0.0.53": 200, "x.localhost:1": 200,
		"evil.example": 421, "127.0.0.1.evil.example:8080": 421, "localhost.evil.example": 421, "192.168.1.7:8080": 421, "": 421, "0.0.0.0:8080": 421,
	} {
		r := request("GET", "/papers")
		r.Host = host
		if got := ask(h, r).Code; got != want {
			t.Errorf("host %q: status %d, want %d", host, got, want)
		}
	}
}

func TestOtherSitesCannotPost(t *testing.T) {
	_, h := guarded("")
	for _, c := range []struct {
		header []string
		want   int
	}{
		{[]string{"Sec-Fetch-Site", "cross-site"}, 403},
		{[]string{"Sec-Fetch-Site", "same-site"}, 403},
		{[]string{"Origin", "https://evil.example"}, 403},
		{[]string{"Origin", "null"}, 403},
		{[]string{"Origin", "http://localhost:9999"}, 403}, // another server on this machine
		{[]string{"Sec-Fetch-Site", "same-origin", "Origin", "http://localhost:8080"}, 200},
		{[]string{"Origin", "http://localhost:8080"}, 200},
		{nil, 200}, // no browser
	} {
		r := request("POST", "http://localhost:8080/runs", c.header...)
		if got := ask(h, r).Code; got != c.want {
			t.Errorf("post with %v: status %d, want %d", c.header, got, c.want)
		}
	}
	if got := ask(h, request("GET", "http://localhost:8080/", "Sec-Fetch-Site", "cross-site")).Code; got != 200 {
		t.Errorf("a link from elsewhere: status %d", got)
	}
}

func TestTheTokenIsAsked(t *testing.T) {
	_, h := guarded(token)
	at := func(header ...string) *http.Request { return request("GET", "http://host.example/runs?x=1", header...) }
	for name, c := range map[string]struct {
		request *http.Request
		want    int
	}{
		"nothing":           {at(), 401},
		"right bearer":      {at("Authorization", "Bearer "+token), 200},
		"wrong bearer":      {at("Authorization", "Bearer "+token+"x"), 401},
		"prefix of bearer":  {at("Authorization", "Bearer "+token[:10]), 401},
		"empty bearer":      {at("Authorization", "Bearer "), 401},
		"token as cookie":   {at("Cookie", "descent_session="+token), 401},
		"empty cookie":      {at("Cookie", "descent_session="), 401},
		"wrong in query":    {request("GET", "http://host.example/runs?token=wrong"), 401},
		"posted with query": {request("POST", "http://host.example/runs?token="+token), 401},
		"open path":         {request("GET", "http://host.example/login"), 200},
		"beside open path":  {request("GET", "http://host.example/login/../runs"), 401},
	} {
		w := ask(h, c.request)
		if w.Code != c.want {
			t.Errorf("%s: status %d, want %d", name, w.Code, c.want)
		}
		if w.Code == 401 && strings.Contains(w.Body.String(), "hello") {
			t.Errorf("%s: the page is shown", name)
		}
	}
}

// ?token= is moved into a cookie that scripts and other sites do not get, and
// the cookie then admits.
func TestTheTokenLeavesTheAddress(t *testing.T) {
	_, h := guarded(token)
	w := ask(h, request("GET", "http://host.example//evil.example/runs?state=done&token="+url.QueryEscape(token)))
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/evil.example/runs?state=done" {
		t.Fatalf("status %d to %q", w.Code, w.Header().Get("Location"))
	}
	cookies := w.Result().Cookies()
	if len(cookies) != 1 || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteLaxMode || strings.Contains(cookies[0].Value, token) {
		t.Fatalf("cookies %v", cookies)
	}
	if cookies[0].Secure {
		t.Error("the cookie of a connection without TLS asks for TLS")
	}
	proxied := ask(h, request("GET", "http://host.example/?token="+url.QueryEscape(token), "X-Forwarded-Proto", "https"))
	if set := proxied.Result().Cookies(); len(set) != 1 || !set[0].Secure {
		t.Errorf("behind a proxy with TLS: cookies %v", set)
	}
	r := request("GET", "http://host.example/runs")
	r.AddCookie(cookies[0])
	if got := ask(h, r).Code; got != 200 {
		t.Errorf("with the cookie: status %d", got)
	}
	_, other := guarded(token + "other")
	if got := ask(other, r).Code; got != 401 {
		t.Errorf("the cookie of another token: status %d", got)
	}
}

// Guessing ends after twenty wrong tokens, whichever way they are given; a
// session that is there goes on.
func TestGuessingIsBounded(t *testing.T) {
	g, h := guarded(token)
	w := httptest.NewRecorder()
	if refusal := g.SignIn(w, request("POST", "/login"), token); refusal != "" {
		t.Fatal(refusal)
	}
	session := w.Result().Cookies()[0]
	for i := range 20 {
		if got := ask(h, request("GET", "/runs", "Authorization", fmt.Sprint("Bearer guess ", i))).Code; got != 401 {
			t.Fatalf("guess %d: status %d", i, got)
		}
	}
	last := ask(h, request("GET", "/runs", "Authorization", "Bearer "+token))
	if last.Code != 401 || !strings.Contains(last.Body.String(), "too many") {
		t.Errorf("a guess too many: status %d, %q", last.Code, last.Body)
	}
	if refusal := g.SignIn(httptest.NewRecorder(), request("POST", "/login"), token); !strings.Contains(refusal, "too many") {
		t.Errorf("signing in then: %q", refusal)
	}
	r := request("GET", "/runs")
	r.AddCookie(session)
	if got := ask(h, r).Code; got != 200 {
		t.Errorf("a session: status %d", got)
	}
}

func TestHeaders(t *testing.T) {
	_, h := guarded("")
	r := request("GET", "http://localhost/")
	refused := request("POST", "http://localhost/", "Origin", "https://evil.example")
	for _, w := range []*httptest.ResponseRecorder{ask(h, r), ask(h, refused)} {
		policy := w.Header().Get("Content-Security-Policy")
		if strings.Contains(policy, "unsafe") || !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") {
			t.Errorf("content security policy %q", policy)
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "X-Frame-Options": "DENY",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-store",
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
	}
}

func TestLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"127.0.0.1": true, "127.9.9.9": true, "::1": true, "[::1]": true, "localhost": true, "LocalHost": true,
		"": false, "0.0.0.0": false, "::": false, "192.168.0.1": false, "localhost.example": false, "127.0.0.1.example": false,
	} {
		if got := guard.IsLoopback(host); got != want {
			t.Errorf("IsLoopback(%q) = %v", host, got)
		}
	}
}
