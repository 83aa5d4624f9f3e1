/// Decoders that run away, and work that nobody wants any more: they end, with all that they were.
module FunctionalSeparation.Tests.DecoderRunTests

open System
open System.IO
open System.Threading
open Expecto
open FunctionalSeparation.Core
open FunctionalSeparation.Tests.AudioFileTests
open FunctionalSeparation.Tests.Scratch

/// Whether a process lives that was started with this word.
let private lives (word: string) =
    Directory.GetDirectories "/proc"
    |> Array.exists (fun folder ->
        try
            File.ReadAllText(Path.Combine(folder, "cmdline")).Contains word
        with
        | :? IOException
        | :? UnauthorizedAccessException -> false)

/// Runs a shell script as if it were a decoder, and gives back how it ended: its exit code, or the failure.
let private run (script: string) (take: Stream -> unit) (watch: DecoderWatch) =
    if not (Directory.Exists "/proc/self") then Tests.skiptest "needs /proc"

    let word = $"{Guid.NewGuid():N}"

    let outcome =
        try
            Ok(DecoderRun.Of("sh", [ "-c"; script; word ], take, watch).ExitCode)
        with
        | :? InputException as e -> Error e.Message
        | :? OperationCanceledException -> Error "cancelled"

    Expect.isFalse (lives word) "no process is left"
    outcome

let private refused (words: string list) (outcome: Result<int, string>) =
    match outcome with
    | Ok code -> failtest $"it ended with {code}"
    | Error message ->
        for word in "upload.mp3" :: words do
            Expect.stringContains message word "the message says what is wrong"

let private watch limits = DecoderWatch("upload.mp3", limits)
let private ignoring (output: Stream) = DecoderRun.Ignore output

let private runaways =
    testList
        "a program"
        [ test "that does nothing for ever" {
              let limits = DecoderLimits(Time = TimeSpan.FromMilliseconds 50.0)
              run "sleep 1000" ignoring (watch limits) |> refused [ "0.05 s"; "DecoderLimits.Time" ]
          }

          test "that leaves its work to another one" {
              let limits = DecoderLimits(Time = TimeSpan.FromMilliseconds 50.0)
              run "sleep 1000 & wait" ignoring (watch limits) |> refused [ "DecoderLimits.Time" ]
          }

          test "that closes its output and stays" {
              let limits = DecoderLimits(Time = TimeSpan.FromMilliseconds 50.0)
              run "exec >&- 2>&-; sleep 1000" ignoring (watch limits) |> refused [ "DecoderLimits.Time" ]
          }

          test "that takes all memory" {
              let limits = DecoderLimits(Memory = (64L <<< 20))
              run "exec tail /dev/zero" ignoring (watch limits) |> refused [ "67108864"; "DecoderLimits.Memory" ]
          }

          test "that writes for ever" {
              inFolder (fun folder ->
                  let watch = watch (DecoderLimits(Bytes = 100_000L))
                  use file = File.OpenHandle(Path.Combine(folder, "x"), FileMode.CreateNew, FileAccess.Write)

                  run "yes" (fun output -> Spool.Copy(output, file, "upload.mp3", watch)) watch
                  |> refused [ "100000 bytes"; "DecoderLimits.Bytes" ]

                  Expect.isLessThanOrEqual (RandomAccess.GetLength file) 100_000L "what is kept")
          }

          test "that complains for ever is let finish, and what is kept of it is bounded" {
              if not (Directory.Exists "/proc/self") then Tests.skiptest "needs /proc"

              let run = DecoderRun.Of("sh", [ "-c"; "yes | head -c 5000000 >&2" ], ignoring, watch null)
              Expect.equal run.ExitCode 0 "the program ends without an error"
              Expect.isLessThanOrEqual (run.Log |> Array.sumBy (fun line -> line.Length + 1)) ((1 <<< 20) + 1) "log is bounded"
          }

          test "that is not wanted any more" {
              use stop = new CancellationTokenSource()
              let watch = DecoderWatch("upload.mp3", null, stop.Token)

              let cancelling (output: Stream) =
                  output.ReadByte() |> ignore
                  stop.Cancel()
                  output.CopyTo Stream.Null

              Expect.equal (run "echo x; sleep 1000" cancelling watch) (Error "cancelled") "the run ends as cancelled"
          }

          test "whose output cannot be kept" {
              let failing (_: Stream) = raise (InputException "upload.mp3: no space")
              run "yes" failing (watch null) |> refused [ "no space" ]
          } ]

