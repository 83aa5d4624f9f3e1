/// Timings that stand beside their limit: both run in turns in one process, so that what else the machine does hits both.
module FunctionalSeparation.Benchmarks.Paired

open System.Diagnostics
open FunctionalSeparation
open FunctionalSeparation.Learning

/// One piece of work.
[<NoEquality; NoComparison>]
type Work =
    {
        Name: string
        /// How much of `Unit` one run does.
        Amount: float
        Run: unit -> unit
    }

/// A figure of ours beside its limit.
type Figure =
    {
        Name: string
        /// Of which both rates are multiples: GFLOP/s, seconds of sound a second.
        Unit: string
        /// Median over the rounds.
        Own: float
        Limit: string
        LimitRate: float
        /// Median over the rounds of own rate / limit.
        Share: float
        /// Lower and upper quartile of the shares.
        Spread: float * float
        Rounds: int
        /// The target of the benchmark, and other remarks.
        Remark: string
    }

let private quantile (part: float) (values: float list) =
    let sorted = List.sort values
    sorted[int (part * float (sorted.Length - 1) + 0.5)]

let median values = quantile 0.5 values

/// Seconds of one run, in a scope of its own.
let seconds (run: unit -> unit) =
    let clock = Stopwatch.StartNew()
    Memory.plain run
    clock.Elapsed.TotalSeconds

let private rate (work: Work) = work.Amount / seconds work.Run

/// Runs both once to warm up, then in turns.
let compare (rounds: int) (unit: string) (remark: string) (own: Work) (limit: Work) : Figure =
    rate own |> ignore
    rate limit |> ignore
    let rates = [ for _ in 1..rounds -> rate own, rate limit ]
    let shares = rates |> List.map (fun (own, limit) -> own / limit)

    { Name = own.Name
      Unit = unit
      Own = rates |> List.map fst |> median
      Limit = limit.Name
      LimitRate = rates |> List.map snd |> median
      Share = median shares
      Spread = quantile 0.25 shares, quantile 0.75 shares
      Rounds = rounds
      Remark = remark }

/// Largest resident memory of this process so far, MB.
let peakMemory () =
    use self = Process.GetCurrentProcess()
    float self.PeakWorkingSet64 / 1e6
