package mfac

import (
	"fmt"
	"math"
	"slices"

	"github.com/descentml/descent/backend/kernel/gemm"
)

// Form is the way in which a [Window] inverts the m by m matrix of products of
// its gradients. Both give the same numbers up to rounding.
type Form int

// The forms. Cholesky keeps a factor of lambda m I + G G^T, from which a step
// takes one row and to which it adds one in O(m^2) time; Paper eliminates anew
// in O(m^3), as the paper does (its D, q and B).
const (
	Cholesky Form = iota
	Paper
)

// WindowSettings are those of [NewWindow].
type WindowSettings struct {
	// Gradients is m, the length of the window. There is no default; the
	// published trainings have 512 and 1024.
	Gradients int
	// Parameters is d.
	Parameters int
	// Damping is lambda, above 0 and finite. There is no default.
	Damping float64
	// Form is how the matrix of m by m is inverted. Default Cholesky.
	Form Form
	// CountFilled makes the divisor of F the number of gradients that are there,
	// as long as the window is not full. Default: the divisor is m from the first
	// gradient on, as in the published code, which makes F too small at first and
	// early products up to m times as long.
	CountFilled bool
	// Parallel spreads the passes over the gradients, as workers.Pool.Run does.
	// nil: no other goroutine.
	Parallel gemm.Parallel
}

// Window is the inverse of F for the last m gradients: the dynamic algorithm.
// A new gradient takes O(d m) time for its products with all others and what the
// form takes; a product O(d m + m^2). Beside the window itself it needs memory
// for some m by m numbers. It is not safe for concurrent use.
type Window[T Float] struct {
	settings  WindowSettings
	gradients *rows[T]
	age       []int // rows from the oldest to the newest; first those still empty
	filled    int
	k, c      []float64 // buffers by row and by age
	gram      []float64 // S = G G^T by row; nil unless it is needed
	factor    *factor
	paper     *elimination
	stale     bool // paper is not of gram
}

// NewWindow makes an empty window.
func NewWindow[T Float](s WindowSettings) (*Window[T], error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	m := s.Gradients
	w := restoreWindow(s, make([]T, m*s.Parameters), s.squares(), 0)
	w.reset()
	return w, nil
}

func (s *WindowSettings) check() error {
	if s.Form != Cholesky && s.Form != Paper {
		return fmt.Errorf("form %d: expected Cholesky or Paper", s.Form)
	}
	return checkShape(s.Gradients, s.Parameters, s.Damping)
}

// squares is the state of m by m numbers that a window needs.
type squares struct{ gram, factor []float64 }

func (s *WindowSettings) squares() squares {
	var state squares
	if s.Form == Paper || s.CountFilled {
		state.gram = make([]float64, s.Gradients*s.Gradients)
	}
	if s.Form == Cholesky {
		state.factor = make([]float64, s.Gradients*s.Gradients)
	}
	return state
}

// restoreWindow makes a window over the state of another one into which the
// given number of gradients were pushed.
func restoreWindow[T Float](s WindowSettings, gradients []T, state squares, pushed int) *Window[T] {
	m := s.Gradients
	w := &Window[T]{
		settings: s, gradients: newRows(m, s.Parameters, gradients, s.Parallel),
		age: make([]int, m), filled: min(pushed, m), k: make([]float64, m), c: make([]float64, m),
		gram: state.gram, stale: true,
	}
	for i := range w.age {
		w.age[i] = (pushed + i) % m
	}
	if s.Form == Paper {
		w.paper = newElimination(m, s.Damping)
		return w
	}
	w.factor = &factor{order: m, r: state.factor, x: make([]float64, m)}
	w.size()
	return w
}

// attach tells the window that its state lies elsewhere now.
func (w *Window[T]) attach(gradients []T, state squares) {
	w.gradients.data, w.gram = gradients, state.gram
	if w.factor != nil {
		w.factor.r = state.factor
	}
}

