package main

import (
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/descentml/descent/analysis/spectrum"
	"github.com/descentml/descent/lab/plot"
	"github.com/descentml/descent/lab/report"
)

// spectrumReport is the result of `analyze spectrum`, as --json prints it.
type spectrumReport struct {
	subjectReport
	Probes int    `json:"probes"`
	Steps  int    `json:"steps"`
	Seed   uint64 `json:"seed"`

	Largest   []spectrumPair `json:"largest"`  // the largest first
	Smallest  []spectrumPair `json:"smallest"` // the smallest first
	Converged bool           `json:"converged"`

	Trace       spectrum.Estimate `json:"trace"`
	Norm        float64           `json:"frobenius_norm"`
	Residual    float64           `json:"residual_share"` // |H - G|/|H|
	NearZero    spectrum.Estimate `json:"share_near_zero"`
	Negative    spectrum.Estimate `json:"share_negative"`
	Outliers    int               `json:"outliers"`
	LargestStep *float64          `json:"largest_stable_step"` // null where nothing is curved upwards
	Density     []spectrumPoint   `json:"density"`
	Conclusion  string            `json:"conclusion"`

	histogram []float64 // shares of the eigenvalues in bins over the range
	from, to  float64   // the range
}

type spectrumPair struct {
	Value    float64 `json:"value"`
	Residual float64 `json:"residual"`
}

type spectrumPoint struct {
	At            float64 `json:"at"`
	Density       float64 `json:"density"`
	StandardError float64 `json:"standard_error"`
}

const (
	// flatShare of the largest eigenvalue is where directions begin to be flat.
	flatShare     = 1e-3
	histogramBins = 16
	densityPoints = 301
)

// fill takes in what was measured.
func (r *spectrumReport) fill(d *spectrum.Density, ends *spectrum.Ends, rest spectrum.Estimate, window int) error {
	var values []float64
	for _, p := range ends.Largest {
		r.Largest, values = append(r.Largest, spectrumPair{p.Value, p.Residual}), append(values, p.Value)
	}
	for _, p := range ends.Smallest {
		r.Smallest = append(r.Smallest, spectrumPair{p.Value, p.Residual})
	}
	r.Converged = ends.Converged
	r.Trace, r.Norm = d.Trace(), math.Sqrt(d.SquaredNorm().Value)
	if r.Norm > 0 {
		r.Residual = math.Sqrt(rest.Value) / r.Norm
	}
	r.from, r.to = r.Smallest[0].Value, values[0]
	flat := flatShare * math.Max(math.Abs(r.from), math.Abs(r.to))
	r.NearZero, r.Negative = d.Mass(-flat, flat), d.Mass(math.Inf(-1), -flat)
	var err error
	if r.Outliers, err = spectrum.RatioCount(values, min(2, len(values)), window); err != nil {
		return err
	}
	if r.to > 0 {
		step := 2 / r.to
		r.LargestStep = &step
	}
	margin := (r.to - r.from) / 20
	at := spectrum.Even(r.from-margin, r.to+margin, densityPoints)
	if r.to > r.from {
		density, standardError := d.Smooth(at, 0)
		for i := range at {
			r.Density = append(r.Density, spectrumPoint{at[i], density[i], standardError[i]})
		}
	}
	width := (r.to - r.from) / histogramBins
	for i := range histogramBins {
		low, high := r.from+float64(i)*width, r.from+float64(i+1)*width
		switch i { // Ritz values can lie a rounding outside of the range
		case 0:
			low = math.Inf(-1)
		case histogramBins - 1:
			high = math.Inf(1)
		}
		r.histogram = append(r.histogram, d.Mass(low, math.Nextafter(high, math.Inf(-1))).Value)
	}
	r.Conclusion = r.conclude()
	return nil
}

// conclude says in one sentence what a practitioner can act on.
func (r *spectrumReport) conclude() string {
	if r.LargestStep == nil {
		return "No direction curves upwards: the weights are at no minimum, and no learning rate is too large for the curvature here."
	}
	sentence := fmt.Sprintf("Gradient descent is stable here up to a learning rate of %s (2 over the largest eigenvalue %s); %s of %d directions stand apart",
		threeDigits(*r.LargestStep), threeDigits(r.to), stands(r.Outliers), r.Parameters)
	if r.Negative.Value >= 0.005 {
		return sentence + fmt.Sprintf(", %s are flat and %s curve downwards, so that the loss can still fall.", percent(r.NearZero.Value), percent(r.Negative.Value))
	}
	return sentence + fmt.Sprintf(" and %s are flat.", percent(r.NearZero.Value))
}

func stands(outliers int) string {
	if outliers == 0 {
		return "none"
	}
	return fmt.Sprint(outliers)
}

func percent(share float64) string { return fmt.Sprintf("%.3g %%", 100*share) }

// describe says what was looked at.
func (r *spectrumReport) describe() string {
	classes := ""
	if r.Classes > 0 {
		classes = fmt.Sprintf(", %d classes", r.Classes)
	}
	return fmt.Sprintf("%s: %d examples, %d features%s; %s with %d parameters in %s, %s; loss %s",
		r.Data, r.Examples, r.Features, classes, r.Model, r.Parameters, r.DType, r.Training, threeDigits(r.Loss))
}

