/// The authors' training of a small network on real clips (golden/training, run A), followed from the audio files to the
/// scores. Needs the real data beside the repository.
module FunctionalSeparation.Tests.TrainingGoldenTests

open System.IO
open System.Text.Json.Nodes
open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning

let private config = lazy (JsonNode.Parse(File.ReadAllText(Golden.path "training/runA_config.json")))
let private names (part: string) = [ for name in config.Value[part].AsArray() -> string name ]

let private clips part =
    let folder = Golden.shared "data/MIR-1K/Wavfile"
    names part |> List.map (fun name -> Mir1k.clip (Path.Combine(folder, name + ".wav")))

let private architecture = { Drnn.huang2014 with Context = 1; Hidden = [ 150; 150 ]; Recurrence = RecurrentAt 1 }

let private network = Drnn.network architecture
let private model = Network.model network
let private loss = Loss.discriminative 0.05 Loss.squaredError

/// The start weights, drawn layer by layer: all matrices, then the recurrent one; biases are zero.
let private startWeights =
    lazy
        (let draws = (Golden.lcg ()).GetEnumerator()

         let uniform bound count =
             Array.init (int count) (fun _ ->
                 draws.MoveNext() |> ignore
                 2.0 * bound * draws.Current - bound)

         let block (weight: Weight) =
             match weight.Init with
             | Uniform bound -> uniform bound (Layout.size weight)
             | Zeros -> Array.zeroCreate (int (Layout.size weight))
             | other -> failtest $"{weight.Name} starts as {other}"

         let isRecurrence (weight: Weight) = weight.Name.EndsWith "recurrence"
         let ordered = List.filter (isRecurrence >> not) model.Layout @ List.filter isRecurrence model.Layout
         ordered |> List.map block |> Array.concat |> Golden.reorder model.Layout)

let private batches dtype = Feed.wholeClips network Scratch.magnitudes None 1600 dtype torch.CPU (clips "train")

let private task dtype optimiser =
    let batches = batches dtype

    { Layout = model.Layout
      Loss = Batch.loss model loss
      Optimiser = optimiser
      Steps = 50
      Feed = (fun _ -> batches)
      Key = Key.ofSeed 9 }

let private start (name: string) =
    (JsonNode.Parse(File.ReadAllText(Golden.path "training/runA_start.json"))[name]).GetValue<float>()

let private evaluate dtype (vector: torch.Tensor) part =
    let trained =
        { Network = Drnn.network architecture
          Parameters = Params.create model.Layout (vector.``to`` (dtype: torch.ScalarType))
          Level = Some 1.0 }

    Evaluate.clips Scoring.papers dtype torch.CPU ignore (Separation.separator trained Soft) (clips part)

let private gnsdr rows = (Evaluate.summary "voice" rows).Gnsdr

let private expectedRows =
    lazy
        (Golden.csv (Golden.path "training/trainA_scores.csv")
         |> Array.map (fun row -> row["clip"], row)
         |> Map.ofArray)

let private checkScores (row: ClipScores) =
    let expected = expectedRows.Value[row.Clip]

    for name, actual in
        [ "v_SDR", row["voice"].Sdr
          "v_SIR", row["voice"].Sir
          "v_SAR", row["voice"].Sar
          "v_NSDR", row["voice"].Nsdr
          "m_SDR", row["music"].Sdr
          "m_SIR", row["music"].Sir
          "m_SAR", row["music"].Sar
          "m_NSDR", row["music"].Nsdr ] do
        Expect.isLessThan (abs (actual - float expected[name])) 0.001 $"{row.Clip}: {name} is the authors'"

let private oracleSeparator =
    function
    | "irm" -> Evaluate.idealRatioMask architecture.FrontEnd
    | _ -> Evaluate.idealBinaryMask architecture.FrontEnd

/// The reference's scores of the trained weights, clip by clip.
let private referenceGnsdr part =
    let rows = names part |> List.map (fun name -> expectedRows.Value[name])

    (rows |> List.sumBy (fun row -> float row["v_NSDR"] * float row["nsamples"]))
    / (rows |> List.sumBy (fun row -> float row["nsamples"]))