// reset makes the state that of an empty window.
func (w *Window[T]) reset() {
	if w.factor != nil {
		w.factor.reset()
	}
}

// divisor is that of F.
func (w *Window[T]) divisor() float64 {
	if w.settings.CountFilled {
		return float64(max(1, w.filled))
	}
	return float64(w.settings.Gradients)
}

// size sets what the factor takes in.
func (w *Window[T]) size() {
	w.factor.shift = w.divisor() * w.settings.Damping
	if w.settings.CountFilled {
		w.factor.first = w.settings.Gradients - w.filled
	}
}

// Filled is the number of gradients in the window.
func (w *Window[T]) Filled() int { return w.filled }

// Push replaces the oldest gradient by g, or fills the first empty row.
func (w *Window[T]) Push(g []T) error { return w.Replace(w.age[0], g) }

// Replace replaces the gradient in a row, from 0 to m-1, by g. It is the newest
// then; the result of products does not depend on the order of the rows.
func (w *Window[T]) Replace(row int, g []T) error {
	if row < 0 || row >= w.settings.Gradients {
		return fmt.Errorf("row %d: expected one from 0 to %d", row, w.settings.Gradients-1)
	}
	if err := checkLength("the gradient", len(g), w.settings.Parameters); err != nil {
		return err
	}
	w.gradients.store(row, w.k, g)
	if w.gram != nil {
		m := w.settings.Gradients
		copy(w.gram[row*m:], w.k)
		for i, x := range w.k {
			w.gram[i*m+row] = x
		}
	}
	place := slices.Index(w.age, row)
	copy(w.age[place:], w.age[place+1:])
	w.age[len(w.age)-1] = row
	grows := place < w.settings.Gradients-w.filled
	if grows {
		w.filled++
	}
	w.stale = true
	if w.factor != nil {
		w.refactor(place, grows)
	}
	return nil
}

// refactor brings the factor up to date with a row that has gone from a place
// in the order of age to its end.
func (w *Window[T]) refactor(place int, grows bool) {
	f, m := w.factor, w.settings.Gradients
	if w.settings.CountFilled && grows { // another divisor: all of K has changed
		w.size()
		for p := f.first; p < m; p++ {
			w.byAge(w.c, w.gram[w.age[p]*m:][:m])
			f.append(p, w.c, w.c[p])
		}
		return
	}
	f.remove(place)
	w.byAge(w.c, w.k)
	f.append(m-1, w.c, w.c[m-1])
}

// byAge brings numbers of rows into the order of age.
func (w *Window[T]) byAge(dst, byRow []float64) {
	for i, row := range w.age {
		dst[i] = byRow[row]
	}
}

// Product sets dst = F^-1 x in two passes over the gradients. Both have an
// element for each parameter; dst may be x.
//
// Where x is large in directions that F damps little, the result is a small
// difference of large numbers, with the error that [Window.RelativeError]
// bounds. For the newest gradient [Window.Direction] does not have that.
func (w *Window[T]) Product(dst, x []T) error {
	if err := checkLength("the vector", len(x), w.settings.Parameters); err != nil {
		return err
	}
	if err := checkLength("the result", len(dst), w.settings.Parameters); err != nil {
		return err
	}
	w.gradients.mul(w.k, x)
	w.coefficients()
	for i, c := range w.k {
		w.k[i] = -c
	}
	w.gradients.combine(dst, T(1/w.settings.Damping), x, w.k)
	return nil
}

// coefficients replaces k = G x by c with F^-1 x = x/lambda - G^T c.
func (w *Window[T]) coefficients() {
	if w.paper != nil {
		w.eliminate()
		copy(w.c, w.k)
		w.paper.coefficients(w.k, w.c)
		return
	}
	w.byAge(w.c, w.k) // (x - G^T K^-1 G x)/lambda
	w.factor.solve(w.c)
	for i, row := range w.age {
		w.k[row] = 0
		if i >= w.factor.first {
			w.k[row] = w.c[i] / w.settings.Damping
		}
	}
}

