// Package cluster moves tasks and tensors between processes over NATS: the
// same code on one machine, with a server inside the coordinator's process, and
// on a NATS cluster that is reached by URL.
//
// A coordinator opens a [Pool]; workers [Serve] named tasks. A [Call] names a
// task that the worker knows: no code travels. Tensors travel in frames with a
// checksum (package frame), large ones in chunks that the receiver asks for, so
// that no one is sent more than it can take. Every call has an [ID] with an
// attempt; an answer that is not awaited, because it is late, is a copy or was
// never asked for, is refused, counted and logged. What must not be lost is in
// a [Journal] on JetStream, from which a killed coordinator goes on.
//
//	server, _ := link.StartServer(link.ServerConfig{})           // or none, and a URL
//	conn, _ := server.Connect(ctx, "coordinator", "")
//	pool, _ := cluster.NewPool(conn, cluster.PoolConfig{})
//	_ = pool.Wait(ctx, 16)                                        // until 16 workers are there
//	reply, _ := pool.Do(ctx, cluster.Call{ID: id, Task: "gradient", Tensor: parameters})
//
//	// in the workers
//	conn, _ := link.Connect(ctx, link.Address{URL: url, Credential: file})
//	err := cluster.Serve(ctx, conn, cluster.Worker{Name: "w07", Tasks: cluster.Tasks{"gradient": gradient}})
//
// Package link is who connects, and sees to it that nobody gets in without a
// credential.
//
// # How a tensor travels
//
// Up to 256 KiB within the message. A larger one stays with its sender, who says
// its number; the receiver fetches it: where the two can reach each other, which
// on one machine they always can, on a TCP connection beside NATS that costs
// hardly more than a copy of the bytes; else in chunks through NATS, of which the
// receiver asks for as many as it can take. In a journal, a tensor that a message
// cannot hold is in JetStream's object store.
package cluster
