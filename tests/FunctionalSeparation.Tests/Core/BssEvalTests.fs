module FunctionalSeparation.Tests.BssEvalTests

open System
open System.IO
open System.Text.Json
open Expecto
open FsCheck
open FsCheck.FSharp
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

// ---- signals ----

let private rows (signals: float[] list) = torch.stack [| for s in signals -> torch.tensor s |]

let private noise seed number count = Key.ofSeed seed |> Key.fold number |> Key.normals count

let private delayed (by: int) (x: float[]) = Array.append (Array.zeroCreate by) (Array.take (x.Length - by) x)

/// a x + b y + ...
let private mix (parts: (float * float[]) list) =
    Array.init (snd parts.Head).Length (fun n -> parts |> List.sumBy (fun (gain, x) -> gain * x[n]))

/// Scores of `estimates` against `references`, all tensors freed.
let private scored taps permute (references: float[] list) (estimates: float[] list) =
    Memory.plain (fun () -> BssEval.Version3(rows references, rows estimates, taps, permute))

let private close tolerance (actual: float[]) (expected: float[]) message =
    for a, e in Array.zip actual expected do
        if not (a = e || abs (a - e) <= tolerance || (Double.IsNaN a && Double.IsNaN e)) then
            failtest $"{message}: {actual} is not {expected} within {tolerance}"

// ---- golden ----

let private repository =
    Seq.unfold (fun (d: DirectoryInfo) -> if isNull d then None else Some(d, d.Parent)) (DirectoryInfo AppContext.BaseDirectory)
    |> Seq.find (fun d -> File.Exists(Path.Combine(d.FullName, "FunctionalSeparation.sln")))

let private fixtures =
    Path.Combine(repository.FullName, "tests", "FunctionalSeparation.Tests", "golden", "bss_eval")

let private shared = Path.Combine(repository.FullName, "..", "shared", "golden", "bss_eval")

let private readDoubles (path: string) =
    let bytes = File.ReadAllBytes path
    Array.init (bytes.Length / 8) (fun i -> BitConverter.ToDouble(bytes, 8 * i))

type private GoldenCase = { Sources: int; Samples: int; Sdr: float[]; Sir: float[]; Sar: float[]; Permutation: int[] }

let private goldenCase (name: string) =
    use document = JsonDocument.Parse(File.ReadAllText(Path.Combine(fixtures, "bss_eval.json")))
    let case = document.RootElement.EnumerateArray() |> Seq.find (fun e -> e.GetProperty("case").GetString() = name)
    let number (e: JsonElement) = if e.ValueKind = JsonValueKind.String then infinity else e.GetDouble()
    let numbers (key: string) = [| for e in case.GetProperty(key).EnumerateArray() -> number e |]

    { Sources = case.GetProperty("nsrc").GetInt32()
      Samples = case.GetProperty("nsampl").GetInt32()
      Sdr = numbers "SDR"
      Sir = numbers "SIR"
      Sar = numbers "SAR"
      Permutation = [| for p in numbers "perm_1based" -> int p - 1 |] }

let private golden folder name =
    testCase $"golden: {name}" (fun () ->
        let path = Path.Combine(folder, $"{name}.f64")

        if not (File.Exists path) then skiptest $"{path} is not there."

        let case = goldenCase name
        let signals = readDoubles path |> Array.chunkBySize case.Samples |> List.ofArray
        let references, estimates = List.splitAt case.Sources signals
        let scores = scored 512 true references estimates
        close 1e-8 scores.Sdr case.Sdr "the SDR is the golden one"
        close 1e-8 scores.Sir case.Sir "the SIR is the golden one"
        close 1e-8 scores.Sar case.Sar "the SAR is the golden one"
        Expect.equal scores.Permutation case.Permutation "the permutation is the golden one")

