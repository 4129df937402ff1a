package experiment

import (
	"testing"
	"time"

	"github.com/descentml/descent/data"
)

func TestCommandWritesOnlyWhatDiffers(t *testing.T) {
	c := Default()
	if got := c.Command("compare"); got != "descent compare" {
		t.Errorf("the default configuration is %q", got)
	}
	c.Data.Source = "/tmp/O'Brien's data.csv"
	c.Data.Options = data.Options{Target: "left", Comma: '\t', NoHeader: true, Missing: data.MissingMean,
		Kinds: map[string]data.Kind{"zip": data.Categorical, "area": data.Categorical}}
	c.Methods = []string{"adam", "diffgrad:friction=dfc2"}
	c.Time, c.Epochs, c.Seeds = 90*time.Second, 0, 5
	want := `descent compare --data '/tmp/O'\''Brien'\''s data.csv' --target left --no-header --separator tab --missing mean ` +
		`--categorical area --categorical zip --methods adam,diffgrad:friction=dfc2 --seeds 5 --epochs 0 --time 1m30s`
	if got := c.Command("compare"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	want = `descent train --data '/tmp/O'\''Brien'\''s data.csv' --target left --no-header --separator tab --missing mean ` +
		`--categorical area --categorical zip --method adam --lr 0.00316 --epochs 0 --time 1m30s --save NEW.model`
	if got := c.TrainCommand(Result{Method: "adam", LearningRate: 0.00316}); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
