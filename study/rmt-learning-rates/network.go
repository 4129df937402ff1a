package rmtlearningrates

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"

	"github.com/descentml/descent/data"
)

// classes is the number of digits.
const classes = 10

// examples are images [count, width] with their classes.
type examples struct {
	x      []float64
	labels []int32
	width  int
}

func (e *examples) count() int { return len(e.labels) }

// all are the rows of the examples.
func (e *examples) all() []int {
	rows := make([]int, e.count())
	for i := range rows {
		rows[i] = i
	}
	return rows
}

// images are the digits in two parts by a shuffle, pixels divided by 16.
func images(table *data.Table, train int, rng *rand.Rand) (first, rest *examples) {
	order := rng.Perm(table.Rows)
	part := func(rows []int) *examples {
		e := &examples{width: len(table.Features)}
		for _, row := range rows {
			for i := range table.Features {
				e.x = append(e.x, table.Features[i].Numbers[row]/16)
			}
			e.labels = append(e.labels, table.Target.Codes[row])
		}
		return e
	}
	return part(order[:train]), part(order[train:])
}

// network is the mean cross entropy of dense ReLU layers with its gradient and
// Hessian-vector products in closed form. The functions of package objective
// keep their examples, while here every step and every Hessian has others, down
// to single examples. The parameters are one vector: of each layer the weights
// [in, out], then the biases.
type network struct {
	sizes []int // inputs, hidden units, classes
	data  *examples
	// Of the last batch: activations and derivatives of the loss by what enters a
	// layer's units, [batch, units], and their derivatives along a vector.
	a, d, ra, rd []blas64.General
	probability  blas64.General
	weights      []layer
}

// layer is a view of the parameters of one layer.
type layer struct {
	weights blas64.General
	biases  []float64
}

func newNetwork(e *examples, hidden ...int) *network {
	return &network{sizes: append(append([]int{e.width}, hidden...), classes), data: e}
}

func (n *network) dim() int {
	dim := 0
	for l := range len(n.sizes) - 1 {
		dim += (n.sizes[l] + 1) * n.sizes[l+1]
	}
	return dim
}

func (n *network) layers(w []float64) []layer {
	var list []layer
	for l := range len(n.sizes) - 1 {
		in, out := n.sizes[l], n.sizes[l+1]
		list = append(list, layer{blas64.General{Rows: in, Cols: out, Stride: out, Data: w[:in*out]}, w[in*out : (in+1)*out]})
		w = w[(in+1)*out:]
	}
	return list
}

// initial draws weights with He's deviation sqrt(2/in) and biases of 0.
func (n *network) initial(rng *rand.Rand) []float64 {
	w := make([]float64, n.dim())
	for _, l := range n.layers(w) {
		for i := range l.weights.Data {
			l.weights.Data[i] = math.Sqrt(2/float64(l.weights.Rows)) * rng.NormFloat64()
		}
	}
	return w
}

// resize makes room for a batch.
func (n *network) resize(batch int) {
	if n.a == nil {
		for range n.sizes {
			n.a, n.d = append(n.a, blas64.General{}), append(n.d, blas64.General{})
			n.ra, n.rd = append(n.ra, blas64.General{}), append(n.rd, blas64.General{})
		}
	}
	fit := func(m *blas64.General, columns int) {
		if cap(m.Data) < batch*columns {
			m.Data = make([]float64, batch*columns)
		}
		*m = blas64.General{Rows: batch, Cols: columns, Stride: columns, Data: m.Data[:batch*columns]}
	}
	for l, size := range n.sizes {
		for _, m := range []*blas64.General{&n.a[l], &n.d[l], &n.ra[l], &n.rd[l]} {
			fit(m, size)
		}
	}
	fit(&n.probability, n.sizes[len(n.sizes)-1])
}

// forward computes the logits of some examples.
func (n *network) forward(w []float64, rows []int) blas64.General {
	n.resize(len(rows))
	n.weights = n.layers(w)
	for i, row := range rows {
		copy(n.a[0].Data[i*n.data.width:], n.data.x[row*n.data.width:(row+1)*n.data.width])
	}
	last := len(n.weights)
	for l, layer := range n.weights {
		blas64.Gemm(blas.NoTrans, blas.NoTrans, 1, n.a[l], layer.weights, 0, n.a[l+1])
		addRows(n.a[l+1], layer.biases)
		if l+1 < last {
			for i, z := range n.a[l+1].Data {
				n.a[l+1].Data[i] = max(z, 0)
			}
		}
	}
	return n.a[last]
}

