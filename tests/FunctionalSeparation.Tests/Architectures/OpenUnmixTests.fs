/// open-unmix against what its authors' code gives for the same weights (golden/openunmix), and laws of its Wiener filter.
module FunctionalSeparation.Tests.OpenUnmixTests

open System
open System.IO
open Expecto
open FsCheck
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core
open FunctionalSeparation.Tests.Layers

let private refuses words (act: unit -> unit) = Scratch.refusesArgument words (fun () -> Memory.plain act)
let private golden () = Golden.shared "golden/openunmix"

/// float32 numbers of a golden file.
let private numbers name (shape: int64 list) =
    let bytes = File.ReadAllBytes(Path.Combine(golden (), name + ".f32"))
    let values = Array.init (bytes.Length / 4) (fun i -> BitConverter.ToSingle(bytes, 4 * i))
    torch.tensor(values).view(List.toArray shape)

let private audio () = numbers "audio" [ 2L; 6000L ]

/// The settings of the golden estimates, and how many sources each has.
let private settings =
    [ "niter0", 2L, { Wiener.openUnmix with Iterations = 0 }
      "niter1", 2L, Wiener.openUnmix
      "niter1_residual", 3L, { Wiener.openUnmix with Residual = true }
      "niter2_win20", 3L, { Iterations = 2; Window = Some 20; Residual = true; SoftMask = false }
      "niter1_softmask", 2L, { Wiener.openUnmix with SoftMask = true } ]

/// Works with the golden model, from its files in one of the two formats.
let private withModelOf wiener isOlder (work: TrainedModel -> unit) =
    Scratch.inFolder (fun folder ->
        for path in Directory.GetFiles(golden (), "*.json") do
            File.Copy(path, Path.Combine(folder, Path.GetFileName path))

        for target in [ "vocals"; "drums" ] do
            let from = if isOlder then $"{target}.legacy-format" else $"{target}-0000.pth"
            File.Copy(Path.Combine(golden (), from), Path.Combine(folder, $"{target}-0000.pth"))

        Memory.plain (fun () -> OpenUnmix.load wiener torch.CPU folder |> work))

let private withModel = withModelOf Wiener.openUnmix

let private stftOf (unmix: TrainedModel) = unmix.Network.Spec.FrontEnd.Stft

/// The magnitudes [targets, channels, time, bins] that the networks estimate of a mixture's, [channels, time, bins].
let private magnitudesOf (unmix: TrainedModel) (mixture: torch.Tensor) =
    use _ = torch.no_grad ()
    let outputs = Model.apply unmix.Network.Model unmix.Parameters (Activations.ofImages (mixture.unsqueeze 0L))
    outputs.Value.squeeze(0L).unflatten(0L, [| -1L; 2L |])

/// The mixture with ones where the golden magnitudes are exactly zero. The authors' arctangent avoids a division by zero by
/// writing a 1 into the mixture itself, which residual and covariances then see (not where the filter starts from soft masks). In
/// double precision no point of this mixture is zero: the 21 that are come of the rounding of their FFT, and another one,
/// libtorch's of today too, has others. So the golden sounds are met to rounding with their ones; straight from the sound
/// `niter1`, `niter1_residual` and `niter2_win20` are off by 0.010, 0.038 and 0.030 of the largest sample, and no other FFT can
/// do better.
let private withTheirOnes (mixture: torch.Tensor) =
    let isZero = (numbers "magnitude" [ 2L; 129L; 94L ]).transpose(1L, 2L).eq 0.0
    torch.where (isZero, torch.ones_like mixture, mixture)

/// A complex mixture and magnitudes of sources on it.
let private drawn seed sources channels =
    let part index = noise (seed + index) [ channels; 9L; 5L ]
    let magnitudes = noise (seed + 7) [ sources; channels; 9L; 5L ]
    torch.complex (part 0, part 1), magnitudes.abs ()

let private largest (x: torch.Tensor) = x.abs().max().to_type(torch.float64).item<float>()

