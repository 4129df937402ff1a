package web

import (
	"cmp"
	"slices"
	"sync"

	"golang.org/x/sync/singleflight"
)

// cache keeps what was made last under some keys, so that all who look at a
// run share what is made of each change of it.
type cache[T any] struct {
	flight singleflight.Group
	mutex  sync.Mutex
	most   int // that are kept; 0: mostKept
	kept   map[string]T
	order  []string // of the keys, the oldest first
}

// mostKept bounds the memory of a cache: a chart, a page and the pictures of a
// study have up to about 500 kB each.
const mostKept = 64

// get returns what is kept under a key, or has it made, once for all who ask.
func (c *cache[T]) get(key string, build func() (T, error)) (T, error) {
	c.mutex.Lock()
	known, found := c.kept[key]
	c.mutex.Unlock()
	if found {
		return known, nil
	}
	made, err, _ := c.flight.Do(key, func() (any, error) {
		made, err := build()
		if err == nil {
			c.put(key, made)
		}
		return made, err
	})
	if err != nil {
		var none T
		return none, err
	}
	return made.(T), nil
}

func (c *cache[T]) put(key string, made T) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.kept == nil {
		c.kept = map[string]T{}
	}
	if _, known := c.kept[key]; !known {
		c.order = append(c.order, key)
	}
	c.kept[key] = made
	if len(c.order) > cmp.Or(c.most, mostKept) {
		delete(c.kept, c.order[0])
		c.order = slices.Delete(c.order, 0, 1)
	}
}