// backward computes the mean loss of some examples and the derivatives that both
// the gradient and Hessian-vector products need.
func (n *network) backward(w []float64, rows []int) (loss float64) {
	logits := n.forward(w, rows)
	last, share := len(n.weights), 1/float64(len(rows))
	for i, row := range rows {
		z := logits.Data[i*logits.Cols : (i+1)*logits.Cols]
		p, d := n.probability.Data[i*logits.Cols:], n.d[last].Data[i*logits.Cols:]
		top, sum := math.Inf(-1), 0.0
		for _, value := range z {
			top = max(top, value)
		}
		for k, value := range z {
			p[k] = math.Exp(value - top)
			sum += p[k]
		}
		for k := range z {
			p[k] /= sum
			d[k] = share * p[k]
		}
		label := n.data.labels[row]
		d[label] -= share
		loss += share * (math.Log(sum) + top - z[label])
	}
	for l := last - 1; l > 0; l-- {
		blas64.Gemm(blas.NoTrans, blas.Trans, 1, n.d[l+1], n.weights[l].weights, 0, n.d[l])
		mask(n.d[l], n.a[l])
	}
	return loss
}

// gradient sets g to the gradient of the mean loss of some examples.
func (n *network) gradient(w []float64, rows []int, g []float64) (loss float64) {
	loss = n.backward(w, rows)
	for l, layer := range n.layers(g) {
		blas64.Gemm(blas.Trans, blas.NoTrans, 1, n.a[l], n.d[l+1], 0, layer.weights)
		sumRows(layer.biases, n.d[l+1])
	}
	return loss
}

// hessianVector sets h to the product of the Hessian with v, at the weights and
// the examples of the last call of backward: the derivative of the gradient along
// v (Pearlmutter 1994).
func (n *network) hessianVector(v, h []float64) {
	last, along := len(n.weights), n.layers(v)
	for l, layer := range along {
		blas64.Gemm(blas.NoTrans, blas.NoTrans, 1, n.a[l], layer.weights, 0, n.ra[l+1])
		if l > 0 {
			blas64.Gemm(blas.NoTrans, blas.NoTrans, 1, n.ra[l], n.weights[l].weights, 1, n.ra[l+1])
		}
		addRows(n.ra[l+1], layer.biases)
		if l+1 < last {
			mask(n.ra[l+1], n.a[l+1])
		}
	}
	columns, share := n.probability.Cols, 1/float64(n.probability.Rows)
	for i := range n.probability.Rows {
		p, r := n.probability.Data[i*columns:(i+1)*columns], n.ra[last].Data[i*columns:]
		mean := 0.0
		for k := range p {
			mean += p[k] * r[k]
		}
		for k := range p {
			n.rd[last].Data[i*columns+k] = share * p[k] * (r[k] - mean)
		}
	}
	products := n.layers(h)
	for l := last - 1; l >= 0; l-- {
		blas64.Gemm(blas.Trans, blas.NoTrans, 1, n.a[l], n.rd[l+1], 0, products[l].weights)
		sumRows(products[l].biases, n.rd[l+1])
		if l > 0 {
			blas64.Gemm(blas.Trans, blas.NoTrans, 1, n.ra[l], n.d[l+1], 1, products[l].weights)
			blas64.Gemm(blas.NoTrans, blas.Trans, 1, n.rd[l+1], n.weights[l].weights, 0, n.rd[l])
			blas64.Gemm(blas.NoTrans, blas.Trans, 1, n.d[l+1], along[l].weights, 1, n.rd[l])
			mask(n.rd[l], n.a[l])
		}
	}
}

// mask keeps the derivatives of active units.
func mask(d, a blas64.General) {
	for i, value := range a.Data {
		if value <= 0 {
			d.Data[i] = 0
		}
	}
}

func addRows(m blas64.General, row []float64) {
	for i := range m.Rows {
		at := m.Data[i*m.Cols : (i+1)*m.Cols]
		for j, value := range row {
			at[j] += value
		}
	}
}

func sumRows(dst []float64, m blas64.General) {
	clear(dst)
	for i := range m.Rows {
		for j, value := range m.Data[i*m.Cols : (i+1)*m.Cols] {
			dst[j] += value
		}
	}
}

// hessian is the Hessian of the mean loss of some examples as an operator. It
// holds until the network is used otherwise.
type hessian struct{ n *network }

// hessian is that at weights, of some examples.
func (n *network) hessian(w []float64, rows []int) hessian {
	n.backward(w, rows)
	return hessian{n}
}

func (h hessian) Dim() int { return h.n.dim() }

func (h hessian) Apply(dst, v []float64) error {
	h.n.hessianVector(v, dst)
	return nil
}

// wrong is the share of the network's examples that weights classify wrongly.
func (n *network) wrong(w []float64) float64 {
	logits := n.forward(w, n.data.all())
	count := 0
	for i, label := range n.data.labels {
		z := logits.Data[i*logits.Cols : (i+1)*logits.Cols]
		for k, value := range z {
			if k != int(label) && !(value < z[label]) {
				count++ // a tie and NaN are wrong
				break
			}
		}
	}
	return float64(count) / float64(len(n.data.labels))
}
