/// Sounds in a web server, whose streams are read and written in no other way than asynchronously: an upload in, a stem out.
module FunctionalSeparation.Tests.ServerTests

open System
open System.IO
open System.Net
open System.Net.Http
open System.Reflection
open System.Threading
open System.Threading.Tasks
open Expecto
open Microsoft.AspNetCore.Builder
open Microsoft.AspNetCore.Hosting
open Microsoft.AspNetCore.Http
open Microsoft.Extensions.Logging
open FunctionalSeparation.Core
open FunctionalSeparation.Tests.AudioFileTests
open FunctionalSeparation.Tests.Scratch

let private limits = DecoderLimits(Time = TimeSpan.FromMinutes 2.0, Bytes = 1_000_000L)

/// Answers an upload with the voice in it, and what cannot be read with the reason.
let private voice (separator: ISeparator) (context: HttpContext) : Task =
    task {
        try
            use! song = AudioFile.OpenAsync(context.Request.Body, "upload", limits, context.RequestAborted)
            let stems = separator.Separate(song.Read(0L, int song.Info.Length), null, context.RequestAborted)
            let! _ = AudioFile.WriteAsync(context.Response.Body, stems["voice"], SampleFormat.Float32, context.RequestAborted)
            ()
        with :? InputException as refusal ->
            context.Response.StatusCode <- 400
            do! context.Response.WriteAsync refusal.Message
    }

/// Runs the test with the address of a server. Its streams are as they come: AllowSynchronousIO is off.
let private serving (handler: HttpContext -> Task) (test: Uri -> HttpClient -> unit) =
    let builder = WebApplication.CreateSlimBuilder()
    builder.Logging.ClearProviders() |> ignore

    builder.WebHost.UseUrls("http://127.0.0.1:0").ConfigureKestrel(fun options -> options.AllowSynchronousIO <- false)
    |> ignore

    let app = builder.Build()
    app.MapPost("/", RequestDelegate handler) |> ignore
    app.StartAsync().Wait()

    try
        use client = new HttpClient()
        test (Uri(Seq.head app.Urls)) client
    finally
        app.StopAsync().Wait()
        app.DisposeAsync().AsTask().Wait()

let private post (client: HttpClient) (address: Uri) (bytes: byte[]) =
    use answer = client.PostAsync(address, new ByteArrayContent(bytes)).Result
    answer.StatusCode, answer.Content.ReadAsByteArrayAsync().Result

let private refusal client address bytes =
    let code, answer = post client address bytes
    Expect.equal code HttpStatusCode.BadRequest "the server refuses the upload"
    Text.Encoding.UTF8.GetString answer

/// The voice in a file, as the library gives it without a server.
let private expected (separator: ISeparator) (path: string) =
    let stems = separator.Separate(AudioFile.Read path)
    use bytes = new MemoryStream()
    AudioFile.Write(bytes, stems["voice"]) |> ignore
    bytes.ToArray()

let private song folder =
    let path = Path.Combine(folder, "song.wav")
    AudioFile.Write(path, noise 1 2 16000 16000 0.5, SampleFormat.Pcm16) |> ignore
    path

/// A stream that sends some bytes, and then no more and no end.
type private Stalling() =
    inherit HttpContent()

    override _.SerializeToStreamAsync(stream: Stream, _: TransportContext, stop: CancellationToken) : Task =
        task {
            do! stream.WriteAsync(ReadOnlyMemory(Array.zeroCreate<byte> 300_000), stop)
            do! stream.FlushAsync stop
            do! Task.Delay(-1, stop)
        }

    override this.SerializeToStreamAsync(stream: Stream, context: TransportContext) =
        this.SerializeToStreamAsync(stream, context, CancellationToken.None)

    override _.TryComputeLength(length: byref<int64>) = false

