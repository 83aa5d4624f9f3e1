/// Files that name other files, of the machine or in the network: none is followed, whatever it is called and however it comes.
module FunctionalSeparation.Tests.DecoderInputTests

open System
open System.Buffers.Binary
open System.Diagnostics
open System.IO
open System.Net
open System.Net.Sockets
open System.Text
open Expecto
open FunctionalSeparation.Core
open FunctionalSeparation.Tests.AudioFileTests
open FunctionalSeparation.Tests.Scratch

/// Formats of ffmpeg that open, or make up, something else than the one file that they are read from.
let private namers =
    [ "applehttp"
      "avisynth"
      "concat"
      "dash"
      "dvdvideo"
      "hls"
      "image2"
      "imf"
      "lavfi"
      "mlv"
      "rtp"
      "rtsp"
      "sap" ]
    @ [ "sbg"; "sdp"; "smoothstreaming"; "vapoursynth"; "vobsub"; "webm_dash_manifest" ]

let private dashOf address =
    $"""<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011" type="static"
mediaPresentationDuration="PT2S" minBufferTime="PT1S"><Period duration="PT2S"><AdaptationSet mimeType="audio/mp4" contentType="audio">
<Representation id="0" bandwidth="64000" audioSamplingRate="8000"><BaseURL>{address}</BaseURL></Representation></AdaptationSet></Period></MPD>"""

let private imfOf address =
    $"""<?xml version="1.0"?><CompositionPlaylist xmlns="http://www.smpte-ra.org/schemas/2067-3/2016"><Id>urn:uuid:{Guid.Empty}</Id>
<EditRate>24 1</EditRate><SegmentList><Segment>{address}</Segment></SegmentList></CompositionPlaylist>"""

/// Texts that name an address, by what they are.
let private texts (address: string) =
    [ "hls", $"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:8.0,\n{address}\n#EXT-X-ENDLIST\n"
      "an hls master", $"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000\n{address}\n"
      "concat", $"ffconcat version 1.0\nfile '{address}'\n"
      "dash", dashOf address
      "imf", imfOf address
      "sdp", "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n"
      "vobsub", "# VobSub index file, v7 (do not modify this line!)\nid: en, index: 0\n"
      "m3u", $"#EXTM3U\n{address}\n"
      "pls", $"[playlist]\nFile1={address}\nNumberOfEntries=1\n"
      "asx", $"<asx version=\"3.0\"><entry><ref href=\"{address}\"/></entry></asx>"
      "ref", $"[Reference]\nRef1={address}\n"
      "smil", $"<smil><body><audio src=\"{address}\"/></body></smil>"
      "xspf",
      ("<playlist version=\"1\" "
       + $"xmlns=\"http://xspf.org/ns/0/\"><trackList><track><location>{address}</location></track></trackList></playlist>")
      "cue", $"FILE \"{address}\" MP3\n  TRACK 01 AUDIO\n    INDEX 01 00:00:00\n"
      "svg", $"<svg xmlns=\"http://www.w3.org/2000/svg\"><image href=\"{address}\"/></svg>"
      "subtitles", $"1\n00:00:00,000 --> 00:00:02,000\n{address}\n"
      "metadata", $";FFMETADATA1\ntitle={address}\n" ]

/// A box of QuickTime.
let private box (kind: string) (body: byte[]) =
    let size: byte[] = Array.zeroCreate 4
    BinaryPrimitives.WriteInt32BigEndian(Span size, 8 + body.Length)
    Array.concat [ size; Encoding.ASCII.GetBytes kind; body ]

/// An alias of the old Macintosh, as tracks name the file where their samples lie.
let private alias (path: string) =
    let name = Encoding.UTF8.GetBytes path
    let number (value: int) = [| byte (value >>> 8); byte value |]
    let even = if name.Length % 2 = 1 then Array.append name [| 0uy |] else name
    let ending = Array.append (number 0xFFFF) (number 0)

    let record =
        Array.concat [ Array.zeroCreate 150; number 2; number name.Length; even; ending; Array.zeroCreate 16 ]

    box "alis" (Array.append (Array.zeroCreate 4) record)

