package main

import (
	"encoding/csv"
	"errors"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/descentml/descent/data"
	"github.com/descentml/descent/internal/wholefile"
	"github.com/descentml/descent/lab/saved"
)

func newPredict() *cobra.Command {
	var reading dataFlags
	var dir, source, out, backendName string
	var newCategories bool
	c := &cobra.Command{
		Use:   "predict",
		Short: "Predict with a saved model",
		Long: `Predict with a model that descent train saved, one line of output per row.

For classification the output has the predicted class and the probability of
every class, for regression the value in the target's units. The columns of the
data are matched by name, in any order; columns that the model does not know are
ignored, among them the target. A category that the training data did not have is
an error, unless --new-categories is given.`,
		Example: `  descent predict --model churn.model --data new.csv --out predictions.csv
  descent predict --model digits.model --data digits | head`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if dir == "" || source == "" {
				return usageError{errors.New("--model and --data are needed")}
			}
			backend, err := newBackend(backendName)
			if err != nil {
				return err
			}
			m, err := saved.Load(backend, dir)
			if err != nil {
				return err
			}
			table, err := openForPrediction(c, m, source, &reading)
			if err != nil {
				return err
			}
			if !newCategories {
				if err := m.Encoder.CheckLevels(table); err != nil {
					return err
				}
			}
			predictions, err := m.Predict(c.Context(), table)
			if err != nil {
				return err
			}
			if out == "" {
				return writePredictions(c.OutOrStdout(), m, predictions)
			}
			return wholefile.Write(out, func(w io.Writer) error { return writePredictions(w, m, predictions) })
		},
	}
	c.Flags().StringVar(&dir, "model", "", "folder of the saved model (required)")
	c.Flags().StringVar(&source, "data", "", "a set that 'descent data' lists, or a CSV, LIBSVM or IDX file (required)")
	c.Flags().StringVar(&out, "out", "", "file for the predictions (default: standard output)")
	c.Flags().BoolVar(&newCategories, "new-categories", false, "accept categories that the training data did not have; they count as none of those it had")
	reading.add(c)
	addBackend(c, &backendName)
	return c
}

// openForPrediction reads a table with the kinds of columns that the model was
// trained with.
func openForPrediction(c *cobra.Command, m *saved.Model, source string, reading *dataFlags) (*data.Table, error) {
	options, err := reading.options()
	if err != nil {
		return nil, err
	}
	if options.Missing == data.MissingDrop {
		return nil, usageError{errors.New("--missing drop would leave rows without a prediction: expected error or mean")}
	}
	options.NoTarget = true
	options.Kinds = m.Encoder.Kinds()
	return data.Open(c.Context(), source, options)
}

// writePredictions writes a header and one line per row.
func writePredictions(w io.Writer, m *saved.Model, predictions []float64) error {
	writer := csv.NewWriter(w)
	classes := m.Encoder.Classes()
	header := []string{m.Encoder.TargetName()}
	for _, class := range classes {
		header = append(header, "probability of "+class)
	}
	if err := writer.Write(header); err != nil {
		return err
	}
	for from := 0; from < len(predictions); from += m.Outputs() {
		if err := writer.Write(predictionLine(classes, predictions[from:from+m.Outputs()])); err != nil {
			return err
		}
	}
	writer.Flush()
	return writer.Error()
}

func predictionLine(classes []string, values []float64) []string {
	if len(classes) == 0 {
		return []string{strconv.FormatFloat(values[0], 'g', -1, 64)}
	}
	best := 0
	line := []string{""}
	for i, probability := range values {
		if probability > values[best] {
			best = i
		}
		line = append(line, strconv.FormatFloat(probability, 'f', 6, 64))
	}
	line[0] = classes[best]
	return line
}
