module FunctionalSeparation.Tests.WavHeaderTests

open System
open System.IO
open System.Text
open Expecto
open FunctionalSeparation.Core
open FunctionalSeparation.Tests.Scratch

let private ascii (text: string) = Encoding.ASCII.GetBytes text
let private u16 (value: int) = BitConverter.GetBytes(uint16 value)
let private u32 (value: int64) = BitConverter.GetBytes(uint32 value)
let private u64 (value: int64) = BitConverter.GetBytes value
let inline private bytesOf (value: ^a) = System.Runtime.InteropServices.MemoryMarshal.AsBytes(ReadOnlySpan [| value |]).ToArray()
let inline private packed (values: ^a[]) = Array.collect bytesOf values

/// A chunk whose header states this size.
let private chunkOf id size body = Array.concat [ ascii id; u32 size; body ]

let private chunk id (body: byte[]) =
    chunkOf id body.LongLength (if body.Length % 2 = 1 then Array.append body [| 0uy |] else body)

let private file id riffSize chunks = Array.concat ([ ascii id; u32 riffSize; ascii "WAVE" ] @ chunks)
let private riff chunks = file "RIFF" (4L + List.sumBy (fun c -> Array.length c |> int64) chunks) chunks

let private fmtBody tag channels rate bits =
    let block = channels * bits / 8
    Array.concat [ u16 tag; u16 channels; u32 (int64 rate); u32 (int64 (rate * block)); u16 block; u16 bits ]

let private fmt tag channels bits = chunk "fmt " (fmtBody tag channels 16000 bits)
let private pcm16 = fmt 1 1 16

/// The tail of the sub-format identifiers of PCM and float, written out from the specification.
let private subFormatTail = [| 0; 0; 0; 0; 0x10; 0; 0x80; 0; 0; 0xAA; 0; 0x38; 0x9B; 0x71 |] |> Array.map byte

let private extensible tag channels bits =
    Array.concat [ fmtBody 0xFFFE channels 16000 bits; u16 22; u16 bits; u32 0L; u16 tag; subFormatTail ]
    |> chunk "fmt "

let private codes = [| 0; 1; -1; 16384; -32768; 32767 |]
let private samples = codes |> Array.map (fun c -> float32 c / 32768.f)
let private sampleBytes = codes |> Array.collect (int16 >> BitConverter.GetBytes)
let private data = chunk "data" sampleBytes
let private noise id = chunk id [| 7uy; 8uy; 9uy |] // an odd size, so that padding is tried too

let private withFile (bytes: byte[]) (test: string -> unit) =
    inFolder (fun folder ->
        let path = Path.Combine(folder, "case.wav")
        File.WriteAllBytes(path, bytes)
        test path)

let private reads name bytes (expected: float32[] list) =
    testCase name
    <| fun () ->
        withFile bytes (fun path ->
            let audio = AudioFile.Read path
            Expect.equal audio.SampleRate 16000 "sample rate"
            Expect.equal (List.ofSeq audio.Channels) expected "samples"
            Expect.equal (AudioFile.Info(path).Length) (expected.Head.LongLength) "length")

let private refused name bytes words =
    testCase name
    <| fun () -> withFile bytes (fun path -> refuses ("case.wav" :: words) (fun () -> AudioFile.Read path |> ignore))

let private codings =
    testList
        "codings"
        [ reads "8 bits, unsigned" (riff [ fmt 1 1 8; chunk "data" [| 0uy; 128uy; 255uy |] ]) [ [| -1.f; 0.f; 127.f / 128.f |] ]
          reads
              "24 bits"
              (riff [ fmt 1 1 24; chunk "data" [| 0uy; 0uy; 0x80uy; 1uy; 0uy; 0uy; 0xFFuy; 0xFFuy; 0xFFuy |] ])
              [ [| -1.f; 1.f / 8388608.f; -1.f / 8388608.f |] ]
          reads "32 bits" (riff [ fmt 1 1 32; chunk "data" (packed [| Int32.MinValue; 0x40000000 |]) ]) [ [| -1.f; 0.5f |] ]
          reads "float 32, beyond full scale" (riff [ fmt 3 1 32; chunk "data" (packed [| 0.25f; -3.f |]) ]) [ [| 0.25f; -3.f |] ]
          reads "float 64" (riff [ fmt 3 1 64; chunk "data" (packed [| 0.1; -1.5 |]) ]) [ [| 0.1f; -1.5f |] ]
          reads
              "12 bits at the top of 16"
              (riff [ chunk "fmt " (Array.concat [ u16 1; u16 1; u32 16000L; u32 32000L; u16 2; u16 12 ]); data ])
              [ samples ]
          reads "extensible, PCM" (riff [ extensible 1 1 16; data ]) [ samples ]
          reads
              "extensible, three channels of float"
              (riff [ extensible 3 3 32; chunk "data" (packed [| 1.f; 2.f; 3.f; 4.f; 5.f; 6.f |]) ])
              [ [| 1.f; 4.f |]; [| 2.f; 5.f |]; [| 3.f; 6.f |] ] ]

