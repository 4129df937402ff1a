package experiment

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/descentml/descent/lab/plot"
	"github.com/descentml/descent/lab/report"
	"github.com/descentml/descent/lab/store"
)

// Page makes the HTML report of a run from what the store holds of it. A run
// that has not ended gets a page with what there is.
func Page(ctx context.Context, s *store.Store, run store.Run) (report.Page, error) {
	config, err := ReadConfig(run)
	if err != nil {
		return report.Page{}, err
	}
	record, err := readRecord(ctx, s, run, &config)
	if err != nil {
		return report.Page{}, err
	}
	page := report.Page{
		Title:    "Which gradient method for " + record.name() + "?",
		Subtitle: record.subtitle(),
		Facts:    record.facts(),
		Command:  config.Command(run.Kind),
	}
	if !record.compares() {
		page.Title = config.Methods[0] + " on " + record.name()
	}
	if record.result != nil {
		page.Sections = append(page.Sections, record.result.Section())
	}
	page.Sections = append(page.Sections, record.curveSection())
	return page, nil
}

// record is what the store holds of a run, ordered for a report.
type record struct {
	run    store.Run
	config *Config
	result *Report // nil if the run has not ended
	lines  []methodRecord
	target *float64
}

// methodRecord is one method's part of the record.
type methodRecord struct {
	method string
	slot   int     // of its colour on the page
	rate   float64 // chosen, or NaN while it is not
	curves []Curve // at the chosen rate
	tuning []tuned // ordered by rate
}

func readRecord(ctx context.Context, s *store.Store, run store.Run, config *Config) (*record, error) {
	r := &record{run: run, config: config}
	if len(run.Result) > 0 {
		r.result = new(Report)
		if err := json.Unmarshal(run.Result, r.result); err != nil {
			return nil, fmt.Errorf("reading the result of run %d: %w", run.ID, err)
		}
		r.target = r.result.TargetLoss
	}
	trials, err := s.Trials(ctx, run.ID)
	if err != nil {
		return nil, err
	}
	for i, method := range config.contestants() {
		line := methodRecord{method: method, slot: i + 1}
		if line.tuning, err = readTuning(trials, method); err != nil {
			return nil, err
		}
		rate, chosen := r.chosenRate(line)
		if chosen {
			line.rate = rate
			if line.curves, err = Curves(ctx, s, run.ID, method, rate); err != nil {
				return nil, err
			}
		}
		r.lines = append(r.lines, line)
	}
	return r, nil
}

// chosenRate is a method's learning rate in the result, or the best so far.
func (r *record) chosenRate(line methodRecord) (float64, bool) {
	if r.config.LearningRate != nil {
		return *r.config.LearningRate, true
	}
	if r.result != nil {
		for _, result := range r.result.Results {
			if result.Method == line.method {
				return result.LearningRate, true
			}
		}
	}
	if len(line.tuning) == 0 {
		return 0, false
	}
	return choose(line.tuning, noError).rate, true // the task is not on record yet
}

// readTuning collects the ended trials that tuned a method, by learning rate.
func readTuning(trials []store.Trial, method string) ([]tuned, error) {
	var list []tuned
	for _, t := range trials {
		if t.Method != method || t.Phase != store.Tune || t.State != store.Done {
			continue
		}
		var s summary
		if err := json.Unmarshal(t.Summary, &s); err != nil {
			return nil, fmt.Errorf("reading trial %d: %w", t.ID, err)
		}
		list = append(list, tuned{rate: t.LearningRate, score: float64(s.ValidationScore), loss: float64(s.ValidationLoss), diverged: s.Diverged})
	}
	slices.SortFunc(list, func(a, b tuned) int { return cmp.Compare(a.rate, b.rate) })
	return list, nil
}

func (r *record) name() string {
	if r.result != nil {
		return r.result.Data.Name
	}
	return r.config.Data.Source
}

