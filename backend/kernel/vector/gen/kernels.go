package main

// kernels emits every kernel of one element type.
func (f *file) kernels() {
	f.arithmetic()
	f.transcendental()
	f.binary()
	f.comparisons()
	f.selection()
	f.find()
	f.reductions()
	f.columns()
	f.transpose()
}

// unary emits dst[i] = f(x[i]) and enters it.
func (f *file) unary(op string, streams int, body func(m *machine, a value) value) {
	f.elementwise(f.name(op), "sets dst[i] to the function of x[i].", elementwise{
		inputs: x, streams: streams,
		body: func(m *machine, in []value) value { return body(m, in[0]) },
	})
	f.enter("unary["+op+"]", f.name(op))
}

// streams is how many registers a kernel of a long chain of instructions
// computes side by side.
func (f *file) streams(with512, with2 int) int {
	if f.avx512 {
		return with512
	}
	return with2
}

func (f *file) arithmetic() {
	f.unary("Neg", 4, func(m *machine, a value) value { return m.xor(a, m.signMask()) })
	f.unary("Abs", 4, (*machine).abs)
	f.unary("Square", 4, func(m *machine, a value) value { return m.mul(a, a) })
	f.unary("Sqrt", 2, (*machine).sqrt)
	f.unary("Rsqrt", 2, func(m *machine, a value) value { return m.div(m.c(1), m.sqrt(a)) })
	f.unary("Reciprocal", 2, func(m *machine, a value) value { return m.div(m.c(1), a) })
	f.unary("Floor", 4, func(m *machine, a value) value { return m.round(a, downwards) })
	f.unary("Ceil", 4, func(m *machine, a value) value { return m.round(a, upwards) })
	f.unary("Round", 4, func(m *machine, a value) value { return m.round(a, toNearestEven) })
	f.unary("Sign", 2, (*machine).sign)
	f.unary("Relu", 4, func(m *machine, a value) value {
		zero := m.load(m.c(0))
		return m.add(m.above(zero, a), zero) // the sum turns -0 into 0
	})
}

func (f *file) transcendental() {
	f.unary("Exp", f.streams(4, 2), (*machine).exp)
	f.unary("Expm1", f.streams(4, 2), (*machine).expm1)
	f.unary("Log", f.streams(2, 2), (*machine).log)
	f.unary("Log1p", f.streams(2, 2), (*machine).log1p)
	f.unary("Tanh", f.streams(4, 2), (*machine).tanh)
	f.unary("Sigmoid", f.streams(2, 2), (*machine).sigmoid)
	f.unary("Erf", f.streams(4, 2), (*machine).erf)
	f.unary("Gelu", f.streams(4, 2), (*machine).gelu)
	f.unary("GeluTanh", f.streams(4, 2), (*machine).geluTanh)
	for _, k := range []struct {
		op   string
		body func(m *machine, a value) value
	}{{"Sin", (*machine).sin}, {"Cos", (*machine).cos}} {
		f.elementwise(f.name(k.op), "sets dst[i] to the function of x[i] and returns how many it has done.", elementwise{
			inputs: x, streams: f.streams(2, 2), stops: true,
			body: func(m *machine, in []value) value { return k.body(m, in[0]) },
		})
		f.table = append(f.table, "k.unary["+k.op+"] = resuming(avx."+f.name(k.op)+", k.unary["+k.op+"])")
	}
}

// binary emits the kernels of two and three operands.
func (f *file) binary() {
	for _, k := range []struct {
		op          string
		commutative bool
		body        func(m *machine, a, b value) value
	}{
		{"Add", true, (*machine).add}, {"Sub", false, (*machine).sub},
		{"Mul", true, (*machine).mul}, {"Div", false, (*machine).div},
		{"Max", true, (*machine).larger}, {"Min", true, (*machine).smaller},
	} {
		body := func(m *machine, in []value) value { return k.body(m, in[0], in[1]) }
		f.elementwise(f.name(k.op), "sets dst[i] from a[i] and b[i].", elementwise{inputs: ab, streams: 4, body: body})
		f.enter("binary["+k.op+"]", f.name(k.op))
		scalarRight := []parameter{{name: "a"}, {name: "b", scalar: true}}
		f.elementwise(f.name(k.op+"Scalar"), "sets dst[i] from a[i] and b.", elementwise{inputs: scalarRight, streams: 4, body: body})
		f.enter("scalarRight["+k.op+"]", f.name(k.op+"Scalar"))
		if k.commutative {
			f.table = append(f.table, "k.scalarLeft["+k.op+"] = exchanged(avx."+f.name(k.op+"Scalar")+")")
			continue
		}
		scalarLeft := []parameter{{name: "a", scalar: true}, {name: "b"}}
		f.elementwise(f.name("Scalar"+k.op), "sets dst[i] from a and b[i].", elementwise{inputs: scalarLeft, streams: 4, body: body})
		f.enter("scalarLeft["+k.op+"]", f.name("Scalar"+k.op))
	}
	f.powers()
	f.fused()
}

func (f *file) powers() {
	for _, k := range []struct {
		name, field string
		inputs      []parameter
	}{
		{"Pow", "binary[Pow]", ab},
		{"PowScalar", "scalarRight[Pow]", []parameter{{name: "a"}, {name: "b", scalar: true}}},
		{"ScalarPow", "scalarLeft[Pow]", []parameter{{name: "a", scalar: true}, {name: "b"}}},
	} {
		f.elementwise(f.name(k.name), "sets dst[i] to the power and returns how many it has done.", elementwise{
			inputs: k.inputs, streams: 1, stops: true,
			body: func(m *machine, in []value) value { return m.pow(in[0], in[1]) },
		})
		f.table = append(f.table, "k."+k.field+" = resuming"+k.name+"(avx."+f.name(k.name)+", k."+k.field+")")
	}
}

func (f *file) fused() {
	f.elementwise(f.name("MulAdd"), "sets dst[i] to a[i] b[i] + c[i], rounded once.", elementwise{
		inputs: []parameter{{name: "a"}, {name: "b"}, {name: "c"}}, streams: 4,
		body: func(m *machine, in []value) value { return m.horner(in[0], in[1], in[2]) },
	})
	f.enter("mulAdd", f.name("MulAdd"))
	f.elementwise(f.name("MulAddScalar"), "sets dst[i] to a[i] b + c[i], rounded once.", elementwise{
		inputs: []parameter{{name: "a"}, {name: "b", scalar: true}, {name: "c"}}, streams: 4,
		body: func(m *machine, in []value) value { return m.horner(in[0], in[1], in[2]) },
	})
	f.enter("mulAddScalar", f.name("MulAddScalar"))
	f.elementwise(f.name("Normalize"), "sets dst[i] to (x[i]-mean) scale gamma[i] + beta[i].", elementwise{
		inputs:  []parameter{{name: "x"}, {name: "gamma"}, {name: "beta"}, {name: "mean", scalar: true}, {name: "scale", scalar: true}},
		streams: 2,
		body: func(m *machine, in []value) value {
			return m.horner(m.mul(m.sub(in[0], in[3]), in[4]), in[1], in[2])
		},
	})
	f.enter("normalize", f.name("Normalize"))
	f.elementwise(f.name("Fill"), "sets every dst[i] to a.", elementwise{
		inputs: []parameter{{name: "a", scalar: true}}, streams: 4,
		body: func(_ *machine, in []value) value { return in[0] },
	})
	f.enter("fill", f.name("Fill"))
}