let private recipe =
    testCase "the synthetic golden signals follow from their recipe" (fun () ->
        let draws =
            Array.scan (fun (x: uint32) _ -> 1664525u * x + 1013904223u) 12345u (Array.zeroCreate<unit> 32000)
            |> Array.tail
            |> Array.map (fun x -> 2.0 * float x / 4294967296.0 - 1.0)

        match List.ofArray (Array.chunkBySize 8000 draws) with
        | [ a; b; n1; n2 ] ->
            let e1 = mix [ 1.0, a; 0.5, delayed 1 a; 0.2, b; 0.1, n1 ]
            let e2 = mix [ 0.7, b; -0.3, delayed 2 b; 0.3, delayed 4 a; 0.2, n2 ]
            close 1e-15 (readDoubles (Path.Combine(fixtures, "synthetic_lcg.f64"))) (Array.concat [ a; b; e1; e2 ]) "as stored"
        | _ -> failtest "four signals")

// ---- a slow oracle: explicit delayed copies, explicit least squares, explicit residuals ----

let private naive taps (references: float[] list) (estimate: float[]) target =
    let pad (x: float[]) = Array.append x (Array.zeroCreate (taps - 1))
    let copies (s: float[]) = [ for d in 0 .. taps - 1 -> torch.tensor (delayed d (pad s)) ]
    let e = torch.tensor (pad estimate)

    let project (basis: torch.Tensor list) =
        let a = torch.stack(Array.ofList basis).t()
        let struct (solution, _, _, _) = torch.linalg.lstsq (a, e.unsqueeze 1)
        a.matmul(solution).squeeze 1

    let energy (x: torch.Tensor) = x.squared().sum().item<float>()
    let one = project (copies references[target])
    let all = project (List.collect copies references)
    let dB signal error = 10.0 * log10 (energy signal / energy error)
    dB one (e - one), dB one (all - one), dB all (e - all)

let private oracle =
    testCase "the closed form is the explicit least-squares projection" (fun () ->
        let a, b, c = noise 1 0 300, noise 1 1 300, noise 1 2 300
        let references = [ a; b; c ]

        let estimates =
            [ mix [ 1.0, a; 0.4, delayed 3 a; 0.2, b; 0.1, noise 1 3 300 ]
              mix [ -0.8, b; 0.3, delayed 2 c; 0.2, delayed 9 b ]
              mix [ 0.5, c; 0.1, a; 0.1, b; 0.3, noise 1 4 300 ] ]

        for taps in [ 1; 8; 400 / 8 ] do
            let scores = scored taps false references estimates

            let expected =
                Memory.plain (fun () -> estimates |> List.mapi (fun j e -> naive taps references e j) |> Array.ofList)

            close 1e-9 scores.Sdr (Array.map (fun (sdr, _, _) -> sdr) expected) $"SDR, {taps} taps"
            close 1e-9 scores.Sir (Array.map (fun (_, sir, _) -> sir) expected) $"SIR, {taps} taps"
            close 1e-9 scores.Sar (Array.map (fun (_, _, sar) -> sar) expected) $"SAR, {taps} taps")

let private twoWays =
    testProperty "differences of energies and measured energies agree" (fun (seed: int) ->
        Memory.plain (fun () ->
            let unit (x: torch.Tensor) = x / x.squared().sum([| -1L |], true).sqrt()
            let a, b = noise seed 0 700, noise seed 1 700
            let references = unit (rows [ a; mix [ 1.0, b; 0.9, delayed 1 b ] ])
            let estimates = unit (rows [ mix [ 1.0, a; 0.1, noise seed 2 700 ]; mix [ 0.3, a; 0.5, delayed 2 b ] ])
            let lags = Correlation.Lags(references, torch.cat (ResizeArray [ references; estimates ]), 12)
            let gram chosen = DelayedGram(lags.contiguous().data<float>().ToArray(), chosen, 2, 2, 12)
            let joint, single = gram [| 0; 1 |], [| gram [| 0 |]; gram [| 1 |] |]
            let closed = ProjectionEnergies.FromDifferences(joint, single, [| 1.0; 1.0 |])
            let measured = ProjectionEnergies.Measured(references, estimates, joint, single)
            let flat (energies: float[,]) = Array.ofSeq (Seq.cast<float> energies)
            close 1e-12 (flat closed.Target) (flat measured.Target) "both ways give the energy of the target"
            close 1e-12 (flat closed.Interference) (flat measured.Interference) "both ways give the interference energy"
            close 1e-12 (flat closed.Artifacts) (flat measured.Artifacts) "both ways give the energy of the artifacts"
            close 1e-12 (flat closed.Distortion) (flat measured.Distortion) "both ways give the energy of the distortion"))

