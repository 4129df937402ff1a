package plot_test

import (
	"bytes"
	"fmt"
	"log"
	"math"
	"strings"

	"github.com/descentml/descent/lab/plot"
)

// A run that diverges leaves a gap; a rule shows the target.
func Example() {
	figure := plot.Figure{
		Title: "Training loss",
		X:     plot.Axis{Label: "epoch"},
		Y:     plot.Axis{Label: "loss", Log: true},
		Lines: []plot.Line{
			{Name: "small step", X: []float64{1, 2, 3}, Y: []float64{1, 0.1, 0.01}, Emphasis: true},
			{Name: "large step", X: []float64{1, 2, 3}, Y: []float64{1, 40, math.Inf(1)}, Dashed: true},
		},
		Horizontal: []plot.Rule{{Name: "target", At: 0.05}},
	}
	var svg bytes.Buffer
	if err := figure.SVG(&svg); err != nil {
		log.Fatal(err)
	}
	for line := range strings.Lines(svg.String()) {
		if strings.HasPrefix(line, "<title") || strings.HasPrefix(line, "<desc") {
			fmt.Print(line[strings.Index(line, ">")+1:])
		}
	}
	// Output:
	// Training loss</title>
	// loss against epoch. Lines: small step, large step.</desc>
}
