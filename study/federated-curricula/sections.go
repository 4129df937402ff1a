package federatedcurricula

import (
	"fmt"
	"math"
	"slices"

	"github.com/descentml/descent/fleet/federated/curriculum"
	"github.com/descentml/descent/lab/plot"
	"github.com/descentml/descent/lab/report"
	"github.com/descentml/descent/study"
)

func sections(r *study.Results) []report.Section {
	list := []report.Section{pictureSection(r), clientSection(r)}
	if r.Setup.Preset != study.Smoke {
		list = append(list, detailSection(r), scoreSection(r))
		if measured(r, fashionCell(fashionSplits[0])) {
			list = append(list, fashionSection(r))
		}
	}
	return list
}

// measured reports whether the results have a cell.
func measured(r *study.Results, cell string) bool {
	return len(r.Curve(cell, r.Setup.Seeds[0], easyFirst).X) > 0
}

// orderLabels are the four orders in the order of their colours.
func orderLabels() []string { return []string{easyFirst, hardFirst, random, vanilla} }

// accuracyFigure shows the test accuracy of a condition's arms.
func accuracyFigure(r *study.Results, cell, title, caption string, labels []string) plot.Figure {
	figure := plot.Figure{
		Title: title, Caption: caption + " Mean and range over seeds.",
		X: plot.Axis{Label: "client updates"}, Y: plot.Axis{Label: "test accuracy, share"},
	}
	for i, label := range labels {
		line := r.OverSeeds(cell, label)
		line.Name, line.Color = label, i+1
		figure.Lines = append(figure.Lines, line)
	}
	return figure
}

// pictureSection is the paper's central picture: what the order of samples does,
// and how that depends on how much clients differ.
func pictureSection(r *study.Results) report.Section {
	gap := plot.Figure{
		Title: "What the order is worth", X: plot.Axis{Label: "concentration of the classes of a client (few classes ... alike)", Log: true},
		Y:       plot.Axis{Label: "easy first less hard first, points of accuracy"},
		Caption: "Mean of the last 10 rounds, mean and range over seeds. Without wrong labels and with clients that are alike, hard first is better.",
	}
	for i, noise := range noises {
		line := plot.Line{Name: fmt.Sprintf("%.0f %% label noise", 100*noise), Points: true, Color: i + 5}
		for _, c := range concentrations {
			values := effect(r, mixtureCell(noise, c))
			if math.IsNaN(study.Mean(values)) {
				continue // the smallest preset lacks some
			}
			line.X, line.Y = append(line.X, c), append(line.Y, 100*study.Mean(values))
			line.Low, line.High = append(line.Low, 100*slices.Min(values)), append(line.High, 100*slices.Max(values))
		}
		gap.Lines = append(gap.Lines, line)
	}
	return report.Section{
		Title: "Easy first, hard first",
		Text: "Digits over 20 clients, of which 4 take part in a round. Each orders its samples by the loss of the model that it has received and begins with a fifth of them; " +
			"random has the growing subset without the order, vanilla is FedAvg.",
		Table: orderTable(r),
		Figures: []plot.Figure{
			accuracyFigure(r, mixtureCell(0.3, 0.1), "30 % label noise, Dir(0.1)", "Clients have few classes, and three labels of ten are drawn anew.", orderLabels()),
			accuracyFigure(r, mixtureCell(0, 100), "No noise, Dir(100)", "Clients are alike.", orderLabels()),
			gap,
		},
	}
}

// orderTable has the accuracies of the orders in all mixtures.
func orderTable(r *study.Results) *report.Table {
	table := &report.Table{Caption: "Test accuracy in %, mean of the last 10 of 30 rounds, with the deviation over seeds", Columns: orderColumns("Data")}
	for _, noise := range noises {
		for _, c := range concentrations {
			cell := mixtureCell(noise, c)
			if !measured(r, cell) {
				continue
			}
			table.Rows = append(table.Rows, orderRow(r, cell, last))
		}
	}
	return table
}

func orderColumns(first string) []report.Column {
	columns := []report.Column{{Name: first}}
	for _, label := range orderLabels() {
		columns = append(columns, report.Column{Name: label, Numeric: true})
	}
	return columns
}

func orderRow(r *study.Results, cell, what string) report.Row {
	row := report.Row{Cells: []string{cell}}
	for _, label := range orderLabels() {
		row.Cells = append(row.Cells, points(r.Over(cell, label+what)))
	}
	return row
}

