// Package firstorder holds the first-order methods: those that minimise with
// one gradient per step.
//
// Each method is a struct whose fields are its settings. It is an
// [optimizer.Interface] of GoMLX, and so goes into any [train.Trainer]:
//
//	train.NewTrainer(backend, store, model, loss, &firstorder.DiffGrad{LearningRate: 1e-3}, nil, nil)
//
// [New] makes one from a line of text, [Methods] lists them.
//
// # Settings
//
// In every method a field left at zero takes the default that its comment
// names, and NaN stands for the number zero: Momentum{Momentum: math.NaN()} is
// plain gradient descent. A learning rate left at zero is first looked for in
// the hyperparameter "learning_rate" of the model's store. A setting outside
// of its range is reported when the graph is built.
//
// # Learning rate
//
// The rate in use is GoMLX's variable [optimizer.LearningRateVar] in the dtype
// of the loss, or float32 where that is a half precision one. It can be changed
// between two steps without another compilation; the package schedule does so.
//
// # State
//
// What a method remembers is held in variables that are not trainable, start
// at zero and mirror the path of the variable they belong to, below the name
// of the method: the velocity of "/dense/weights" is
// "/momentum/dense/weights/velocity". Clear deletes them. State and arithmetic
// have the dtype of the variable, or float32 where that is a half precision
// one. SGD, Adam and AdamW are GoMLX's own: Adam and AdamW compute in the dtype
// of the learning rate and name their state as GoMLX does.
//
// Every step adds one to GoMLX's global step. The hyperparameters of GoMLX
// that clip steps and drop or report NaN ([optimizer.ParamClipStepByValue],
// [optimizer.ParamClipNaN], [optimizer.ParamNanLogger]) are honoured.
//
// # Panics
//
// UpdateGraph and UpdateGraphWithGradients are graph-building functions: as
// GoMLX's own they panic with an error, which the executor returns.
package firstorder
