/// open-unmix against what its authors' code gives for the same weights (golden/openunmix), and laws of its Wiener filter.
module FunctionalSeparation.Tests.OpenUnmixTests

open System
open System.IO
open Expecto
open FsCheck
open TorchSharp
open FunctionalSeparation
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
let private withModel isOlder (work: OpenUnmix -> unit) =
    Scratch.inFolder (fun folder ->
        for path in Directory.GetFiles(golden (), "*.json") do
            File.Copy(path, Path.Combine(folder, Path.GetFileName path))

        for target in [ "vocals"; "drums" ] do
            let from = if isOlder then $"{target}.legacy-format" else $"{target}-0000.pth"
            File.Copy(Path.Combine(golden (), from), Path.Combine(folder, $"{target}-0000.pth"))

        // shapes.json of the golden folder names no target.
        File.Delete(Path.Combine(folder, "shapes.json"))
        Memory.plain (fun () -> OpenUnmix.load torch.CPU folder |> work))

/// The mixture with ones where the golden magnitudes are exactly zero. The authors' arctangent avoids a division by zero by writing
/// a 1 into the mixture itself, which residual and covariances then see (not where the filter starts from soft masks). In double
/// precision no point of this mixture is zero: the 21 that are come of the rounding of their FFT, and another one, libtorch's of today
/// too, has others. So the golden sounds are met to rounding with their ones; straight from the sound `niter1`, `niter1_residual`
/// and `niter2_win20` are off by 0.010, 0.038 and 0.030 of the largest sample, and no other FFT can do better.
let private withTheirOnes (mixture: torch.Tensor) =
    let isZero = (numbers "magnitude" [ 2L; 129L; 94L ]).transpose(1L, 2L).eq 0.0
    torch.where (isZero, torch.ones_like mixture, mixture)

/// A complex mixture and magnitudes of sources on it.
let private drawn seed sources channels =
    let part index = noise (seed + index) [ channels; 9L; 5L ]
    let magnitudes = noise (seed + 7) [ sources; channels; 9L; 5L ]
    torch.complex (part 0, part 1), magnitudes.abs ()

let private largest (x: torch.Tensor) = x.abs().max().to_type(torch.float64).item<float>()

