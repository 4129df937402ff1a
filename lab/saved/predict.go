package saved

import (
	"context"
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	gomodel "github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/checkpoint"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/descentml/descent/data"
	"github.com/descentml/descent/lab/driver"
	"github.com/descentml/descent/model"
)

// predictionBatch is the number of examples that one call predicts.
const predictionBatch = 1024

// Model is a saved model, loaded to predict.
type Model struct {
	Description
	outputs int
	store   *gomodel.Store
	exec    *gomodel.Exec
}

// Load reads a model's folder and prepares it for prediction.
func Load(backend compute.Backend, dir string) (*Model, error) {
	d, err := readDescription(dir)
	if err != nil {
		return nil, err
	}
	network, err := model.New(d.Network, model.Input{Width: d.Encoder.Width(), Image: d.Encoder.Image()})
	if err != nil {
		return nil, fmt.Errorf("the model in %s: %w", dir, err)
	}
	store := gomodel.NewStore()
	caught := exceptions.TryCatch[error](func() { _, err = checkpoint.Load(store).Dir(dir).Immediate().Done() })
	if caught != nil {
		err = caught
	}
	if err != nil {
		return nil, fmt.Errorf("the weights in %s cannot be read: the folder is incomplete or damaged", dir)
	}
	dtype, err := driver.ParseDType(d.DType)
	if err != nil {
		return nil, err
	}
	m := &Model{Description: d, outputs: 1, store: store}
	if d.Encoder.Task() == data.Classification {
		m.outputs = len(d.Encoder.Classes())
	}
	m.exec, err = gomodel.NewExec(backend, store, func(scope *gomodel.Scope, x *graph.Node) *graph.Node {
		outputs := network.Logits(scope, graph.ConvertDType(x, dtype), m.outputs)
		if d.Encoder.Task() == data.Classification {
			outputs = graph.Softmax(outputs, -1)
		}
		return graph.ConvertDType(outputs, dtypes.Float64)
	})
	if err != nil {
		return nil, err
	}
	// Building the graph must find every weight that the network needs: a new
	// variable would be one that the folder lacks.
	loaded := store.NumVariables()
	if _, err := m.exec.Compile(shapes.Make(dtypes.Float32, 1, d.Encoder.Width())); err != nil {
		return nil, fmt.Errorf("the weights in %s do not fit %s: they have other shapes", dir, d.Network)
	}
	if store.NumVariables() != loaded {
		return nil, fmt.Errorf("the weights in %s do not fit %s: some are missing", dir, d.Network)
	}
	return m, nil
}

// Outputs is the number of values per prediction: the number of classes, or 1.
func (m *Model) Outputs() int { return m.outputs }

// Weights is the store of the weights. Predictions follow what becomes of them.
func (m *Model) Weights() *gomodel.Store { return m.store }

// Predict returns, row by row, the probabilities of the classes in the
// encoder's order, or the value in the target's units, of every row of a
// table. A table that does not fit gets an error that names the column.
func (m *Model) Predict(ctx context.Context, t *data.Table) ([]float64, error) {
	predictions := make([]float64, 0, t.Rows*m.outputs)
	rows := make([]int, 0, predictionBatch)
	for from := 0; from < t.Rows; from += predictionBatch {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		rows = rows[:0]
		for row := from; row < min(from+predictionBatch, t.Rows); row++ {
			rows = append(rows, row)
		}
		features, err := m.Encoder.Features(t, rows)
		if err != nil {
			return nil, err
		}
		outputs, err := m.exec.Exec(tensors.FromFlatDataAndDimensions(features, len(rows), m.Encoder.Width()))
		if err != nil {
			return nil, fmt.Errorf("predicting: %w", err)
		}
		values, err := tensors.CopyFlatData[float64](outputs[0])
		if err != nil {
			return nil, fmt.Errorf("predicting: %w", err)
		}
		predictions = append(predictions, values...)
	}
	if m.Encoder.Task() == data.Regression {
		for i, y := range predictions {
			predictions[i] = m.Encoder.Unscale(y)
		}
	}
	return predictions, nil
}