// ---- laws ----

let private taps = 16
let private pair seed = noise seed 0 500, noise seed 1 500

let private muddled seed (a, b) =
    mix [ 1.0, a; 0.3, b; 0.2, noise seed 2 500 ], mix [ 0.9, b; 0.3, delayed 20 a; 0.1, noise seed 3 500 ]

let private laws =
    testList
        "laws"
        [ testProperty "a permutation of the sources permutes the scores" (fun (seed: int) ->
              let a, b = pair seed
              let x, y = muddled seed (a, b)
              let straight = scored taps true [ a; b ] [ x; y ]
              let swapped = scored taps true [ b; a ] [ x; y ]
              close 1e-9 (Array.rev swapped.Sdr) straight.Sdr "the SDR is permuted with the sources"
              close 1e-9 (Array.rev swapped.Sir) straight.Sir "the SIR is permuted with the sources"
              close 1e-9 (Array.rev swapped.Sar) straight.Sar "the SAR is permuted with the sources"
              Expect.equal (Array.rev swapped.Permutation) straight.Permutation "the permutation follows the sources")

          testProperty "scale is nothing" (fun (seed: int) (NonZeroInt g) ->
              let a, b = pair seed
              let x, y = muddled seed (a, b)
              let gain = float g * 1e-3
              let plain = scored taps true [ a; b ] [ x; y ]
              let scaled = scored taps true [ mix [ gain, a ]; b ] [ x; mix [ -3.0 * gain, y ] ]
              close 1e-9 scaled.Sdr plain.Sdr "scale does not change the SDR"
              close 1e-9 scaled.Sir plain.Sir "scale does not change the SIR"
              close 1e-9 scaled.Sar plain.Sar "scale does not change the SAR")

          testProperty "a filter within the taps is forgiven, by version 3 alone" (fun (seed: int) ->
              let quiet (x: float[]) = Array.append (Array.take 480 x) (Array.zeroCreate 20)
              let a, b = pair seed
              let a, b = quiet a, quiet b
              let x = mix [ 0.5, a; -0.4, delayed 7 a; 0.2, delayed 15 a ]
              let scores = scored taps true [ a; b ] [ x; b ]
              Expect.all scores.Sdr (fun sdr -> sdr > 200.0) $"SDR {scores.Sdr}"
              Expect.all scores.Sir (fun sir -> sir > 200.0) $"SIR {scores.Sir}"
              Expect.all scores.Sar (fun sar -> sar > 200.0) $"SAR {scores.Sar}"
              let gainOnly = Memory.plain (fun () -> BssEval.Version2GainOnly(rows [ a; b ], rows [ x; b ]))
              Expect.isLessThan gainOnly[0].Sdr[0] 6.0 "gain only does not forgive the filter")

          testProperty "gain only is the projection on the references themselves" (fun (seed: int) ->
              let a, b = pair seed
              let x, y = muddled seed (a, b)

              let scores, (sdr, sir, sar) =
                  Memory.plain (fun () -> (BssEval.Version2GainOnly(rows [ a; b ], rows [ x; y ])).Item 0, naive 1 [ a; b ] y 1)

              close 1e-9 [| scores.Sdr[1]; scores.Sir[1]; scores.Sar[1] |] [| sdr; sir; sar |] "they are the projection's") ]

// ---- edges ----

