package program_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/descentml/descent/fleet/federated/zeroth/program"
)

// TestMain lets the tests' own binary be the program.
func TestMain(m *testing.M) {
	if behaviour := os.Getenv("PROGRAM_BEHAVIOUR"); behaviour != "" {
		behave(behaviour)
		return
	}
	os.Exit(m.Run())
}

// behave answers with the sum of the coordinates, or does something wrong: too
// many answers from the first point on, everything else from the third.
func behave(how string) {
	lines := bufio.NewScanner(os.Stdin)
	for count := 1; lines.Scan(); count++ {
		var x []float64
		if err := json.Unmarshal(lines.Bytes(), &x); err != nil {
			fmt.Println(err)
		}
		sum := 0.0
		for _, v := range x {
			sum += v
		}
		if count > 2 {
			switch how {
			case "dies":
				fmt.Fprintln(os.Stderr, "starting")
				fmt.Fprintln(os.Stderr, "no licence left")
				os.Exit(3)
			case "nonsense":
				fmt.Println("it is", sum)
				continue
			case "nan":
				fmt.Println("NaN")
				continue
			case "hangs":
				time.Sleep(time.Hour)
			case "babbles":
				fmt.Println(strings.Repeat("7", 1<<17))
				continue
			}
		}
		if how == "twice" {
			fmt.Println(sum)
		}
		fmt.Println(sum)
	}
}

func start(t *testing.T, behaviour string, change func(*program.Settings)) *program.Program {
	t.Helper()
	s := program.Settings{Words: []string{os.Args[0]}, Environment: []string{"PROGRAM_BEHAVIOUR=" + behaviour}, Dim: 2}
	if change != nil {
		change(&s)
	}
	p, err := program.Start(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// Points are those of the box, and values come back to the last bit.
func TestValues(t *testing.T) {
	p := start(t, "well", func(s *program.Settings) { s.Low, s.High = []float64{-10, 0.1}, []float64{10, 0.3} })
	for _, x := range [][]float64{{0, 0}, {1, 1}, {0.3, 0.7}, {1.0 / 3, 2.0 / 3}} {
		point := make([]float64, 2)
		p.Point(x, point)
		y, err := p.Value(t.Context(), x)
		if err != nil || y != point[0]+point[1] {
			t.Errorf("%v: %v, %v; want %v", x, y, err, point[0]+point[1])
		}
		if point[0] < -10 || point[0] > 10 || point[1] < 0.1 || point[1] > 0.3 {
			t.Errorf("%v is outside of the box", point)
		}
	}
	p.Close()
	if _, err := p.Value(t.Context(), []float64{0, 0}); err == nil {
		t.Error("a closed program answered")
	}
}

// What a program does wrong is said, and once it has, it is not asked again.
func TestPrograms(t *testing.T) {
	for behaviour, want := range map[string]string{
		"dies":     "exit status 3 in place of an answer; it said last: no licence left",
		"nonsense": `answered "it is 1": expected a number`,
		"hangs":    "no answer within 300ms",
		"babbles":  "wrote a line of more than",
	} {
		p := start(t, behaviour, func(s *program.Settings) {
			if behaviour == "hangs" {
				s.Timeout = 300 * time.Millisecond
			}
		})
		var err error
		for range 3 {
			_, err = p.Value(t.Context(), []float64{0.5, 0.5})
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", behaviour, err, want)
		}
		if _, again := p.Value(t.Context(), []float64{0.5, 0.5}); again != err {
			t.Errorf("%s: asked again: %v", behaviour, again)
		}
	}
	p := start(t, "nan", nil)
	for range 2 {
		if _, err := p.Value(t.Context(), []float64{0, 0}); err != nil {
			t.Fatal(err)
		}
	}
	if y, err := p.Value(t.Context(), []float64{0, 0}); err != nil || !math.IsNaN(y) {
		t.Errorf("%v, %v: expected NaN for the evaluator to refuse", y, err)
	}
}

// An answer too many must not be taken for that of the next point.
func TestSecondAnswerIsNoticed(t *testing.T) {
	p := start(t, "twice", nil)
	if _, err := p.Value(t.Context(), []float64{0, 0}); err == nil || !strings.Contains(err.Error(), "before it was asked") {
		t.Errorf("error %v: expected that of a second answer", err)
	}
}

func TestEndOfContext(t *testing.T) {
	p := start(t, "hangs", nil)
	ctx, cancel := context.WithCancel(t.Context())
	for range 2 {
		if _, err := p.Value(ctx, []float64{0, 0}); err != nil {
			t.Fatal(err)
		}
	}
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := p.Value(ctx, []float64{0, 0}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestSettingsAreChecked(t *testing.T) {
	for name, s := range map[string]program.Settings{
		"no program": {Dim: 1}, "no variables": {Words: []string{"true"}}, "time": {Words: []string{"true"}, Dim: 1, Timeout: -1},
		"bounds": {Words: []string{"true"}, Dim: 2, Low: []float64{0}, High: []float64{1}},
		"order":  {Words: []string{"true"}, Dim: 1, Low: []float64{1}, High: []float64{1}},
		"absent": {Words: []string{"/nowhere/program"}, Dim: 1},
	} {
		if p, err := program.Start(s); err == nil {
			p.Close()
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestSplit(t *testing.T) {
	for line, want := range map[string][]string{
		"":                           nil,
		"  a  b\tc ":                 {"a", "b", "c"},
		`python "my box.py" --x 'a'`: {"python", "my box.py", "--x", "a"},
		`a\ b "c\"d" 'e\f' ''`:       {"a b", `c"d`, `e\f`, ""},
	} {
		if got, err := program.Split(line); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v; want %q", line, got, err, want)
		}
	}
	for _, line := range []string{`"a`, `a\`, `'`} {
		if got, err := program.Split(line); err == nil {
			t.Errorf("%s became %q", line, got)
		}
	}
}

func FuzzSplit(f *testing.F) {
	f.Add(`a "b c" 'd' \e`)
	f.Fuzz(func(t *testing.T, line string) {
		words, err := program.Split(line)
		if err != nil {
			return
		}
		var quoted []string
		for _, w := range words {
			quoted = append(quoted, "'"+strings.ReplaceAll(w, "'", `'\''`)+"'")
		}
		if again, err := program.Split(strings.Join(quoted, " ")); err != nil || !slices.Equal(again, words) {
			t.Errorf("%q became %q, %v", words, again, err)
		}
	})
}

func ExampleSplit() {
	words, err := program.Split(`python3 "my box.py" --site 2`)
	fmt.Printf("%q %v\n", words, err)
	// Output: ["python3" "my box.py" "--site" "2"] <nil>
}
