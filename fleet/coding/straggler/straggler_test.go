package straggler_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/descentml/descent/fleet/coding"
	"github.com/descentml/descent/fleet/coding/straggler"
)

func Example() {
	delays, err := straggler.GilbertElliott{P: 0.04, Q: 0.97}.Draw(1000, 100, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		fmt.Println(err)
		return
	}
	late := 0
	for _, round := range delays {
		for _, seconds := range round {
			if seconds > 2 {
				late++
			}
		}
	}
	fmt.Printf("%.1f %% of the answers take more than 2 s\n", float64(late)/1000)
	// Output: 4.0 % of the answers take more than 2 s
}

// pattern writes rounds of late workers as text: "01 . 2" is workers 0 and 1,
// nobody, worker 2.
func pattern(text string) straggler.Pattern {
	var p straggler.Pattern
	for _, round := range strings.Fields(text) {
		late := coding.NewSet(8)
		for _, worker := range strings.Trim(round, ".") {
			late.Add(int(worker - '0'))
		}
		p = append(p, late)
	}
	return p
}

func TestModels(t *testing.T) {
	for _, c := range []struct {
		model straggler.Model
		text  string
		want  bool
	}{
		{straggler.PerRound{S: 2}, "01 23 01 .", true},
		{straggler.PerRound{S: 2}, "01 012 .", false},
		{straggler.Bursty{B: 2, W: 3, Lambda: 2}, "01 01 . 2 2 .", false}, // rounds 2 to 4 have three workers
		{straggler.Bursty{B: 2, W: 3, Lambda: 2}, "01 01 . . 2 2", true},
		{straggler.Bursty{B: 2, W: 3, Lambda: 2}, "0 . 0 . .", false}, // a burst of three
		{straggler.Bursty{B: 2, W: 3, Lambda: 2}, "0 . . 0 .", true},
		{straggler.Bursty{B: 1, W: 2, Lambda: 8}, "01234567 .", true},
		{straggler.Bursty{B: 1, W: 2, Lambda: 8}, "0 0", false},
		{straggler.Bursty{B: 3, W: 9, Lambda: 1}, "0 . . 0", false}, // fewer rounds than a window
		{straggler.Arbitrary{N: 2, W: 4, Lambda: 2}, "0 . 0 1", true},
		{straggler.Arbitrary{N: 2, W: 4, Lambda: 2}, "0 0 . 0", false},
		{straggler.Arbitrary{N: 2, W: 4, Lambda: 2}, "0 1 2 .", false},
		{straggler.Arbitrary{N: 2, W: 4, Lambda: 2}, "0 0 . . 0", true},
		{straggler.Bursty{B: 1, W: 2, Lambda: 0}, ". .", true},
	} {
		if got := c.model.Allows(pattern(c.text), 8); got != c.want {
			t.Errorf("%#v and %q: allowed %v", c.model, c.text, got)
		}
	}
}

// A maximal pattern belongs to the model, and no worker can be added to it.
func TestMaximal(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, m := range []straggler.Model{straggler.PerRound{S: 2}, straggler.Bursty{B: 2, W: 3, Lambda: 2}, straggler.Arbitrary{N: 2, W: 4, Lambda: 3}} {
		p := straggler.Maximal(m, 5, 12, rng)
		if !m.Allows(p, 5) {
			t.Errorf("%#v: %v is not allowed", m, p)
		}
		for r := range p {
			for i := range 5 {
				if p[r].Has(i) {
					continue
				}
				if p[r].Add(i); m.Allows(p, 5) {
					t.Errorf("%#v: worker %d can be added in round %d", m, i, r)
				}
				p[r].Remove(i)
			}
		}
	}
	for _, late := range straggler.Exactly(3, 7, 20, rng) {
		if late.Count() != 3 {
			t.Errorf("%d late workers, want 3", late.Count())
		}
	}
}

func TestEnumerate(t *testing.T) {
	// Two rounds of two workers with at most one late in each: 3 * 3.
	if got := straggler.Enumerate(straggler.PerRound{S: 1}, 2, 2, func(straggler.Pattern) {}); got != 9 {
		t.Errorf("%d patterns, want 9", got)
	}
	if got := straggler.Enumerate(straggler.PerRound{S: 1}, 21, 2, func(straggler.Pattern) {}); got != 0 {
		t.Errorf("%d patterns of too many workers", got)
	}
}

// The share of bad rounds is p/(p+q), bursts last 1/q rounds, and times are those
// that the settings say.
func TestGilbertElliott(t *testing.T) {
	for _, q := range []float64{0.97, 0.4} {
		g := straggler.GilbertElliott{P: 0.04, Q: q}
		const rounds, workers = 2000, 50
		delays, err := g.Draw(rounds, workers, rand.New(rand.NewPCG(2, 3)))
		if err != nil {
			t.Fatal(err)
		}
		bad, bursts, good := 0, 0, 0.0
		for i := range workers {
			for r := range rounds {
				if delays[r][i] < 1 {
					t.Fatalf("a delay of %g", delays[r][i])
				}
				// A good round takes more than 2.5 with probability exp(-15).
				if delays[r][i] < 2.5 {
					good += delays[r][i] - 1
					continue
				}
				bad++
				if r == 0 || delays[r-1][i] < 2.5 {
					bursts++
				}
			}
		}
		all := float64(rounds * workers)
		if share, want := float64(bad)/all, 0.04/(0.04+q); math.Abs(share-want) > 0.1*want {
			t.Errorf("q = %g: %g of the rounds are bad, want %g", q, share, want)
		}
		if length := float64(bad) / float64(bursts); math.Abs(length-1/q) > 0.1/q {
			t.Errorf("q = %g: bursts of %g rounds, want %g", q, length, 1/q)
		}
		if jitter := good / (all - float64(bad)); math.Abs(jitter-0.1) > 0.01 {
			t.Errorf("q = %g: mean jitter %g", q, jitter)
		}
	}
}

