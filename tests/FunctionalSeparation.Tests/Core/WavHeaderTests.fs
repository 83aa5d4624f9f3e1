module FunctionalSeparation.Tests.WavHeaderTests

open System
open System.IO
open Expecto
open FunctionalSeparation.Core
open FunctionalSeparation.Tests.Scratch
open FunctionalSeparation.Tests.WavBytes

let private codes = [| 0; 1; -1; 16384; -32768; 32767 |]
let private samples = codes |> Array.map (fun c -> float32 c / 32768.f)
let private sampleBytes = codes |> Array.collect (int16 >> BitConverter.GetBytes)
let private pcm16Body = fmtBody 1 1 16000 16
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
            Expect.equal audio.SampleRate 16000 "the sample rate is that of the header"
            Expect.equal (List.ofSeq audio.Channels) expected "the samples are those written"
            Expect.equal (AudioFile.Info(path).Length) (expected.Head.LongLength) "the length is that of a channel")

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
              [ samples ]
          reads "BW64" (rf64 "BW64" sampleBytes.LongLength [ pcm16; chunkOf "data" 0xFFFFFFFFL sampleBytes ]) [ samples ]
          reads "Wave64" (wave64 [ wideChunk "fmt " pcm16Body; wideChunk "data" sampleBytes ]) [ samples ]
          reads
              "Wave64, other chunks before and after, sizes that are no multiple of 8"
              (wave64
                  [ wideChunk "junk" [| 1uy; 2uy; 3uy |]
                    wideChunk "fmt " pcm16Body
                    wideChunk "data" sampleBytes
                    wideChunk "list" [| 1uy |] ])
              [ samples ] ]

let private bigEndian =
    let stereo tag bits body = rifx [ bigChunk "fmt " (bigFmtBody tag 1 bits); bigChunk "data" body ]

    /// RIFX with a sub-format: as SoX writes it (the tag and the rest), and as libsndfile does (a big-endian identifier).
    let sub identifier =
        let body = Array.concat [ bigFmtBody 0xFFFE 1 16; [| 0uy; 22uy; 0uy; 16uy; 0uy; 0uy; 0uy; 0uy |]; identifier ]
        rifx [ bigChunk "fmt " body; bigChunk "LIST" [| 1uy |]; bigChunk "data" (swapped 2 sampleBytes) ]

    testList
        "RIFX"
        [ reads "8 bits" (stereo 1 8 [| 0uy; 128uy; 255uy |]) [ [| -1.f; 0.f; 127.f / 128.f |] ]
          reads "16 bits" (stereo 1 16 (swapped 2 sampleBytes)) [ samples ]
          reads "24 bits" (stereo 1 24 [| 0x80uy; 0uy; 0uy; 0uy; 0uy; 1uy |]) [ [| -1.f; 1.f / 8388608.f |] ]
          reads "32 bits" (stereo 1 32 (swapped 4 (packed [| Int32.MinValue; 0x40000000 |]))) [ [| -1.f; 0.5f |] ]
          reads "float 32" (stereo 3 32 (swapped 4 (packed [| 0.25f; -3.f |]))) [ [| 0.25f; -3.f |] ]
          reads "float 64" (stereo 3 64 (swapped 8 (packed [| 0.1; -1.5 |]))) [ [| 0.1f; -1.5f |] ]
          reads "sub-format as SoX writes it" (sub (Array.concat [ [| 0uy; 1uy |]; subFormatTail ])) [ samples ]
          reads
              "sub-format as libsndfile writes it"
              (sub (Convert.FromHexString "00000001000000108000" |> fun head -> Array.append head subFormatTail[8..]))
              [ samples ]
          refused "a compressed coding" (stereo 7 8 [| 1uy; 2uy |]) [ "big-endian"; "0x0007"; "convert" ]
          testCase "what it says"
          <| fun () ->
              withFile (stereo 1 16 (swapped 2 sampleBytes)) (fun path ->
                  Expect.equal (AudioFile.Info path) (AudioInfo(16000, 1, 6L, "WAV, 16-bit PCM, big-endian")) "all is told") ]

