package curriculum

import (
	"strings"
	"testing"
)

func TestParseSamples(t *testing.T) {
	s, err := ParseSamples("anti:score=both-error,pacing=sqrt,a=0.5,b=0.0025,minimum=8")
	want := Samples{Anti, BothError, Pacing{SquareRoot, 0.5, 0.0025}, 8}
	if err != nil || s != want {
		t.Errorf("%+v and %v, want %+v", s, err, want)
	}
	if s, err = ParseSamples("curriculum"); err != nil || s.String() != "curriculum:score=global,pacing=linear,a=0.8,b=0.2,minimum=32" {
		t.Errorf("the default: %v, %v", s, err)
	}
	if s, err = ParseSamples("vanilla"); err != nil || s != (Samples{Order: Vanilla, Pacing: Whole(), Minimum: 1}) {
		t.Errorf("vanilla: %+v, %v", s, err)
	}
	c, err := ParseClients("random:pacing=exp:a=1")
	if err != nil || c.String() != "random:pacing=exp,a=1,b=0.2" {
		t.Errorf("%v, %v", c, err)
	}
}

func TestParseErrors(t *testing.T) {
	for text, word := range map[string]string{
		"":                       "no name",
		"curiculum":              "did you mean",
		"curriculum:score=gobal": "global",
		"curriculum:b=1.5":       `"b"`,
		"curriculum:a=0":         `"a"`,
		"curriculum:minimum=0":   "minimum",
		"curriculum:a":           "option=value",
		"random:score=global":    `"score"`,
		"vanilla:a=0.5":          `"a"`,
		"curriculum:a=1,a=2":     "twice",
	} {
		_, err := ParseSamples(text)
		if err == nil || !strings.Contains(err.Error(), word) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "method") {
			t.Errorf("%q: %v, want one line with %s", text, err, word)
		}
	}
	for _, text := range []string{"curriculum:score=local", "curriculum:minimum=3", "anti:score=both-error"} {
		if _, err := ParseClients(text); err == nil {
			t.Errorf("%q: accepted for clients", text)
		}
	}
}

// What a parser accepts it writes in a form that it reads back the same.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"curriculum", "anti:score=expert,pacing=log,a=2,b=1", "random:b=1e-9", "vanilla", "curriculum:minimum=9999", ":", "curriculum:a=NaN", "curriculum:a=1e999"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := ParseSamples(text); err == nil {
			if again, err := ParseSamples(s.String()); err != nil || again != s {
				t.Errorf("%q: %+v is written as %s and read as %+v, %v", text, s, s, again, err)
			}
		}
		if c, err := ParseClients(text); err == nil {
			if again, err := ParseClients(c.String()); err != nil || again != c {
				t.Errorf("%q: %+v is written as %s and read as %+v, %v", text, c, c, again, err)
			}
		}
	})
}
