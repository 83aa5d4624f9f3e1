/// BSS Eval in windows, of images and of sources: golden numbers of museval's code, laws, bad input.
module FunctionalSeparation.Tests.BssEvalWindowsTests

open System
open System.IO
open System.Text.Json
open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

// ---- golden ----

let private samples = 12000

let private delayed (by: int) (x: float[]) = Array.append (Array.zeroCreate by) (Array.take (x.Length - by) x)

/// a x + b y + ...
let private mix (parts: (float * float[]) list) =
    Array.init (snd parts.Head).Length (fun n -> parts |> List.sumBy (fun (gain, x) -> gain * x[n]))

/// The signals of the golden scores, as `../shared/golden/README.md` makes them: references, then estimates, [2][channel].
let private signals =
    lazy
        (let draws = Golden.lcg () |> Seq.take (8 * samples) |> Seq.map (fun u -> 2.0 * u - 1.0) |> Array.ofSeq
         let rows = Array.chunkBySize samples draws
         let a, b, c, d = rows[0], rows[1], rows[6], rows[7]
         let noise number = rows[1 + number]
         let first = [ mix [ 1.0, a; 0.5, delayed 1 a ]; mix [ 0.4, delayed 3 a; 0.5, c ] ]
         let second = [ mix [ 0.3, b; 0.4, d ]; mix [ 1.0, b; -0.3, delayed 2 b ] ]

         let estimate1 =
             [ mix [ 1.0, first[0]; 0.1, second[0]; 0.02, noise 1; 0.2, delayed 4 first[0] ]
               mix [ 1.0, first[1]; 0.1, second[1]; 0.02, noise 2 ] ]

         let estimate2 =
             [ for channel in 0..1 -> mix [ 0.8, second[channel]; 0.15, first[channel]; 0.05, noise (3 + channel) ] ]

         [ first; second ], [ estimate1; estimate2 ])

let private tensorOf (sources: float[] list list) =
    torch.stack [| for source in sources -> torch.stack [| for channel in source -> torch.tensor channel |] |]

let private document =
    lazy (JsonDocument.Parse(File.ReadAllText(Golden.path (Path.Combine("bss_eval_v4", "museval.json")))))

let private settingsOf (case: JsonElement) =
    let settings = case.GetProperty "settings"
    let tryGet (name: string) = settings.EnumerateObject() |> Seq.tryFind (fun entry -> entry.Name = name) |> Option.map _.Value
    let isSet name = tryGet name |> Option.exists (fun value -> value.GetBoolean())

    let samplesOf name =
        match tryGet name with
        | Some value when value.ValueKind = JsonValueKind.Number -> Nullable(value.GetInt64())
        | _ -> Nullable()

    BssEvalSettings(
        Window = samplesOf "window",
        Hop = samplesOf "hop",
        FilterLength = (tryGet "filters_len" |> Option.map _.GetInt32() |> Option.defaultValue 512),
        FiltersOfEachWindow = isSet "framewise_filters",
        Target =
            (if isSet "bsseval_sources_version" then
                 BssEvalTarget.Sources
             else
                 BssEvalTarget.Images),
        Permute = isSet "compute_permutation"
    )

let private numbers (case: JsonElement) (name: string) =
    [| for source in case.GetProperty(name).EnumerateArray() ->
           [| for value in source.EnumerateArray() -> if value.ValueKind = JsonValueKind.Null then nan else value.GetDouble() |] |]

let private close tolerance (actual: float[][]) (expected: float[][]) message =
    Expect.equal (actual |> Array.map _.Length) (expected |> Array.map _.Length) message

    for a, e in Array.zip (Array.concat actual) (Array.concat expected) do
        if not (abs (a - e) <= tolerance || (Double.IsNaN a && Double.IsNaN e)) then
            failtest $"{message}: %A{actual} is not %A{expected} within {tolerance}"

/// The signals of a case: of one channel, with a silent stretch, in another order.
let private signalsOf (name: string) =
    let references, estimates = signals.Value
    let left = List.map (List.truncate 1)

    let silenced (channel: float[]) = channel |> Array.mapi (fun n x -> if n >= 4000 && n < 8000 then 0.0 else x)

    if name.EndsWith "mono" then
        left references, left estimates
    elif name = "v4_permutation" then
        references, List.rev estimates
    elif name = "v4_silent_frame" then
        [ references[0]; List.map silenced references[1] ], estimates
    else
        references, estimates

