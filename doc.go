// Package descent is the root of a toolkit for gradient-based learning: the
// command in cmd/descent, and libraries that are used on their own, above all
// method (optimizers for GoMLX), data (reading, splitting and encoding) and
// lab (comparing, recording and plotting).
package descent