/// Sizes as programs leave them that cannot go back to the header: SoX, older arecord, LAME, arecord, ffmpeg, 0xFFFFFFFF less the
/// header, less the whole head, flac.
let private marks =
    [ 0x7FFFF000L
      0x7FFFFF00L
      0x7FFFFFFFL
      0x7FFFFFFFL - 36L
      0x80000000L
      0xFFFFFFFFL
      0xFFFFFFFFL - 36L
      0xFFFFFFFFL - 44L
      0L ]

let private noted name bytes (expected: float32[]) (words: string list) =
    testCase name
    <| fun () ->
        withFile bytes (fun path ->
            use reader = new WavReader(path)
            Expect.equal (reader.Read(0L, int reader.Info.Length).Channels[0]) expected "the samples are those written"
            Expect.equal reader.Info.Notes.Count words.Length $"notes: {List.ofSeq reader.Info.Notes}"

            for note, word in Seq.zip reader.Info.Notes words do
                Expect.stringContains note word "the note says what was met"
                Expect.isFalse (note.Contains '\n') "the note is one line")

let private stream size body = file "RIFF" (size + 36L) [ pcm16; chunkOf "data" size body ]
let private toTheEnd = "length open"

let private pipes =
    testList
        "written to a pipe"
        [ for mark in marks do
              noted $"size 0x%X{mark}" (stream mark sampleBytes) samples [ toTheEnd ]
              refused $"size 0x%X{mark}, no samples" (stream mark [||]) [ "holds no samples" ]

              noted
                  $"size 0x%X{mark}, half a sample more"
                  (stream mark (Array.append sampleBytes [| 1uy |]))
                  samples
                  [ toTheEnd; "1 bytes are no whole sample" ]
          noted
              "SoX rounds the size down to whole frames"
              (file "RIFF" 0x7FFFF024L [ fmt 1 1 24; chunkOf "data" 0x7FFFEFFFL [| 0uy; 0uy; 0x80uy |] ])
              [| -1.f |]
              [ toTheEnd ]
          noted
              "RF64 with sizes of 0, as ffmpeg pipes it"
              (rf64 "RF64" 0L [ pcm16; chunkOf "data" 0xFFFFFFFFL sampleBytes ])
              samples
              [ toTheEnd ]
          noted "RF64 with sizes of -1" (rf64 "RF64" -1L [ pcm16; chunkOf "data" 0xFFFFFFFFL sampleBytes ]) samples [ toTheEnd ]
          for size in [ 0L; Int64.MaxValue; -1L ] do
              noted
                  $"Wave64 with a size of {size}"
                  (wave64
                      [ wideChunk "fmt " pcm16Body; wideChunkOf "data" size (Array.append sampleBytes [| 0uy; 0uy; 0uy; 0uy |]) ])
                  (Array.append samples [| 0.f; 0.f |])
                  [ toTheEnd ]
          for size in [ 0x7FFF0000L; 0x80000001L; 0xF0000000L; 13L ] do
              refused $"size 0x%X{size} is no mark: truncated" (stream size sampleBytes[..9]) [ "truncated"; "5 are present" ] ]

let private behind =
    testList
        "behind the samples"
        [ noted "chunks" (riff [ pcm16; data; noise "LIST"; noise "id3 " ]) samples []
          noted "a stray byte" (Array.append (riff [ pcm16; data ]) [| 0uy |]) samples []
          noted
              "an ID3v1 tag"
              (Array.append (riff [ pcm16; data ]) (Array.append (ascii "TAG") (Array.zeroCreate 125)))
              samples
              [ "128 bytes" ]
          noted "a second data chunk" (riff [ pcm16; data; noise "LIST"; data ]) samples [ "'data'" ]
          noted "a second file" (Array.append (riff [ pcm16; data ]) (riff [ pcm16; data ])) samples [ "'RIFF'" ]
          noted
              "half a sample within the chunk"
              (riff [ pcm16; chunk "data" (Array.append sampleBytes [| 1uy |]) ])
              samples
              [ "1 bytes are no whole sample" ] ]

/// A file with this head and, after it, zeros up to the length; stored as nothing where the file system can.
let private sparse (head: byte[]) (length: int64) (test: string -> unit) =
    if not (OperatingSystem.IsLinux()) then
        Tests.skiptest "needs a file system that stores long runs of zeros as nothing"

    withFile head (fun path ->
        using (File.OpenWrite path) (fun stream -> stream.SetLength length)
        test path)

