package diffgrad_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	_ "github.com/gomlx/compute/gobackend"

	"github.com/descentml/descent/lab/report"
	"github.com/descentml/descent/study/diffgrad"
)

func Example() {
	backend, err := compute.NewWithConfig("go")
	if err != nil {
		panic(err)
	}
	points, err := diffgrad.EndPoints(backend)
	if err != nil {
		panic(err)
	}
	for _, p := range points {
		if p.Function == "F1" && (p.Title == "Adam" || p.Title == "Adam at half the rate" || p.Title == "diffGrad") {
			fmt.Printf("%s: x = %.4f, loss %.4f\n", p.Title, p.Final, p.Loss)
		}
	}
	// Output:
	// Adam: x = 0.2001, loss 0.0500
	// Adam at half the rate: x = -0.3003, loss 0.0000
	// diffGrad: x = -0.3001, loss 0.0000
}

func newBackend(t *testing.T) compute.Backend {
	t.Helper()
	backend, err := compute.NewWithConfig("go")
	if err != nil {
		t.Fatal(err)
	}
	return backend
}

// runs returns the end points by function and title.
func runs(t *testing.T) map[[2]string]diffgrad.EndPoint {
	t.Helper()
	points, err := diffgrad.EndPoints(newBackend(t))
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[[2]string]diffgrad.EndPoint, len(points))
	for _, p := range points {
		found[[2]string{p.Function, p.Title}] = p
	}
	if len(found) != len(points) {
		t.Fatalf("%d end points with %d names", len(points), len(found))
	}
	return found
}

// The figures are those of the specification, found with another program: the
// end on F1 and F2, and how far each goes beyond the minimum of F3. The control
// shows that half the learning rate has the same effect.
func TestEndPointsAreThoseOfThePaper(t *testing.T) {
	const tolerance = 1e-3
	found := runs(t)
	for key, expected := range map[[2]string]float64{
		{"F1", "Adam"}: 0.200115, {"F1", "diffGrad"}: -0.300071, {"F1", "Adam at half the rate"}: -0.300300,
		{"F2", "Adam"}: 9.0e-5, {"F2", "diffGrad"}: -0.642963, {"F2", "Adam at half the rate"}: -0.643123,
	} {
		if got := found[key].Final; math.Abs(got-expected) > tolerance {
			t.Errorf("%v ends at %.6f, expected %.6f", key, got, expected)
		}
	}
	for title, expected := range map[string]float64{
		"Adam": 0.2667, "diffGrad": 0.1834, "Adam at half the rate": 0.1579,
	} {
		p := found[[2]string{"F3", title}]
		if math.Abs(p.Largest-expected) > tolerance || math.Abs(p.Final) >= 0.02 {
			t.Errorf("%s on F3: largest x %.4f, expected %.4f; final x %.4f, expected within 0.02", title, p.Largest, expected, p.Final)
		}
	}
	for key, expected := range map[[2]string]float64{{"F2", "Adam"}: 0.85, {"F2", "diffGrad"}: 1.2e-4} {
		if got := found[key].Loss; math.Abs(got-expected) > 1e-5 {
			t.Errorf("%v has the loss %.6f, expected %.6f", key, got, expected)
		}
	}
}

// Every run is on record, with the same first step for the same settings.
func TestEndPointsRecordTheirPaths(t *testing.T) {
	found := runs(t)
	if len(found) != 33 {
		t.Errorf("%d end points, expected 11 on each of 3 functions", len(found))
	}
	for key, p := range found {
		if len(p.Path) != 300 || p.Path[0] != -1 || p.Path[299] != p.Final || p.Largest != slices.Max(p.Path) {
			t.Errorf("%v: %d points from %g to %g with the largest %g do not fit %+v",
				key, len(p.Path), p.Path[0], p.Path[len(p.Path)-1], slices.Max(p.Path), p.Final)
		}
		for i, x := range p.Path {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				t.Errorf("%v: x is %g at the iteration %d", key, x, i+1)
			}
		}
	}
	// Step 1 on F1, where the gradient is -1.4: Adam takes lr, diffGrad lr sigma(1.4).
	for title, expected := range map[string]float64{"Adam": 0.1, "diffGrad": 0.1 / (1 + math.Exp(-1.4))} {
		p := found[[2]string{"F1", title}]
		if step := p.Path[1] - p.Path[0]; math.Abs(step-expected) > 1e-8 {
			t.Errorf("%s: first step %.9f, expected %.9f", title, step, expected)
		}
	}
}

// In no cell does Adam find the global minimum of F1 more often than diffGrad;
// where the specification has counts, they are these.
func TestSensitivity(t *testing.T) {
	cells, err := diffgrad.Sensitivity(newBackend(t))
	if err != nil {
		t.Fatal(err)
	}
	counts := map[[2]float64][3]int{ // Adam, diffGrad, Adam at half the rate
		{0.05, 0.9}: {11, 11, 11}, {0.05, 0.95}: {11, 11, 11},
		{0.1, 0.9}: {11, 11, 11}, {0.1, 0.95}: {9, 11, 11},
		{0.2, 0.95}: {7, 10, 9},
	}
	if len(cells) != 6 {
		t.Fatalf("%d cells, expected 3 learning rates with 2 values of b1", len(cells))
	}
	for _, c := range cells {
		if c.DiffGrad < c.Adam || c.Starts != 11 {
			t.Errorf("lr %g, b1 %g: of %d starts, diffGrad found %d and Adam %d", c.LearningRate, c.Beta1, c.Starts, c.DiffGrad, c.Adam)
		}
		expected, ok := counts[[2]float64{c.LearningRate, c.Beta1}]
		if got := [3]int{c.Adam, c.DiffGrad, c.HalfAdam}; ok && got != expected {
			t.Errorf("lr %g, b1 %g: counts %v, expected %v", c.LearningRate, c.Beta1, got, expected)
		}
	}
}

// The report has a row per method and a picture per function.
func TestPageCanBeWritten(t *testing.T) {
	backend := newBackend(t)
	points, err := diffgrad.EndPoints(backend)
	if err != nil {
		t.Fatal(err)
	}
	cells, err := diffgrad.Sensitivity(backend)
	if err != nil {
		t.Fatal(err)
	}
	page := diffgrad.Page(points, cells)
	if rows, figures := len(page.Sections[0].Table.Rows), len(page.Sections[1].Figures); rows != 11 || figures != 3 {
		t.Errorf("%d rows and %d figures, expected 11 and 3", rows, figures)
	}
	var written strings.Builder
	if err := report.Write(&written, page); err != nil {
		t.Fatal(err)
	}
	for _, expected := range []string{"0.200115", "-0.300071", "0.2667", "x on F3"} {
		if !strings.Contains(written.String(), expected) {
			t.Errorf("the report lacks %q", expected)
		}
	}
}
