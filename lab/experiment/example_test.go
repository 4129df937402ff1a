package experiment_test

import (
	"context"
	"fmt"
	"os"

	_ "github.com/descentml/descent/backend"
	"github.com/gomlx/compute"

	"github.com/descentml/descent/lab/experiment"
	"github.com/descentml/descent/lab/store"
)

// Compare two methods on iris and ask the store what was recorded. Errors are
// left out for brevity.
func Example() {
	ctx := context.Background()
	dir, _ := os.MkdirTemp("", "store")
	defer os.RemoveAll(dir)
	records, _ := store.Open(dir)
	defer records.Close()
	backend, _ := compute.New()

	config := experiment.Default()
	config.Data.Source, config.Model = "iris", "mlp:8"
	config.Methods = []string{"adam", "diffgrad"}
	config.Epochs, config.Seeds = 40, 2
	loaded, _ := experiment.Load(ctx, &config)
	run, _ := records.Create(ctx, "compare", "iris", config)
	defer run.Close()
	report, _ := experiment.Compare(ctx, experiment.Setting{Backend: backend, Store: records, Workers: 2}, run, &config, loaded)

	best, _ := report.Winner()
	trials, _ := records.Trials(ctx, run.ID())
	fmt.Println(report.Score, "above 0.8:", best.TestScore.Mean > 0.8)
	fmt.Println("at least 6 trials per method:", len(trials) >= 12)
	// Output:
	// accuracy above 0.8: true
	// at least 6 trials per method: true
}
