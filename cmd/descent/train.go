package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	gomodel "github.com/gomlx/gomlx/ml/model"
	"github.com/spf13/cobra"

	"github.com/descentml/descent/lab/experiment"
	"github.com/descentml/descent/lab/saved"
	"github.com/descentml/descent/lab/store"
)

const kindTrain = "train"

func newTrain() *cobra.Command {
	var f runFlags
	var method, rate string
	c := &cobra.Command{
		Use:   kindTrain,
		Short: "Train a model with one method and save it",
		Long: `Train a model with one method and save it in a folder, with everything that
prediction needs: weights, columns, their encoding and scaling, class names.

With --lr auto the learning rate is tuned on the validation part as compare does.`,
		Example: `  descent train --data churn.csv --target churned --method diffgrad --lr auto --save churn.model
  descent train --data digits --method adam --lr 0.00316 --epochs 40 --save digits.model
  descent train --resume 7`,
		Args: cobra.NoArgs,
	}
	f.add(c)
	f.config.Seeds = 1
	flags := c.Flags()
	flags.StringVar(&method, "method", "adam", "from the list of 'descent methods', options after colons as in diffgrad:friction=dfc2")
	flags.StringVar(&rate, "lr", "auto", "learning rate, or auto to tune it")
	flags.StringVar(&f.config.Save, "save", "", "folder for the trained model (required)")
	complete(c, "method", true, methodNames)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if f.resume == "" {
			f.config.Methods = []string{method}
			if err := parseTrain(&f.config, rate); err != nil {
				return err
			}
		}
		return runCommand(c, &f, kindTrain, train)
	}
	return c
}

// parseTrain completes a configuration with the flags of train alone.
func parseTrain(config *experiment.Config, rate string) error {
	if strings.Contains(config.Schedule, ",") {
		return usageError{fmt.Errorf("--schedule %s: a training has one schedule; compare takes several", config.Schedule)}
	}
	if rate != "auto" {
		value, err := strconv.ParseFloat(rate, 64)
		if err != nil {
			return usageError{fmt.Errorf("--lr %q: expected a number or auto", rate)}
		}
		config.LearningRate = &value
	}
	if config.Save == "" {
		return usageError{errors.New("--save is missing: name a folder for the trained model")}
	}
	absolute, err := filepath.Abs(config.Save)
	if err != nil {
		return err
	}
	config.Save = absolute
	return saved.CheckTarget(absolute)
}

func train(ctx context.Context, s experiment.Setting, w *store.Writer, config *experiment.Config, loaded *experiment.Loaded) (*experiment.Report, error) {
	return experiment.Train(ctx, s, w, config, loaded, func(weights *gomodel.Store, r experiment.Result) error {
		return saved.Save(config.Save, saved.Description{
			Created: time.Now().UTC().Truncate(time.Second), Run: w.ID(),
			Network: loaded.Problem.Network.String(), DType: config.DType,
			Method: r.Method, LearningRate: r.LearningRate,
			Score: loaded.Problem.ScoreName(), TestScore: r.TestScore.Mean, Encoder: loaded.Encoder,
		}, weights)
	})
}
