package catalogue

import (
	"github.com/descentml/descent/study"
	"github.com/descentml/descent/study/diffgrad"
	doubledescent "github.com/descentml/descent/study/double-descent"
	federatedcurricula "github.com/descentml/descent/study/federated-curricula"
	"github.com/descentml/descent/study/fedfix"
	"github.com/descentml/descent/study/fzoos"
	gns "github.com/descentml/descent/study/gradient-normalized-smoothness"
	hessianspectrum "github.com/descentml/descent/study/hessian-spectrum"
	largesteplogistic "github.com/descentml/descent/study/large-step-logistic"
	mfacstudy "github.com/descentml/descent/study/m-fac"
	rmtlearningrates "github.com/descentml/descent/study/rmt-learning-rates"
	schedulerefinement "github.com/descentml/descent/study/schedule-refinement"
	sequentialgradientcoding "github.com/descentml/descent/study/sequential-gradient-coding"
	sgdstability "github.com/descentml/descent/study/sgd-stability"
	"github.com/descentml/descent/study/sso"
)

// studies holds the studies that exist, by the names of their papers.
var studies = map[string]func() *study.Study{
	"diffgrad":                       diffgrad.New,
	"double-descent":                 doubledescent.New,
	"federated-curricula":            federatedcurricula.New,
	"fedfix":                         fedfix.New,
	"fzoos":                          fzoos.New,
	"gradient-normalized-smoothness": gns.New,
	"hessian-spectrum":               hessianspectrum.New,
	"large-step-logistic":            largesteplogistic.New,
	"m-fac":                          mfacstudy.New,
	"rmt-learning-rates":             rmtlearningrates.New,
	"schedule-refinement":            schedulerefinement.New,
	"sequential-gradient-coding":     sequentialgradientcoding.New,
	"sgd-stability":                  sgdstability.New,
	"sso":                            sso.New,
}