// rows are the quantities with their standard errors.
func (r *spectrumReport) rows() [][]string {
	estimated := func(e spectrum.Estimate, by float64, unit string) []string {
		return []string{threeDigits(by*e.Value) + unit, threeDigits(by * e.StandardError)}
	}
	rows := [][]string{
		{"largest eigenvalue", threeDigits(r.to), ""},
		{"smallest eigenvalue", threeDigits(r.from), ""},
		append([]string{"trace"}, estimated(r.Trace, 1, "")...),
		{"Frobenius norm |H|", threeDigits(r.Norm), ""},
		{"|H - G|/|H|, G Gauss-Newton", threeDigits(r.Residual), ""},
		{"outliers (ratio rule)", fmt.Sprint(r.Outliers), ""},
		append([]string{"flat directions"}, estimated(r.NearZero, 100, " %")...),
		append([]string{"downward directions"}, estimated(r.Negative, 100, " %")...),
	}
	if r.LargestStep != nil {
		rows = append(rows, []string{"largest stable step 2/λ", threeDigits(*r.LargestStep), ""})
	}
	return rows
}

func (r *spectrumReport) print(w io.Writer) error {
	if _, err := fmt.Fprintf(w, "%s\n\n", r.describe()); err != nil {
		return err
	}
	if err := printTable(w, []string{"", "value", "± standard error"}, r.rows(), 1, 2); err != nil {
		return err
	}
	var largest []string
	for _, p := range r.Largest[:min(len(r.Largest), 10)] {
		largest = append(largest, threeDigits(p.Value))
	}
	fmt.Fprintf(w, "\nLargest: %s\n", strings.Join(largest, ", "))
	if !r.Converged {
		fmt.Fprintln(w, "Some of the extreme eigenvalues are not settled; --json has their bounds.")
	}
	fmt.Fprintln(w, "\nEigenvalues, and how many there are about (bars are logarithmic):")
	width := (r.to - r.from) / histogramBins
	for i, share := range r.histogram {
		count := share * float64(r.Parameters)
		bar := ""
		if count >= 0.5 {
			bar = strings.Repeat("█", 1+int(math.Round(30*math.Log10(math.Max(1, count))/math.Max(1, math.Log10(float64(r.Parameters))))))
		}
		fmt.Fprintf(w, "%10s  %8.0f  %s\n", threeDigits(r.from+(float64(i)+0.5)*width), count, bar)
	}
	_, err := fmt.Fprintf(w, "\n%s\n", r.Conclusion)
	return err
}

// page is the HTML report.
func (r *spectrumReport) page(command string) report.Page {
	table := &report.Table{Caption: "The spectrum in numbers", Columns: []report.Column{{Name: "Quantity"}, {Name: "value", Numeric: true},
		{Name: "standard error", Numeric: true, Help: "over the random vectors"}}}
	for _, row := range r.rows() {
		table.Rows = append(table.Rows, report.Row{Cells: row})
	}
	density := plot.Line{Name: "density"}
	for _, p := range r.Density {
		density.X, density.Y = append(density.X, p.At), append(density.Y, p.Density)
		density.Low, density.High = append(density.Low, p.Density-2*p.StandardError), append(density.High, p.Density+2*p.StandardError)
	}
	top := plot.Line{Name: "eigenvalues", Points: true}
	for i, p := range r.Largest {
		top.X, top.Y = append(top.X, float64(i+1)), append(top.Y, p.Value)
	}
	scree := plot.Figure{Title: "Largest eigenvalues", X: plot.Axis{Label: "number, from the largest"}, Y: plot.Axis{Label: "eigenvalue", Log: true},
		Caption: "Outliers are counted up to the largest ratio of an eigenvalue to the next, the first one left out.", Lines: []plot.Line{top}}
	if r.Outliers > 0 {
		scree.Vertical = []plot.Rule{{Name: "outliers", At: float64(r.Outliers)}}
	}
	return report.Page{
		Title: "Hessian spectrum of " + r.Model + " on " + r.Data, Subtitle: r.Conclusion, Command: command,
		Facts: []report.Fact{{Name: "Setting", Value: r.describe()}, {Name: "Quadrature", Value: fmt.Sprintf("%d random vectors of %d steps, seed %d", r.Probes, r.Steps, r.Seed)}},
		Sections: []report.Section{
			{Title: "Result", Table: table, Text: "Flat are directions whose curvature is below a thousandth of the largest; downward are those of negative curvature beyond that."},
			{Title: "Spectrum", Figures: []plot.Figure{
				{Title: "Density of the eigenvalues", X: plot.Axis{Label: "eigenvalue"}, Y: plot.Axis{Label: "density", Log: true, Min: 1e-6 * peak(density.Y)},
					Caption: "Stochastic Lanczos quadrature, smoothed by a hundredth of the range; the band is two standard errors wide to either side.", Lines: []plot.Line{density}},
				scree,
			}},
		},
	}
}

// peak is the largest number, 1 if there is none.
func peak(y []float64) float64 {
	highest := 0.0
	for _, value := range y {
		highest = math.Max(highest, value)
	}
	if highest == 0 {
		return 1
	}
	return highest
}
