package experiment

import "sync"

// Progress says how far a run is. Trials under way count in part.
type Progress struct {
	Done    float64 // trials
	Planned float64 // trials to run now; grows when a method's grid is widened, falls by those that the store holds
	Ended   *Ended  // the trial that has just ended, or nil
}

// Ended is a trial that has come to its end.
type Ended struct {
	Method       string
	LearningRate float64
	Seed         uint64
	Score        float64 // on the validation part
	Diverged     bool
	Seconds      float64
}

// Observer is told of progress, one call at a time.
type Observer func(Progress)

// progress counts trials for an observer.
type progress struct {
	mutex   sync.Mutex
	state   Progress
	observe Observer
}

// plan announces count further trials.
func (p *progress) plan(count int) {
	p.update(func(s *Progress) { s.Planned += float64(count) })
}

// advance adds a part of a trial.
func (p *progress) advance(part float64) {
	p.update(func(s *Progress) { s.Done += part })
}

// skip takes back a planned trial that the store already holds.
func (p *progress) skip() {
	p.update(func(s *Progress) { s.Planned-- })
}

// end adds the rest of a trial and reports it.
func (p *progress) end(rest float64, trial Ended) {
	p.update(func(s *Progress) {
		s.Done += rest
		s.Ended = &trial
	})
}

func (p *progress) update(change func(*Progress)) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	change(&p.state)
	if p.observe != nil {
		p.observe(p.state)
	}
	p.state.Ended = nil
}