func TestParseGilbertElliott(t *testing.T) {
	g, err := straggler.ParseGilbertElliott("gilbert-elliott:p=0.1,q=1,jitter=0:fastest=3,slowest=3")
	if err != nil {
		t.Fatal(err)
	}
	delays, err := g.Draw(10, 10, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		t.Fatal(err)
	}
	for _, round := range delays {
		for _, d := range round {
			if d != 1 && d != 3 {
				t.Errorf("a delay of %g, want 1 or 3", d)
			}
		}
	}
	if delays.Workers() != 10 || straggler.Delays(nil).Workers() != 0 {
		t.Error("the number of workers is wrong")
	}
	for text, expected := range map[string]string{
		"":                                    "no name",
		"gilbert":                             "unknown model of stragglers",
		"gilbert-elliott:p=0":                 `option "p"`,
		"gilbert-elliott:q=1.5":               `option "q"`,
		"gilbert-elliott:r=1":                 "unknown option",
		"gilbert-elliott:fastest=9":           "fastest <= slowest",
		"gilbert-elliott:jitter=-1":           `option "jitter"`,
		"gilbert-elliott:slowest=1":           "fastest <= slowest",
		"gilbert-elliott:p=0.1,p=0.1":         "set twice",
		"gilbert-elliott:fastest=1,slowest=x": `option "slowest"`,
	} {
		if _, err := straggler.ParseGilbertElliott(text); err == nil || !strings.Contains(err.Error(), expected) {
			t.Errorf("%q: %v, expected %q", text, err, expected)
		}
	}
	if _, err := (straggler.GilbertElliott{P: 2}).Draw(1, 1, nil); err == nil {
		t.Error("a probability of 2 was taken")
	}
	if _, err := (straggler.GilbertElliott{}).Draw(0, 1, nil); err == nil {
		t.Error("no rounds were drawn")
	}
}

func TestProfiles(t *testing.T) {
	read := func(text string) (straggler.Delays, error) {
		return straggler.ReadProfile(strings.NewReader(text), "times.csv")
	}
	for _, text := range []string{"1,2,3\n4,5,6\n", "a,b,c\n1,2,3\n4, 5,6\n", "# recorded in May\n1,2,3\n4,5,6"} {
		d, err := read(text)
		if err != nil || len(d) != 2 || d.Workers() != 3 || d[1][1] != 5 {
			t.Errorf("%q: %v, %v", text, d, err)
		}
	}
	for text, expected := range map[string]string{
		"":             "has no rounds",
		"a,b\n":        "has no rounds",
		"1,2\n3\n":     "wrong number of fields",
		"1,2\n3,x\n":   "line 2, column 3",
		"1,0\n":        "expected a time in seconds above 0",
		"1,-2\n":       "above 0",
		"1,NaN\n":      "above 0",
		"1,Inf\n":      "above 0",
		"1,\n":         "above 0",
		"\"1,2\n3,4\n": "times.csv",
	} {
		if d, err := read(text); err == nil || !strings.Contains(err.Error(), expected) || !strings.Contains(err.Error(), "times.csv") {
			t.Errorf("%q: %v, %v, expected %q", text, d, err, expected)
		}
	}
	file := filepath.Join(t.TempDir(), "times.csv")
	if _, err := straggler.OpenProfile(file); err == nil {
		t.Error("a file that is not there was opened")
	}
	if err := os.WriteFile(file, []byte("1,2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if d, err := straggler.OpenProfile(file); err != nil || d.Workers() != 2 {
		t.Error(d, err)
	}
}

func FuzzReadProfile(f *testing.F) {
	for _, text := range []string{"1,2\n3,4\n", "a,b\n1,2\n", "\"", "1e300,1e-300", "#\n1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := straggler.ReadProfile(strings.NewReader(text), "x")
		if err != nil {
			return
		}
		for _, round := range d {
			if len(round) != d.Workers() {
				t.Fatal("rounds of different workers")
			}
			for _, seconds := range round {
				if !(seconds > 0) || math.IsInf(seconds, 1) {
					t.Fatalf("a time of %g", seconds)
				}
			}
		}
	})
}

func FuzzParseGilbertElliott(f *testing.F) {
	for _, text := range []string{"gilbert-elliott", "gilbert-elliott:p=0.04,q=0.97", "gilbert-elliott:p=,q"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		g, err := straggler.ParseGilbertElliott(text)
		if err != nil {
			return
		}
		delays, err := g.Draw(3, 4, rand.New(rand.NewPCG(1, 1)))
		if err != nil {
			t.Fatal(err)
		}
		for _, round := range delays {
			for _, seconds := range round {
				if !(seconds > 0) {
					t.Fatalf("%q: a time of %g", text, seconds)
				}
			}
		}
	})
}