let private wrapped =
    testList
        "sizes that 32 bits do not hold"
        [ for list in [ [||]; noise "LIST" ] do
              testCase $"modulo 2^32, {list.Length} bytes of chunks behind"
              <| fun () ->
                  let frames = 2_500_000_000L
                  let head = file "RIFF" 36L [ pcm16; chunkOf "data" (2L * frames % (1L <<< 32)) [||] ]

                  sparse head (head.LongLength + 2L * frames) (fun path ->
                      File.AppendAllBytes(path, list)
                      use reader = new WavReader(path)
                      Expect.equal reader.Info.Length frames "the length is that of the file"
                      Expect.stringContains (Seq.exactlyOne reader.Info.Notes) "too few bits" "the note names the cause")
          testCase "a mark, and more than it says"
          <| fun () ->
              sparse (stream 0x7FFFF000L [||]) (44L + 3_000_000_000L) (fun path ->
                  Expect.equal (AudioFile.Info(path).Length) 1_500_000_000L "the length is that of the file")
          testCase "a size that looks like a mark, and is right"
          <| fun () ->
              sparse (stream 0x7FFFF000L [||]) (44L + 0x7FFFF000L) (fun path ->
                  File.AppendAllBytes(path, noise "LIST")
                  let info = AudioFile.Info path
                  Expect.equal info.Length (0x7FFFF000L / 2L) "the length is that of the header"
                  Expect.isEmpty info.Notes "nothing to say") ]

let private absurd =
    let withFmt body = riff [ chunk "fmt " body; data ]

    let fields channels rate block bits = Array.concat [ u16 1; u16 channels; u32 rate; u32 0L; u16 block; u16 bits ]

    testList
        "absurd headers"
        [ for rate in [ 0L; 1L; 999L; 3_000_001L; 0x80000000L; 0xFFFFFFFFL ] do
              refused $"{rate} Hz" (withFmt (fields 1 rate 2 16)) [ $"{rate} Hz" ]
          for channels in [ 0; 1025; 65535 ] do
              refused $"{channels} channels" (withFmt (fields channels 16000L 2 16)) [ $"{channels} channels" ]
          for channels, block, bits in
              [ 1, 2, 0; 1, 0, 16; 2, 2, 16; 1, 3, 16; 1, 4, 16; 2, 3, 8; 1, 2, 24; 1, 65535, 16; 1, 2, 65535 ] do
              refused
                  $"{bits} bits in {block} bytes for {channels} channels"
                  (withFmt (fields channels 16000L block bits))
                  [ $"{bits} bits"; $"{block} bytes"; "contradiction" ]
          reads
              "24 bits at the top of 32"
              (riff [ chunk "fmt " (fields 1 16000L 4 24); chunk "data" (packed [| 0x40000000 |]) ])
              [ [| 0.5f |] ]
          refused
              "more chunks than any file has"
              (riff [ for _ in 1..5000 -> chunk "junk" [||] ] |> fun head -> Array.concat [ head; pcm16; data ])
              [ "4096 chunks" ]
          refused
              "a Wave64 chunk smaller than its head"
              (wave64 [ wideChunk "fmt " pcm16Body; wideChunkOf "data" 23L sampleBytes ])
              [ "smaller than its own head" ] ]

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
              [ "NaN"; "sample 1 of channel 1 " ]
          refused
              "an infinite double"
              (riff [ fmt 3 1 64; chunk "data" (packed [| 0.0; 0.0; infinity |]) ])
              [ "sample 2 of channel 0 (both counted from 0; " ]
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
            Expect.equal reader.Info.Length frames "all samples are counted"
            Expect.equal (reader.Read(frames - 2L, 2).Channels[0]) [| 0.f; 0.5f |] "the last samples"
            refuses [ "case.wav"; "too many" ] (fun () -> AudioFile.Read path |> ignore))

[<Tests>]
let tests =
    testList "WavHeader" [ codings; layouts; bigEndian; pipes; behind; wrapped; absurd; refusals; longFile ]
