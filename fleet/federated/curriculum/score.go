package curriculum

import (
	"errors"

	"gonum.org/v1/gonum/floats"

	"github.com/descentml/descent/fleet/federated"
)

// Score says by which model, and by what of its outputs, the difficulty of a
// sample is judged. A lower score is an easier sample.
type Score int

// The scores of section 3: the cross-entropy of a model on the sample, or the
// 0/1 error ("Pred" in the paper).
const (
	// GlobalLoss is s_G: the loss of the model that the client has just received.
	GlobalLoss Score = iota
	// LocalLoss is s_L: the loss of the client's own model at the end of its
	// last participation, or s_G when it has none yet.
	LocalLoss
	// BothLoss is s_LG = s_G + s_L, or s_G when the client has no own model yet.
	BothLoss
	// ExpertLoss is s_E: the loss of a model trained on all data beforehand. It
	// is an oracle, as it needs the data of all clients in one place.
	ExpertLoss
	// GlobalError is 1 where the received model is wrong and 0 elsewhere.
	GlobalError
	// LocalError is 1 where the client's own model is wrong and 0 elsewhere.
	LocalError
	// BothError is the number of the two models that are wrong: 0, 1 or 2.
	BothError
)

var scoreNames = []string{"global", "local", "both", "expert", "global-error", "local-error", "both-error"}

// Scores lists all scores.
func Scores() []Score {
	return []Score{GlobalLoss, LocalLoss, BothLoss, ExpertLoss, GlobalError, LocalError, BothError}
}

// String is the name of the score in specifications.
func (s Score) String() string { return nameOf(s, scoreNames) }

// UnmarshalText reads the name of a score.
func (s *Score) UnmarshalText(text []byte) error { return readName(s, scoreNames, text) }

// NeedsLocal reports whether the score takes the client's own earlier model, so
// that clients have to keep it between participations.
func (s Score) NeedsLocal() bool {
	return s == LocalLoss || s == BothLoss || s == LocalError || s == BothError
}

// NeedsExpert reports whether the score takes an expert's model.
func (s Score) NeedsExpert() bool { return s == ExpertLoss }

// CountsErrors reports whether the score counts errors instead of losses, so
// that it is for classification alone.
func (s Score) CountsErrors() bool { return s >= GlobalError }

// scorer scores the samples of clients, in buffers that it reuses.
type scorer struct {
	score  Score
	expert []float64 // parameters
	scores []float64
	second []float64
	wrong  []bool
}

// newScorer refuses an expert's score without an expert.
func newScorer(score Score, expert []float64) (*scorer, error) {
	if score.NeedsExpert() && len(expert) == 0 {
		return nil, errors.New("the score expert without an expert: expected the parameters of one")
	}
	return &scorer{score: score, expert: expert}, nil
}

// of is the score of each of a client's rows, by the received parameters and
// the client's own, which are nil if it has none. It is valid until the next
// call.
func (s *scorer) of(o federated.Objective, rows []int, global, own []float64) ([]float64, error) {
	first := len(own) == 0
	judge := global
	switch {
	case s.score.NeedsExpert():
		judge = s.expert
	case (s.score == LocalLoss || s.score == LocalError) && !first:
		judge = own
	}
	s.scores = resize(s.scores, len(rows))
	if err := s.evaluate(o, rows, judge, s.scores); err != nil {
		return nil, err
	}
	if (s.score == BothLoss || s.score == BothError) && !first {
		s.second = resize(s.second, len(rows))
		if err := s.evaluate(o, rows, own, s.second); err != nil {
			return nil, err
		}
		floats.Add(s.scores, s.second)
	}
	return s.scores, nil
}

// evaluate is one forward pass over the rows.
func (s *scorer) evaluate(o federated.Objective, rows []int, parameters, dst []float64) error {
	if !s.score.CountsErrors() {
		return o.Evaluate(parameters, rows, dst, nil)
	}
	s.wrong = resize(s.wrong, len(rows))
	if err := o.Evaluate(parameters, rows, nil, s.wrong); err != nil {
		return err
	}
	for i, wrong := range s.wrong {
		dst[i] = 0
		if wrong {
			dst[i] = 1
		}
	}
	return nil
}

func resize[T any](buffer []T, n int) []T {
	if cap(buffer) < n {
		return make([]T, n)
	}
	return buffer[:n]
}
