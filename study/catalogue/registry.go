package catalogue

import (
	"github.com/descentml/descent/study"
	"github.com/descentml/descent/study/diffgrad"
	doubledescent "github.com/descentml/descent/study/double-descent"
	schedulerefinement "github.com/descentml/descent/study/schedule-refinement"
)

// studies holds the studies that exist, by the names of their papers.
var studies = map[string]func() *study.Study{
	"diffgrad":            diffgrad.New,
	"double-descent":      doubledescent.New,
	"schedule-refinement": schedulerefinement.New,
}
