package pooling

import "github.com/descentml/descent/backend/kernel/vector"

// ScatterMax is the gradient of max pooling: it adds each element of gradient,
// which has the shape of the pooled image, to that element of out, which has
// the shape of in, that is the greatest in the window: the first of equal ones,
// the last NaN if there is any. out starts from zero.
func ScatterMax[T vector.Float](parallel Parallel, g Geometry, out, in, gradient []T) error {
	if err := g.check(); err != nil {
		return err
	}
	if err := g.fits(len(in), len(gradient)); err != nil {
		return err
	}
	if err := g.fits(len(out), len(gradient)); err != nil {
		return err
	}
	g.images(parallel, func(first, end int) {
		clear(out[first*g.inImage() : end*g.inImage()])
		for image := first; image < end; image++ {
			at := image * g.inImage()
			scatterMax(&g, out[at:][:g.inImage()], in[at:][:g.inImage()], gradient[image*g.outImage():][:g.outImage()])
		}
	})
	return nil
}

func scatterMax[T vector.Float](g *Geometry, out, in, gradient []T) {
	channels, line := g.Channels, g.In[1]*g.Channels
	for y := range g.Out[0] {
		top, bottom := g.covered(0, y)
		for x := range g.Out[1] {
			left, right := g.covered(1, x)
			if top == bottom || left == right {
				continue
			}
			corner, width := top*line+left*channels, (right-left)*channels
			if bottom-top == 2 && right-left == 2 {
				at := (y*g.Out[1] + x) * channels
				scatterSquare(out[corner:], in[corner:], gradient[at:][:channels], line)
				continue
			}
			for c, value := range gradient[(y*g.Out[1]+x)*channels:][:channels] {
				best := corner + c
				for row := corner + c; row < bottom*line; row += line {
					for i := row; i < row+width; i += channels {
						best = greater(in, i, best)
					}
				}
				out[best] += value
			}
		}
	}
}

// greater returns i if its element is greater than that of best, or NaN.
func greater[T vector.Float](list []T, i, best int) int {
	v := list[i]
	if v > list[best] {
		best = i
	}
	if v != v {
		best = i
	}
	return best
}

// scatterSquare is scatterMax for one window of 2 by 2 pixels, with which out
// and in begin; the rows below are line elements on.
func scatterSquare[T vector.Float](out, in, gradient []T, line int) {
	channels := len(gradient)
	a, b := in[:channels], in[channels:][:channels]
	c, d := in[line:][:channels], in[line+channels:][:channels]
	for i, value := range gradient {
		best, below := i, line+i
		if b[i] > a[i] {
			best = channels + i
		}
		if b[i] != b[i] {
			best = channels + i
		}
		if d[i] > c[i] {
			below = line + channels + i
		}
		if d[i] != d[i] {
			below = line + channels + i
		}
		out[greater(in, below, best)] += value
	}
}
