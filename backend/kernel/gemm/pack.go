package gemm

import "unsafe"

// pack interleaves lines of the given number of steps: element step of a line
// goes to to[step*pitch+line]. If along is set, the steps of a line are
// neighbours in from and the lines are stride apart; if not, the other way
// round. What is left between lines and pitch is undefined.
func (k *kernels[T]) pack(to []T, pitch int, from []T, stride, lines, steps int, along bool) {
	if along {
		k.packAlong(to, pitch, from, stride, lines, steps)
	} else {
		k.packAcross(to, pitch, from, stride, lines, steps)
	}
}

func (k *kernels[T]) packAlong(to []T, pitch int, from []T, stride, lines, steps int) {
	done := 0
	if group := k.transposed(); group > 0 {
		done = steps / group * group
		for step := 0; step < done; step += packSteps {
			blocks := min(packSteps, done-step) / group
			for line := 0; line < lines; line += group {
				k.transpose(blocks, min(group, lines-line), &from[line*stride+step], size[T](stride), &to[step*pitch+line], size[T](pitch))
			}
		}
	}
	for line := range lines {
		source := from[line*stride:][:steps]
		for step := done; step < steps; step++ {
			to[step*pitch+line] = source[step]
		}
	}
}

// packSteps is the number of steps after which the next lines are packed, so
// that what is written is still in the first-level cache.
const packSteps = 64

func (k *kernels[T]) packAcross(to []T, pitch int, from []T, stride, lines, steps int) {
	done := 0
	if k.copyRows != nil && len(from) >= pitch {
		// Rows are copied beyond their end, but not beyond the slice's.
		done = min(steps, (len(from)-pitch)/stride+1)
		k.copyRows(done, size[T](pitch)/32, bytePointer(&from[0]), size[T](stride), bytePointer(&to[0]), size[T](pitch))
	}
	for step := done; step < steps; step++ {
		copy(to[step*pitch:][:lines], from[step*stride:])
	}
}

// transposeRows writes rows of a matrix to columns of another one, as many
// rows as it can transpose at once, and returns how many these are.
func (k *kernels[T]) transposeRows(to []T, toStride int, from []T, fromStride, rows, columns int) int {
	group := k.transposed()
	if group == 0 || columns%group != 0 {
		return 0
	}
	done := rows / group * group
	for row := 0; row < done; row += group {
		k.transpose(columns/group, group, &from[row*fromStride], size[T](fromStride), &to[row], size[T](toStride))
	}
	return done
}

// transposed returns the number of rows and columns that are transposed at
// once, or zero.
func (k *kernels[T]) transposed() int {
	if k.transpose == nil {
		return 0
	}
	return 32 / size[T](1)
}

func bytePointer[T number](p *T) *byte { return (*byte)(unsafe.Pointer(p)) }

// aligned returns a slice of n elements of buffer, or of a new and larger one,
// that begins at a cache line.
func aligned[T number](buffer []T, n int) []T {
	const line = 64
	if cap(buffer) >= n {
		return buffer[:n]
	}
	slack := line / size[T](1)
	buffer = make([]T, n+n/8+slack)
	if over := int(uintptr(unsafe.Pointer(&buffer[0])) % line); over > 0 {
		buffer = buffer[(line-over)/size[T](1):]
	}
	return buffer[:n]
}