/// Defects of a folder of weights: a name, words of the error message, and a function that damages the folder.
let private damages =
    [ "no such file", [ "separator.json" ], (fun folder -> File.Delete(Path.Combine(folder, "separator.json")))
      "settings without a rate",
      [ "separator.json"; "sample_rate" ],
      (fun folder -> File.WriteAllText(Path.Combine(folder, "separator.json"), """{"nfft": 256, "nhop": 64, "nb_channels": 2}"""))
      "an odd transform",
      [ "separator.json" ],
      (fun folder ->
          File.WriteAllText(
              Path.Combine(folder, "separator.json"),
              """{"sample_rate": 8000, "nfft": 255, "nhop": 64, "nb_channels": 2}"""
          ))
      "another transform than the target's",
      [ "vocals.json"; "args.nfft"; "512" ],
      (fun folder ->
          File.WriteAllText(
              Path.Combine(folder, "separator.json"),
              """{"sample_rate": 8000, "nfft": 512, "nhop": 64, "nb_channels": 2}"""
          ))
      "no weights", [ "no weights of 'drums'" ], (fun folder -> File.Delete(Path.Combine(folder, "drums-0000.pth")))
      "two files of weights",
      [ "several files"; "vocals-0000.pth, vocals-1.pth" ],
      (fun folder -> File.Copy(Path.Combine(folder, "vocals-0000.pth"), Path.Combine(folder, "vocals-1.pth")))
      "weights cut off",
      [ "vocals-0000.pth" ],
      (fun folder ->
          let path = Path.Combine(folder, "vocals-0000.pth")
          File.WriteAllBytes(path, Array.truncate 40000 (File.ReadAllBytes path)))
      "weights that are something else",
      [ "vocals-0000.pth"; "neither" ],
      (fun folder -> File.WriteAllText(Path.Combine(folder, "vocals-0000.pth"), "no weights at all")) ]

