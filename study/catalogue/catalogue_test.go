package catalogue

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/descentml/descent/study"
)

const papers = 31

var (
	arXivID = regexp.MustCompile(`^\d{4}\.\d{5}$`)
	name    = regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	venue   = regexp.MustCompile(`\b(20[0-2]\d)\b`)
)

func TestPapersAreComplete(t *testing.T) {
	all := Papers()
	if len(all) != papers {
		t.Errorf("%d papers, want %d", len(all), papers)
	}
	seen := map[string]bool{}
	for _, e := range all {
		for _, unique := range []string{e.Name, e.Title, e.ArXiv} {
			if seen[unique] {
				t.Errorf("%s: %q is there twice", e.Name, unique)
			}
			seen[unique] = true
		}
		if !name.MatchString(e.Name) {
			t.Errorf("name %q: expected lower-case words with dashes", e.Name)
		}
		if e.ArXiv != "" && !arXivID.MatchString(e.ArXiv) {
			t.Errorf("%s: arXiv identifier %q: expected one like 2310.07831", e.Name, e.ArXiv)
		}
		if !venue.MatchString(e.Venue) {
			t.Errorf("%s: venue %q has no year", e.Name, e.Venue)
		}
		if e.Title == "" || e.Authors == "" || len(e.Keywords) == 0 {
			t.Errorf("%s lacks a title, authors or keywords", e.Name)
		}
		if e.Purpose == "" || len(e.Purpose) > 110 || strings.ContainsAny(e.Purpose, "\n") || strings.HasSuffix(e.Purpose, ".") {
			t.Errorf("%s: purpose %q: expected one line without a full stop", e.Name, e.Purpose)
		}
		if n := strings.Count(e.Summary+" ", ". "); n < 2 || n > 4 {
			t.Errorf("%s: the summary has %d sentences, want two to four", e.Name, n)
		}
	}
}

// TestKeywordsAddToTheTexts: a keyword all of whose words the title and the
// summary have is not needed.
func TestKeywordsAddToTheTexts(t *testing.T) {
	for _, e := range Papers() {
		texts := map[string]bool{}
		for _, word := range split(e.Title + " " + e.Summary) {
			texts[stem(word)] = true
		}
		for _, keyword := range e.Keywords {
			if !slices.ContainsFunc(split(keyword), func(word string) bool { return !texts[stem(word)] }) {
				t.Errorf("%s: keyword %q adds no word", e.Name, keyword)
			}
		}
	}
}

// TestFoldersAreInTheCatalogue: every study has its folder, and every folder
// of studies is that of a paper.
func TestFoldersAreInTheCatalogue(t *testing.T) {
	folders, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	known := names(Papers())
	var found []string
	for _, f := range folders {
		if !f.IsDir() || f.Name() == "catalogue" || f.Name() == "studytest" {
			continue
		}
		found = append(found, f.Name())
		if !slices.Contains(known, f.Name()) {
			t.Errorf("folder study/%s is not the name of a paper", f.Name())
		}
	}
	for registered := range studies {
		if !slices.Contains(found, registered) {
			t.Errorf("study %s has no folder study/%s", registered, registered)
		}
	}
}

func TestRegisteredStudies(t *testing.T) {
	known := names(Papers())
	for registered, constructor := range studies {
		if !slices.Contains(known, registered) {
			t.Errorf("registry: %s is not the name of a paper", registered)
		}
		s := constructor()
		if s.Paper != registered {
			t.Errorf("registry: %s makes the study of %s", registered, s.Paper)
		}
		if err := s.Check(); err != nil {
			t.Error(err)
		}
	}
}

func TestStates(t *testing.T) {
	entries := withStudies(map[string]func() *study.Study{"cbo": func() *study.Study { return &study.Study{Paper: "cbo"} }})
	for _, e := range entries {
		want := Planned
		if e.Name == "cbo" {
			want = Done
		}
		if e.State != want || (e.Study == nil) != (want == Planned) {
			t.Errorf("%s is %s, has a study: %v; want %s", e.Name, e.State, e.Study != nil, want)
		}
	}
}