func (r *record) subtitle() string {
	if r.result == nil {
		return fmt.Sprintf("Run %d is %s; this is what it has recorded so far.", r.run.ID, r.run.State)
	}
	winner, ok := r.result.Winner()
	if !ok {
		return "Every method diverged: a loss was not finite, or grew beyond ten times that of the untrained network."
	}
	if !r.compares() {
		return fmt.Sprintf("Trained at learning rate %.3g: test %s %.4f.", winner.LearningRate, r.result.Score, winner.TestScore.Mean)
	}
	return fmt.Sprintf("%s at learning rate %.3g has the best %s on the test part: %.4f.",
		winner.Method, winner.LearningRate, r.result.Score, winner.TestScore.Mean)
}

func (r *record) facts() []report.Fact {
	c := r.config
	length := fmt.Sprintf("%d epochs", c.Epochs)
	if c.Epochs == 1 {
		length = "1 epoch"
	}
	switch {
	case c.Epochs == 0:
		length = c.Time.String()
	case c.Time > 0:
		length += ", at most " + c.Time.String()
	}
	facts := []report.Fact{
		{Name: "Run", Value: fmt.Sprintf("%d, %s", r.run.ID, r.run.Created.Format("2 January 2006, 15:04 MST"))},
		{Name: "Model", Value: c.Model + ", " + c.DType},
		{Name: "Training", Value: fmt.Sprintf("%s, batches of %d, %s schedule", length, c.BatchSize, c.Schedule)},
		{Name: "Seeds", Value: strconv.Itoa(c.Seeds) + ", from " + strconv.FormatUint(c.Seed, 10)},
	}
	if r.result == nil {
		return facts
	}
	d := r.result.Data
	rows := fmt.Sprintf("%d training, %d validation, %d test examples; %d features", d.Train, d.Validation, d.Test, d.Features)
	if d.Classes > 0 {
		rows += fmt.Sprintf(", %d classes", d.Classes)
	}
	return append(facts, report.Fact{Name: "Data", Value: rows})
}

// compares tells whether there is more than one method.
func (r *record) compares() bool { return len(r.config.contestants()) > 1 }

// Section is the result as a part of a report: one row for each method, the
// best first.
func (r *Report) Section() report.Section {
	compares := len(r.Results) > 1
	table := &report.Table{Caption: "Best test score first", Columns: []report.Column{{Name: "Method"}}}
	columns := r.Columns()
	for _, column := range columns {
		name := strings.ToUpper(column.Name[:1]) + column.Name[1:]
		table.Columns = append(table.Columns, report.Column{Name: name, Numeric: column.Numeric, Help: column.Help})
	}
	for _, result := range r.Results {
		row := report.Row{Best: result.Best && compares, Tied: result.Tied, Cells: []string{result.Method}}
		for _, column := range columns {
			row.Cells = append(row.Cells, column.Value(result))
		}
		if result.OnEdge {
			row.Note = "best rate is the outermost that was tried"
		}
		table.Rows = append(table.Rows, row)
	}
	text := ""
	switch {
	case compares && r.Seeds == 1:
		text = "With one seed there is no telling chance from difference: the best is only the highest number."
	case compares:
		text = "Tied means within one standard error of the best: the evidence does not tell them apart."
	}
	return report.Section{Title: "Result", Text: text, Table: table}
}