let private golden (name: string) =
    test $"museval: {name}" {
        Memory.plain (fun () ->
            let case = document.Value.RootElement.GetProperty name
            let references, estimates = signalsOf name
            let scores = BssEval.InWindows(tensorOf references, tensorOf estimates, settingsOf case)
            close 1e-8 scores.Sdr (numbers case "SDR") "the SDR is that of museval"
            close 1e-8 scores.Isr (numbers case "ISR") "the ISR is that of museval"
            close 1e-8 scores.Sir (numbers case "SIR") "the SIR is that of museval"
            close 1e-8 scores.Sar (numbers case "SAR") "the SAR is that of museval"
            let permutation = scores.Permutation |> Array.map (Array.map float)
            close 0.0 permutation (numbers case "perm0") "the permutation is that of museval")
    }

// ---- laws ----

let private noise seed (shape: int64 list) = Key.uniformTensor -1.0 1.0 shape (Key.ofSeed seed)
let private taps = 16
let private whole = BssEvalSettings(FilterLength = taps)
let private inWindows = BssEvalSettings(Window = Nullable 1000L, FilterLength = taps)

let private tests =
    testList
        "scores"
        [ for name in
              [ "v4_images_global"
                "v4_images_overlap"
                "v4_images_whole"
                "v3_images_framewise_filters"
                "v4_filters_64"
                "v4_permutation"
                "v4_silent_frame"
                "v4_mono"
                "v3_sources_mono" ] do
              golden name

          test "the signals are those of the golden scores" {
              let stored = Golden.doubles (Golden.shared (Path.Combine("golden", "bss_eval_v4", "stereo.f64")))
              let references, estimates = signals.Value

              Expect.isLessThan
                  (Golden.relativeError (Array.concat (List.concat (references @ estimates))) stored)
                  1e-15
                  "the made signals equal the stored ones"
          }

          test "sources of one channel in one window are version 3" {
              Memory.plain (fun () ->
                  let references, noises = noise 1 [ 3L; 1L; 3000L ], noise 2 [ 3L; 1L; 3000L ]
                  let estimates = references .+ references.roll(1L, 0L).mul 0.2 .+ noises.mul 0.1

                  let windows =
                      BssEval.InWindows(
                          references,
                          estimates,
                          BssEvalSettings(FilterLength = taps, Target = BssEvalTarget.Sources)
                      )

                  let version3 = BssEval.Version3(references.squeeze 1L, estimates.squeeze 1L, taps, false)
                  let inOne (scores: float[]) = [| for score in scores -> [| score |] |]
                  close 1e-6 windows.Sdr (inOne version3.Sdr) "the SDR is that of version 3"
                  close 1e-6 windows.Sir (inOne version3.Sir) "the SIR is that of version 3"
                  close 1e-6 windows.Sar (inOne version3.Sar) "the SAR is that of version 3")
          }

          test "of images the SDR is that of the samples, whatever the filters; half the level is half an error" {
              Memory.plain (fun () ->
                  let references = noise 1 [ 2L; 2L; 2500L ]
                  let scores = BssEval.InWindows(references, references.mul 0.5, inWindows)
                  Expect.equal scores.Sdr[0].Length 2 "windows; what does not fill one is left out"

                  for score in Array.concat (Array.append scores.Sdr scores.Isr) do
                      Expect.isLessThan (abs (score - 20.0 * log10 2.0)) 0.2 "half the level gives about 6 dB"

                  for score in Array.concat scores.Sir do
                      Expect.isGreaterThan score 60.0 "the sources do not interfere")
          }

          test "long windows are computed in stretches that give what they give at once" {
              Memory.plain (fun () ->
                  let references = noise 1 [ 2L; 1L; 150000L ]
                  let estimates = references .+ (noise 2 [ 2L; 1L; 150000L ]).mul 0.1
                  let scores = BssEval.InWindows(references, estimates, whole)
                  let error = (estimates - references).squared().sum([| 1L; 2L |])
                  let expected = (references.squared().sum([| 1L; 2L |]) / error).log10().mul(10.0).data<float>().ToArray()
                  close 1e-9 scores.Sdr [| for score in expected -> [| score |] |] "the SDR is that of all samples at once"
                  let version3 = BssEval.Version3(references.squeeze 1L, estimates.squeeze 1L, taps, false)
                  close 1e-6 scores.Sir [| for score in version3.Sir -> [| score |] |] "the SIR is that of version 3")
          }

          test "channels that are alike, multiples or silent span what one of them spans" {
              Memory.plain (fun () ->
                  let references, estimates = noise 1 [ 2L; 1L; 3000L ], noise 2 [ 2L; 1L; 3000L ]
                  let estimates = references .+ estimates.mul 0.3
                  let one = BssEval.InWindows(references, estimates, inWindows)

                  for gains in [ [| 1.0; 1.0 |]; [| 1.0; 0.3 |]; [| 1.0; 0.0 |] ] do
                      let spread (x: torch.Tensor) = x * torch.tensor(gains).view(1L, 2L, 1L)
                      let two = BssEval.InWindows(spread references, spread estimates, inWindows)
                      close 1e-6 two.Sdr one.Sdr $"SDR %A{gains}"
                      close 1e-6 two.Sir one.Sir $"SIR %A{gains}"
                      close 1e-6 two.Sar one.Sar $"SAR %A{gains}")
          }

          test "a source that is silent throughout leaves no window a score; float32 is scored in float64" {
              Memory.plain (fun () ->
                  let references, estimates = noise 1 [ 2L; 2L; 3000L ], noise 2 [ 2L; 2L; 3000L ]
                  let short = BssEval.InWindows(references.``to`` torch.float32, estimates.``to`` torch.float32, inWindows)
                  close 1e-4 short.Sdr (BssEval.InWindows(references, estimates, inWindows)).Sdr "float32 scores as float64"
                  let silent = references.clone ()
                  silent[1L].zero_() |> ignore
                  let scores = BssEval.InWindows(silent, estimates, inWindows)
                  Expect.isTrue (scores.Sdr |> Array.concat |> Array.forall Double.IsNaN) "no window has an SDR"
                  Expect.stringContains (string scores) "source 2: SDR NaN" "the text says that there is no score")
          }

          test "the median leaves out windows without a score" {
              Expect.equal (BssEvalWindowScores.Median [ 3.0; nan; 1.0; 2.0 ]) 2.0 "the window without a score is left out"
              Expect.equal (BssEvalWindowScores.Median [ 1.0; 2.0 ]) 1.5 "two scores have their mean as median"
              Expect.equal (BssEvalWindowScores.Median [ infinity; infinity ]) infinity "infinite scores stay infinite"
              Expect.isTrue (Double.IsNaN(BssEvalWindowScores.Median [ nan ])) "without scores there is no median"
          }

          test "what cannot be scored is refused by name" {
              Memory.plain (fun () ->
                  let signals = noise 1 [ 2L; 1L; 400L ]

                  let refuses words (references: torch.Tensor) (estimates: torch.Tensor) (settings: BssEvalSettings) =
                      Scratch.refusesArgument words (fun () -> BssEval.InWindows(references, estimates, settings) |> ignore)

                  refuses [ "[S, C, N]"; "[2, 400]" ] (signals.squeeze 1L) (signals.squeeze 1L) whole
                  refuses [ "shapes" ] signals (signals.narrow (2L, 0L, 300L)) whole
                  refuses [ "512 taps"; "400 samples" ] signals signals (BssEvalSettings())
                  refuses [ "Window" ] signals signals (BssEvalSettings(Window = Nullable 0L, FilterLength = taps))

                  refuses
                      [ "Hop" ]
                      signals
                      signals
                      (BssEvalSettings(Window = Nullable 50L, Hop = Nullable -1L, FilterLength = taps))

                  refuses
                      [ "16 taps"; "10 samples" ]
                      signals
                      signals
                      (BssEvalSettings(Window = Nullable 10L, FilterLength = taps, FiltersOfEachWindow = true))

                  refuses [ "estimates"; "not finite" ] signals (signals.mul nan) whole
                  let many = noise 1 [ 20L; 1L; 400L ]
                  refuses [ "permutations of 20" ] many many (BssEvalSettings(FilterLength = taps, Permute = true)))
          } ]

let private leaks =
    testSequenced (
        testCase "no tensor stays behind" (fun () ->
            Memory.plain (fun () ->
                let references, estimates = noise 1 [ 2L; 2L; 3000L ], noise 2 [ 2L; 2L; 3000L ]
                let before = Memory.liveTensors ()

                let each =
                    BssEvalSettings(Window = Nullable 1500L, FilterLength = taps, FiltersOfEachWindow = true, Permute = true)

                for settings in [ inWindows; whole; each ] do
                    BssEval.InWindows(references, estimates, settings) |> ignore

                Expect.equal (Memory.liveTensors ()) before "no tensor stays alive"))
    )

[<Tests>]
let all = testList "BSS Eval in windows" [ tests; leaks ]