// TestFindMakesTheStudyWhereThereIsOne holds Find against the registry.
func TestFindMakesTheStudyWhereThereIsOne(t *testing.T) {
	for _, e := range Papers() {
		p, s, err := Find(e.Name)
		if p != e.Paper || err != nil || (s == nil) != (e.State == Planned) {
			t.Errorf("Find(%s) gives %s, a study: %v, %v; it is %s", e.Name, p.Name, s != nil, err, e.State)
		}
		if s != nil && s.Paper != e.Name {
			t.Errorf("Find(%s) makes the study of %s", e.Name, s.Paper)
		}
	}
}

func TestFindExplainsAnUnknownName(t *testing.T) {
	for name, want := range map[string]string{
		"difgrad":   `there is no paper "difgrad": did you mean diffgrad?`,
		"Sso":       `there is no paper "Sso": did you mean sso?`,
		"straggler": "there is no paper \"straggler\": expected one that `descent papers` lists",
		"":          `there is no paper`,
	} {
		if _, s, err := Find(name); s != nil || err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("Find(%q) gives %v, %v; want the error %s", name, s, err, want)
		}
		if _, err := Lookup(name); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("Lookup(%q) gives %v, want %s", name, err, want)
		}
	}
}

// TestPapersBelongToTheCaller: whatever is done to the list does not reach the
// catalogue.
func TestPapersBelongToTheCaller(t *testing.T) {
	list := Papers()
	list[0].Name, list[0].Keywords[0] = "changed", "changed"
	if again := Papers()[0]; again.Name == "changed" || again.Keywords[0] == "changed" {
		t.Errorf("the catalogue changed with a list: %+v", again)
	}
}

func TestEntryAsJSON(t *testing.T) {
	text, err := json.Marshal(Papers()[0])
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{"name", "title", "authors", "venue", "arxiv", "purpose", "summary", "keywords", "state"} {
		if fields[field] == nil {
			t.Errorf("field %s is missing in %s", field, text)
		}
	}
}

func Example() {
	for _, e := range Search("my workers are slow and die")[:1] {
		fmt.Println(e.Name+":", e.Purpose)
	}
	paper, _, err := Find("schedule-refinement")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(paper.Title)
	// Output:
	// sequential-gradient-coding: Get exact gradients from unreliable workers without waiting for the slow ones
	// When, Why and How Much? Adaptive Learning Rate Scheduling by Refinement
}

// TestScoreboardIsUpToDate holds docs/scoreboard.md and the catalogue
// together: a row for every paper, planned ones as planned, and a section with
// every claim for each paper that has a study.
func TestScoreboardIsUpToDate(t *testing.T) {
	text, err := os.ReadFile("../../docs/scoreboard.md")
	if err != nil {
		t.Fatal(err)
	}
	board := string(text)
	for _, e := range Papers() {
		planned := strings.Contains(board, "| "+e.Name+" | planned |")
		if e.Study == nil {
			if !planned {
				t.Errorf("%s is planned and the scoreboard does not say so", e.Name)
			}
			continue
		}
		_, section, found := strings.Cut(board, "\n## "+e.Name+"\n")
		if planned || !found {
			t.Errorf("%s has a study and no verdicts on the scoreboard", e.Name)
			continue
		}
		section, _, _ = strings.Cut(section, "\n## ")
		for _, claim := range e.Study().Claims {
			if !strings.Contains(section, "| **"+claim.ID) {
				t.Errorf("%s: the claim %s is not on the scoreboard", e.Name, claim.ID)
			}
		}
		if rows := strings.Count(section, "\n| **"); rows != len(e.Study().Claims) {
			t.Errorf("%s: %d claims on the scoreboard, want %d", e.Name, rows, len(e.Study().Claims))
		}
	}
}
