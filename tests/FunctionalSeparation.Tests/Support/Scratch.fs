/// Folders for one test, the research data beside the repository, and what a good refusal looks like.
module FunctionalSeparation.Tests.Scratch

open System
open System.Diagnostics
open System.IO
open System.Threading
open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core

/// Runs the test with a new folder, which is deleted afterwards.
let inFolder (test: string -> unit) =
    let folder = Directory.CreateTempSubdirectory("funcsep-test-").FullName

    try
        test folder
    finally
        Directory.Delete(folder, true)

/// Runs the test with a new folder, beside it the one for temporary files: for tests that run alone.
let withTemporaryFiles (test: string -> unit) =
    inFolder (fun folder ->
        let before = Environment.GetEnvironmentVariable "TMPDIR"
        Environment.SetEnvironmentVariable("TMPDIR", folder)

        try
            test (Directory.CreateDirectory(Path.Combine(folder, "work"))).FullName
        finally
            Environment.SetEnvironmentVariable("TMPDIR", before))

/// Whether a program runs and ends well; false where it is not installed.
let succeeds (program: string) (arguments: string list) =
    try
        let info = ProcessStartInfo(program, arguments, RedirectStandardOutput = true, RedirectStandardError = true)

        use running = Process.Start info
        let error = running.StandardError.ReadToEndAsync()
        running.StandardOutput.ReadToEnd() |> ignore
        running.WaitForExit()
        error.Wait()
        running.ExitCode = 0
    with :? ComponentModel.Win32Exception ->
        false

/// Runs the test with a new folder on a disk of so many MiB; the test is skipped where none can be made.
let onSmallDisk (size: int) (test: string -> unit) =
    inFolder (fun folder ->
        if not (succeeds "mount" [ "-t"; "tmpfs"; "-o"; $"size={size}m"; "tmpfs"; folder ]) then
            Tests.skiptest "needs the right to mount a small file system"

        try
            test folder
        finally
            succeeds "umount" [ folder ] |> ignore)

/// The unfinished files (`*.part`) in a folder.
let unfinished (folder: string) = if Directory.Exists folder then Directory.GetFiles(folder, "*.part") else [||]

/// Waits for a condition.
let waitFor (what: string) (condition: unit -> bool) =
    let clock = Stopwatch.StartNew()

    while not (condition ()) do
        if clock.Elapsed.TotalMinutes > 20.0 then failtest $"waited in vain for {what}"
        Thread.Sleep 20

/// Sends a signal, such as TERM, to a process.
let signal (name: string) (running: Process) =
    Expect.isTrue (succeeds "sh" [ "-c"; $"kill -{name} {running.Id}" ]) $"kill -{name} reaches the process"

/// Makes a FIFO; the test is skipped where there is none.
let fifo (folder: string) =
    let path = Path.Combine(folder, "song.fifo")
    if not (succeeds "mkfifo" [ path ]) then Tests.skiptest "needs the pipes of Unix"
    path

/// Writes the bytes into a FIFO while the test reads it.
let feeding (path: string) (bytes: byte[]) (test: unit -> unit) =
    let writer =
        Tasks.Task.Run(fun () ->
            use stream = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite, 1)
            stream.Write(ReadOnlySpan bytes))

    test ()
    writer.GetAwaiter().GetResult()

/// Saves a small network with random weights as a model.
let saveModel (folder: string) (hidden: int list) =
    let architecture = { Drnn.huang2014 with Hidden = hidden; Recurrence = FeedForward }
    let parameters = Params.init (Network.layout (Drnn.network architecture)) torch.float32 torch.CPU (Key.ofSeed 1)

    ModelFolder.save
        folder
        { Network = Drnn.network architecture; Parameters = parameters; Level = Some 0.004 }
        (Text.Json.Nodes.JsonObject())

    parameters.Vector.Dispose()

/// A separator with the random weights of a seed.
let separator (seed: int) : ISeparator =
    let network = Drnn.network { Drnn.huang2014 with Hidden = [ 8 ]; Recurrence = FeedForward }
    let parameters = Params.init (Network.layout network) torch.float32 torch.CPU (Key.ofSeed seed)
    new NetworkSeparator("test", { Network = network; Parameters = parameters; Level = Some 0.01 })

/// Writes a song of so many minutes, 16 kHz, one channel.
let writeSong (path: string) (minutes: int) =
    use writer = new WavWriter(path, 16000, 1, SampleFormat.Pcm8)
    let minute = AudioBuffer([| Array.init (60 * 16000) (fun i -> float32 (sin (0.03 * float i)) * 0.4f) |], 16000)

    for _ in 1..minutes do
        writer.Write minute

    writer.Complete()

