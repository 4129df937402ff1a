// Package federated trains one model over clients that keep their data. A
// server sends parameters to clients, each takes some steps on its own examples
// and returns the difference, and the server adds the differences.
//
// One [Engine] drives every strategy. A [Schedule] says at which simulated time
// the server aggregates and whose contributions: all together, one by one, in
// buffers or at fixed intervals. Coefficients say how much a contribution
// counts, and a [Rule] what the server does with them, so that
//
//	θ ← θ + η_g sum_i d_i Δ_i(θ at the time client i was sent it)
//
// is FedAvg, FedProx, SCAFFOLD, FedNova, asynchronous FedAvg, FedBuff or FedFix;
// [ParseStrategy] reads the line in which one is written, and
// [Strategy.Configure] sets an engine up for it. The theory
// of coefficients is that of Fraboni, Vidal, Kameni and Lorenzi, "A General
// Theory for Federated Optimization with Asynchronous and Heterogeneous Clients
// Updates", 2023: the limit is the minimum of sum_i p_i L_i if client i takes
// part in a share f_i of the aggregations and f_i d_i is proportional to p_i.
//
// What a client is asked is a [Task] and what it answers a [Result]. Both are
// plain data, and the result is a function of the task and the client's
// examples alone, for all random numbers come from the seed, the client and the
// number of its work. So it does not matter where a task is carried out, by how
// many workers, or whether once more after a crash: an [Executor] may compute in
// this process ([Pool], with a [Trainer] for each worker) or send frames to
// other machines. Client and work number identify an update, and the engine
// takes each once.
//
// [Engine.Snapshot] is the whole state between two aggregations; an engine that
// is restored from it goes on to the same bits.
package federated
