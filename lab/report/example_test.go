package report_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/descentml/descent/lab/plot"
	"github.com/descentml/descent/lab/report"
)

// A report of two methods, written to a file.
func Example() {
	page := report.Page{
		Title:   "SGD or Adam?",
		Facts:   []report.Fact{{Name: "Seeds", Value: "1000 to 1004"}},
		Command: "descent compare --methods sgd,adam",
		Sections: []report.Section{{
			Title: "Result",
			Table: &report.Table{
				Caption: "Mean over five seeds.",
				Columns: []report.Column{{Name: "Method"}, {Name: "Loss", Numeric: true, Help: "lower is better"}},
				Rows: []report.Row{
					{Cells: []string{"Adam", "0.021"}, Best: true},
					{Cells: []string{"SGD", "0.034"}, Note: "learning rate at the edge of its range"},
				},
			},
			Figures: []plot.Figure{{
				Title: "Training loss",
				X:     plot.Axis{Label: "epoch"},
				Y:     plot.Axis{Label: "loss", Log: true},
				Lines: []plot.Line{
					{Name: "Adam", X: []float64{1, 2, 3}, Y: []float64{0.4, 0.08, 0.021}},
					{Name: "SGD", X: []float64{1, 2, 3}, Y: []float64{0.5, 0.12, 0.034}},
				},
			}},
		}},
	}
	folder, err := os.MkdirTemp("", "report")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "report.html")
	if err := report.WriteFile(path, page); err != nil {
		log.Fatal(err)
	}
	written, err := os.Stat(path)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(written.Name(), written.Size() > 0)
	// Output: report.html true
}