[<Tests>]
let tests =
    testSequenced
    <| testList
        "training, run A"
        [ test "the start weights follow the recipe" {
              Expect.floatClose Accuracy.veryHigh (Array.sum startWeights.Value) (start "thetaSum") "their sum is the authors'"

              Expect.floatClose
                  Accuracy.veryHigh
                  (startWeights.Value |> Array.sumBy (fun x -> x * x))
                  (start "thetaSumSq")
                  "sum of squares"
          }

          test "front end and objective: cost and gradient norm at the start, within 1e-9" {
              Memory.plain (fun () ->
                  let task = task torch.float64 (Lbfgs.minFunc 1)

                  let struct (cost, gradient) =
                      Train.objective
                          model.Layout
                          (Batch.loss model loss)
                          task.Key
                          (task.Feed 0)
                          (torch.tensor startWeights.Value)

                  let norm = gradient.norm().item<float>()
                  Expect.isLessThan (abs (cost / start "cost" - 1.0)) 1e-9 $"cost {cost} is that of the authors"
                  Expect.isLessThan (abs (norm / start "gradNorm" - 1.0)) 1e-9 $"gradient norm {norm}")
          }

          // The run is chaotic: start weights scaled by 1 + 1e-14 move the cost by 3e-6 at iteration 7, and summing the same
          // batches in another order by 4e-5 at iteration 10. So rounding alone ends the agreement: 1e-6 holds to
          // iteration 7 or 8, as the number of threads has it.
          test "L-BFGS follows the authors' cost curve: evaluations for 10 iterations, cost within 1e-6 for 7" {
              Memory.plain (fun () ->
                  let expected = Golden.csv (Golden.path "training/runA_cost_curve.csv")
                  let task = task torch.float64 (Lbfgs.minFunc 50)

                  for state in Train.states { task with Steps = 10 } (Train.start task (torch.tensor startWeights.Value)) do
                      let row = expected[state.Step]
                      Expect.equal (string state.Evaluations) row["funcCount"] $"evaluations after iteration {state.Step}"
                      let bound = if state.Step <= 7 then 1e-6 else 2e-3
                      Expect.isLessThan (abs (state.Value / float row["cost"] - 1.0)) bound $"cost after iteration {state.Step}")
          }

          test "the authors' trained weights score as theirs, within 0.001 dB" {
              Memory.plain (fun () ->
                  let theta = Golden.doubles (Golden.shared "golden/training/runA_thetaN.f64") |> Golden.reorder model.Layout

                  for part in [ "dev"; "test" ] do
                      evaluate torch.float64 (torch.tensor theta) part |> List.iter checkScores)
          }

          test "ideal masks score as the reference, within 0.001 dB" {
              for row in
                  Golden.csv (Golden.path "training/oracle_scores.csv") |> Array.filter (fun row -> row["set"].EndsWith "dev") do
                  let clip = Mir1k.clip (Path.Combine(Golden.shared "data/MIR-1K/Wavfile", row["clip"]))
                  let case = row["clip"] + " " + row["mask"]
                  let scores = Evaluate.clip Scoring.papers torch.float64 torch.CPU (oracleSeparator row["mask"]) clip
                  Expect.isLessThan (abs (scores["voice"].Nsdr - float row["v_NSDR"])) 0.001 $"{case}: the voice scores alike"
                  Expect.isLessThan (abs (scores["music"].Sar - float row["m_SAR"])) 0.001 $"{case}: the music scores alike"
          }

          // Three orders of summation on one thread ended at 7.18, 7.23 and 7.46 dB on the development clips, where the authors'
          // run in float64 is at 7.62: rounding alone moves the end of this chaotic run by as much.
          test "in float32 the same run ends within 0.45 dB GNSDR of the authors'" {
              Memory.plain (fun () ->
                  let task = task torch.float32 (Lbfgs.minFunc 50)
                  let first = Train.start task (torch.tensor(startWeights.Value).``to`` torch.float32)
                  let last = Train.states { task with Steps = 50 } first |> Seq.last

                  for part in [ "dev"; "test" ] do
                      let score = gnsdr (evaluate torch.float32 last.Parameters part)

                      Expect.isLessThan
                          (abs (score - referenceGnsdr part))
                          0.45
                          $"{part}: GNSDR {score}, reference {referenceGnsdr part}")
          } ]