/// A QuickTime file with other references of its tracks.
let rec private withReferences (references: byte[]) (bytes: byte[]) : byte[] =
    let rec boxes at =
        [ if at + 8 <= bytes.Length then
              let size = BinaryPrimitives.ReadInt32BigEndian(ReadOnlySpan(bytes, at, 4))
              let kind, body = Encoding.ASCII.GetString(bytes, at + 4, 4), bytes[at + 8 .. at + size - 1]

              match kind with
              | "moov"
              | "trak"
              | "mdia"
              | "minf"
              | "dinf" -> box kind (withReferences references body)
              | "dref" -> box kind (Array.concat [ body[..7]; references ])
              | _ -> box kind body

              yield! boxes (at + size) ]

    Array.concat (boxes 0)

/// Refused by its name, by all ways that a sound comes in.
let private isRefusedEverywhere (path: string) (bytes: byte[]) =
    File.WriteAllBytes(path, bytes)
    let name = Path.GetFileName path
    let limits = DecoderLimits(Time = TimeSpan.FromMinutes 2.0) // one that is waited for would have to end
    refuses [ name ] (fun () -> AudioFile.Open(path, limits).Dispose())
    refuses [ name ] (fun () -> AudioFile.Shape path |> ignore)
    Expect.isNull (ForeignAudio.Comment path) "no tag is read"
    refuses [ "upload.mp3" ] (fun () -> AudioFile.Open(new MemoryStream(bytes), "upload.mp3", limits).Dispose())

    refuses [ "upload.mp3" ] (fun () ->
        AudioFile.OpenAsync(new MemoryStream(bytes), "upload.mp3", limits).GetAwaiter().GetResult().Dispose())

    if not (OperatingSystem.IsWindows()) then
        let pipe = fifo (Directory.CreateTempSubdirectory("funcsep-test-")).FullName

        try
            feeding pipe bytes (fun () -> refuses [ "song.fifo" ] (fun () -> AudioFile.Open(pipe, limits).Dispose()))
        finally
            Directory.Delete(Path.GetDirectoryName pipe, true)

/// A sound that is nobody's business.
let private privateSound folder =
    let path = Path.Combine(folder, "private.wav")
    AudioFile.Write(path, noise 1 1 16000 8000 0.5, SampleFormat.Pcm16) |> ignore
    path

let private followers =
    testList
        "are refused"
        [ for kind, _ in texts "" do
              decoded kind (fun folder ->
                  use listener = new TcpListener(IPAddress.Loopback, 0)
                  listener.Start()
                  let there = privateSound folder
                  let network = $"http://127.0.0.1:{(listener.LocalEndpoint :?> IPEndPoint).Port}/x.mp3"
                  let path = Path.Combine(folder, "song.mp3")
                  let naming address = texts address |> List.find (fun (name, _) -> name = kind) |> snd |> Encoding.UTF8.GetBytes
                  let address = Uri(there).AbsoluteUri

                  if List.contains kind [ "hls"; "concat"; "dash"; "sdp" ] then
                      isRefusedEverywhere path (naming address)

                  for address in [ address; Path.GetFileName there; network ] do
                      File.WriteAllBytes(path, naming address)
                      refuses [ "song.mp3" ] (fun () -> AudioFile.Open(path).Dispose())

                  Expect.isFalse (listener.Pending()) "nothing was fetched over the network")
          decoded "a track that lies in another file" (fun folder ->
              let path = Path.Combine(folder, "song.mov")
              ffmpeg [ "-i"; privateSound folder; "-c:a"; "pcm_s16le"; path ]
              let bytes = File.ReadAllBytes path |> withReferences (alias (Path.Combine(folder, "private.wav")))
              isRefusedEverywhere path bytes
              refuses [ "tracks in other files" ] (fun () -> AudioFile.Open(path).Dispose()))
          decoded "a name that is a pattern of pictures" (fun folder ->
              for number in 1..3 do
                  ffmpeg [ "-f"; "lavfi"; "-i"; "color=size=8x8"; "-frames:v"; "1"; Path.Combine(folder, $"x00{number}.png") ]

              isRefusedEverywhere (Path.Combine(folder, "x%03d.png")) (File.ReadAllBytes(Path.Combine(folder, "x001.png"))))
          decoded "the refusal says what ffmpeg takes it for" (fun folder ->
              let path = Path.Combine(folder, "song.mp3")
              File.WriteAllText(path, texts "private.wav" |> List.head |> snd)
              refuses [ "song.mp3"; "no audio of its own"; "hls"; "not opened" ] (fun () -> AudioFile.Open(path).Dispose())) ]