let private edges =
    let zero = Array.zeroCreate<float> 500
    let a, b = pair 7
    let x, y = muddled 7 (a, b)

    testList
        "edges"
        [ testCase "a single source has nothing that interferes" (fun () ->
              let scores = scored taps true [ a ] [ x ]
              Expect.equal scores.Sir [| infinity |] "one source has an infinite SIR"
              close 1e-9 scores.Sar scores.Sdr "SAR is SDR"
              let flat = Memory.plain (fun () -> BssEval.Version3(torch.tensor a, torch.tensor x, taps))
              Expect.equal flat.Sdr scores.Sdr "signals of shape [N] score alike")

          testCase "a silent reference has no score and disturbs no other" (fun () ->
              let scores = scored taps true [ a; zero ] [ x; y ]
              close 0.0 [| scores.Sdr[1]; scores.Sir[1]; scores.Sar[1] |] [| nan; nan; nan |] "the silent source has no score"
              close 1e-9 [| scores.Sdr[0] |] (scored taps true [ a ] [ x ]).Sdr "the other source scores as if alone"
              let none = scored taps true [ zero; zero ] [ x; y ]
              close 0.0 (Array.concat [ none.Sdr; none.Sir; none.Sar ]) (Array.create 6 nan) "silent sources have no scores")

          testCase "a silent or broken estimate has no score" (fun () ->
              for bad in [ zero; Array.create 500 nan; Array.create 500 infinity ] do
                  let scores = scored taps true [ a; b ] [ bad; x ]
                  Expect.equal scores.Permutation [| 1; 0 |] "the audible one is a"
                  close 0.0 [| scores.Sdr[1]; scores.Sir[1]; scores.Sar[1] |] [| nan; nan; nan |] "the bad one has no score"
                  Expect.isTrue (Double.IsFinite scores.Sdr[0]) "the other source has a score")

          testCase "perfect estimates have very high scores" (fun () ->
              let scores = scored taps true [ a; b ] [ b; a ]
              Expect.equal scores.Permutation [| 1; 0 |] "the permutation finds the swapped estimates"
              Expect.all (Array.concat [ scores.Sdr; scores.Sir; scores.Sar ]) (fun s -> s > 200.0) $"{scores.Sdr}")

          testCase "identical references are no error" (fun () ->
              let scores = scored taps false [ a; a ] [ x; y ]
              let alone = scored taps false [ a ] [ x ]
              close 1e-9 [| scores.Sdr[0]; scores.Sar[0] |] [| alone.Sdr[0]; alone.Sar[0] |] "as if there were one"
              Expect.isGreaterThan scores.Sir[0] 200.0 "nothing of the other")

          testCase "float32 in is scored in float64" (fun () ->
              let single = Memory.plain (fun () -> BssEval.Version3((rows [ a; b ]).float(), (rows [ x; y ]).float(), taps))
              close 1e-4 single.Sdr (scored taps true [ a; b ] [ x; y ]).Sdr "float32 scores as float64 does")

          testCase "a batch is its clips" (fun () ->
              let batch =
                  Memory.plain (fun () ->
                      let clips first second = torch.stack [| rows first; rows second |]
                      BssEval.Version3Batch(clips [ a; b ] [ b; a ], clips [ x; y ] [ x; y ], taps))

              Expect.hasLength batch 2 "each clip has its scores"
              Expect.equal batch[0].Sdr (scored taps true [ a; b ] [ x; y ]).Sdr "the first clip scores as it does alone"
              Expect.equal batch[1].Sdr (scored taps true [ b; a ] [ x; y ]).Sdr "the second clip scores as it does alone")

          testCase "channels: the mean of their scores in dB; one alone is a mono clip" (fun () ->
              let scores (channels: (float[] list * float[] list) list) =
                  Memory.plain (fun () ->
                      let side pick = torch.stack ([ for channel in channels -> rows (pick channel) ], 1L)
                      BssEval.Version3Channels(side fst, side snd, taps))

              let left, right = ([ a; b ], [ x; y ]), ([ b; x ], [ Array.map2 (+) a b; y ])
              let alone = scores [ left ]
              let mono = scored taps true [ a; b ] [ x; y ]
              Expect.equal (alone.Sdr, alone.Sir, alone.Sar) (mono.Sdr, mono.Sir, mono.Sar) "one channel scores as a mono clip"
              let second = scored taps false (fst right) (snd right)
              let both = scores [ left; right ]
              Expect.equal both.Permutation mono.Permutation "both channels share one permutation"
              close 1e-9 both.Sdr (Array.map2 (fun u v -> (u + v) / 2.0) mono.Sdr second.Sdr) "the SDR is the channels' mean"
              close 1e-9 both.Sar (Array.map2 (fun u v -> (u + v) / 2.0) mono.Sar second.Sar) "the SAR is the channels' mean")

          testCase "channels: one permutation for all, by the mean SIR; a channel without sound has no say" (fun () ->
              let channels (left: float[] list) (right: float[] list) = torch.stack ([ rows left; rows right ], 1L)

              let scores references estimates =
                  Memory.plain (fun () -> BssEval.Version3Channels(references (), estimates (), taps))

              // The left channel is exchanged beyond doubt, the right one is hardly separated at all.
              let murky = [ Array.map2 (fun u v -> u + 0.9 * v) a b; Array.map2 (fun u v -> 0.9 * u + v) a b ]
              let exchanged = scores (fun () -> channels [ a; b ] [ a; b ]) (fun () -> channels [ y; x ] murky)
              Expect.equal exchanged.Permutation [| 1; 0 |] "the surer channel decides"
              let silent = scores (fun () -> channels [ a; b ] [ zero; zero ]) (fun () -> channels [ x; y ] [ x; y ])
              Expect.equal silent.Sdr (scored taps true [ a; b ] [ x; y ]).Sdr "the other channel alone"

              Scratch.refusesArgument [ "[S, C, N]"; "[2, 500]" ] (fun () ->
                  Memory.plain (fun () -> BssEval.Version3Channels(rows [ a; b ], rows [ x; y ], taps)) |> ignore))

          testCase "the permutation maximises the mean, infinite and missing scores included" (fun () ->
              let order (scores: float[,]) = BssEvalScores.BestPermutation scores
              Expect.equal (order (array2D [ [ 1.0; 5.0 ]; [ 4.0; 6.0 ] ])) [| 1; 0 |] "5 + 4 > 1 + 6"
              Expect.equal (order (array2D [ [ infinity; infinity ]; [ -infinity; 3.0 ] ])) [| 0; 1 |] "infinite scores count"
              Expect.equal (order (array2D [ [ nan; 1.0 ]; [ nan; 2.0 ] ])) [| 0; 1 |] "missing scores do not count"

              Expect.equal (order (array2D [ [ 0.0; 9.0; 0.0 ]; [ 0.0; 0.0; 9.0 ]; [ 9.0; 0.0; 0.0 ] ])) [| 2; 0; 1 |] "of three")

          testCase "wrong shapes are named" (fun () ->
              let complaint references estimates =
                  try
                      Memory.plain (fun () -> BssEval.Version3(rows references, rows estimates, taps)) |> ignore
                      failtest "An ArgumentException was expected."
                  with :? ArgumentException as e ->
                      e.Message

              let message = complaint [ a; b ] [ Array.take 400 x; Array.take 400 y ]
              Expect.stringContains message "[2, 500]" "the message names the references' shape"
              Expect.stringContains message "[2, 400]" "the message names the estimates' shape"
              Expect.stringContains (complaint [ a; Array.create 500 nan ] [ x; y ]) "not finite" "references must be numbers"
              Expect.stringContains (complaint [ [||] ] [ [||] ]) "nothing to score" "empty signals have nothing to score")

          testCase "transposed signals are asked about, by every measure that takes sources" (fun () ->
              let refuses words act = Scratch.refusesArgument words (fun () -> Memory.plain act)

              for transposed in [ [| 160000L; 2L |]; [| 40L; 33L |] ] do
                  let signals () = torch.ones transposed
                  let batch () = (signals ()).unsqueeze 0L
                  let words = [ "transposed?"; $"[{transposed[0]}, {transposed[1]}]"; "[..., sources, samples]" ]
                  refuses words (fun () -> BssEval.Version3(signals (), signals ()) |> ignore)
                  refuses [ "transposed?" ] (fun () -> BssEval.Version3Batch(batch (), batch ()) |> ignore)
                  refuses [ "transposed?" ] (fun () -> BssEval.Version2GainOnly(signals (), signals ()) |> ignore)
                  refuses [ "transposed?" ] (fun () -> SiSdr.Compute(signals (), signals ()) |> ignore)

              // Many short signals of one source are no transposition.
              let short = Memory.plain (fun () -> let x = torch.ones (7L, 1L, 3L) in SiSdr.Compute(x, x))
              Expect.hasLength short 7 "one score a signal")

          testCase "filters longer than the signals, permutations beyond number and complex signals are refused" (fun () ->
              let refuses words act = Scratch.refusesArgument words (fun () -> Memory.plain act)
              let noise (shape: int64 list) = Key.uniformTensor -1.0 1.0 shape (Key.ofSeed 1)

              refuses [ "512 taps"; "400 samples" ] (fun () ->
                  BssEval.Version3(noise [ 2L; 400L ], noise [ 2L; 400L ]) |> ignore)

              refuses [ "2147483647 taps" ] (fun () ->
                  BssEval.Version3(noise [ 2L; 400L ], noise [ 2L; 400L ], Int32.MaxValue) |> ignore)

              refuses [ "20 sources"; "permute: false" ] (fun () ->
                  BssEval.Version3(noise [ 20L; 400L ], noise [ 20L; 400L ], 4) |> ignore)

              let many = Memory.plain (fun () -> BssEval.Version3(noise [ 20L; 400L ], noise [ 20L; 400L ], 4, false))
              Expect.hasLength many.Sdr 20 "in the order given"

              refuses [ "real numbers"; "estimates"; "complexfloat64" ] (fun () ->
                  SiSdr.Compute(noise [ 40L ], torch.polar (noise [ 40L ], noise [ 40L ])) |> ignore))

          testCase "estimates of another type score as documented" (fun () ->
              let mixed = Memory.plain (fun () -> BssEval.Version3(rows [ a; b ], (rows [ x; y ]).``to`` torch.float32, taps))

              close 1e-4 mixed.Sdr (scored taps true [ a; b ] [ x; y ]).Sdr "float32 estimates score as float64") ]