[<Tests>]
let tests =
    testList
        "open-unmix"
        [ for isOlder in [ false; true ] do
              test $"magnitudes are those of the authors' code within 1e-5, older format: {isOlder}" {
                  withModel isOlder (fun unmix ->
                      Expect.equal
                          (unmix.Network.Spec.FrontEnd.SampleRate, unmix.Network.Spec.Channels, unmix.Network.Spec.Sources)
                          (8000, 2, [ "vocals"; "drums" ])
                          "the folder gives rate, channels and sources"

                      let mixture = ((stftOf unmix).Forward(audio ())).abs()
                      let theirs = numbers "magnitude" [ 2L; 129L; 94L ]
                      Expect.isLessThan (difference (mixture.transpose (1L, 2L)) theirs / largest theirs) 1e-5 "the same input"
                      let estimates = magnitudesOf unmix mixture

                      for index, target in List.indexed [ "vocals"; "drums" ] do
                          let theirs = numbers $"{target}.magnitude" [ 2L; 129L; 94L ]
                          let ours = estimates[int64 index].transpose(1L, 2L)
                          Expect.isLessThan (difference ours theirs / largest theirs) 1e-5 target)
              }

          for name, sources, wiener in settings do
              test $"{name}: sounds as in the golden files within 1e-4, with ones for zeros of the mixture" {
                  withModelOf wiener false (fun unmix ->
                      // The authors put the residual behind the others.
                      let theirs = (numbers name [ sources; 2L; 6000L ]).roll((if wiener.Residual then 1L else 0L), 0L)
                      let mixture = (stftOf unmix).Forward(audio ())
                      let magnitudes = magnitudesOf unmix (mixture.abs ())
                      let given = if wiener.SoftMask then mixture else withTheirOnes mixture
                      let spectrograms = Wiener.estimates wiener magnitudes given
                      let ours = torch.stack [| for source in spectrograms.unbind 0 -> (stftOf unmix).Inverse(source, 6000L) |]
                      Expect.isLessThan (difference ours theirs / largest theirs) 1e-4 "the sounds are the authors'"
                      Expect.hasLength unmix.Network.Spec.Sources (int sources) "each source has a name")
              }

          test "a sound is estimated in these steps; silence stays silent, where the authors' code has a click in the residual" {
              let wiener = { Wiener.openUnmix with Residual = true }

              withModelOf wiener false (fun unmix ->
                  let sound = (audio ()).clone()
                  sound.narrow(1L, 2000L, 2000L).zero_() |> ignore
                  let mixture = (stftOf unmix).Forward sound
                  let spectrograms = Wiener.estimates wiener (magnitudesOf unmix (mixture.abs ())) mixture
                  let steps = (stftOf unmix).Inverse spectrograms
                  let estimates = (Separation.estimate unmix Soft (sound.unsqueeze 0L)).squeeze 0L
                  Expect.equal (difference estimates steps) 0.0 "the estimate is made in these steps"
                  Expect.isLessThan (largest (estimates.narrow (2L, 2300L, 1400L))) 1e-6 "silence stays silent inside")
          }

          testProperty "with a residual the sources sum to the mixture, whatever the magnitudes"
          <| fun (seed: int) (isStereo: bool) (softMask: bool) ->
              Memory.plain (fun () ->
                  let mixture, magnitudes = drawn seed 2L (if isStereo then 2L else 1L)

                  for iterations in [ 0; 1; 3 ] do
                      let wiener = { Iterations = iterations; Window = Some 4; Residual = true; SoftMask = softMask }
                      let sum = (Wiener.estimates wiener magnitudes mixture).sum 0L
                      let bound = if iterations = 0 then 1e-12 else 0.05
                      Expect.isLessThan (difference sum mixture) bound $"{iterations} iterations, but for a little noise")

          testProperty "a window is estimated by itself, and the order of the sources does not matter"
          <| fun (seed: int) ->
              Memory.plain (fun () ->
                  let mixture, magnitudes = drawn seed 3L 2L
                  let wiener = { Wiener.openUnmix with Window = Some 4 }
                  let whole = Wiener.estimates wiener magnitudes mixture
                  let second = Wiener.estimates wiener (magnitudes.narrow (2L, 4L, 4L)) (mixture.narrow (1L, 4L, 4L))
                  Expect.isLessThan (difference (whole.narrow (2L, 4L, 4L)) second) 1e-12 "a window is as by itself"
                  let turned = Wiener.estimates wiener (magnitudes.flip 0L) mixture
                  Expect.isLessThan (difference (turned.flip 0L) whole) 1e-9 "the order of the sources does not matter")

          test "the filter is the textbook's: two sources of one channel share the mixture by their powers" {
              Memory.plain (fun () ->
                  // A source whose covariance is its mean power over v: both R are 1, and the filter is v / (sum v + 1e-5).
                  let mixture, magnitudes = drawn 3 2L 1L
                  let estimates = Wiener.estimates { Wiener.openUnmix with Window = None } magnitudes mixture
                  let power = magnitudes.squared ()
                  let expected = mixture * (power / (power.sum 0L).add 1e-5)
                  Expect.isLessThan (difference estimates expected) 1e-6 "the filter shares by the powers")
          }

          test "a long sound in blocks is as long, near the whole, however it is cut, and sums to the mixture" {
              // A block has 2400 frames, the sound two and a half blocks.
              let wiener = { Wiener.openUnmix with Residual = true }

              withModelOf wiener false (fun unmix ->
                  let sound = (audio ()).repeat(1L, 62L)
                  let whole = (Separation.estimate unmix Soft (sound.unsqueeze 0L)).squeeze 0L

                  let inPieces (sizes: int64 list) =
                      let push (outputs, state) (piece: torch.Tensor) =
                          let output, state = SeparationStream.push unmix piece state
                          output :: outputs, state

                      let pieces = sound.split (List.toArray sizes, 1L)
                      let outputs, last = Array.fold push ([], SeparationStream.start unmix 2) pieces
                      torch.cat(List.toArray (List.rev (SeparationStream.finish unmix last :: outputs)), 2L).transpose(0L, 1L)

                  let halves = inPieces [ 186000L; 186000L ]
                  Expect.equal (List.ofArray halves.shape) [ 3L; 2L; 372000L ] "the estimates are as long as the sound"
                  Expect.isLessThan (difference halves (inPieces [ 7L; 310993L; 61000L ])) 1e-6 "however it is cut"
                  Expect.isLessThan (difference (halves.sum 0L) sound) 0.01 "it sums to the mixture"
                  // Single samples differ by more where the filter has little to go by.
                  let norm (x: torch.Tensor) = x.norm().to_type(torch.float64).item<float>()
                  let common = whole.narrow (2L, 0L, 371000L)
                  let off = norm (halves.narrow (2L, 0L, 371000L) - common) / norm common
                  Expect.isLessThan off 0.002 "near the whole")
          }

          for name, sources, wiener in settings do
              test $"{name}: a song that comes piece by piece has the frames, edges and windows of the authors' program" {
                  withModelOf wiener false (fun unmix ->
                      let sound = audio ()

                      let push (outputs, state) piece =
                          let output, state = SeparationStream.push unmix piece state
                          output :: outputs, state

                      let outputs, last =
                          sound.split ([| 3L; 100L; 2000L; 3897L |], 1L) |> Array.fold push ([], SeparationStream.start unmix 2)

                      let ours =
                          torch
                              .cat(List.toArray (List.rev (SeparationStream.finish unmix last :: outputs)), 2L)
                              .transpose(0L, 1L)

                      Expect.equal (List.ofArray ours.shape) [ sources; 2L; 6000L ] "the estimates are as long as the song"
                      let whole = (Separation.estimate unmix Soft (sound.unsqueeze 0L)).squeeze 0L
                      let length = whole.shape[2]

                      Expect.isLessThan
                          (difference (ours.narrow (2L, 0L, length)) whole / largest whole)
                          1e-5
                          "the whole at once"

                      // The others see the authors' ones for zeros of the mixture.
                      if wiener.Iterations = 0 || wiener.SoftMask then
                          let theirs = numbers name [ sources; 2L; 6000L ]
                          Expect.isLessThan (difference ours theirs / largest theirs) 1e-4 "the sounds are the authors'")
              }

          test "the golden folder plays a file: stems as of the whole at once, the residual before them" {
              Scratch.inFolder (fun folder ->
                  let path = Path.Combine(folder, "song.wav")
                  Memory.plain (fun () -> AudioFile.Write(path, AudioTensors.FromTensor(audio (), 8000)) |> ignore)
                  use separator = Separators.Open(golden (), "cpu")
                  Expect.sequenceEqual separator.Stems [ "residual"; "vocals"; "drums" ] "shapes.json names no target"
                  let files = separator.SeparateFile(path, Path.Combine(folder, "stems"))

                  withModelOf { Wiener.openUnmix with Residual = true } false (fun unmix ->
                      let whole = (Separation.estimate unmix Soft ((audio ()).unsqueeze 0L)).squeeze 0L

                      for index, stem in [ 1L, "vocals"; 2L, "drums" ] do
                          let ours = (AudioFile.Read files[stem].Path).ToTensor().narrow(1L, 0L, whole.shape[2])
                          Expect.isLessThan (difference ours whole[index] / largest whole[index]) 1e-5 stem))
          }

          test "sounds shorter than a window, and than what is reflected of them" {
              withModel false (fun unmix ->
                  for length in [ 1L; 50L; 128L; 129L; 130L; 300L ] do
                      let sound = (audio ()).narrow(1L, 0L, length)
                      let estimates = Scratch.separatedInPieces 40 unmix sound
                      Expect.equal (List.ofArray estimates.shape) [ 2L; 2L; length ] "the estimates are as long as the sound"
                      Expect.isTrue (estimates.isfinite().all().item<bool>()) "every sample is a number")
          }

          test "a small one learns, is saved as a model folder with its statistics, and comes back" {
              Memory.plain (fun () ->
                  let net = { Unmix.settings with BinsRead = 20; Hidden = 8; Layers = 1 }
                  let stft = Stft(64, 16, StftWindow.Hann, true)
                  let sources = [ "vocals"; "drums" ]
                  let spec = { FrontEnd = { SampleRate = 8000; Stft = stft }; Channels = 1; Sources = sources }
                  let network = Unmix.family.Network net spec
                  let start = Model.init torch.float32 torch.CPU (Key.ofSeed 1) network.Model
                  let truths = Views.ofWaveform stft (noise 3 [ 2L; 2L; 1L; 2000L ])
                  let mixtures = Views.map _.sum(1L) (Views.ofSpectrum stft (truths.Spectrum.``to`` torch.complex64))
                  let heard = { Sound = mixtures; Mode = Mode.Training(Key.ofSeed 2); InitialStates = [] }
                  let wanted = truths.Magnitude.``to`` torch.float32

                  let objective vector =
                      let weights = Params.split { start with Vector = vector }
                      ((Network.model network).Apply weights heard).Views.Magnitude.sub(wanted).squared().mean()

                  let mutable vector = start.Vector
                  let value () = (objective vector).item<float32>()
                  let first = value ()

                  for _ in 1..30 do
                      let gradient = Grad.grad objective vector
                      vector <- vector - (gradient / gradient.norm ()).mul 0.3

                  Expect.isLessThan (value ()) (0.9f * first) "the loss falls"

                  Scratch.inFolder (fun folder ->
                      let batches = [ Network.input network mixtures ]
                      let learnt = { start with Vector = vector }
                      let observed = learnt |> Params.withStatistics (Statistics.observe network.Model learnt batches)
                      let trained = { Network = network; Parameters = observed; Level = None }
                      ModelFolder.save folder trained (System.Text.Json.Nodes.JsonObject())
                      let read = ModelFolder.load ModelFolder.families torch.CPU folder
                      let sound = (noise 9 [ 1L; 1L; 1500L ]).``to`` torch.float32
                      let estimates model = Separation.estimate model Soft sound
                      Expect.equal read.Level None "the model folder has no level"
                      Expect.equal (difference (estimates read) (estimates trained)) 0.0 "the same estimates"))
          }

          test "as a separator for applications: the residual first, stems sum to the song, of any number of channels" {
              withModelOf { Wiener.openUnmix with Residual = true } false (fun unmix ->
                  use separator = new NetworkSeparator("open-unmix", unmix) :> ISeparator
                  Expect.sequenceEqual separator.Stems [ "residual"; "vocals"; "drums" ] "the residual comes first"
                  let channel seed = Array.map float32 (Key.uniforms 9000 (Key.ofSeed seed))

                  for channels in [ [| channel 1; channel 2 |]; [| channel 3 |]; [| channel 1; channel 2; channel 3 |] ] do
                      let song = AudioBuffer(channels, separator.SampleRate)
                      let stems = separator.Separate song

                      for index in 0 .. channels.Length - 1 do
                          let parts = [ for stem in separator.Stems -> stems[stem].Channels[index] ]
                          let sum = List.reduce (Array.map2 (+)) parts
                          let off = Array.map2 (fun a b -> abs (a - b)) sum channels[index] |> Array.max
                          Expect.isLessThan off 1e-5f "the stems sum to the song"
                          Expect.isTrue (parts |> List.forall (Array.exists (fun x -> x <> 0.0f))) "no stem is silent")
          }

          for what, words, damage in damages do
              test $"refused by name: {what}" {
                  Scratch.inFolder (fun folder ->
                      for path in Directory.GetFiles(golden (), "*.*") do
                          let name = Path.GetFileName path

                          if name.EndsWith ".json" || name.EndsWith ".pth" then
                              File.Copy(path, Path.Combine(folder, name))

                      damage folder
                      Scratch.refuses words (fun () -> OpenUnmix.load Wiener.openUnmix torch.CPU folder |> ignore))
              }

          test "what the filter and the model refuse" {
              Memory.plain (fun () ->
                  let mixture, magnitudes = drawn 1 2L 2L
                  let estimates wiener magnitudes mixture () = Wiener.estimates wiener magnitudes mixture |> ignore

                  refuses
                      [ "Wiener filter: wants magnitudes [sources, 2, 9, 5]"; "[2, 2, 8, 5]" ]
                      (estimates Wiener.openUnmix (magnitudes.narrow (2L, 0L, 8L)) mixture)

                  refuses [ "complex" ] (estimates Wiener.openUnmix magnitudes mixture.real)
                  refuses [ "a single source" ] (estimates Wiener.openUnmix (magnitudes.narrow (0L, 0L, 1L)) mixture)
                  let three, ofThree = drawn 1 2L 3L
                  refuses [ "one channel or two, got 3" ] (estimates Wiener.openUnmix ofThree three)

                  let refusesNetwork words net channels sources =
                      refuses words (fun () ->
                          Unmix.family.Network net { FrontEnd = Unmix.frontEnd; Channels = channels; Sources = sources }
                          |> ignore)

                  refusesNetwork [ "Hidden must be even" ] { Unmix.settings with Hidden = 5 } 2 [ "vocals"; "drums" ]
                  refusesNetwork [ "at most the 2049 bins" ] { Unmix.settings with BinsRead = 2050 } 2 [ "vocals"; "drums" ]
                  refusesNetwork [ "a single source" ] Unmix.settings 2 [ "vocals" ]
                  refusesNetwork [ "one channel or two" ] Unmix.settings 3 [ "vocals"; "drums" ]
                  let residual = { Unmix.settings with Wiener.Residual = true }
                  refusesNetwork [ "besides the residual" ] residual 2 [ "residual" ])

              withModel false (fun unmix ->
                  refuses [ "open-unmix: wants mixtures [batch, 2, samples]"; "[1, 1, 6000]" ] (fun () ->
                      Separation.estimate unmix Soft ((audio ()).narrow(0L, 0L, 1L).unsqueeze 0L) |> ignore)

                  Scratch.refuses [ "soft" ] (fun () -> Separation.estimate unmix Hard ((audio ()).unsqueeze 0L) |> ignore))
          } ]