let private outputOf (program: string) (arguments: string list) =
    use run =
        Process.Start(ProcessStartInfo(program, arguments, RedirectStandardOutput = true, RedirectStandardError = true))

    let log = run.StandardError.ReadToEndAsync()
    let output = run.StandardOutput.ReadToEnd()
    run.WaitForExit()
    run.ExitCode, output, log.Result

/// The names in a list that ffmpeg prints, of formats and devices that are read.
let private installed (list: string) =
    let _, output, _ = outputOf "ffmpeg" [ "-hide_banner"; list ]

    [ for line in output.Split '\n' do
          match line.Split(' ', StringSplitOptions.RemoveEmptyEntries) |> List.ofArray with
          | flags :: names :: _ when flags.Contains 'D' && names <> "=" -> yield! names.Split ','
          | _ -> () ]

let private programs =
    testList
        "of the installed ffmpeg"
        [ decoded "no format that is read is one that names others" (fun _ ->
              let demuxers, devices = installed "-demuxers", installed "-devices"
              Expect.contains demuxers "hls" "ffmpeg's list is understood"
              let allowed = Set.ofSeq DecoderInput.Formats
              Expect.isEmpty (Set.intersect allowed (Set.ofList (namers @ devices))) "no allowed format names other files"
              Expect.isEmpty (allowed |> Set.filter (fun name -> name.EndsWith("pipe", StringComparison.Ordinal))) "no images")
          decoded "each that names others is refused, even where ffmpeg is told to take it" (fun folder ->
              let song = privateSound folder
              let demuxers = installed "-demuxers"
              let some = List.filter (fun name -> List.contains name demuxers) namers
              Expect.isGreaterThan some.Length 5 "there are some"

              for name in some do
                  let code, output, log =
                      outputOf "ffprobe" ([ "-f"; name; "-show_streams" ] @ List.ofSeq (DecoderInput.Of song))

                  Expect.notEqual code 0 name
                  Expect.stringContains log "not on whitelist" name
                  Expect.equal output "" name)
          decoded "without the lists it is followed" (fun folder ->
              let path = Path.Combine(folder, "song.mp3")
              privateSound folder |> ignore
              File.WriteAllText(path, "ffconcat version 1.0\nfile private.wav\n")
              let code, output, _ = outputOf "ffprobe" [ "-show_streams"; path ]
              Expect.equal code 0 "ffprobe follows the list without an error"
              Expect.stringContains output "codec_type=audio" "the sound of the other file is found") ]

/// Files of the formats that are read, by the muxers of ffmpeg: name, options.
let private read =
    [ "x.aac", []
      "x.ac3", []
      "x.eac3", []
      "x.au", []
      "x.flv", [ "-ar"; "44100" ]
      "x.mka", []
      "x.mp2", []
      "x.mxf", [ "-f"; "lavfi"; "-i"; "testsrc=d=0.5:s=64x64:r=25"; "-c:v"; "mpeg2video"; "-ar"; "48000" ]
      "x.nut", []
      "x.oga", []
      "x.spdif", [ "-c:a"; "ac3"; "-ar"; "48000" ]
      "x.sox", []
      "x.tta", []
      "x.voc", []
      "x.vob", [ "-c:a"; "mp2" ]
      "x.wv", []
      "x.3gp", [ "-c:a"; "aac" ]
      "x.m4b", [ "-f"; "mp4" ] ]

let private formats =
    testList
        "are read"
        [ for name, options in read do
              decoded name (fun folder ->
                  let path = Path.Combine(folder, name)
                  ffmpeg ([ "-f"; "lavfi"; "-i"; "sine=440:d=0.5:r=44100" ] @ options @ [ path ])
                  Expect.isGreaterThan (AudioFile.Info(path).Seconds) 0.4 "almost all of the sound is there")
          decoded "a name with quotes and a backslash" (fun folder ->
              let path = Path.Combine(folder, "a \"b\" 'c' \\ 100%d.flac")
              ffmpeg [ "-f"; "lavfi"; "-i"; "sine=440:d=0.5:r=44100"; "file:" + path ]
              Expect.isGreaterThan (AudioFile.Info(path).Seconds) 0.4 "almost all of the sound is there") ]

[<Tests>]
let tests = testList "DecoderInput" [ followers; programs; formats ]
