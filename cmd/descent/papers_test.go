package main

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/descentml/descent/study/catalogue"
)

func TestPapersAreListed(t *testing.T) {
	lines := strings.Split(strings.TrimRight(succeed(t, "papers").stdout, "\n"), "\n")
	all := catalogue.Papers()
	if len(lines) != 1+len(all) {
		t.Fatalf("%d lines, want a header and %d papers", len(lines), len(all))
	}
	for i, e := range all {
		line := lines[1+i]
		for _, text := range []string{e.Name, e.Title, e.Venue, string(e.State), e.Purpose} {
			if !strings.Contains(line, text) {
				t.Errorf("the line of %s lacks %q: %s", e.Name, text, line)
			}
		}
	}
}

func TestPapersAreSearched(t *testing.T) {
	lines := strings.Split(succeed(t, "papers", "--search", "my workers are slow and die").stdout, "\n")
	if !strings.HasPrefix(lines[1], "sequential-gradient-coding ") {
		t.Errorf("the first paper found is %q", lines[1])
	}
	found := papersOf(t, "papers", "--search", "stragler", "--json")
	if len(found) == 0 || found[0].Name != "sequential-gradient-coding" || found[0].Summary == "" {
		t.Errorf("a search with a typo finds %+v", found)
	}
	if all := papersOf(t, "papers", "--json"); len(all) != len(catalogue.Papers()) {
		t.Errorf("--json lists %d papers", len(all))
	}
}

func papersOf(t *testing.T, arguments ...string) (papers []catalogue.Entry) {
	t.Helper()
	text := succeed(t, arguments...).stdout
	if err := json.Unmarshal([]byte(text), &papers); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return papers
}

func TestPapersNotFound(t *testing.T) {
	if text := succeed(t, "papers", "--search", "xylophone").stdout; text != "No paper matches \"xylophone\". List all with: descent papers\n" {
		t.Errorf("a search that finds nothing prints %q", text)
	}
	if text := succeed(t, "papers", "--search", "xylophone", "--json").stdout; text != "[]\n" {
		t.Errorf("a search that finds nothing prints %q as JSON", text)
	}
}

func TestPaperIsShown(t *testing.T) {
	for _, e := range catalogue.Papers() {
		text := succeed(t, "papers", e.Name).stdout
		words := strings.Join(strings.Fields(text), " ")
		for _, want := range []string{e.Title, e.Authors, e.Venue, e.Purpose, e.Summary, "https://arxiv.org/abs/" + e.ArXiv, "State: " + string(e.State)} {
			if !strings.Contains(words, want) {
				t.Errorf("%s lacks %q:\n%s", e.Name, want, text)
			}
		}
		if runs := strings.Contains(words, "descent study run "+e.Name); runs != (e.State == catalogue.Done) {
			t.Errorf("%s is %s, its study's command is shown: %v", e.Name, e.State, runs)
		}
		for line := range strings.Lines(text) {
			if utf8.RuneCountInString(line) > readable+1 {
				t.Errorf("%s: the line is too long: %s", e.Name, line)
			}
		}
	}
	var paper catalogue.Entry
	if err := json.Unmarshal([]byte(succeed(t, "papers", "cbo", "--json").stdout), &paper); err != nil || paper.Name != "cbo" {
		t.Errorf("the paper as JSON is %+v, %v", paper, err)
	}
}

func TestPaperFieldsFollowTheState(t *testing.T) {
	e, err := catalogue.Lookup("gbnn")
	if err != nil {
		t.Fatal(err)
	}
	for state, want := range map[catalogue.State]field{
		catalogue.Done:    {"Run", "descent study run gbnn"},
		catalogue.Planned: {"State", "planned: no study measures its claims yet"},
	} {
		e.State = state
		if fields := paperFields(e); fields[len(fields)-1] != want {
			t.Errorf("a paper that is %s ends with %q, want %q", state, fields[len(fields)-1], want)
		}
	}
	e.ArXiv = ""
	for _, f := range paperFields(e) {
		if f.label == "arXiv" {
			t.Errorf("a paper without an arXiv identifier shows %q", f.text)
		}
	}
}

func TestPaperMistakesAreExplained(t *testing.T) {
	for _, c := range []struct {
		arguments []string
		code      int
		want      string
	}{
		{[]string{"papers", "difgrad"}, exitFailed, "did you mean diffgrad?"},
		{[]string{"papers", "xylophone"}, exitFailed, "expected one that `descent papers` lists"},
		{[]string{"papers", "cbo", "--search", "swarm"}, exitUsage, "expected either NAME or --search"},
		{[]string{"papers", "cbo", "sso"}, exitUsage, "at most 1 arg"},
	} {
		if r := descent(t.Context(), c.arguments...); r.code != c.code || !strings.Contains(r.stderr, c.want) || r.stdout != "" {
			t.Errorf("%v: exit code %d, %q; want %d and %q", c.arguments, r.code, r.stderr, c.code, c.want)
		}
	}
}

func TestPapersAreCompleted(t *testing.T) {
	if text := succeed(t, "__complete", "papers", "gro").stdout; !strings.Contains(text, "grokking-lazy-rich\t") {
		t.Errorf("the completion of gro is %q", text)
	}
}

// TestPaperTableFits: whatever the width of the terminal, no line is broken by
// it, and name and purpose are always there.
func TestPaperTableFits(t *testing.T) {
	columns := map[int]int{}
	for width := 60; width <= 420; width += 5 {
		header, rows := paperTable(catalogue.Papers(), width)
		var b strings.Builder
		if err := printTable(&b, header, rows); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
				t.Fatalf("%d columns: a line of %d:\n%s", width, n, b.String())
			}
		}
		if header[0] != "name" || header[len(header)-1] != "purpose" || len(rows) != len(catalogue.Papers()) {
			t.Fatalf("%d columns: the header is %v over %d rows", width, header, len(rows))
		}
		columns[width] = len(header)
		if columns[width] < columns[width-5] {
			t.Errorf("%d columns show less than %d do", width, width-5)
		}
	}
	if columns[60] != 3 || columns[420] != 5 {
		t.Errorf("columns by width: %v", columns)
	}
	_, whole := paperTable(catalogue.Papers(), 0)
	if _, wide := paperTable(catalogue.Papers(), 420); strings.Join(wide[0], "|") != strings.Join(whole[0], "|") {
		t.Errorf("a wide terminal cuts %q", wide[0])
	}
}

func TestBreakLines(t *testing.T) {
	got := strings.Join(breakLines("  a bb ccc dddddd é é é é ", 5), "|")
	if want := "a bb|ccc|dddddd|é é é|é"; got != want {
		t.Errorf("breakLines gives %s, want %s", got, want)
	}
}
