package spec_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/descentml/descent/method/spec"
	"pgregory.net/rapid"
)

func Example() {
	name, assignments, err := spec.Parse("diffgrad:friction=dfc2:beta1=0.95")
	fmt.Println(name, assignments, err)
	fmt.Println(spec.Unknown("method", "difgrad", []string{"adam", "diffgrad"}))
	// Output:
	// diffgrad [{friction dfc2} {beta1 0.95}] <nil>
	// unknown method "difgrad", did you mean "diffgrad"? expected adam, diffgrad
}

func TestParseRejects(t *testing.T) {
	for text, expected := range map[string]string{
		"":                   "expected name or name:option=value",
		":beta1=0.9":         "expected name or name:option=value",
		"adam:":              "expected option=value",
		"adam:beta1":         "expected option=value",
		"adam:=0.9":          "expected option=value",
		"adam:beta1=":        "expected option=value",
		"adam:lr=1: lr = 2 ": `option "lr" is set twice`,
	} {
		if _, _, err := spec.Parse(text); err == nil || !strings.Contains(err.Error(), expected) {
			t.Errorf("Parse(%q): error %v, expected one with %q", text, err, expected)
		}
	}
}

func TestParseReadsWhatWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[a-z][a-z0-9_.-]{0,8}`)
		name := word.Draw(t, "name")
		options := rapid.SliceOfNDistinct(word, 0, 4, rapid.ID).Draw(t, "options")
		text := name
		for i, option := range options {
			text += fmt.Sprintf(" : %s = %d", option, i)
		}
		gotName, got, err := spec.Parse(text)
		if err != nil || gotName != name || len(got) != len(options) {
			t.Fatalf("Parse(%q) = %q, %v, %v", text, gotName, got, err)
		}
		for i, option := range options {
			if got[i] != (spec.Assignment{Name: option, Value: fmt.Sprint(i)}) {
				t.Fatalf("Parse(%q): assignment %d is %v", text, i, got[i])
			}
		}
	})
}

func TestNumberKeepsItsRange(t *testing.T) {
	for text, within := range map[string]bool{
		"0": true, "0.5": true, "1e-300": true,
		"1": false, "-1e-9": false, "NaN": false, "Inf": false, "half": false,
	} {
		x, err := spec.Assignment{Name: "beta1", Value: text}.Number(0, 1)
		if (err == nil) != within || x < 0 || x >= 1 {
			t.Errorf("Number(%q) = %v, %v; expected success %v", text, x, err, within)
		}
	}
	if _, err := (spec.Assignment{Name: "lr", Value: "+Inf"}).Number(0, math.Inf(1)); err == nil {
		t.Error("an infinite number was accepted")
	}
}

func TestIntegerKeepsItsRange(t *testing.T) {
	for text, within := range map[string]bool{
		"1": true, "1000": true,
		"0": false, "-3": false, "1.5": false, "1e3": false, "99999999999999999999": false,
	} {
		if _, err := (spec.Assignment{Name: "every", Value: text}).Integer(1); (err == nil) != within {
			t.Errorf("Integer(%q): error %v, expected success %v", text, err, within)
		}
	}
}

func TestUnknownNamesTheNearest(t *testing.T) {
	known := []string{"sgd", "momentum", "adam", "adamw", "amsgrad", "diffgrad"}
	for word, nearest := range map[string]string{
		"adm": "adam", "Adam": "adam", "adamww": "adamw", "dif-grad": "diffgrad",
		"amsgard": "amsgrad", "momentüm": "momentum",
	} {
		if err := spec.Unknown("method", word, known); !strings.Contains(err.Error(), fmt.Sprintf("did you mean %q?", nearest)) {
			t.Errorf("Unknown(%q): %v, expected %q", word, err, nearest)
		}
	}
	for _, word := range []string{"", "lbfgs"} {
		if err := spec.Unknown("method", word, known); strings.Contains(err.Error(), "did you mean") || !strings.Contains(err.Error(), "adamw") {
			t.Errorf("Unknown(%q): %v, expected the list alone", word, err)
		}
	}
	if err := spec.Unknown("option", "x", nil); !strings.Contains(err.Error(), "expected none") {
		t.Errorf("without known words: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"adam", "adam:lr=0.1", "step:every=10:factor=0.5", ":", "a:b=c=d", "a:b=1:b=2", "é:ß=∞"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		name, assignments, err := spec.Parse(text)
		if err != nil {
			return
		}
		written := name
		for _, a := range assignments {
			written += ":" + a.Name + "=" + a.Value
		}
		again, reread, err := spec.Parse(written)
		if err != nil || again != name || fmt.Sprint(reread) != fmt.Sprint(assignments) {
			t.Fatalf("%q was read as %q, which reads as %q %v, %v", text, written, again, reread, err)
		}
	})
}

// colour is a choice.
type colour int

func (c colour) String() string {
	if c < 0 || c > 1 {
		return fmt.Sprintf("colour(%d)", int(c))
	}
	return []string{"red", "blue"}[c]
}

func (c *colour) UnmarshalText(text []byte) error {
	for i := colour(0); i < 2; i++ {
		if i.String() == string(text) {
			*c = i
			return nil
		}
	}
	return spec.Unknown("colour", string(text), []string{"red", "blue"})
}

// brush is what settings are the fields of.
type brush struct {
	width, wear float64
	hairs       int
	round       bool
	colour      colour
}

func (b *brush) settings() []spec.Setting {
	return []spec.Setting{
		{Name: "width", Summary: "in mm", Field: &b.width, Standard: 3, Below: 100},
		{Name: "wear", Summary: "share per stroke", Field: &b.wear, Standard: 0.1, Zero: true, Below: 1},
		{Name: "hairs", Summary: "number", Field: &b.hairs, Standard: 200, Least: 1},
		{Name: "round", Summary: "shape", Field: &b.round},
		{Name: "colour", Summary: "of the handle", Field: &b.colour},
	}
}

// What is assigned is what Complete leaves, a zero included where it is allowed,
// and what is not assigned has its default.
func TestSettings(t *testing.T) {
	for text, want := range map[string]brush{
		"brush":                          {3, 0.1, 200, false, 0},
		"brush:width=0.5:wear=0:hairs=7": {0.5, 0, 7, false, 0},
		"brush:round=true:colour=blue":   {3, 0.1, 200, true, 1},
		"brush:wear=0.99:width=99.9":     {99.9, 0.99, 200, false, 0},
		"brush:width=100":                {}, // errors from here on
		"brush:width=0":                  {},
		"brush:width=NaN":                {},
		"brush:wear=1":                   {},
		"brush:wear=-0.1":                {},
		"brush:hairs=0":                  {},
		"brush:hairs=1.5":                {},
		"brush:round=perhaps":            {},
		"brush:colour=green":             {},
		"brush:bristles=3":               {},
	} {
		_, assignments, err := spec.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		var b brush
		err = spec.Assign("brush", b.settings(), assignments)
		if want == (brush{}) {
			if err == nil || !strings.Contains(err.Error(), "expected") {
				t.Errorf("%s: error %v, expected one that says what was expected", text, err)
			}
			continue
		}
		if err := errors.Join(err, spec.Complete(b.settings())); err != nil || b != want {
			t.Errorf("%s: %+v, %v, expected %+v", text, b, err, want)
		}
	}
	for name, b := range map[string]brush{
		"width": {width: 100}, "wear": {wear: -1}, "hairs": {hairs: -1}, "colour": {colour: 7},
	} {
		if err := spec.Complete(b.settings()); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s out of its range: %v", name, err)
		}
	}
	var defaults []string
	for _, o := range spec.Options(new(brush).settings()) {
		defaults = append(defaults, o.Default)
	}
	if got := strings.Join(defaults, " "); got != "3 0.1 200 false red" {
		t.Errorf("defaults %s", got)
	}
}
