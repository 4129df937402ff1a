package experiment

import (
	"context"

	"github.com/gomlx/gomlx/ml/model"

	"github.com/descentml/descent/lab/store"
)

// Train trains the first of the configuration's methods once, with its
// learning rate or with the one that tuning finds, and hands the trained
// weights to save before the trial is recorded as done. A training that
// diverges is not saved.
func Train(ctx context.Context, s Setting, w *store.Writer, c *Config, loaded *Loaded, save func(*model.Store, Result) error) (*Report, error) {
	r := newRunner(s, w, c, loaded)
	method := c.Methods[0]
	result := Result{Method: method, Status: StatusOK}
	r.progress.plan(1)
	if c.LearningRate != nil {
		result.LearningRate = *c.LearningRate
	} else {
		r.progress.plan(gridSize)
		found, err := r.tune(ctx, method)
		if err != nil {
			return nil, err
		}
		result.LearningRate, result.OnEdge = found.rate, found.onEdge
	}
	o, err := r.trial(ctx, store.Final, method, result.LearningRate, c.Seed, func(o outcome) error {
		if o.Diverged {
			return nil
		}
		result.fill([]outcome{o})
		return save(o.weights, result)
	})
	if err != nil {
		return nil, err
	}
	result.fill([]outcome{o})
	result.Best = !o.Diverged
	return r.report(w, loaded, []Result{result}), nil
}