let private uploads =
    testList
        "a server"
        [ test "takes a WAV file and gives its voice" {
              inFolder (fun folder ->
                  use separator = separator 1
                  let path = song folder

                  serving (voice separator) (fun address client ->
                      let code, answer = post client address (File.ReadAllBytes path)
                      Expect.equal code HttpStatusCode.OK "the server answers with OK"
                      Expect.equal answer (expected separator path) "the answer is the voice of the song"))
          }

          decoded "takes another format" (fun folder ->
              use separator = separator 1
              let path, flac = song folder, Path.Combine(folder, "song.flac")
              ffmpeg [ "-i"; path; flac ]

              serving (voice separator) (fun address client ->
                  let code, answer = post client address (File.ReadAllBytes flac)
                  Expect.equal code HttpStatusCode.OK "the server answers with OK"
                  Expect.equal answer (expected separator path) "the answer is the voice of the song"))

          decoded "refuses what is no sound, names other files, or is too long" (fun folder ->
              use separator = separator 1
              let path = song folder
              let playlist = $"ffconcat version 1.0\nfile '{path}'\n"

              serving (voice separator) (fun address client ->
                  let refusal = refusal client address
                  Expect.stringContains (refusal [||]) "empty" "an empty upload is refused as empty"
                  Expect.stringContains (refusal (Text.Encoding.UTF8.GetBytes playlist)) "other files" "no playlist is opened"
                  Expect.stringContains (refusal (Array.zeroCreate 1_000_001)) "DecoderLimits.Bytes" "long ones are refused"))

          test "keeps nothing of an upload that ends on its way" {
              withTemporaryFiles (fun _ ->
                  let left = TaskCompletionSource<exn>()

                  let opening (context: HttpContext) : Task =
                      task {
                          try
                              use! _ = AudioFile.OpenAsync(context.Request.Body, "upload", null, context.RequestAborted)
                              ()
                          with failure ->
                              left.SetResult failure
                      }

                  serving opening (fun address client ->
                      use stop = new CancellationTokenSource()
                      let sending = client.PostAsync(address, new Stalling(), stop.Token)
                      waitFor "the upload" (fun () -> (unfinished (Path.GetTempPath())).Length = 1)
                      stop.Cancel()
                      Expect.throws (fun () -> sending.Wait()) "the client gives up"

                      match left.Task.Result with
                      | :? OperationCanceledException
                      | :? IOException -> ()
                      | other -> failtest $"the upload ended with {other}"

                      Expect.isEmpty (unfinished (Path.GetTempPath())) "nothing is left"))
          }

          test "cannot use the synchronous forms" {
              inFolder (fun folder ->
                  let failures = ResizeArray<exn>()

                  let asking (act: HttpContext -> unit) (context: HttpContext) : Task =
                      task {
                          try
                              act context
                          with failure ->
                              failures.Add failure
                      }

                  let bytes = File.ReadAllBytes(song folder)
                  let sound = noise 1 1 100 8000 0.5

                  for act in
                      [ fun (context: HttpContext) -> AudioFile.Open(context.Request.Body, "x").Dispose()
                        fun context -> AudioFile.Write(context.Response.Body, sound) |> ignore ] do
                      serving (asking act) (fun address client -> post client address bytes |> ignore)

                  Expect.equal
                      [ for failure in failures -> failure.GetType() ]
                      (List.replicate 2 typeof<InvalidOperationException>)
                      "both synchronous forms are refused")
          } ]

let private isStream (parameter: ParameterInfo) = typeof<Stream>.IsAssignableFrom parameter.ParameterType

let private asynchronousForms =
    test "what reads or writes a stream has an asynchronous form that can be cancelled" {
        let methods =
            [ for t in typeof<AudioFile>.Assembly.GetExportedTypes() do
                  for m in t.GetMethods() do
                      if m.GetParameters() |> Array.exists isStream then m ]

        Expect.isNonEmpty methods "there are some"

        for m in methods do
            let name =
                if m.Name.EndsWith("Async", StringComparison.Ordinal) then
                    m.Name
                else
                    m.Name + "Async"

            let isForm (other: MethodInfo) =
                other.DeclaringType = m.DeclaringType
                && other.Name = name
                && typeof<Task>.IsAssignableFrom other.ReturnType
                && other.GetParameters() |> Array.exists isStream
                && (Array.last (other.GetParameters())).ParameterType = typeof<CancellationToken>

            Expect.exists methods isForm $"{m.DeclaringType.Name}.{m.Name} has an asynchronous form"
    }

[<Tests>]
let tests = testSequenced <| testList "streams of servers" [ uploads; asynchronousForms ]
