package pooling

import "github.com/descentml/descent/backend/kernel/vector"

// The functions below reduce the pixels of a row that each window covers. They
// differ in one operation, which Go does not inline if it is a parameter.

func sumColumns[T vector.Float](g *Geometry, out, row []T, _ T) {
	channels := g.Channels
	for x := range g.Out[1] {
		first, end := g.covered(1, x)
		target := out[x*channels:][:channels]
		covered := row[first*channels : end*channels]
		for c := range target {
			var sum T
			for i := c; i < len(covered); i += channels {
				sum += covered[i]
			}
			target[c] = sum
		}
	}
}

func maxColumns[T vector.Float](g *Geometry, out, row []T, identity T) {
	channels := g.Channels
	for x := range g.Out[1] {
		first, end := g.covered(1, x)
		target := out[x*channels:][:channels]
		covered := row[first*channels : end*channels]
		for c := range target {
			greatest := identity
			for i := c; i < len(covered); i += channels {
				greatest = max(greatest, covered[i])
			}
			target[c] = greatest
		}
	}
}

func minColumns[T vector.Float](g *Geometry, out, row []T, identity T) {
	channels := g.Channels
	for x := range g.Out[1] {
		first, end := g.covered(1, x)
		target := out[x*channels:][:channels]
		covered := row[first*channels : end*channels]
		for c := range target {
			least := identity
			for i := c; i < len(covered); i += channels {
				least = min(least, covered[i])
			}
			target[c] = least
		}
	}
}
