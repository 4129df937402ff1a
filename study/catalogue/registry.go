package catalogue

import (
	"github.com/descentml/descent/study"
	"github.com/descentml/descent/study/diffgrad"
)

// studies holds the studies that exist, by the names of their papers.
var studies = map[string]func() *study.Study{
	"diffgrad": diffgrad.New,
}