// eliminate brings the paper's form up to date.
func (w *Window[T]) eliminate() {
	if w.stale {
		w.paper.divisor = w.divisor()
		w.paper.run(w.gram)
		w.stale = false
	}
}

// Direction sets dst = F^-1 g for the newest gradient g, in one pass, and
// returns g^T F^-1 g, which lies between 0 and the divisor of F, in exact
// arithmetic. dst is 0 if the window is empty.
//
// As g is one of the rows of G, F^-1 g = m G^T K^-1 e with K = m lambda I + G G^T
// and e the unit vector of its row. That needs no product of G with g, and in
// contrast to a product with any vector nothing is subtracted: small dampings do
// no harm.
func (w *Window[T]) Direction(dst []T) (square float64, err error) {
	if err := checkLength("the result", len(dst), w.settings.Parameters); err != nil {
		return 0, err
	}
	square = w.newest()
	w.gradients.combine(dst, 0, nil, w.k)
	return square, nil
}

// newest sets k so that F^-1 g = G^T k for the newest gradient g, and returns
// g^T F^-1 g.
func (w *Window[T]) newest() float64 {
	m := w.settings.Gradients
	if w.filled == 0 {
		clear(w.k)
		return 0
	}
	row := w.age[m-1]
	if w.paper != nil {
		w.eliminate()
		products, square := w.gram[row*m:(row+1)*m], 0.0
		w.paper.coefficients(w.k, products)
		for i := range w.k {
			w.k[i] = -w.k[i]
		}
		w.k[row] += 1 / w.settings.Damping
		for i, c := range w.k {
			square += c * products[i]
		}
		return square
	}
	clear(w.c)
	pivot := w.factor.row(m - 1)[m-1]
	w.c[m-1] = 1 / pivot
	w.factor.back(w.c)
	for i, row := range w.age {
		w.k[row] = w.divisor() * w.c[i]
	}
	// m (K^-1 S)_ee = m (1 - m lambda (K^-1)_ee)
	return w.divisor() * (pivot*pivot - w.factor.shift) / (pivot * pivot)
}

// LogDeterminant returns log det F.
func (w *Window[T]) LogDeterminant() float64 {
	sum := float64(w.settings.Parameters) * math.Log(w.settings.Damping)
	if w.paper != nil {
		w.eliminate()
		return sum + w.paper.logDeterminant()
	}
	taken := float64(w.factor.order - w.factor.first)
	return sum + w.factor.logDeterminant() - taken*math.Log(w.factor.shift)
}

// powerSteps is the number of multiplications by which the largest eigenvalue
// of F is estimated.
const powerSteps = 20

// RelativeError estimates the relative error of [Window.Product] in the worst
// direction: the precision of the gradients' type times the largest eigenvalue
// of F over the damping. Above 1e-2 the damping is too small for the type. It
// takes some forty passes over the gradients.
func (w *Window[T]) RelativeError() float64 {
	// The eigenvalues of F above lambda are those of lambda I + S/m; S x = G (G^T x).
	m := w.settings.Gradients
	x, image := make([]float64, m), make([]float64, m)
	for i := range x {
		x[i] = 1 + float64(i%7)/7
	}
	largest := 0.0
	sum := make([]T, w.settings.Parameters)
	for range powerSteps {
		norm := 0.0
		for _, v := range x {
			norm += v * v
		}
		if norm = math.Sqrt(norm); !(norm > 0) {
			break
		}
		for i := range x {
			x[i] /= norm
		}
		w.gradients.combine(sum, 0, nil, x)
		w.gradients.mul(image, sum)
		largest = 0
		for i, v := range image {
			largest += v * x[i]
		}
		x, image = image, x
	}
	return epsilonOf[T]() * (w.settings.Damping + largest/w.divisor()) / w.settings.Damping
}
