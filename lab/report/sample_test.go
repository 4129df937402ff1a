package report_test

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/descentml/descent/lab/plot"
	"github.com/descentml/descent/lab/report"
)

var keep = flag.String("keep", "", "folder to leave the sample page in, for a look in a browser")

const (
	sampleEpochs = 60
	sampleSeeds  = 3
)

// sampleMethods are invented curves of the kind a comparison gives: the loss
// falls from 2.3 towards a floor at a rate per epoch.
var sampleMethods = []struct {
	name                  string
	floor, rate, cost     float64
	score, spread         float64
	best, tied, divergent bool
	note                  string
}{
	{"SGD, momentum 0.9", 0.060, 0.075, 0.41, 0.9312, 0.0021, false, false, false, ""},
	{"Adam", 0.031, 0.140, 0.47, 0.9361, 0.0017, false, false, false, ""},
	{"AdamW, cosine", 0.022, 0.125, 0.47, 0.9418, 0.0012, false, true, false, "within the spread of the seeds"},
	{"Sharpness-aware", 0.045, 0.090, 0.88, 0.9431, 0.0010, true, false, false, ""},
	{"Gauss-Newton, Krylov", 0.012, 0.210, 1.90, 0.9377, 0.0025, false, false, false, ""},
	{"Mirror descent", 0.095, 0.060, 0.45, 0.9275, 0.0030, false, false, false, ""},
	{"Zeroth order", 0.310, 0.035, 0.25, 0.8920, 0.0061, false, false, false, "64 directions a step"},
	{"SGD, no warm-up", 0.055, 0.080, 0.41, math.NaN(), 0, false, false, true, "diverged on 3 of 3 seeds at epoch 22"},
}

// samplePage is a comparison of eight methods on three seeds.
func samplePage() report.Page {
	rng := rand.New(rand.NewPCG(1000, 1))
	loss := plot.Figure{
		Title:      "Training loss per epoch",
		Caption:    "Mean over 3 seeds; the band spans lowest to highest. A line that ends early diverged.",
		X:          plot.Axis{Label: "epoch"},
		Y:          plot.Axis{Label: "cross-entropy (nats)", Log: true},
		Horizontal: []plot.Rule{{Name: "target loss 0.05", At: 0.05}},
	}
	score := plot.Figure{
		Title:   "Validation score per epoch",
		Caption: "Mean accuracy over 3 seeds; the band spans lowest to highest.",
		X:       plot.Axis{Label: "epoch"},
		Y:       plot.Axis{Label: "accuracy", Min: 0.8, Max: 0.96},
	}
	clock := plot.Figure{
		Title:   "Training loss against wall time",
		Caption: "The same runs over time on 2 cores. Cheap steps show on the left.",
		X:       plot.Axis{Label: "wall time (s)", Log: true},
		Y:       plot.Axis{Label: "cross-entropy (nats)", Log: true},
	}
	for i := range sampleMethods {
		losses, scores := sampleCurves(i, rng)
		loss.Lines = append(loss.Lines, losses)
		score.Lines = append(score.Lines, scores)
		timed := losses
		timed.Low, timed.High = nil, nil
		timed.X = make([]float64, len(losses.X))
		for k, epoch := range losses.X {
			timed.X[k] = epoch * sampleMethods[i].cost
		}
		clock.Lines = append(clock.Lines, timed)
	}
	return report.Page{
		Title:    "Eight methods on handwritten digits",
		Subtitle: "Which method reaches the best validation accuracy within 60 epochs, and at what cost?",
		Facts: []report.Fact{
			{Name: "Data", Value: "digits.csv, 1,797 rows"},
			{Name: "Split", Value: "60 / 20 / 20, stratified"},
			{Name: "Model", Value: "64-64-10, tanh, 4,810 weights"},
			{Name: "Seeds", Value: "1000, 1001, 1002"},
			{Name: "Tuning", Value: "9 learning rates each"},
			{Name: "Machine", Value: "2 cores, AVX-512"},
		},
		Command: "descent compare --data digits.csv --label class --methods all --seeds 3 --epochs 60",
		Sections: []report.Section{
			{
				Title: "Result",
				Text: "Sharpness-aware minimisation is best on validation data; AdamW with a cosine schedule " +
					"cannot be told apart from it on three seeds and takes half the time.\n\n" +
					"The learning rate of each method was chosen on validation data, with the same number of trials.",
				Table: sampleTable(),
			},
			{Title: "Course of training", Figures: []plot.Figure{loss, score, clock, sampleSensitivity()}},
			{
				Title: "One figure alone",
				Text:  "The two leading methods, on the last third of training.",
				Figures: []plot.Figure{{
					Title: "Late training loss",
					X:     plot.Axis{Label: "epoch", Min: 40, Max: 60},
					Y:     plot.Axis{Label: "cross-entropy (nats)"},
					Lines: []plot.Line{sampleLine(loss, 2), sampleLine(loss, 3)},
				}},
			},
		},
	}
}

// sampleLine takes a line out of a figure with the colour it has there.
func sampleLine(f plot.Figure, i int) plot.Line {
	line := f.Lines[i]
	line.Color = i + 1
	return line
}

