package ops

import (
	"fmt"

	"github.com/descentml/descent/backend/tensor"
)

// Window tells how a window moves over a tensor. All lists have one value per
// axis; a missing list means a size of 1, strides of the size, dilations of 1
// and no padding.
type Window struct {
	// Size is the number of elements that the window covers in each axis.
	Size []int
	// Strides is how far the window moves from one output to the next.
	Strides []int
	// InputDilations is the distance between the elements of the input, which
	// has holes between them if it is above 1.
	InputDilations []int
	// WindowDilations is the distance between the elements of the window.
	WindowDilations []int
	// Paddings is the room before the first and after the last element.
	Paddings [][2]int
}

// normalized returns w with every list filled in for the given rank, or an error
// if one has another length or a value that is out of range.
func (w Window) normalized(op string, rank int) (Window, error) {
	orOnes := func(list []int) []int {
		if len(list) == 0 {
			list = make([]int, rank)
			fill(list, 1)
		}
		return list
	}
	w.Size = orOnes(w.Size)
	if len(w.Strides) == 0 {
		w.Strides = w.Size
	}
	w.InputDilations, w.WindowDilations = orOnes(w.InputDilations), orOnes(w.WindowDilations)
	if len(w.Paddings) == 0 {
		w.Paddings = make([][2]int, rank)
	}
	for _, list := range []struct {
		name   string
		values []int
	}{{"window sizes", w.Size}, {"strides", w.Strides}, {"input dilations", w.InputDilations}, {"window dilations", w.WindowDilations}} {
		if err := checkLength(op, list.name, len(list.values), rank); err != nil {
			return w, err
		}
		for axis, value := range list.values {
			if value < 1 {
				return w, fmt.Errorf("%s: %s have %d for axis %d, expected at least 1", op, list.name, value, axis)
			}
		}
	}
	return w, checkLength(op, "paddings", len(w.Paddings), rank)
}

// outputs returns how many places the window has along each axis of an input.
func (w Window) outputs(dimensions []int) []int {
	counts := make([]int, len(dimensions))
	for axis, size := range dimensions {
		if size > 0 {
			size = (size-1)*w.InputDilations[axis] + 1
		}
		room := size + w.Paddings[axis][0] + w.Paddings[axis][1] - (w.Size[axis]-1)*w.WindowDilations[axis] - 1
		if room >= 0 {
			counts[axis] = room/w.Strides[axis] + 1
		}
	}
	return counts
}

// trivial tells whether the window does nothing along an axis.
func (w Window) trivial(axis int) bool {
	return w.Size[axis] == 1 && w.Strides[axis] == 1 && w.InputDilations[axis] == 1 && w.Paddings[axis] == [2]int{}
}

// A coverage lists, for one axis, which elements of the input the window covers
// at each place: from first on, count of them, in even steps. tap counts the
// elements of the window likewise.
type coverage struct {
	first, tap, count []int
	step, tapStep     int
}

// cover returns the coverage of an axis with the given size.
func (w Window) cover(axis, size, places int) coverage {
	dilation, spacing := w.InputDilations[axis], w.WindowDilations[axis]
	// Every period-th element of the window meets an element of the input.
	period := dilation / greatestCommonDivisor(dilation, spacing)
	c := coverage{
		first: make([]int, places), tap: make([]int, places), count: make([]int, places),
		step: period * spacing / dilation, tapStep: period,
	}
	for place := range places {
		start := place*w.Strides[axis] - w.Paddings[axis][0]
		for tap := range w.Size[axis] {
			position := start + tap*spacing
			if position < 0 || position%dilation != 0 {
				continue
			}
			if position/dilation >= size {
				break
			}
			if c.count[place] == 0 {
				c.first[place], c.tap[place] = position/dilation, tap
			}
			c.count[place]++
		}
	}
	return c
}

func greatestCommonDivisor(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// A sweep moves a window over an input and visits what it covers at each place.
type sweep struct {
	axes         []coverage
	inputStrides []int
	tapStrides   []int
	index        []int // of the walk inside the window
}

// newSweep prepares a window for places along the axes of an input with the
// given dimensions and strides. The window's own elements are counted with
// tapStrides.
func newSweep(w Window, dimensions, places, inputStrides, tapStrides []int) sweep {
	s := sweep{inputStrides: inputStrides, tapStrides: tapStrides, index: make([]int, len(dimensions))}
	for axis, size := range dimensions {
		s.axes = append(s.axes, w.cover(axis, size, places[axis]))
	}
	return s
}

// visit calls body with the offset in the input and in the window of each
// element that the window covers at a place, in row-major order of the window.
func (s sweep) visit(place []int, body func(input, tap int)) {
	input, tap := 0, 0
	for axis, c := range s.axes {
		at := place[axis]
		if c.count[at] == 0 {
			return
		}
		input += c.first[at] * s.inputStrides[axis]
		tap += c.tap[at] * s.tapStrides[axis]
	}
	for {
		body(input, tap)
		axis := len(s.axes) - 1
		for ; axis >= 0; axis-- {
			c := &s.axes[axis]
			inputStep, tapStep := c.step*s.inputStrides[axis], c.tapStep*s.tapStrides[axis]
			s.index[axis]++
			input += inputStep
			tap += tapStep
			if s.index[axis] < c.count[place[axis]] {
				break
			}
			input -= inputStep * s.index[axis]
			tap -= tapStep * s.index[axis]
			s.index[axis] = 0
		}
		if axis < 0 {
			return
		}
	}
}

// advance moves a place to the next one in row-major order.
func advance(place, places []int) {
	for axis := len(place) - 1; axis >= 0; axis-- {
		place[axis]++
		if place[axis] < places[axis] {
			return
		}
		place[axis] = 0
	}
}

// lanes returns the number of axes at the end that a window leaves alone, and
// their number of elements: all of these move together.
func lanes(w Window, dimensions []int) (axes, elements int) {
	elements = 1
	for axis := len(dimensions) - 1; axis >= 0 && w.trivial(axis); axis-- {
		axes++
		elements *= dimensions[axis]
	}
	return axes, elements
}

// windowOver prepares a sweep of w over the axes of t except its lanes.
func windowOver(w Window, t tensor.Tensor, places []int) (s sweep, lane int) {
	skipped, lane := lanes(w, t.Shape.Dimensions)
	kept := t.Shape.Rank() - skipped
	s = newSweep(w, t.Shape.Dimensions[:kept], places[:kept], rowMajor(t.Shape.Dimensions)[:kept], make([]int, kept))
	return s, lane
}
