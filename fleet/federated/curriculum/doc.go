// Package curriculum orders what federated learning sees: the samples inside
// each client, from easy to hard or the other way, in a subset that grows during
// the client's work, and the clients themselves. It changes nothing but which
// batches a client takes and which clients take part, so that it goes with every
// strategy of package federated.
//
// [Sampler] is the data curriculum, for a [federated.Trainer]; [Selection] is the
// client curriculum, the schedule of a [federated.Engine]. Both follow a plan
// that [ParseSamples] and [ParseClients] read: a [Score] says how hard a sample
// is, an [Order] what comes first, and a [Pacing] how many are in use.
//
// Source: Vahidian, Kadaveru, Baek, Wang, Kungurtsev, Chen, Shah, Lin, "When Do
// Curricula Work in Federated Learning?", ICCV 2023.
package curriculum