// curveSection shows the final trainings over epochs and over time, and the
// tuning before them.
func (r *record) curveSection() report.Section {
	lossByEpoch := plot.Figure{Title: "Train loss per epoch", X: plot.Axis{Label: "epoch"}, Y: plot.Axis{Label: "train loss", Log: true},
		Caption: "Mean over seeds at the end of each epoch; the band spans the seeds."}
	score := plot.Figure{Title: "Validation " + r.scoreName() + " per epoch", X: plot.Axis{Label: "epoch"}, Y: plot.Axis{Label: "validation " + r.scoreName()},
		Caption: "From the first epoch on; mean over seeds, the band spans the seeds."}
	lossByTime := plot.Figure{Title: "Train loss against time", X: plot.Axis{Label: "seconds of training"}, Y: plot.Axis{Label: "train loss", Log: true},
		Caption: "As above, against the mean training time."}
	if r.target != nil {
		lossByEpoch.Horizontal = []plot.Rule{{Name: "target", At: *r.target}}
		lossByTime.Horizontal = lossByEpoch.Horizontal
	}
	for _, line := range r.lines {
		if len(line.curves) == 0 {
			continue
		}
		train := newBand(line.curves, func(c Curve) []float64 { return c.TrainLoss })
		lossByEpoch.Lines = append(lossByEpoch.Lines, train.line(line, train.epochs))
		lossByTime.Lines = append(lossByTime.Lines, train.line(line, train.seconds))
		validation := newBand(line.curves, func(c Curve) []float64 { return c.ValidationScore })
		score.Lines = append(score.Lines, validation.trained().line(line, validation.trained().epochs))
	}
	section := report.Section{Title: "Training", Figures: []plot.Figure{lossByEpoch, score, lossByTime}}
	if tuning, ok := r.tuningFigure(); ok {
		section.Figures = append(section.Figures, tuning)
	}
	return section
}

// tuningFigure shows how much each method depends on its learning rate; false
// if no rate was tuned.
func (r *record) tuningFigure() (plot.Figure, bool) {
	figure := plot.Figure{Title: "Sensitivity to the learning rate", ChosenName: "chosen rate",
		X: plot.Axis{Label: "learning rate", Log: true}, Y: plot.Axis{Label: "validation " + r.scoreName()},
		Caption: "One training per rate, all with the first seed. Rates that diverged are left out."}
	for _, line := range r.lines {
		sensitivity := plot.Line{Name: line.method, Color: line.slot, Points: true}
		for _, t := range line.tuning {
			if t.diverged {
				continue
			}
			if t.rate == line.rate {
				sensitivity.Chosen = append(sensitivity.Chosen, len(sensitivity.X))
			}
			sensitivity.X = append(sensitivity.X, t.rate)
			sensitivity.Y = append(sensitivity.Y, t.score)
		}
		if len(sensitivity.X) > 0 {
			figure.Lines = append(figure.Lines, sensitivity)
		}
	}
	return figure, len(figure.Lines) > 0
}

func (r *record) scoreName() string {
	if r.result != nil {
		return r.result.Score
	}
	return "score"
}

// band is the mean of a quantity over seeds with its smallest and largest value.
type band struct {
	epochs, seconds, mean, low, high []float64
}

// newBand joins curves as far as all of them reach.
func newBand(curves []Curve, values func(Curve) []float64) band {
	length := len(values(curves[0]))
	for _, c := range curves {
		length = min(length, len(values(c)), len(c.Epochs))
	}
	var b band
	for i := range length {
		var column, seconds []float64
		for _, c := range curves {
			column = append(column, values(c)[i])
			seconds = append(seconds, c.Seconds[i])
		}
		b.epochs = append(b.epochs, curves[0].Epochs[i])
		b.seconds = append(b.seconds, newSpread(seconds).Mean)
		b.mean = append(b.mean, newSpread(column).Mean)
		b.low = append(b.low, slices.Min(column))
		b.high = append(b.high, slices.Max(column))
	}
	return b
}

// trained is the band without the untrained network at its beginning, whose
// score would flatten everything that follows.
func (b band) trained() band {
	if len(b.mean) < 2 {
		return b
	}
	return band{b.epochs[1:], b.seconds[1:], b.mean[1:], b.low[1:], b.high[1:]}
}

func (b band) line(m methodRecord, x []float64) plot.Line {
	return plot.Line{Name: m.method, Color: m.slot, X: x, Y: b.mean, Low: b.low, High: b.high}
}
