package main

import (
	"errors"
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/support/exceptions"
	"github.com/spf13/cobra"

	_ "github.com/gomlx/compute/gobackend" // the backend "go"

	"github.com/descentml/descent/backend"
	"github.com/descentml/descent/lab/store"
)

// defaultBackend serves where neither GOMLX_BACKEND nor --backend chooses.
const defaultBackend = backend.Name

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "descent",
		Short: "Compare gradient methods on your data, train with the best one, predict",
		Long: `Descent answers which training method to use on your data, with which learning
rate, and gives you the trained model.

Everything it runs is recorded in a store, from which interrupted work continues
and reports are drawn again. The store is the folder --store, else $DESCENT_STORE,
else descent in the user's data folder.`,
		Example: `  descent compare                                    # embedded digits, eight methods, three seeds
  descent compare --data churn.csv --target churned --methods adam,diffgrad,sgd
  descent train   --data churn.csv --target churned --method diffgrad --save churn.model
  descent predict --model churn.model --data new.csv --out predictions.csv`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(newCompare(), newTrain(), newPredict(), newPrune(), newRuns(), newShow(), newMethods(), newData(), newModels(), newSchedule(), newAnalyze(), newStudy(), newPapers(), newFleet(), newWorker(), newServe(), newVersion())
	for _, c := range root.Commands() {
		c.Args = asUsageError(c.Args)
	}
	root.Args = asUsageError(root.Args)
	return root
}

// asUsageError makes wrong arguments an error of usage.
func asUsageError(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, arguments []string) error {
		if err := check(c, arguments); err != nil {
			return usageError{err}
		}
		return nil
	}
}

// addStore adds the flag that names the store.
func addStore(c *cobra.Command, dir *string) {
	c.Flags().StringVar(dir, "store", "", "folder of the store (default $DESCENT_STORE, else in the user's data folder)")
}

// openStore opens the store of the flag, or the default one.
func openStore(dir string) (*store.Store, error) {
	if dir == "" {
		var err error
		if dir, err = store.DefaultDir(); err != nil {
			return nil, err
		}
	}
	return store.Open(dir)
}

// addBackend adds the flag that chooses GoMLX's backend.
func addBackend(c *cobra.Command, name *string) {
	c.Flags().StringVar(name, "backend", "", `GoMLX backend: descent, go, or xla:cuda in builds with -tags xla (default $GOMLX_BACKEND, else "`+defaultBackend+`")`)
}

// newBackend makes the backend of the flag, else GoMLX's choice.
func newBackend(name string) (made compute.Backend, err error) {
	compute.DefaultConfig = defaultBackend
	// GoMLX panics on a name that it does not know.
	caught := exceptions.TryCatch[error](func() {
		if name != "" {
			made, err = compute.NewWithConfig(name)
		} else {
			made, err = compute.New()
		}
	})
	if err = errors.Join(err, caught); err != nil {
		return nil, fmt.Errorf("cannot use the backend: %w", err)
	}
	return made, nil
}