// sampleCurves returns loss and accuracy of a method: mean and range of seeds.
func sampleCurves(i int, rng *rand.Rand) (losses, scores plot.Line) {
	m := sampleMethods[i]
	losses, scores = plot.Line{Name: m.name, Emphasis: m.best}, plot.Line{Name: m.name, Emphasis: m.best}
	for epoch := 1; epoch <= sampleEpochs; epoch++ {
		values := make([]float64, sampleSeeds)
		accuracies := make([]float64, sampleSeeds)
		for s := range values {
			noise := math.Exp((0.03 + 0.002*float64(epoch)) * rng.NormFloat64())
			values[s] = (m.floor + 2.3*math.Exp(-m.rate*float64(epoch))) * noise
			top := m.score + m.spread*rng.NormFloat64()
			accuracies[s] = top * (1 - 0.5*math.Exp(-2*m.rate*float64(epoch)))
			if m.divergent {
				accuracies[s] = 0.93 - 0.4*math.Exp(-0.2*float64(epoch))
			}
			if m.divergent && epoch > 18 {
				values[s] *= math.Pow(3, float64(epoch-18))
				accuracies[s] = 0.93 - 0.05*float64(epoch-18)
			}
			if m.divergent && epoch > 22 {
				values[s], accuracies[s] = math.NaN(), math.NaN()
			}
		}
		addSeeds(&losses, float64(epoch), values)
		addSeeds(&scores, float64(epoch), accuracies)
	}
	return losses, scores
}

func addSeeds(line *plot.Line, x float64, values []float64) {
	low, high, sum := math.Inf(1), math.Inf(-1), 0.0
	for _, v := range values {
		low, high, sum = math.Min(low, v), math.Max(high, v), sum+v
	}
	line.X = append(line.X, x)
	line.Y = append(line.Y, sum/float64(len(values)))
	line.Low = append(line.Low, low)
	line.High = append(line.High, high)
}

// sampleSensitivity shows the final loss over nine learning rates.
func sampleSensitivity() plot.Figure {
	f := plot.Figure{
		Title:      "Sensitivity to the learning rate",
		Caption:    "Final training loss of one seed. A ring marks the learning rate chosen on validation data; missing points diverged.",
		X:          plot.Axis{Label: "learning rate", Log: true},
		Y:          plot.Axis{Label: "cross-entropy (nats)", Log: true},
		ChosenName: "chosen on validation data",
	}
	for i, m := range sampleMethods {
		line := plot.Line{Name: m.name, Points: true, Emphasis: m.best}
		centre := -2.6 + 0.25*float64(i)
		for k := range 9 {
			rate := math.Pow(10, -5+0.5*float64(k))
			offset := math.Log10(rate) - centre
			value := m.floor + 0.11*offset*offset*(1+m.rate)
			if offset > 1.5 {
				value = math.Inf(1)
			}
			line.X, line.Y = append(line.X, rate), append(line.Y, value)
			if math.Abs(offset) <= 0.25 {
				line.Chosen = []int{k}
			}
		}
		f.Lines = append(f.Lines, line)
	}
	return f
}

func sampleTable() *report.Table {
	table := &report.Table{
		Caption: "Mean ± standard deviation over 3 seeds, at the epoch with the best validation accuracy.",
		Columns: []report.Column{
			{Name: "Method"},
			{Name: "Validation accuracy", Numeric: true, Help: "share of the 359 validation rows classified correctly; higher is better"},
			{Name: "Training loss", Numeric: true, Help: "cross-entropy in nats after 60 epochs; lower is better"},
			{Name: "Epochs to 0.05", Numeric: true, Help: "first epoch with a training loss of 0.05 or less; a dash if there is none"},
			{Name: "Wall time (s)", Numeric: true, Help: "time of one run of 60 epochs on 2 cores"},
		},
	}
	for _, m := range sampleMethods {
		row := report.Row{Best: m.best, Tied: m.tied, Note: m.note}
		row.Cells = []string{m.name, "–", "–", "–", fmt.Sprintf("%.1f", m.cost*sampleEpochs)}
		if !m.divergent {
			row.Cells[1] = fmt.Sprintf("%.4f ± %.4f", m.score, m.spread)
			row.Cells[2] = fmt.Sprintf("%.3f", m.floor)
		}
		if m.floor < 0.05 {
			row.Cells[3] = fmt.Sprintf("%.0f", math.Ceil(math.Log(2.3/(0.05-m.floor))/m.rate))
		}
		table.Rows = append(table.Rows, row)
	}
	return table
}

// TestSamplePage writes a realistic page; run it with -keep to look at it.
func TestSamplePage(t *testing.T) {
	folder := t.TempDir()
	if *keep != "" {
		folder = *keep
	}
	path := filepath.Join(folder, "sample.html")
	if err := report.WriteFile(path, samplePage()); err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	checkHTML(t, written)
	for _, m := range sampleMethods {
		// Once in the table; in the legends and descriptions of four figures.
		if got := countText(written, m.name); got < 5 {
			t.Errorf("%q appears %d times, want at least 5", m.name, got)
		}
	}
	t.Logf("page of %d kB", len(written)/1000)
}
