package catalogue

import (
	"github.com/descentml/descent/study"
	"github.com/descentml/descent/study/diffgrad"
	doubledescent "github.com/descentml/descent/study/double-descent"
	largesteplogistic "github.com/descentml/descent/study/large-step-logistic"
	schedulerefinement "github.com/descentml/descent/study/schedule-refinement"
	"github.com/descentml/descent/study/sso"
)

// studies holds the studies that exist, by the names of their papers.
var studies = map[string]func() *study.Study{
	"diffgrad":            diffgrad.New,
	"double-descent":      doubledescent.New,
	"large-step-logistic": largesteplogistic.New,
	"schedule-refinement": schedulerefinement.New,
	"sso":                 sso.New,
}
