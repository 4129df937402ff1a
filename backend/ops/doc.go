// Package ops computes every operation of the backend on tensors, in portable
// Go: the reference against which kernels are tested, and what runs where no
// kernel exists.
//
// Each function takes its outputs first, allocated by the caller with the
// operation's output shape, then its inputs and attributes. Nothing is kept
// between calls, and the same call gives the same bits each time. Shapes, data
// types and attributes are checked: a mismatch is an error, never a panic, and
// then the contents of the outputs are undefined.
//
// An output may share memory with an input of the same shape and data type
// only where the function's comment says so.
//
// Semantics are those of the interfaces compute.StandardOps and
// compute.FusedOps. Where those leave a choice:
//   - float16 and bfloat16 are computed in float32 and rounded once;
//   - NaN and infinities propagate as IEEE 754 says, through Max and Min too;
//   - integers wrap around; division by zero is an error;
//   - conversion of a float to an integer truncates towards zero, saturates at
//     the type's bounds and takes NaN to zero, on every machine;
//   - sums run in an order fixed by the shape.
package ops