/// What is wrong with a folder of weights, with words of the refusal.
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
                          (unmix.SampleRate, unmix.Channels, unmix.Targets |> List.map _.Name)
                          (8000, 2, [ "vocals"; "drums" ])
                          "folder"

                      let mixture = (unmix.Stft.Forward(audio ())).abs()
                      let theirs = numbers "magnitude" [ 2L; 129L; 94L ]
                      Expect.isLessThan (difference (mixture.transpose (1L, 2L)) theirs / largest theirs) 1e-5 "mixture"
                      let estimates = OpenUnmix.magnitudes unmix mixture

                      for index, target in List.indexed [ "vocals"; "drums" ] do
                          let theirs = numbers $"{target}.magnitude" [ 2L; 129L; 94L ]
                          let ours = estimates[int64 index].transpose(1L, 2L)
                          Expect.isLessThan (difference ours theirs / largest theirs) 1e-5 target)
              }

          for name, sources, wiener in settings do
              test $"{name}: sounds as in the golden files within 1e-4, with ones for zeros of the mixture" {
                  withModel false (fun unmix ->
                      let theirs = numbers name [ sources; 2L; 6000L ]
                      let mixture = unmix.Stft.Forward(audio ())
                      let magnitudes = OpenUnmix.magnitudes unmix (mixture.abs ())
                      let given = if wiener.SoftMask then mixture else withTheirOnes mixture
                      let spectrograms = Wiener.estimates wiener magnitudes given
                      let ours = torch.stack [| for source in spectrograms.unbind 0 -> unmix.Stft.Inverse(source, 6000L) |]
                      Expect.isLessThan (difference ours theirs / largest theirs) 1e-4 "sounds"
                      Expect.hasLength (OpenUnmix.sources wiener unmix) (int sources) "names")
              }

          test "a sound is estimated in these steps; silence stays silent, where the authors' code has a click in the residual" {
              withModel false (fun unmix ->
                  let wiener = { Wiener.openUnmix with Residual = true }
                  let sound = (audio ()).clone()
                  sound.narrow(1L, 2000L, 2000L).zero_() |> ignore
                  let mixture = unmix.Stft.Forward sound
                  let spectrograms = Wiener.estimates wiener (OpenUnmix.magnitudes unmix (mixture.abs ())) mixture
                  let steps = torch.stack [| for source in spectrograms.unbind 0 -> unmix.Stft.Inverse(source, 6000L) |]
                  let estimates = OpenUnmix.estimate wiener unmix sound
                  Expect.equal (difference estimates steps) 0.0 "the steps"
                  Expect.isLessThan (largest (estimates.narrow (2L, 2300L, 1400L))) 1e-6 "silence")
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
                  Expect.isLessThan (difference (whole.narrow (2L, 4L, 4L)) second) 1e-12 "window"
                  let turned = Wiener.estimates wiener (magnitudes.flip 0L) mixture
                  Expect.isLessThan (difference (turned.flip 0L) whole) 1e-9 "order")

          test "the filter is the textbook's: two sources of one channel share the mixture by their powers" {
              Memory.plain (fun () ->
                  // A source whose covariance is its mean power over v: both R are 1, and the filter is v / (sum v + 1e-5).
                  let mixture, magnitudes = drawn 3 2L 1L
                  let estimates = Wiener.estimates { Wiener.openUnmix with Window = None } magnitudes mixture
                  let power = magnitudes.squared ()
                  let expected = mixture * (power / (power.sum 0L).add 1e-5)
                  Expect.isLessThan (difference estimates expected) 1e-6 "estimates")
          }

          test "a sound in pieces is as long, the first part is that of the whole, and pieces do not matter" {
              withModel false (fun unmix ->
                  let wiener = { Wiener.openUnmix with Window = Some 20; Residual = true }
                  let sound = (audio ()).repeat(1L, 5L)
                  let whole = OpenUnmix.estimate wiener unmix sound

                  let inPieces (sizes: int64 list) =
                      let push (outputs, state) (piece: torch.Tensor) =
                          let output, state = UnmixStream.push wiener unmix piece state
                          output :: outputs, state

                      let pieces = sound.split (List.toArray sizes, 1L)
                      let outputs, last = Array.fold push ([], UnmixStream.start wiener unmix) pieces
                      torch.cat (List.toArray (List.rev (UnmixStream.finish wiener unmix last :: outputs)), 2L)

                  let halves = inPieces [ 15000L; 15000L ]
                  Expect.equal (List.ofArray halves.shape) [ 3L; 2L; 30000L ] "as long"
                  Expect.isLessThan (difference halves (inPieces [ 7L; 20993L; 9000L ])) 1e-6 "however it is cut"
                  Expect.isLessThan (difference (halves.sum 0L) sound) 0.01 "it sums to the mixture"
                  // Parts overlap and fade; single samples differ by more where the filter has next to nothing to go by.
                  let norm (x: torch.Tensor) = x.norm().to_type(torch.float64).item<float>()
                  Expect.isLessThan (norm (halves - whole) / norm whole) 0.02 "near the whole")
          }

          test "as a separator for applications: the residual first, stems sum to the song, a mono song works" {
              withModel false (fun unmix ->
                  use separator = new UnmixSeparator(unmix) :> ISeparator
                  Expect.sequenceEqual separator.Stems [ "residual"; "vocals"; "drums" ] "stems"
                  let channel seed = Array.map float32 (Key.uniforms 9000 (Key.ofSeed seed))

                  for channels in [ [| channel 1; channel 2 |]; [| channel 3 |] ] do
                      let song = AudioBuffer(channels, unmix.SampleRate)
                      let stems = separator.Separate song

                      for index in 0 .. channels.Length - 1 do
                          let parts = [ for stem in separator.Stems -> stems[stem].Channels[index] ]
                          let sum = List.reduce (Array.map2 (+)) parts
                          let off = Array.map2 (fun a b -> abs (a - b)) sum channels[index] |> Array.max
                          Expect.isLessThan off 1e-5f "sum"
                          Expect.isTrue (parts |> List.forall (Array.exists (fun x -> x <> 0.0f))) "sound"

                  Scratch.refuses [ "2 channels"; "3" ] (fun () ->
                      separator.Separate(AudioBuffer([| channel 1; channel 2; channel 3 |], unmix.SampleRate)) |> ignore))
          }

          test "a sound of a few samples, and of none in a stream" {
              withModel false (fun unmix ->
                  let short = (audio ()).narrow(1L, 0L, 10L)
                  Expect.equal (List.ofArray (OpenUnmix.estimate Wiener.openUnmix unmix short).shape) [ 2L; 2L; 10L ] "ten"
                  let nothing = UnmixStream.start Wiener.openUnmix unmix |> UnmixStream.finish Wiener.openUnmix unmix
                  Expect.equal (List.ofArray nothing.shape) [ 2L; 2L; 0L ] "none")
          }

          for what, words, damage in damages do
              test $"refused by name: {what}" {
                  Scratch.inFolder (fun folder ->
                      for path in Directory.GetFiles(golden (), "*.*") do
                          let name = Path.GetFileName path

                          if name <> "shapes.json" && (name.EndsWith ".json" || name.EndsWith ".pth") then
                              File.Copy(path, Path.Combine(folder, name))

                      damage folder
                      Scratch.refuses words (fun () -> OpenUnmix.load torch.CPU folder |> ignore))
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

                  refuses [ "Hidden must be even" ] (fun () ->
                      UnmixNetwork.create
                          { Channels = 2; Bins = 9; BinsRead = 7; Hidden = 5; Layers = 1; IsBidirectional = true }
                      |> ignore))

              withModel false (fun unmix ->
                  refuses [ "open-unmix: wants a sound [2, samples]"; "[1, 6000]" ] (fun () ->
                      OpenUnmix.estimate Wiener.openUnmix unmix ((audio ()).narrow(0L, 0L, 1L)) |> ignore))
          } ]
