package ir

import (
	"fmt"

	"github.com/gomlx/compute"
)

// maxKeyBytes is the size up to which constants are compared by content.
const maxKeyBytes = 1 << 10

// Key returns a text that two nodes of a function share only if they compute
// the same outputs. It returns "" for nodes that must not be merged: those that
// run functions, barriers, and large constants.
func (n *Node) Key() string {
	switch n.Op {
	case compute.OpTypeOptimizationBarrier, compute.OpTypeSchedulingBarrier:
		return ""
	case compute.OpTypeConstant:
		data := n.Attributes.(Constant).Data
		memory := data.Bytes()
		if len(memory) > maxKeyBytes {
			return ""
		}
		return fmt.Sprintf("%d %s %x", n.Op, data.Shape, memory)
	}
	if len(n.Bodies) > 0 {
		return ""
	}
	return fmt.Sprintf("%d %v %#v", n.Op, n.Inputs, n.Attributes)
}
