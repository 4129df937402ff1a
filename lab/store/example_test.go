package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"

	"github.com/descentml/descent/lab/store"
)

func Example() {
	dir, err := os.MkdirTemp("", "store")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	s, err := store.Open(dir)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()

	ctx := context.Background()
	if err := train(ctx, s); err != nil {
		log.Fatal(err)
	}

	runs, err := s.Runs(ctx, store.Filter{Kind: "train", Limit: 10})
	if err != nil {
		log.Fatal(err)
	}
	for _, run := range runs {
		fmt.Printf("%d %s: %s %s\n", run.ID, run.Name, run.State, run.Result)
		trials, err := s.Trials(ctx, run.ID)
		if err != nil {
			log.Fatal(err)
		}
		loss, err := s.Series(ctx, trials[0].ID, "train_loss")
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s after %d steps: loss %.2f, then %.2f\n",
			trials[0].Method, trials[0].Steps, loss[0].Value, loss[1].Value)
	}
	// Output:
	// 1 iris: done {"best":"adam"}
	// adam after 20 steps: loss 0.90, then 0.30
}

// train records a run with one trial.
func train(ctx context.Context, s *store.Store) error {
	w, err := s.Create(ctx, "train", "iris", map[string]any{"epochs": 2})
	if err != nil {
		return err
	}
	defer w.Close()
	trial, err := w.StartTrial(ctx, store.TrialKey{Phase: store.Final, Method: "adam", LearningRate: 0.01, Seed: 1000})
	if err != nil {
		return err
	}
	err = w.Append(ctx, trial.ID, store.Series{Name: "train_loss", Points: []store.Point{
		{Step: 10, Epoch: 1, Seconds: 0.5, Value: 0.9},
		{Step: 20, Epoch: 2, Seconds: 1.0, Value: 0.3},
	}})
	if err != nil {
		return err
	}
	err = w.FinishTrial(ctx, trial.ID, store.Done, store.Outcome{
		Epochs: 2, Steps: 20, Seconds: 1, Summary: json.RawMessage(`{"accuracy":0.95}`),
	})
	if err != nil {
		return err
	}
	return w.Finish(ctx, store.Done, map[string]string{"best": "adam"}, nil)
}