let private layouts =
    testList
        "layouts"
        [ reads "plain" (riff [ pcm16; data ]) [ samples ]
          reads
              "other chunks before and after, odd sizes"
              (riff [ noise "bext"; noise "JUNK"; pcm16; noise "LIST"; data; noise "LIST" ])
              [ samples ]
          reads "format after the samples" (riff [ noise "LIST"; data; noise "LIST"; pcm16 ]) [ samples ]
          reads
              "odd number of bytes, then the format"
              (riff [ chunk "data" [| 0uy; 128uy; 64uy |]; fmt 1 1 8 ])
              [ [| -1.f; 0.f; -0.5f |] ]
          reads
              "padding byte missing at the end"
              (riff [ fmt 1 1 8; chunkOf "data" 3L [| 0uy; 128uy; 64uy |] ])
              [ [| -1.f; 0.f; -0.5f |] ]
          reads "size 0, to the end of the file" (file "RIFF" 0L [ pcm16; chunkOf "data" 0L sampleBytes ]) [ samples ]
          reads
              "size 0xFFFFFFFF, to the end of the file"
              (file "RIFF" 0xFFFFFFFFL [ pcm16; chunkOf "data" 0xFFFFFFFFL sampleBytes ])
              [ samples ]
          reads
              "RF64"
              (file
                  "RF64"
                  0xFFFFFFFFL
                  [ chunk "ds64" (Array.concat [ u64 200L; u64 sampleBytes.LongLength; u64 6L; u32 0L ])
                    pcm16
                    chunkOf "data" 0xFFFFFFFFL sampleBytes
                    noise "LIST" ])
              [ samples ] ]

let private refusals =
    testList
        "refusals"
        [ refused
              "fewer bytes than promised"
              (riff [ pcm16; chunkOf "data" 100L sampleBytes ])
              [ "truncated"; "50 samples"; "6 are present"; "copy" ]
          refused
              "RF64 with fewer bytes than promised"
              (file
                  "RF64"
                  0xFFFFFFFFL
                  [ chunk "ds64" (Array.concat [ u64 0L; u64 10_000_000_000L; u64 0L; u32 0L ])
                    pcm16
                    chunkOf "data" 0xFFFFFFFFL sampleBytes ])
              [ "truncated"; "5000000000 samples" ]
          refused "no samples" (riff [ pcm16; chunk "data" [||] ]) [ "holds no samples" ]
          refused "no samples, and chunks after" (riff [ pcm16; chunk "data" [||]; noise "LIST" ]) [ "holds no samples" ]
          refused "no format chunk" (riff [ data ]) [ "no format chunk" ]
          refused "no data chunk" (riff [ pcm16; noise "LIST" ]) [ "no data chunk" ]
          refused "a format chunk of 8 bytes" (riff [ chunk "fmt " (Array.zeroCreate 8); data ]) [ "too short" ]
          refused "no channels" (riff [ fmt 1 0 16; data ]) [ "0 channels" ]
          refused "no sample rate" (riff [ chunk "fmt " (fmtBody 1 1 0 16); data ]) [ "0 Hz" ]
          refused
              "a float that is not a number"
              (riff [ fmt 3 2 32; chunk "data" (packed [| 0.f; 0.f; 0.f; nanf |]) ])
              [ "NaN"; "sample 1 of channel 2" ]
          refused
              "an infinite double"
              (riff [ fmt 3 1 64; chunk "data" (packed [| 0.0; 0.0; infinity |]) ])
              [ "sample 2 of channel 1" ]
          testCase "a compressed coding"
          <| fun () ->
              withFile (riff [ fmt 2 1 16; data ]) (fun path ->
                  refuses [ "case.wav"; "0x0002"; "convert" ] (fun () -> using (new WavReader(path)) ignore)) ]

let private longFile =
    testCase "samples beyond 4 GiB are found"
    <| fun () ->
        if not (OperatingSystem.IsLinux()) then
            Tests.skiptest "needs a file system that stores long runs of zeros as nothing"

        let frames = 2_500_000_000L

        let head =
            file
                "RF64"
                0xFFFFFFFFL
                [ chunk "ds64" (Array.concat [ u64 (2L * frames + 72L); u64 (2L * frames); u64 frames; u32 0L ])
                  pcm16
                  chunkOf "data" 0xFFFFFFFFL [||] ]

        withFile head (fun path ->
            using (File.OpenWrite path) (fun stream ->
                stream.SetLength(head.LongLength + 2L * frames)
                stream.Seek(-2L, SeekOrigin.End) |> ignore
                stream.Write(ReadOnlySpan(BitConverter.GetBytes 16384s)))

            use reader = new WavReader(path)
            Expect.equal reader.Info.Length frames "length"
            Expect.equal (reader.Read(frames - 2L, 2).Channels[0]) [| 0.f; 0.5f |] "the last samples"
            refuses [ "case.wav"; "too many" ] (fun () -> AudioFile.Read path |> ignore))

[<Tests>]
let tests = testList "WavHeader" [ codings; layouts; refusals; longFile ]