let private leaks =
    testSequenced (
        testCase "no tensor stays behind" (fun () ->
            let a, b = pair 9
            let x, y = muddled 9 (a, b)

            Memory.plain (fun () ->
                let references, estimates = rows [ a; b ], rows [ x; y ]
                let singular, perfect = rows [ a; a ], rows [ b; a ]
                let silent = torch.zeros_like references
                let before = Memory.liveTensors ()
                BssEval.Version3(references, estimates, taps) |> ignore
                BssEval.Version3(singular, estimates, taps) |> ignore
                BssEval.Version3(references, perfect, taps) |> ignore
                BssEval.Version3(silent, estimates, taps) |> ignore
                BssEval.Version3Batch(references.unsqueeze 0, estimates.unsqueeze 0, taps) |> ignore
                BssEval.Version2GainOnly(references, estimates) |> ignore
                SiSdr.Compute(references, estimates, true) |> ignore
                // The two views that this test made itself.
                Expect.equal (Memory.liveTensors () - before) 2L "only the test's two views stay alive"))
    )

[<Tests>]
let tests =
    testList
        "BssEval"
        [ golden fixtures "synthetic_lcg"
          golden shared "real_gain_delay_noise"
          golden shared "real_swapped_order"
          golden shared "real_mixture_single_source"
          recipe
          oracle
          twoWays
          laws
          edges
          leaks ]
