/// Audio effects, by what is measured of the sound that comes out.
module FunctionalSeparation.Tests.AudioEffectsTests

open System
open Expecto
open FsCheck
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning

let private rate = 16000

let private noise seed samples = Key.uniforms samples (Key.ofSeed seed) |> Array.map (fun x -> float32 (x - 0.5))

let private tone (hertz: float) samples =
    Array.init samples (fun n -> float32 (0.3 * sin (2.0 * Math.PI * hertz * float n / float rate)))

let private energy (channels: float32[][]) = channels |> Array.sumBy (Array.sumBy (fun x -> float x * float x))

let private decibels (after: float32[][]) before = 10.0 * log10 (energy after / energy before)

/// How strong a frequency in Hz is in a signal, in dB.
let private strength (hertz: float) (signal: float32[]) =
    let part wave = signal |> Array.mapi (fun n x -> float x * wave (2.0 * Math.PI * hertz * float n / float rate)) |> Array.sum

    10.0 * log10 (part cos ** 2.0 + part sin ** 2.0)

let private impulse samples = Array.init samples (fun n -> if n = 0 then 1.0f else 0.0f)

let private all =
    [ Effect.polarity
      Effect.equalise 6.0
      Effect.formants 1.2
      Effect.doubled
      Effect.harmony
      Effect.echo
      Effect.room
      Effect.compressed
      Effect.saturated
      Effect.bandPassed
      Effect.stutter
      Effect.robotised
      Effect.vocoded
      Effect.chain [ Effect.echo; Effect.room ]
      Effect.tuned
      Effect.panned 0.5
      Effect.width 0.0 2.0 ]

