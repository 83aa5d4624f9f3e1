/// The library's own model: small enough, and for songs of any rate and number of channels.
module FunctionalSeparation.Tests.DefaultModelTests

open System.IO
open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

let private folder = Path.Combine(Golden.repository, "src", "FunctionalSeparation", "DefaultModel")

let private noise channels rate (samples: int) =
    AudioBuffer(
        [| for channel in 1..channels ->
               Key.uniforms samples (Key.ofSeed channel) |> Array.map (fun x -> float32 (0.2 * (x - 0.5))) |],
        rate
    )

[<Tests>]
let tests =
    testList
        "the library's own model"
        [ test "lies inside the assembly, in at most 8 MB, as the folder of the sources has it" {
              Expect.isLessThan (FileInfo(Path.Combine(folder, "weights.safetensors"))).Length 8_000_000L "they fit into 8 MB"
              Expect.isTrue (File.Exists(Path.Combine(folder, "README.md"))) "the model has a card"

              Memory.plain (fun () ->
                  let inside = DefaultModel.load torch.CPU
                  let files = ModelFolder.load ModelFolder.families torch.CPU folder
                  Expect.equal inside.Level files.Level "both have the same level"
                  Expect.equal inside.Parameters.Vector.dtype torch.float32 "computed in float32"
                  let off = (inside.Parameters.Vector - files.Parameters.Vector).abs().max().item<float32>()
                  Expect.equal off 0.0f "both have the same weights")
          }

          for channels, rate in [ 1, 8000; 2, 44100; 3, 48000 ] do
              test $"takes {channels} channel(s) of {rate} Hz apart" {
                  use separator = Separators.Default "cpu"
                  let song = noise channels rate (rate * 3 / 2)
                  let stems = separator.Separate song
                  Expect.equal (List.ofSeq separator.Stems) Stems.musicAndVoice "the stems are music and voice"

                  for channel in 0 .. channels - 1 do
                      let sum = Array.map2 (+) stems["music"].Channels[channel] stems["voice"].Channels[channel]
                      let off = Array.map2 (fun a b -> abs (a - b)) sum song.Channels[channel] |> Array.max
                      Expect.isTrue (off < 1e-6f) $"the stems sum to the song: {off}"
                      let energy (x: float32[]) = x |> Array.sumBy (fun x -> float x * float x)
                      // Noise is no voice.
                      let share = energy stems["voice"].Channels[channel] / energy song.Channels[channel]
                      Expect.isTrue (share > 1e-6 && share < 0.3) $"the voice's share of noise: {share}"
              } ]
