package program

import (
	"github.com/gomlx/compute/dtypes"

	"github.com/descentml/descent/backend/ir"
)

// A group is a set of nodes that become one fused computation over a matrix of
// size elements. Its members are of the same size, or of one number for each
// row if they come after a reduction of the rows.
type group struct {
	members   []*member
	dtype     dtypes.DType
	size      int
	columns   int  // 0 if any number will do
	wholeRows bool // rows must not be cut
}

// A member of a group is computed for each element or for each row.
type member struct {
	*candidate
	extent extent // elements or column: of the domain of the operation
	order  int    // of the node in the function
}

// result is the extent of what the member computes: row and scalar are known
// only after the last block.
func (m *member) result() extent {
	switch m.action {
	case reduceElements:
		return scalar
	case reduceColumns:
		return row
	case reduceRows:
		return column
	}
	return m.extent
}

func (g *group) rows() int {
	if g.columns == 0 {
		return 0
	}
	return g.size / g.columns
}

// fuser collects groups.
type fuser struct {
	*layout
	groups  []*group  // by node; nil for nodes that are in none
	order   []int     // by value: the node that computes it, or -1
	members []*member // by value
}

// fuse joins element-wise operations and reductions into nodes of operation
// ir.OpFused, which keep intermediate values in the cache.
func fuse(f *ir.Function) (*ir.Function, error) {
	u := &fuser{layout: newLayout(f), groups: make([]*group, len(f.Nodes)), order: make([]int, f.NumValues()), members: make([]*member, f.NumValues())}
	for v := range u.order {
		u.order[v] = -1
	}
	for i, n := range f.Nodes {
		for _, v := range n.Outputs {
			u.order[v] = i
		}
	}
	for i, n := range f.Nodes {
		if c, ok := u.candidate(n); ok {
			u.place(c, i)
		}
	}
	return u.emit()
}

// place puts a candidate into the groups of its operands, which become one, as
// far as that is possible, or else into a group of its own.
func (u *fuser) place(c *candidate, order int) {
	m := &member{candidate: c, order: order}
	u.members[c.node.Outputs[0]] = m
	var joined *group
	for _, o := range c.operands {
		g := u.groupOf(o.value)
		if g == nil || g == joined {
			continue
		}
		level, ok := u.level(c, g)
		if !ok || (joined != nil && level != m.extent) {
			continue
		}
		merged, ok := u.union(c, level, g, joined)
		if !ok {
			continue
		}
		m.extent = level
		if joined == nil {
			g.members = append(g.members, m)
			u.groups[order] = g
		}
		joined = u.adopt(merged, g, joined)
	}
	if joined == nil && c.dtype != dtypes.InvalidDType {
		u.groups[order] = &group{members: []*member{m}, dtype: c.dtype, size: c.size, columns: c.columns, wholeRows: c.action == reduceRows}
	}
	if u.groups[order] == nil {
		u.members[c.node.Outputs[0]] = nil
	}
}

func (u *fuser) groupOf(v ir.Value) *group {
	if u.order[v] < 0 {
		return nil
	}
	return u.groups[u.order[v]]
}

// level returns the extent that c has as a member of g, given what it reads of
// the group.
func (u *fuser) level(c *candidate, g *group) (extent, bool) {
	level, found := elements, false
	for _, o := range c.operands {
		if u.groupOf(o.value) != g {
			continue
		}
		this, ok := u.levelOf(c, o, g.columns)
		if !ok || (found && this != level) {
			return 0, false
		}
		level, found = this, true
	}
	return level, found
}

// levelOf returns the extent that c has in a group of so many columns if it
// reads o from another member.
func (u *fuser) levelOf(c *candidate, o operand, columns int) (extent, bool) {
	switch produced := u.members[o.value].result(); {
	case c.action == convert, produced == row, produced == scalar:
		return 0, false
	case produced == o.extent && (produced == elements || o.columns == columns):
		return elements, true
	case produced == column && o.extent == elements:
		return column, true
	}
	return 0, false
}

// canRead tells whether the members of g can read those of other as members of
// the same group.
func (u *fuser) canRead(g, other *group, columns int) bool {
	for _, m := range g.members {
		for _, o := range m.operands {
			if u.groupOf(o.value) != other {
				continue
			}
			if level, ok := u.levelOf(m.candidate, o, columns); !ok || level != m.extent {
				return false
			}
		}
	}
	return true
}

// union returns the group that c, g and another group (which may be nil) would
// make, without its members.
func (u *fuser) union(c *candidate, level extent, g, other *group) (group, bool) {
	merged := group{dtype: g.dtype, size: g.size, columns: g.columns, wholeRows: g.wholeRows}
	agree := func(columns int) bool {
		if merged.columns == 0 {
			merged.columns = columns
		}
		return columns == 0 || columns == merged.columns
	}
	if c.dtype != dtypes.InvalidDType && c.dtype != g.dtype {
		return group{}, false
	}
	switch {
	case level == elements && (c.size != g.size || !agree(c.columns)):
		return group{}, false
	case level == column && (c.size != g.rows() || c.columns != 0):
		return group{}, false
	}
	if other != nil {
		if other.dtype != g.dtype || other.size != g.size || !agree(other.columns) {
			return group{}, false
		}
		if !u.canRead(g, other, merged.columns) || !u.canRead(other, g, merged.columns) {
			return group{}, false
		}
		merged.wholeRows = merged.wholeRows || other.wholeRows
	}
	merged.wholeRows = merged.wholeRows || c.action == reduceRows
	if merged.wholeRows && merged.columns > maxWholeRow {
		return group{}, false
	}
	return merged, !u.closesCycle(c, g, other)
}

// adopt gives the members of other, if there is one, to g.
func (u *fuser) adopt(merged group, g, other *group) *group {
	if other != nil {
		g.members = append(g.members, other.members...)
		for _, m := range other.members {
			u.groups[m.order] = g
		}
	}
	g.size, g.columns, g.wholeRows = merged.size, merged.columns, merged.wholeRows
	return g
}

// closesCycle tells whether something outside of the two groups and c uses a
// value of them and is used by them.
func (u *fuser) closesCycle(c *candidate, g, other *group) bool {
	visited := make([]bool, len(u.f.Nodes))
	var pending []int
	inside := func(order int) bool {
		return u.groups[order] != nil && (u.groups[order] == g || u.groups[order] == other)
	}
	visit := func(v ir.Value) {
		if order := u.order[v]; order >= 0 && !visited[order] {
			visited[order] = true
			pending = append(pending, order)
		}
	}
	visitOutside := func(c *candidate) {
		for _, o := range c.operands {
			if order := u.order[o.value]; order >= 0 && !inside(order) {
				visit(o.value)
			}
		}
	}
	visitOutside(c)
	for _, set := range []*group{g, other} {
		if set != nil {
			for _, m := range set.members {
				visitOutside(m.candidate)
			}
		}
	}
	for len(pending) > 0 {
		order := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		if inside(order) {
			return true
		}
		if outer := u.groups[order]; outer != nil {
			for _, m := range outer.members {
				visited[m.order] = true
				for _, o := range m.operands {
					visit(o.value)
				}
			}
			continue
		}
		for _, v := range u.f.Nodes[order].Inputs {
			visit(v)
		}
	}
	return false
}
