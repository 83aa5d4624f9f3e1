namespace FunctionalSeparation

open TorchSharp
open FunctionalSeparation.Learning

/// Iterative algorithms whose state holds tensors of any shape [...].
[<RequireQualifiedAccess>]
module Iteration =

    /// Applies `step` to a state at most `limit` times, until `isFinished`. Each iteration has its own scope. It frees the
    /// tensors that the step allocates, except those of its result, and the tensors of the state before it. A step therefore
    /// returns new tensors, never those it was given, and the first state belongs to the iteration. Raises ArgumentException for
    /// a negative limit.
    let run (tensors: 's -> torch.Tensor list) (limit: int) (isFinished: 's -> bool) (step: 's -> 's) (start: 's) : 's =
        Numbers.atLeast 0 "An iterative algorithm" "Iterations" limit

        let rec go count state =
            if count >= limit || isFinished state then
                state
            else
                let next = Memory.scoped tensors (fun () -> step state)

                for old in tensors state do
                    old.Dispose()

                go (count + 1) next

        go 0 start

    /// Applies `step` to a state `count` times, in the scopes of `run`. Raises ArgumentException for a negative count.
    let times tensors (count: int) (step: 's -> 's) (start: 's) : 's = run tensors count (fun _ -> false) step start