func clientSection(r *study.Results) report.Section {
	section := report.Section{
		Title: "Clients from easy to hard",
		Text: "Digits in equal parts; the first of 20 clients has right labels, the last has 90 % of them drawn anew. Plain local work, but clients come into the pool by their mean loss. " +
			"The lead of easy first is one of time: when all clients have come in, all train on the same data.",
		Figures: []plot.Figure{accuracyFigure(r, clientsCell, "Client curriculum", "The pool grows from 4 clients to all 20 after 96 updates.", orderLabels())},
	}
	if !measured(r, clientsCell) || r.Setup.Preset == study.Smoke {
		return section
	}
	labels := []string{bothLabel, dataLabel, clientLabel, noneLabel}
	section.Figures = append(section.Figures, accuracyFigure(r, ablationCell, "Both curricula", "The same data with the two curricula switched on and off.", labels))
	section.Table = &report.Table{
		Caption: "Test accuracy in % of the curricula together and alone",
		Columns: []report.Column{{Name: "Curricula"}, {Name: "First half", Numeric: true}, {Name: "Last 10", Numeric: true}, {Name: "Paper", Numeric: true, Help: "CIFAR-10, from the authors' notebooks"}},
	}
	for i, label := range labels {
		section.Table.Rows = append(section.Table.Rows, report.Row{Cells: []string{
			label, points(r.Over(ablationCell, label+firstHalf)), points(r.Over(ablationCell, label+last)), []string{"56.0", "54.3", "54.2", "52.1"}[i],
		}})
	}
	return section
}

// detailSection has the fraction at the start, the consistency and the
// strategies.
func detailSection(r *study.Results) report.Section {
	figure := plot.Figure{
		Title: "Fraction at the start", X: plot.Axis{Label: "fraction b of samples in use at the start"}, Y: plot.Axis{Label: "test accuracy, %"},
		Caption: "30 % label noise, Dir(0.1), mean of the last 10 rounds. With all samples from the start there is no order.",
	}
	for i, label := range []string{easyFirst, hardFirst} {
		line := plot.Line{Name: label, Points: true, Color: i + 1}
		for _, b := range starts {
			line.X, line.Y = append(line.X, b), append(line.Y, 100*study.Mean(r.Over(startCell(b), label+last)))
		}
		figure.Lines = append(figure.Lines, line)
	}
	table := &report.Table{
		Caption: "Test accuracy in % under 30 % label noise, mean of the last 10 rounds",
		Columns: []report.Column{{Name: "Training"}, {Name: easyFirst, Numeric: true}, {Name: hardFirst, Numeric: true}, {Name: "Difference", Numeric: true}, {Name: vanilla, Numeric: true}},
	}
	add := func(title, cell string, plain bool) {
		row := report.Row{Cells: []string{title, points(r.Over(cell, easyFirst+last)), points(r.Over(cell, hardFirst+last)), points(effect(r, cell)), "-"}}
		if plain {
			row.Cells[4] = points(r.Over(cell, vanilla+last))
		}
		table.Rows = append(table.Rows, row)
	}
	for _, c := range consistencySplits {
		add(consistencyCell(false, c), consistencyCell(false, c), false)
		add(consistencyCell(true, c), consistencyCell(true, c), false)
	}
	for _, s := range strategies {
		add(s+", Dir(0.1)", strategyCell(s), true)
	}
	return report.Section{
		Title: "What the order depends on", Table: table, Figures: []plot.Figure{figure},
		Text: "Mixed and like difficulties: samples are shared at random or sorted by the loss of an expert, by which clients order them too.",
	}
}

func scoreSection(r *study.Results) report.Section {
	table := &report.Table{
		Caption: "Easy first and hard first by each score: digits with 2 classes a client and 30 % label noise, test accuracy in %",
		Columns: []report.Column{{Name: "Score"}, {Name: easyFirst, Numeric: true}, {Name: hardFirst, Numeric: true}, {Name: "Paper", Numeric: true, Help: "CIFAR-10 with 2 classes a client, from the authors' notebooks"}},
	}
	paper := map[curriculum.Score]string{curriculum.GlobalLoss: "47.6 / 34.2", curriculum.LocalLoss: "43.2 / 41.6", curriculum.BothLoss: "47.7 / 35.8", curriculum.GlobalError: "not given"}
	for _, s := range scores {
		cell := scoreCell(s)
		table.Rows = append(table.Rows, report.Row{Cells: []string{s.String(), points(r.Over(cell, easyFirst+last)), points(r.Over(cell, hardFirst+last)), paper[s]}})
	}
	return report.Section{Title: "Scores", Table: table}
}

func fashionSection(r *study.Results) report.Section {
	table := &report.Table{Caption: "Fashion-MNIST, test accuracy in %, mean of the last 10 rounds", Columns: orderColumns("Data")}
	paper := [][]string{{"80.06", "74.60", "80.45", "80.34"}, {"85.12", "83.72", "86.12", "85.97"}, {"87.23", "86.90", "88.10", "88.14"}}
	for i, c := range fashionSplits {
		if cell := fashionCell(c); measured(r, cell) {
			table.Rows = append(table.Rows, orderRow(r, cell, last), report.Row{Cells: append([]string{"the paper's, LeNet-5"}, paper[i]...)})
		}
	}
	return report.Section{
		Title: "Fashion-MNIST", Table: table,
		Figures: []plot.Figure{accuracyFigure(r, fashionCell(fashionSplits[0]), "Fashion-MNIST, Dir(0.05)", "10,000 images over 50 clients, 5 a round.", orderLabels())},
	}
}
