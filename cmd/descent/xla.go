//go:build xla

package main

// With -tags xla, and cgo, the backend "xla" is there too: --backend xla:cuda.
import _ "github.com/gomlx/go-xla/compute/xla"