/// The file or folder `shared/data/...` beside the repository; the test is skipped where it is absent.
let sharedData (parts: string list) =
    let rec root (folder: DirectoryInfo) =
        if isNull folder || File.Exists(Path.Combine(folder.FullName, "FunctionalSeparation.sln")) then
            folder
        else
            root folder.Parent

    let repository = root (DirectoryInfo AppContext.BaseDirectory)

    let path =
        if isNull repository then
            ""
        else
            Path.GetFullPath(Path.Combine(Array.ofList ([ repository.FullName; ".."; "shared"; "data" ] @ parts)))

    if not (Path.Exists path) then
        Tests.skiptest $"""the research data {String.Join("/", parts)} is not beside the repository"""

    path

/// The sources with one of them silent.
let silenced (name: string) (stems: Stems) : Stems =
    let silent (sound: AudioBuffer) =
        AudioBuffer([| for channel in sound.Channels -> Array.zeroCreate channel.Length |], sound.SampleRate)

    [ for stem in stems -> if stem.Name = name then { stem with Sound = silent stem.Sound } else stem ]

/// The first so many samples of the sources.
let beginning (samples: int) (stems: Stems) : Stems =
    stems
    |> Stems.map (fun sound ->
        AudioBuffer([| for channel in sound.Channels -> Array.truncate samples channel |], sound.SampleRate))

/// Expects an InputException of one line that holds all the words.
let refuses (words: string list) (action: unit -> unit) =
    let message =
        try
            action ()
            failtest "nothing was refused"
        with :? InputException as e ->
            e.Message

    Expect.isFalse (message.Contains '\n') "the message is one line"

    for word in words do
        Expect.stringContains message word "the message holds the word"

/// Expects an ArgumentException of one line that holds all the words.
let refusesArgument (words: string list) (action: unit -> unit) =
    let message =
        try
            action ()
            failtest $"nothing was refused: {words}"
        with :? ArgumentException as e ->
            e.Message

    Expect.isFalse (message.Contains '\n') $"the message is one line: {message}"

    for word in words do
        Expect.stringContains message word "the message holds the word"

/// The contents of a batch that the papers' networks and losses need: magnitudes of the mixtures and of the references.
let magnitudes: BatchSpec =
    { Mixture = [ Domain.Magnitude ]; References = [ Domain.Magnitude ]; Mixing = Mixing.unitNorm }

/// The magnitudes of the references of a batch, [time, batch, sources, channels, bins].
let references (batch: Batch) = batch.References[Domain.Magnitude]

/// The magnitudes of the mixtures of a batch, [margin + time + margin, batch, channels, bins].
let mixtures (batch: Batch) = batch.Mixture[Domain.Magnitude]

/// Two seconds of four tones that rise, all below 1.5 kHz: the same sound at any rate (Hz).
let chirps (rate: int) : AudioBuffer =
    let sample n =
        let time = float n / float rate

        [ 90.0; 160.0; 230.0; 290.0 ]
        |> List.sumBy (fun hertz -> 0.05 * sin (2.0 * Math.PI * hertz * (1.0 + time) * time))

    AudioBuffer([| Array.init (2 * rate) (sample >> float32) |], rate)

/// The voice that a separator takes out of `chirps` at a rate (Hz).
let voiceOfChirps (separator: ISeparator) (rate: int) : float32[] =
    let stems = separator.Separate(chirps rate)
    stems["voice"].Channels[0]

/// The estimates [channels, sources, samples] of a mixture [channels, samples] that comes in pieces of so many samples.
let separatedInPieces (samples: int) (trained: TrainedModel) (mixture: torch.Tensor) : torch.Tensor =
    let push state piece =
        let estimates, next = SeparationStream.push trained piece state
        SeparationStream.dispose state
        estimates, next

    let length = mixture.shape[1]

    Memory.tensor (fun () ->
        let pieces =
            [ for first in 0L .. int64 samples .. length - 1L -> mixture.narrow (1L, first, min (int64 samples) (length - first)) ]

        let estimates, last = List.mapFold push (SeparationStream.start trained (int mixture.shape[0])) pieces
        torch.cat (Array.ofList (estimates @ [ SeparationStream.finish trained last ]), -1L))

/// A test that the fast run leaves out.
let long name work =
    test name {
        if Environment.GetEnvironmentVariable "FUNCSEP_FAST" = "1" then
            skiptest "left out of the fast run"

        work ()
    }
