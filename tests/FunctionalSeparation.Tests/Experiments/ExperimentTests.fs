/// Progress messages and other output of scripts.
module FunctionalSeparation.Tests.ExperimentTests

open System
open System.IO
open System.Text.RegularExpressions
open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

/// The text that `work` writes to standard error and to standard output.
let private written (work: unit -> unit) =
    let error, output = Console.Error, Console.Out
    use errorText = new StringWriter()
    use outputText = new StringWriter()

    try
        Console.SetError errorText
        Console.SetOut outputText
        work ()
    finally
        Console.SetError error
        Console.SetOut output

    errorText.ToString(), outputText.ToString()

[<Tests>]
let tests =
    testSequenced
    <| testList
        "what scripts tell"
        [ test "progress goes to standard error, and never backwards" {
              let error, output =
                  written (fun () ->
                      let tell = Experiment.progress "counting"

                      for finished in [ 3; 5; 4; 5; 1 ] do
                          tell finished 5 $"at {finished}")

              Expect.equal output "" "nothing on standard output"
              Expect.hasLength (Regex.Matches(error, "5/5  at 5")) 1 "the end is told once"
              Expect.isFalse (error.Contains "4/5" || error.Contains "1/5") $"what comes late is not told: {error}"
          }

          test "a device in words" {
              TorchRuntime.Initialize()
              Expect.isTrue (Regex.IsMatch(Devices.Describe torch.CPU, @"^cpu, \d+ threads?$")) (Devices.Describe torch.CPU)

              if torch.cuda.is_available () then
                  Expect.isTrue (Regex.IsMatch(Devices.Describe(Devices.Parse "cuda"), @"^cuda:0 \S+")) "the name of the GPU"
          }

          test "the device is told once" {
              let error, output =
                  written (fun () ->
                      Experiment.announce torch.CPU
                      Experiment.announce torch.CPU)

              // Another test may have had it told before.
              Expect.isLessThanOrEqual (Regex.Matches(error, "running on cpu").Count) 1 error
              Expect.equal output "" "nothing on standard output"
          } ]