/// A stream that has no end, and tells how often it was read.
type private Endless() =
    inherit MemoryStream()
    member val Reads = 0 with get, set

    override this.Read(buffer: byte[], _: int, count: int) =
        this.Reads <- this.Reads + 1
        Array.fill buffer 0 count 65uy
        count

    override this.Read(buffer: Span<byte>) =
        this.Reads <- this.Reads + 1
        buffer.Fill 65uy
        buffer.Length

    override this.ReadAsync(buffer: Memory<byte>, stop: CancellationToken) =
        stop.ThrowIfCancellationRequested()
        Tasks.ValueTask<int>(this.Read buffer.Span)

/// A minute of silence, which FLAC keeps in some kilobytes.
let private silence folder =
    let path = Path.Combine(folder, "song.flac")
    ffmpeg [ "-f"; "lavfi"; "-i"; "anullsrc=r=16000:cl=mono:d=60"; path ]
    path

let private leftovers () = unfinished (Path.GetTempPath())

/// A test that has the folder for temporary files to itself.
let private alone name (test: string -> unit) =
    testCase name
    <| fun () ->
        requireFfmpeg ()
        withTemporaryFiles test

let private sounds =
    testList
        "a sound"
        [ alone "within its limits" (fun folder ->
              let path = silence folder
              let limits = DecoderLimits()
              use reader = AudioFile.Open(path, limits)
              use again = AudioFile.OpenAsync(new MemoryStream(File.ReadAllBytes path), "x", limits).GetAwaiter().GetResult()
              use third = AudioFile.OpenAsync(path, limits).GetAwaiter().GetResult()
              Expect.equal (reader.Info.Length, again.Info.Length, third.Info.Length) (960_000L, 960_000L, 960_000L) "all of it")

          for limit, limits in
              [ "Bytes", DecoderLimits(Bytes = 1_000_000L)
                "Time", DecoderLimits(Time = TimeSpan.FromTicks 1L)
                "Memory", DecoderLimits(Memory = 1L) ] do
              alone $"beyond its limit of {limit}" (fun folder ->
                  let path = silence folder
                  let bytes = File.ReadAllBytes path
                  refuses [ path; limit ] (fun () -> AudioFile.Open(path, limits).Dispose())
                  refuses [ "up.flac"; limit ] (fun () -> AudioFile.Open(new MemoryStream(bytes), "up.flac", limits).Dispose())

                  refuses [ "up.flac"; limit ] (fun () ->
                      AudioFile.OpenAsync(new MemoryStream(bytes), "up.flac", limits).GetAwaiter().GetResult().Dispose())

                  refuses [ path; limit ] (fun () -> AudioFile.OpenAsync(path, limits).GetAwaiter().GetResult().Dispose())
                  Expect.isEmpty (leftovers ()) "no temporary file is left"

                  if Directory.Exists "/proc/self" then
                      Expect.isFalse (lives folder) "no decoder is left running")

          alone "that has no end" (fun _ ->
              let limits = DecoderLimits(Bytes = 1_000_000L)
              use endless = new Endless()
              refuses [ "up"; "Bytes" ] (fun () -> AudioFile.Open(endless, "up", limits).Dispose())

              refuses [ "up"; "Bytes" ] (fun () -> AudioFile.OpenAsync(endless, "up", limits).GetAwaiter().GetResult().Dispose())

              Expect.isLessThan endless.Reads 100 "no more is read"
              Expect.isEmpty (leftovers ()) "no temporary file is left")

          alone "that is cancelled on its way" (fun folder ->
              use stop = new CancellationTokenSource()

              use stopping =
                  { new MemoryStream() with
                      override _.ReadAsync(buffer: Memory<byte>, token: CancellationToken) =
                          stop.Cancel()
                          Tasks.ValueTask<int> 1 }

              let cancelled (act: unit -> Tasks.Task<WavReader>) =
                  let ended =
                      try
                          act().GetAwaiter().GetResult().Dispose()
                          false
                      with :? OperationCanceledException ->
                          true

                  Expect.isTrue ended "opening ends as cancelled"

              cancelled (fun () -> AudioFile.OpenAsync(stopping, "up", null, stop.Token))
              cancelled (fun () -> AudioFile.OpenAsync(silence folder, null, stop.Token))
              Expect.isEmpty (leftovers ()) "no temporary file is left")

          test "limits that are none" {
              for limits in
                  [ fun () -> DecoderLimits(Time = TimeSpan.Zero)
                    fun () -> DecoderLimits(Bytes = 0L)
                    fun () -> DecoderLimits(Memory = -1L) ] do
                  Expect.throwsT<ArgumentOutOfRangeException> (fun () -> limits () |> ignore) "a limit that is none is refused"
          } ]

[<Tests>]
let tests = testSequenced <| testList "DecoderRun" [ runaways; sounds ]
