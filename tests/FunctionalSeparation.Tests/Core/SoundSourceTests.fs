/// Paths that are not regular files. The library reads pipes and refuses everything else.
module FunctionalSeparation.Tests.SoundSourceTests

open System
open System.IO
open System.IO.Pipes
open System.Net.Sockets
open System.Threading.Tasks
open Expecto
open FunctionalSeparation.Core
open FunctionalSeparation.Tests.AudioFileTests
open FunctionalSeparation.Tests.Scratch

let private onUnix name (test: string -> unit) =
    testCase name
    <| fun () ->
        if OperatingSystem.IsWindows() then Tests.skiptest "needs the pipes of Unix"

        withTemporaryFiles test

/// The temporary files that are left.
let private leftovers () = unfinished (Path.GetTempPath()) |> Set.ofArray

/// A sound too long for the pipe's own buffer.
let private song folder =
    let path = Path.Combine(folder, "song.wav")
    let audio = noise 1 2 100_000 44_100 0.5
    AudioFile.Write(path, audio, SampleFormat.Pcm24) |> ignore
    AudioFile.Read path, File.ReadAllBytes path

let private pipes =
    testList
        "pipes"
        [ onUnix "a FIFO is read in parts and leaves nothing behind" (fun folder ->
              let audio, bytes = song folder
              let path = fifo folder
              let before = leftovers ()

              feeding path bytes (fun () ->
                  use reader = AudioFile.Open path
                  Expect.equal (reader.Path, reader.Name) (path, "song") "the path and name are the pipe's"
                  Expect.equal reader.Info (AudioInfo(44_100, 2, 100_000L, "WAV, 24-bit PCM")) "the info is that of the song"
                  Expect.equal (samplesOf (reader.Read(5L, 50))) [ for c in audio.Channels -> c[5..54] ] "the part is a slice"
                  Expect.equal (samplesOf (reader.Read(0L, 100_000))) (samplesOf audio) "the whole song can be read")

              Expect.isEmpty (leftovers () - before) "no temporary file is left")
          onUnix "a descriptor, as a shell's <(...) gives it" (fun folder ->
              let audio, bytes = song folder
              use pipe = new AnonymousPipeServerStream(PipeDirection.Out)
              let descriptor = pipe.GetClientHandleAsString()

              let writer =
                  Task.Run(fun () ->
                      pipe.Write(ReadOnlySpan bytes)
                      pipe.DisposeLocalCopyOfClientHandle()
                      pipe.Dispose())

              // The reader has the pipe to itself once this side's copy of the other end is closed.
              use reader = AudioFile.Open $"/dev/fd/{descriptor}"
              writer.Wait()
              Expect.equal reader.Name "pipe" "the name is that of a pipe"
              Expect.equal (samplesOf (reader.Read(0L, 100_000))) (samplesOf audio) "the samples are those of the song")
          onUnix "a FIFO of another format" (fun folder ->
              let audio, flac = encoded folder "x.flac" []
              let path = fifo folder
              let before = leftovers ()

              feeding path (File.ReadAllBytes flac) (fun () ->
                  use reader = AudioFile.Open path
                  Expect.equal (samplesOf (reader.Read(0L, 44_100))) (samplesOf audio) "the samples are those of the song")

              Expect.isEmpty (leftovers () - before) "no temporary file is left")
          onUnix "an empty FIFO, a cut one, and noise" (fun folder ->
              let _, bytes = song folder
              let path = fifo folder
              let before = leftovers ()

              let refused words bytes =
                  feeding path bytes (fun () -> refuses ("song.fifo" :: words) (fun () -> AudioFile.Read path |> ignore))

              refused [ "empty" ] [||]
              refused [ "truncated" ] bytes[..9999]
              Expect.isEmpty (leftovers () - before) "no temporary file is left")
          testCase "names"
          <| fun () ->
              for path, name in
                  [ "-", "stdin"
                    "/dev/stdin", "stdin"
                    "/dev/fd/0", "stdin"
                    "/dev/fd/63", "pipe"
                    "/proc/self/fd/5", "pipe"
                    "a/my.song.wav", "my.song" ] do
                  Expect.equal (SoundSource.StemOf(SoundSource.NameOf path)) name path ]

let private refusals =
    let refused name words (path: string -> string) =
        onUnix name (fun folder -> refuses words (fun () -> AudioFile.Open(path folder).Dispose()))

    testList
        "refusals"
        [ for device in [ "/dev/zero"; "/dev/null"; "/dev/urandom"; "/dev/tty" ] do
              refused device [ device; "is a device" ] (fun _ ->
                  if not (File.Exists device) then Tests.skiptest $"needs {device}"

                  device)
          refused "a link to a device" [ "song.wav"; "is a device" ] (fun folder ->
              (File.CreateSymbolicLink(Path.Combine(folder, "song.wav"), "/dev/zero")).FullName)
          refused "a folder" [ "is a folder" ] id
          onUnix "a socket" (fun folder ->
              let path = Path.Combine(folder, "s.sock")
              use socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified)
              socket.Bind(UnixDomainSocketEndPoint path)
              refuses [ "s.sock"; "socket" ] (fun () -> AudioFile.Open(path).Dispose())) ]

[<Tests>]
let tests = testSequenced <| testList "SoundSource" [ pipes; refusals ]