[<Tests>]
let tests =
    testList
        "audio effects"
        [ for effect in all do
              test $"{Id.text effect.Id}: a function of the key, of one shape, finite, and silent on silence" {
                  for channels in [ 1; 2 ] do
                      let sound = Array.init channels (fun channel -> noise channel 8000)
                      let before = Array.map Array.copy sound
                      let apply key = effect.Apply rate (Key.ofSeed key) sound
                      let once = apply 3
                      Expect.equal sound before "what it is given stays as it is"
                      Expect.equal (apply 3) once "the same key, the same sound"
                      Expect.equal (once |> Array.map _.Length) (sound |> Array.map _.Length) "the sound keeps its shape"
                      Expect.isTrue (Array.forall (Array.forall Single.IsFinite) once) "every sample is a number"

                      // Decoders leave samples as soft as the smallest number that there is.
                      for level in [ 0.0f; Single.Epsilon; 1e-30f; 1e-12f ] do
                          let soft = sound |> Array.map (Array.map (fun x -> 10.0f * level * x))
                          let after = energy (effect.Apply rate (Key.ofSeed 3) soft)
                          Expect.isTrue (after < 1e-9) $"of silence at {level} comes silence, and no NaN: {after}"
              }

          test "all identities differ, for they tell runs apart" {
              Expect.equal (all |> List.distinctBy _.Id |> List.length) all.Length "each effect has words of its own"
              Expect.notEqual (Effect.sometimes 0.5 Effect.room).Id Effect.room.Id "a probability makes another identity"
          }

          test "sometimes: about as often as it says, never at 0, always at 1" {
              let sound = [| noise 1 64 |]
              let inverted = Effect.onChannels "inverted" (fun _ _ signal -> Augment.invert signal)

              let count probability =
                  [ for seed in 0..399 -> (Effect.sometimes probability inverted).Apply rate (Key.ofSeed seed) sound <> sound ]
                  |> List.filter id
                  |> List.length

              Expect.equal (count 0.0) 0 "at 0 the effect never applies"
              Expect.equal (count 1.0) 400 "at 1 the effect always applies"
              Expect.isTrue (abs (count 0.3 - 120) < 40) "three in ten"
          }

          test "panned to one side, one channel has all of it; the power stays" {
              let sound = [| noise 1 4000; noise 1 4000 |]
              let left = AudioEffects.pan -1.0 sound
              Expect.isLessThan (energy [| left[1] |]) 1e-9 "nothing is left on the right"
              Expect.isLessThan (abs (decibels left sound)) 1e-3 "the power stays, all on the left"
              Expect.isLessThan (abs (decibels (AudioEffects.pan 0.4 sound) sound)) 1e-3 "the power stays between the sides"
          }

          test "width 0 is mono, 1 changes nothing, 2 doubles the difference" {
              let sound = [| noise 1 4000; noise 2 4000 |]
              let side (channels: float32[][]) = [| Array.map2 (-) channels[0] channels[1] |]
              Expect.isLessThan (energy (side (AudioEffects.width 0.0 sound))) 1e-9 "at width 0 there is no difference"
              Expect.equal (AudioEffects.width 1.0 sound) sound "as it was"
              Expect.floatClose Accuracy.medium (decibels (side (AudioEffects.width 2.0 sound)) (side sound)) 6.0206 "6 dB"
          }

          test "a width out of its range is refused by its numbers" {
              for narrowest, widest in [ -0.1, 1.0; 2.0, 1.0; 0.0, 4.1; nan, 1.0 ] do
                  Scratch.refusesArgument [ "width"; string widest ] (fun () -> Effect.width narrowest widest |> ignore)
          }

          test "echoes come at their times, each softer than the one before, from side to side" {
              let echoed = AudioEffects.echo 0.1 0.5 -6.0 rate [| impulse 16000; impulse 16000 |]
              let at channel index = echoed[channel].[index * 1600]
              Expect.isGreaterThan (at 0 1) (at 1 1) "the first one left"
              Expect.isLessThan (at 0 2) (at 1 2) "the second one right"

              for index in 1..5 do
                  let both number = float (at 0 number) + float (at 1 number)
                  Expect.floatClose Accuracy.medium (both (index + 1) / both index) 0.5 "half of the one before"
          }

          test "a room falls by 60 dB in its time, begins after its delay, and has the level that is asked for" {
              let dry = impulse 32000
              let wet = (AudioEffects.room 1.0 0.05 7000.0 -6.0 rate (Key.ofSeed 1) [| dry; dry |])[0]
              Expect.isLessThan (energy [| wet[1..799] |]) 1e-9 "nothing before 50 ms"
              Expect.isLessThan (abs (10.0 * log10 (energy [| wet[800..] |]) + 6.0)) 0.2 "the room has the level asked for"
              let level start = 10.0 * log10 (energy [| wet[start .. start + 1599] |])
              Expect.isLessThan (abs (level 4000 - level 12000 - 30.0)) 6.0 "30 dB in half a second"
          }

          test "a doubled sound in stereo is no longer the same on both sides, and keeps its middle" {
              let sound = [| tone 440.0 16000; tone 440.0 16000 |]
              let doubled = AudioEffects.doubled -6.0 rate (Key.ofSeed 4) sound
              let side = [| Array.map2 (-) doubled[0] doubled[1] |]
              Expect.isGreaterThan (decibels side sound) -15.0 "the two sides differ"
              Expect.isTrue (strength 440.0 doubled[0] > strength 440.0 sound[0] - 6.0) "the tone stays"
          }

          test "compressed, loud and soft parts are nearer to each other, and the energy stays" {
              let sound = [| Array.append (tone 300.0 8000) (tone 300.0 8000 |> Array.map ((*) 0.1f)) |]
              let compressed = AudioEffects.compress -30.0 4.0 rate sound
              let range (channels: float32[][]) = decibels [| channels[0].[2000..7999] |] [| channels[0].[12000..15999] |]
              Expect.isLessThan (range compressed) (range sound - 8.0) "loud and soft are nearer by 8 dB"
              Expect.isLessThan (abs (decibels compressed sound)) 0.01 "the energy stays as it was"
          }

          test "saturated, a tone has odd harmonics" {
              let saturated = AudioEffects.saturate 18.0 [| tone 500.0 16000 |]
              let harmonic number = strength (500.0 * number) saturated[0] - strength 500.0 saturated[0]
              Expect.isGreaterThan (harmonic 3.0) -30.0 "the third harmonic is there"
              Expect.isLessThan (harmonic 2.0) -60.0 "the second harmonic is not there"
          }

          test "a band leaves what lies in it" {
              let through hertz =
                  let sound = [| Array.map2 (+) (tone hertz 16000) (tone 1000.0 16000) |]
                  let passed = (AudioEffects.bandPass 300.0 3400.0 rate sound)[0]
                  strength hertz passed - strength 1000.0 passed

              Expect.isLessThan (through 75.0) -40.0 "two octaves below"
              Expect.isLessThan (through 6800.0) -20.0 "an octave above"
          }

          test "stuttered, slices repeat those before them" {
              let sound = [| noise 1 16000 |]
              let stuttered = AudioEffects.stutter 0.1 rate (Key.ofSeed 2) sound
              let slice index = stuttered[0].[1600 * index .. 1600 * index + 1599]
              Expect.isTrue ([ 1..9 ] |> List.exists (fun index -> slice index = slice (index - 1))) "one is repeated"

              Expect.isTrue
                  ([ 0..9 ] |> List.exists (fun index -> slice index = sound[0].[1600 * index .. 1600 * index + 1599]))
                  "one is its own"
          }

          test "vocoded, pulses of another pitch have the pitch of the notes, and only where they sound" {
              let sound = Array.init 32000 (fun n -> if n < 16000 && n % 117 = 0 then 1.0f else 0.0f)
              let vocoded = (AudioEffects.vocode (Array.create 2 [| 200.0 |]) 16000 rate (Key.ofSeed 1) [| sound |])[0]
              let around hertz = Seq.sum [ for offset in -5.0 .. 5.0 -> 10.0 ** (strength (hertz + offset) vocoded / 10.0) ]
              // Pulses every 117 samples have partials at 274 and 547 Hz.
              Expect.isGreaterThan (around 400.0 / around 274.0) 100.0 "partials of the note, not of the pulses"
              Expect.isGreaterThan (around 600.0 / around 547.0) 100.0 "partials of the note, not of the pulses"
              Expect.isLessThan (energy [| vocoded[17000..] |] / energy [| vocoded |]) 0.01 "silence stays silent"

              Expect.throwsT<ArgumentException>
                  (fun () -> AudioEffects.vocode [| [| 200.0 |] |] 16000 rate (Key.ofSeed 1) [| sound |] |> ignore)
                  "notes for half of the sound"
          }

          test "robotised, a noise has a pitch" {
              let robot = (AudioEffects.robotise 200.0 rate [| noise 1 32000 |])[0]
              let peaks = [ for number in 2.0 .. 9.0 -> strength (200.0 * number) robot ]
              let between = [ for number in 2.0 .. 9.0 -> strength (200.0 * (number + 0.5)) robot ]
              Expect.isGreaterThan (List.average peaks - List.average between) 20.0 "the harmonics stand out of the noise"
          }

          test "tuned, a tone a third of a semitone sharp has the pitch of the semitone" {
              let sharp = 440.0 * 2.0 ** (1.0 / 36.0)

              let voice =
                  Array.init 16000 (fun n ->
                      [ 1.0 .. 4.0 ]
                      |> List.sumBy (fun h -> 0.2 * sin (2.0 * Math.PI * h * sharp * float n / float rate))
                      |> float32)

              let tuned = Array.head (AudioEffects.tuned rate [| voice |])
              let tuned = tuned[2000..13999]
              Expect.isGreaterThan (strength 440.0 tuned - strength sharp tuned) 15.0 "the tone has the semitone's pitch"
              Expect.isLessThan (strength 440.0 voice[2000..13999] - strength sharp voice[2000..13999]) 0.0 "it was sharp"
          }

          testProperty "levels: the lead lies against the accompaniment as asked, alone and silent as often as asked"
          <| fun (PositiveInt seed) ->
              let levels =
                  { ExcerptLevels.songs with
                      Lead = -9.0, -9.0
                      Accompaniment = -20.0, -20.0
                      LeadAlone = 0.0
                      LeadSilent = 0.0 }

              let memory gain seed = [ Memory(noise seed 8000 |> Array.map ((*) gain)) ]
              let sources = [ memory 0.7f seed; memory 0.01f (seed + 1) ]
              let factors = ExcerptLevels.factors levels sources (Key.ofSeed seed)

              let level source =
                  10.0
                  * log10 (energy [| sources[source].Head.ToArray() |> Array.map ((*) (float32 factors[source])) |] / 8000.0)

              Expect.isLessThan (abs (level 0 + 20.0)) 0.1 "the accompaniment has its level"
              Expect.isLessThan (abs (level 1 + 29.0)) 0.1 "the lead has its level"
              let silent = ExcerptLevels.factors { levels with LeadSilent = 1.0 } sources (Key.ofSeed seed)
              Expect.equal silent[1] 0.0 "a silent lead has no gain"
              let alone = ExcerptLevels.factors { levels with LeadAlone = 1.0 } sources (Key.ofSeed seed)
              Expect.equal alone[0] 0.0 "a lead alone has no accompaniment"

          test "numbers that make no effects or levels are refused" {
              Scratch.refusesArgument [ "probability"; "1.5" ] (fun () -> Effect.sometimes 1.5 Effect.room |> ignore)
              Scratch.refusesArgument [ "most"; "0" ] (fun () -> Effect.panned 0.0 |> ignore)

              for levels, word in
                  [ { ExcerptLevels.songs with Lead = 5.0, -5.0 }, "Lead"
                    { ExcerptLevels.songs with Accompaniment = nan, 0.0 }, "Accompaniment"
                    { ExcerptLevels.songs with LeadAlone = 0.8; LeadSilent = 0.3 }, "LeadAlone" ] do
                  Scratch.refusesArgument [ word ] (fun () ->
                      let network = Drnn.network { Drnn.huang2014 with Hidden = [ 4; 4 ] }
                      let settings = { ExcerptSettings.ofSize 5 1 with Levels = Some levels }
                      Feed.excerpts network Scratch.magnitudes settings torch.CPU (Corpus.embedded 3).Train |> ignore)
          } ]
