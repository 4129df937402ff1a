package web

import (
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/descentml/descent/study"
	"github.com/descentml/descent/study/catalogue"
)

// get asks a site as a browser does, unless headers say otherwise.
func get(t *testing.T, s *site, path string, header ...string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "text/html")
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	return do(t, request)
}

// do sends a request and does not follow redirects.
func do(t *testing.T, request *http.Request) (int, string) {
	t.Helper()
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if to := response.Header.Get("Location"); to != "" {
		return response.StatusCode, to
	}
	return response.StatusCode, string(text)
}

// ourPages are the pages of the filled site.
var ourPages = []string{"/", "/papers", "/papers/" + measured, "/papers/fzoos", "/studies", "/studies/" + measured,
	"/studies/" + measured + "?run=1", "/studies/diffgrad", "/curvature", "/curvature/4", "/fleet", "/runs", "/runs/2", "/runs/3", "/runs/new", "/runs/compare?id=2,3"}

func TestPagesSayWhatTheyAreFor(t *testing.T) {
	s := newFilledSite(t)
	entry, err := catalogue.Lookup(measured)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string][]string{
		"/":                               {"Claims reproduced", "Newest runs", entry.Name},
		"/papers":                         {"31 papers", entry.Title, entry.Purpose, "planned"},
		"/papers?search=prune":            {entry.Title},
		"/papers?search=xqzzy":            {"No paper matches"},
		"/papers/" + measured:             {entry.Title, entry.Summary[:40], "arxiv.org", "descent study run m-fac", "pkg.go.dev/github.com/descentml/descent/study/m-fac", "<svg", "central claim", "not testable here", "Criterion", "run 2"},
		"/studies":                        {"diffgrad", "not run yet", "verdicts: quick preset", "interrupted"},
		"/studies/" + measured:            {"Go on with run 3", "1 measurement", "not measured"},
		"/studies/" + measured + "?run=1": {"too small for a verdict that counts"},
		"/curvature":                      {"stable here up to a learning rate of 0.41", "<svg", "/curvature/4"},
		"/curvature/4":                    {"Hessian spectrum of mlp:32 on digits", "In numbers", "Second.", "descent analyze spectrum --data digits"},
		"/fleet":                          {"sequential code, 8 workers", "No fleet is up"},
	} {
		status, page := get(t, s, path)
		if status != http.StatusOK {
			t.Errorf("%s: status %d", path, status)
		}
		for _, text := range want {
			if !strings.Contains(page, text) {
				t.Errorf("%s does not say %q", path, text)
			}
		}
	}
}

func TestJSON(t *testing.T) {
	s := newFilledSite(t)
	var papers []struct {
		Name     string
		Run      int64
		Verdicts *struct{ Reproduced, Not_reproduced, Not_testable int }
	}
	status, text := get(t, s, "/papers?search=m-fac", "Accept", "application/json")
	if err := json.Unmarshal([]byte(text), &papers); err != nil || status != http.StatusOK || len(papers) == 0 {
		t.Fatalf("status %d, error %v in %s", status, err, text)
	}
	best := papers[0]
	if best.Name != measured || best.Run != 2 || best.Verdicts == nil || best.Verdicts.Reproduced == 0 || best.Verdicts.Not_testable == 0 {
		t.Errorf("the best match is %+v", best)
	}
	if _, suffixed := get(t, s, "/papers.json?search=m-fac"); suffixed != text {
		t.Error("/papers.json differs from /papers asked as JSON")
	}
	var paper struct {
		Claims  []study.Judged
		Command string
	}
	definition, _ := definitionOf(measured)
	_, text = get(t, s, "/papers/"+measured+".json")
	if err := json.Unmarshal([]byte(text), &paper); err != nil || len(paper.Claims) != len(definition.Claims) || !strings.HasPrefix(paper.Command, "descent study run m-fac") {
		t.Errorf("error %v, %d claims, command %q", err, len(paper.Claims), paper.Command)
	}
	for _, path := range ourPages {
		bare, query, _ := strings.Cut(path, "?")
		status, text := get(t, s, bare+"?"+query, "Accept", "application/json")
		if status != http.StatusOK || !json.Valid([]byte(text)) {
			t.Errorf("%s as JSON: status %d, %.80s", path, status, text)
		}
	}
	status, text = get(t, s, "/papers/nothing.json")
	if status != http.StatusNotFound || !json.Valid([]byte(text)) {
		t.Errorf("a paper that is not there: status %d, %s", status, text)
	}
}

func TestErrorPages(t *testing.T) {
	s := newFilledSite(t)
	for path, want := range map[string]struct {
		status int
		text   string
	}{
		"/nothing":              {404, "nothing at this address"},
		"/papers/m-fak":         {404, "did you mean m-fac"},
		"/studies/fzoos-not":    {404, "There is no paper"},
		"/studies/m-fac?run=99": {404, "no run"},
		"/curvature/99":         {404, "no such run"},
		"/curvature/x":          {404, "There is no run"},
		"/curvature/1":          {404, "not an analysis"},
		"/papers?search=" + strings.Repeat("a", 300): {400, "at most 200"},
	} {
		status, page := get(t, s, path)
		if status != want.status || !strings.Contains(page, want.text) || !strings.Contains(page, "</html>") {
			t.Errorf("%.60s: status %d, want %d; the page lacks %q", path, status, want.status, want.text)
		}
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, s.url+"/papers", nil)
	if err != nil {
		t.Fatal(err)
	}
	if status, page := do(t, request); status != http.StatusMethodNotAllowed || !strings.Contains(page, "takes GET") {
		t.Errorf("DELETE: status %d, %.200s", status, page)
	}
}

// Every library that a paper's page links to exists, and its study uses it.
func TestLibrariesAreThoseOfTheStudies(t *testing.T) {
	const module = "github.com/descentml/descent/"
	output, err := exec.CommandContext(t.Context(), "go", "list", "-f", `{{.ImportPath}} {{join .Deps " "}}`, module+"study/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	used := map[string][]string{} // packages, by the study
	for line := range strings.Lines(string(output)) {
		words := strings.Fields(line)
		used[words[0]] = words
	}
	for _, entry := range catalogue.Papers() {
		packages := packagesOf(entry)
		if entry.Study == nil && len(packages) > 0 {
			t.Errorf("%s has no study and links to %v", entry.Name, packages)
		}
		if _, ok := libraries[entry.Name]; entry.Study != nil && !ok {
			t.Errorf("%s: no library is named in papers.go", entry.Name)
		}
		for _, p := range packages {
			if !slices.Contains(used[module+"study/"+entry.Name], module+p.Path) {
				t.Errorf("%s: the study does not use %s", entry.Name, p.Path)
			}
		}
	}
}
