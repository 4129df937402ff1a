package cluster

import (
	"context"
	"slices"
	"sync"

	"github.com/descentml/descent/fleet/cluster/frame"
)

// cache keeps shared tensors by owner and number, up to a number of bytes. Each
// is fetched once, however many ask for it at the same time.
type cache struct {
	limit int
	done  func([]byte) // is told of memory that nobody uses any more

	mutex   sync.Mutex
	bytes   int
	entries map[cacheKey]*cached
	order   []*cached // those that are there, the oldest first
}

type cacheKey struct {
	owner  string
	number uint64
}

type cached struct {
	key    cacheKey
	ready  chan struct{} // closed when tensor or err is there
	tensor frame.Tensor
	err    error
	users  int
	gone   bool // from the cache
}

func newCache(limit int, done func([]byte)) *cache {
	return &cache{limit: limit, done: done, entries: map[cacheKey]*cached{}}
}

// get returns a tensor, by way of fetch if it is not there. If it succeeds,
// leave has to follow. If another call fetches the tensor already and fails,
// this one tries too.
func (c *cache) get(ctx context.Context, key cacheKey, fetch func() (frame.Tensor, error)) (*cached, error) {
	for {
		entry, mine := c.enter(key)
		if mine {
			entry.tensor, entry.err = fetch()
			c.settle(entry)
			close(entry.ready)
			return entry, entry.err
		}
		select {
		case <-entry.ready:
		case <-ctx.Done():
			c.leave(entry)
			return nil, ctx.Err()
		}
		if entry.err == nil {
			return entry, nil
		}
	}
}

// enter finds or makes an entry; mine says that the caller has to fetch it.
func (c *cache) enter(key cacheKey) (entry *cached, mine bool) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if entry = c.entries[key]; entry == nil {
		entry, mine = &cached{key: key, ready: make(chan struct{})}, true
		c.entries[key] = entry
	}
	entry.users++
	return entry, mine
}

// leave says that a user of an entry is done.
func (c *cache) leave(entry *cached) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	entry.users--
	c.finish(entry)
}

// finish gives the memory of an entry back if nobody can come to it any more.
func (c *cache) finish(entry *cached) {
	if entry.gone && entry.users == 0 && entry.err == nil {
		c.done(entry.tensor.Data)
	}
}

// settle keeps what was fetched and drops the oldest beyond the limit.
func (c *cache) settle(entry *cached) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if entry.err != nil {
		delete(c.entries, entry.key)
		return
	}
	c.bytes += len(entry.tensor.Data)
	c.order = append(c.order, entry)
	for c.bytes > c.limit && len(c.order) > 1 {
		c.remove(c.order[0])
	}
}

// drop forgets a tensor.
func (c *cache) drop(key cacheKey) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if i := slices.IndexFunc(c.order, func(e *cached) bool { return e.key == key }); i >= 0 {
		c.remove(c.order[i])
	}
}

func (c *cache) remove(entry *cached) {
	c.bytes -= len(entry.tensor.Data)
	delete(c.entries, entry.key)
	c.order = slices.DeleteFunc(c.order, func(e *cached) bool { return e == entry })
	entry.gone = true
	c.finish(entry)
}
