package experiment

import "github.com/descentml/descent/internal/nullable"

// Statuses of a method in a comparison.
const (
	StatusOK       = "ok"
	StatusDiverged = "diverged"
)

// Report is the outcome of a comparison or a training, as --json prints it.
type Report struct {
	Run        int64       `json:"run"`
	Data       DataSummary `json:"data"`
	Model      string      `json:"model"`
	Score      string      `json:"score"`       // accuracy or R²
	Seeds      int         `json:"seeds"`       // repetitions of every method
	TargetLoss *float64    `json:"target_loss"` // of epochs_to_target; null if no method has a finite loss
	Results    []Result    `json:"results"`     // best test score first
}

// Result is one method's line.
type Result struct {
	Method         string   `json:"method"`
	LearningRate   float64  `json:"learning_rate"`
	TestScore      *Spread  `json:"test_score"`       // null if diverged
	TrainLoss      *float64 `json:"train_loss"`       // mean over seeds at the end; null if diverged
	EpochsToTarget *float64 `json:"epochs_to_target"` // mean over seeds; null unless every seed got there
	Seconds        float64  `json:"seconds"`          // mean training time of one seed
	Gradients      float64  `json:"gradients"`        // of the loss that one seed's training computed, mean
	Evaluations    float64  `json:"evaluations"`      // of the model in one seed's training steps, with and without a gradient, mean
	Separated      *float64 `json:"separated"`        // mean steps until every training example was on its side; null unless the method looks and every seed got there
	Status         string   `json:"status"`           // ok, diverged
	Best           bool     `json:"best"`             // highest mean test score
	Tied           bool     `json:"tied"`             // within one standard error of the best
	OnEdge         bool     `json:"on_edge"`          // the chosen rate is the outermost that was tried
}

// Curve is one trial's measurements over epochs.
type Curve struct {
	Seed                                                        uint64
	Epochs, Seconds, TrainLoss, ValidationLoss, ValidationScore []float64
}

// number is a float64 in JSON.
type number = nullable.Number

// summary is what the store keeps of a finished trial.
type summary struct {
	Diverged        bool    `json:"diverged"`
	Epochs          float64 `json:"epochs"` // fractional where the time ran out
	Steps           int     `json:"steps"`
	Seconds         float64 `json:"seconds"`
	Gradients       int     `json:"gradients,omitempty"`
	Evaluations     int     `json:"evaluations,omitempty"`
	Separated       int     `json:"separated,omitempty"` // step whose weights were the first to separate the training part; 0: none known
	TrainLoss       number  `json:"train_loss"`
	ValidationLoss  number  `json:"validation_loss"`
	ValidationScore number  `json:"validation_score"`
	TestLoss        number  `json:"test_loss"`
	TestScore       number  `json:"test_score"`
}

// Winner returns the result with the best test score; false if every method
// diverged.
func (r *Report) Winner() (Result, bool) {
	for _, result := range r.Results {
		if result.Best {
			return result, true
		}
	}
	return Result{}, false
}
