package vector

// The kernels of this file are those of portable.go whose work is so little
// that calling a function for each element would be most of it.

func portableArithmetic[T Float](k *kernels[T]) {
	k.binary[Add], k.scalarRight[Add], k.scalarLeft[Add] = add[T], addScalar[T], scalarAdd[T]
	k.binary[Sub], k.scalarRight[Sub], k.scalarLeft[Sub] = sub[T], subScalar[T], scalarSub[T]
	k.binary[Mul], k.scalarRight[Mul], k.scalarLeft[Mul] = mul[T], mulScalar[T], scalarMul[T]
	k.binary[Div], k.scalarRight[Div], k.scalarLeft[Div] = div[T], divScalar[T], scalarDiv[T]
	k.reduce[Sum] = portableSum[T]
}

// cut returns slices of the length of the shortest.
func cut[T Float](dst, a, b []T) (_, _, _ []T) {
	n := min(len(dst), len(a), len(b))
	return dst[:n], a[:n], b[:n]
}

func add[T Float](dst, a, b []T) {
	dst, a, b = cut(dst, a, b)
	for i := range dst {
		dst[i] = a[i] + b[i]
	}
}

func sub[T Float](dst, a, b []T) {
	dst, a, b = cut(dst, a, b)
	for i := range dst {
		dst[i] = a[i] - b[i]
	}
}

func mul[T Float](dst, a, b []T) {
	dst, a, b = cut(dst, a, b)
	for i := range dst {
		dst[i] = a[i] * b[i]
	}
}

func div[T Float](dst, a, b []T) {
	dst, a, b = cut(dst, a, b)
	for i := range dst {
		dst[i] = a[i] / b[i]
	}
}

func addScalar[T Float](dst, a []T, b T) {
	dst, a, _ = cut(dst, a, a)
	for i, v := range a {
		dst[i] = v + b
	}
}

func subScalar[T Float](dst, a []T, b T) { addScalar(dst, a, -b) }

func mulScalar[T Float](dst, a []T, b T) {
	dst, a, _ = cut(dst, a, a)
	for i, v := range a {
		dst[i] = v * b
	}
}

func divScalar[T Float](dst, a []T, b T) {
	dst, a, _ = cut(dst, a, a)
	for i, v := range a {
		dst[i] = v / b
	}
}

func scalarAdd[T Float](dst []T, a T, b []T) { addScalar(dst, b, a) }

func scalarMul[T Float](dst []T, a T, b []T) { mulScalar(dst, b, a) }

func scalarSub[T Float](dst []T, a T, b []T) {
	dst, b, _ = cut(dst, b, b)
	for i, v := range b {
		dst[i] = a - v
	}
}

func scalarDiv[T Float](dst []T, a T, b []T) {
	dst, b, _ = cut(dst, b, b)
	for i, v := range b {
		dst[i] = a / v
	}
}

func portableSum[T Float](x []T) T {
	p := newPartials[T](partialBytes)
	for ; len(x) >= p.size; x = x[p.size:] {
		for i := range p.results[:p.size] {
			p.results[i] += x[i]
		}
	}
	for i, v := range x {
		p.results[i] += v
	}
	return p.sum()
}
