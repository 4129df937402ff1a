// Package link connects processes to a NATS server and runs one inside a process.
// It lets nobody in without a credential, talks to no server that would, and to
// none on another machine without TLS.
package link

// Subjects of a fleet's messages. Each but the last three is followed by who
// listens.
const (
	SubjectTask      = "descent.task"      // calls: worker and its process
	SubjectReply     = "descent.reply"     // answers: coordinator
	SubjectBlob      = "descent.blob"      // requests for chunks: their owner
	SubjectChunk     = "descent.chunk"     // chunks: who asked
	SubjectHeartbeat = "descent.heartbeat" // of a worker
	SubjectJournal   = "descent.journal"   // what is kept: job and kind
	SubjectHello     = "descent.hello"     // a coordinator calls for workers
	SubjectDrop      = "descent.drop"      // a tensor is not given out any more
	SubjectStatus    = "descent.status"    // somebody asks coordinators how things stand
)
