// Package avx holds the assembly kernels of package vector for AVX2 and for
// AVX-512, which the generator beside it writes. Slices may be of different
// lengths: a kernel works on as many elements as the shortest has.
package avx
