/// Every public argument of the core is checked: its constructors, methods and settings are walked, those that are to come
/// included. Each is called with arguments that make sense, and then with one that makes none: null, a list with a null in it, a
/// value that an enumeration has not, NaN, a negative number.
module FunctionalSeparation.Tests.CoreArgumentTests

open System
open System.Collections
open System.Collections.Generic
open System.IO
open System.Reflection
open System.Threading
open Expecto
open NWaves.Signals
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning
open FunctionalSeparation.Core
open FunctionalSeparation.Tests.Scratch

/// Types that only the library makes, to be read.
let private results =
    [ typeof<AudioInfo>
      typeof<AudioShape>
      typeof<BssEvalScores>
      typeof<BssEvalWindowScores>
      typeof<StemFile>
      typeof<TorchRuntimeInfo> ]

/// Numbers that may be anything, by the names of type, method and argument.
let private free =
    [ "Arithmetic.", "any number is one"
      "EventFileWriter.Scalar.value", "NaN is shown as a gap"
      "Histogram.", "moments and limits of values that are any"
      "OrderedProgress.Report.value", "it is handed on"
      "Stft..ctor.", "checked where they are used: a value of settings may be on its way"
      "Stft.set_", "as there"
      "Stft.Frames.samples", "a signal of no length has no frames"
      "BssEvalSettings.", "checked where they are used, with their name"
      "StemSettings.", "checked beside the song, whose name the message says" ]

let private random (shape: int64 list) = Key.uniformTensor 0.1 1.0 shape (Key.ofSeed 1)
let private sound () = AudioBuffer([| Array.init 4000 (fun i -> float32 (sin (0.03 * float i)) * 0.4f) |], 16000)

/// Tensors by the names of type, method and argument: the first that fits.
let private tensors =
    [ "BssEval.Version3Channels.", [ 2L; 1L; 2000L ]
      "BssEval.InWindows.", [ 2L; 1L; 2000L ]
      "BssEval.", [ 2L; 2000L ]
      "SiSdr.", [ 2L; 2000L ]
      "Stft.Forward.", [ 4000L ]
      "GruStates.Apply.frames", [ 2L; 1L; 6L ]
      "GruStates.Apply.start", [ 1L; 2L ]
      "GruStates.Apply.weight", [ 2L; 6L ]
      "GruStates.Apply.bias", [ 6L ]
      "LstmStates.Apply.frames", [ 2L; 1L; 8L ]
      "LstmStates.Apply.start", [ 1L; 4L ]
      "LstmStates.Apply.weight", [ 2L; 8L ]
      "RecurrentStates.Apply.frames", [ 2L; 1L; 3L ]
      "RecurrentStates.Apply.start", [ 1L; 3L ]
      "RecurrentStates.Apply.weight", [ 3L; 3L ]
      "RatioMask.outputs", [ 2L; 3L ]
      "RatioMask.Apply.outputs", [ 1L; 2L; 3L ]
      "RatioMask.Require.outputs", [ 1L; 2L; 3L ]
      "RatioMask.Apply.mixture", [ 1L; 3L ]
      "RatioMask.Require.mixture", [ 1L; 3L ]
      "Arithmetic.Number.", [ 1L ]
      "AudioTensors.", [ 1L; 4000L ]
      "", [ 2L; 3L ] ]

let private numbers =
    [ "sampleRate", 16000
      "targetRate", 8000
      "sourceRate", 16000
      "innerRate", 16000
      "channels", 1
      "channel", 0
      "track", 0 ]
    @ [ "filterLength", 16
        "FilterLength", 16
        "FftSize", 1024
        "HopLength", 512
        "step", 0
        "offset", 0
        "length", 10 ]
    @ [ "samples", 4000; "frames", 3; "size", 3; "first", 0; "end", 4; "Count", 1; "bytes", 10; "value", 16 ]

let private songOf folder =
    let path = Path.Combine(folder, "song.wav")
    if not (File.Exists path) then AudioFile.Write(path, sound ()) |> ignore
    path

let private arriving () =
    { new IAsyncEnumerable<AudioBuffer> with
        member _.GetAsyncEnumerator _ =
            let mutable left = 2

            { new IAsyncEnumerator<AudioBuffer> with
                member _.Current = sound ()

                member _.MoveNextAsync() =
                    left <- left - 1
                    Tasks.ValueTask<bool>(left > 0)

                member _.DisposeAsync() = Tasks.ValueTask() } }

/// A stream of a song's bytes, which can be written as well.
let private bytesOf folder =
    let stream = new MemoryStream()
    stream.Write(ReadOnlySpan(File.ReadAllBytes(songOf folder)))
    stream.Position <- 0L
    stream

let private estimates =
    { new IEstimateStream with
        member _.Latency = 0
        member _.Push _ = [||]
        member _.Finish() = [||]
        member _.Dispose() = () }

let private liveStream () = new LiveStream((separator 1).Open(16000, 1), TimeSpan.FromSeconds(1.0))

/// Values of types, in a folder.
let private values: (Type * (string -> obj)) list =
    [ typeof<AudioBuffer>, (fun _ -> sound ())
      typeof<Stream>, (fun folder -> bytesOf folder)
      typeof<torch.Device>, (fun _ -> torch.CPU)
      typeof<torch.ScalarType>, (fun _ -> torch.ScalarType.Float32)
      typeof<double>, (fun _ -> 0.5)
      typeof<bool>, (fun _ -> true)
      typeof<TimeSpan>, (fun _ -> TimeSpan.FromSeconds 1.0)
      typeof<CancellationToken>, (fun _ -> CancellationToken.None)
      typeof<ISeparator>, (fun _ -> separator 1)
      typeof<WavReader>, (fun folder -> new WavReader(songOf folder))
      typeof<WavWriter>, (fun folder -> new WavWriter(Path.Combine(folder, "new.wav"), 16000, 1))
      typeof<StemStream>, (fun _ -> (separator 1).Open(16000, 1))
      typeof<LiveStream>, (fun _ -> liveStream ())
      typeof<IEstimateStream>, (fun _ -> estimates)
      typeof<IAsyncEnumerable<AudioBuffer>>, (fun _ -> arriving ())
      typeof<IProgress<double>>, (fun _ -> OrderedProgress ignore)
      typeof<OrderedProgress>, (fun _ -> OrderedProgress ignore)
      typeof<SoundLevel>, (fun _ -> SoundLevel.WithoutOffset 0.1)
      typeof<RunningLevel>, (fun _ -> RunningLevel 16000)
      typeof<Stft>, (fun _ -> Stft(1024, 512, StftWindow.Sine, false)) // a new one: it is changed
      typeof<StemSettings>, (fun _ -> StemSettings())
      typeof<BssEvalSettings>, (fun _ -> BssEvalSettings.Version4 1000)
      typeof<DecoderLimits>, (fun _ -> DecoderLimits())
      typeof<EventFileWriter>, (fun folder -> new EventFileWriter(Path.Combine(folder, "events"), 0L))
      typeof<Histogram>, (fun _ -> Histogram.Of(ReadOnlySpan [| 1.0f; 2.0f |], 2))
      typeof<DiscreteSignal>, (fun _ -> DiscreteSignal(16000, [| 0.5f; 0.25f |]))
      typeof<Axis>, (fun _ -> Axis.Leading)
      typeof<Action<Stream>>, (fun _ -> box (Action<Stream>(fun stream -> stream.WriteByte 1uy)))
      typeof<Action<double>>, (fun _ -> box (Action<double> ignore))
      typeof<Func<Stream, obj>>, (fun _ -> box (Func<Stream, obj>(fun _ -> null)))
      typeof<Func<obj>>, (fun _ -> box (Func<obj>(fun () -> null)))
      typeof<float32[]>, (fun _ -> (sound ()).Channels[0])
      typeof<IReadOnlyList<string>>, (fun _ -> [| "music"; "voice" |]) ]

/// Arguments that fit others, by the names of type, method and argument.
let private fitting: (string * (unit -> obj)) list =
    [ "Shapes.Require.wanted", (fun () -> [| Axis.Leading; Axis.Any "columns" |])
      "Shapes.Require.like", (fun () -> null)
      "Shapes.RequireType.wanted", (fun () -> [| torch.ScalarType.Float64 |]) ]

let private textOf (folder: string) (argument: string) =
    match argument with
    | "folder" -> Path.Combine(folder, "out")
    | "Name"
    | "value" -> "{song} {stem}"
    | "name" -> "cpu"
    | "path"
    | "song" -> songOf folder
    | _ -> "words"

let private tensorOf (name: string) (argument: string) : torch.Tensor =
    let key = $"{name}.{argument}"

    if name = "Stft.Inverse" then
        Stft.Huang2014.Forward(random [ 4000L ])
    elif key = "Arithmetic.MaskedFill.mask" then
        (random [ 2L; 3L ]).Gt 0.5
    else
        random (tensors |> List.find (fun (prefix, _) -> key.StartsWith(prefix, StringComparison.Ordinal)) |> snd)

let private elementOf (t: Type) =
    if t.IsArray then
        Some(t.GetElementType())
    elif t.IsGenericType && typeof<IEnumerable>.IsAssignableFrom t then
        Some(t.GetGenericArguments()[0])
    else
        None

/// An argument that makes sense.
let rec private sample (folder: string) (name: string) (argument: string) (t: Type) : obj =
    match List.tryFind (fun (known, _) -> known = t) values, elementOf t with
    | _ when List.exists (fun (key, _) -> key = $"{name}.{argument}") fitting ->
        (fitting |> List.find (fun (key, _) -> key = $"{name}.{argument}") |> snd) ()
    | Some(_, make), _ -> make folder
    | None, Some element ->
        let array = Array.CreateInstance(element, 2)

        for i in 0..1 do
            array.SetValue(sample folder name argument element, i)

        array
    | None, None when t = typeof<string> -> textOf folder argument
    | None, None when t = typeof<torch.Tensor> -> tensorOf name argument
    | None, None when t.IsEnum -> Enum.GetValues(t).GetValue 0
    | None, None when t = typeof<int> || t = typeof<int64> ->
        match List.tryFind (fun (known, _) -> known = argument) numbers with
        | Some(_, number) -> Convert.ChangeType(number, t)
        | None -> failtest $"{name}: what is a good {argument}? Add it to the numbers of this test."
    | None, None when not (isNull (Nullable.GetUnderlyingType t)) -> null
    | None, None -> failtest $"{name}: what is a good {t.Name}? Add it to the values of this test."

/// The values that an argument may not have, in words, by its type and whether it may be null.
let private senseless (mayBeNull: bool) (t: Type) : (string * obj) list =
    let inner = Nullable.GetUnderlyingType t |> Option.ofObj |> Option.defaultValue t

    [ if not t.IsValueType && not mayBeNull then "null", null
      match elementOf t with
      | Some element when not element.IsValueType -> "a list with a null", box (Array.CreateInstance(element, 1))
      | _ -> ()
      if inner.IsEnum then "no such value", Enum.ToObject(inner, 99)
      if inner = typeof<double> then
          "NaN", box nan
          "-1", box -1.0
      if inner = typeof<int> then "-1", box -1
      if inner = typeof<int64> then "-1", box -1L
      if inner = typeof<TimeSpan> then "less than no time", box (TimeSpan.FromSeconds -1.0) ]

let private isFree (key: string) (value: obj) =
    (value :? double || value :? int || value :? int64)
    && free |> List.exists (fun (prefix, _) -> key.StartsWith(prefix, StringComparison.Ordinal))

/// Calls it, and waits for what it promises.
let private call (m: MethodBase) (target: obj) (arguments: obj[]) =
    let result =
        match m with
        | :? ConstructorInfo as constructor -> constructor.Invoke arguments
        | _ -> m.Invoke(target, arguments)

    match result with
    | :? Threading.Tasks.Task as task -> task.GetAwaiter().GetResult()
    | _ -> ()

    match result with
    | :? IDisposable as disposable -> disposable.Dispose()
    | _ -> ()

let private nameOf (m: MethodBase) = $"{m.DeclaringType.Name}.{m.Name}"

let private check (m: MethodBase) () =
    let nullability = NullabilityInfoContext()
    let name = nameOf m

    /// Calls it with all arguments that make sense, but one.
    let attempt (changed: (int * obj) option) =
        inFolder (fun folder ->
            let target =
                if m.IsStatic || m.IsConstructor then
                    null
                else
                    sample folder name "this" m.DeclaringType

            let arguments =
                [| for i, parameter in Array.indexed (m.GetParameters()) ->
                       match changed with
                       | Some(index, value) when index = i -> value
                       | _ -> sample folder name parameter.Name parameter.ParameterType |]

            try
                call m target arguments
            finally
                match target with
                | :? IDisposable as disposable -> disposable.Dispose()
                | _ -> ())

    attempt None

    for i, parameter in Array.indexed (m.GetParameters()) do
        let mayBeNull = nullability.Create(parameter).WriteState = NullabilityState.Nullable

        for what, value in senseless mayBeNull parameter.ParameterType do
            if not (isFree $"{name}.{parameter.Name}" value) then
                let isRefused =
                    try
                        attempt (Some(i, value))
                        false
                    with
                    | :? ArgumentException -> true
                    | :? TargetInvocationException as e when (e.InnerException :? ArgumentException) -> true
                    | :? TargetInvocationException as e -> failtest $"{name}: {parameter.Name} is {what}: {e.InnerException}"

                Expect.isTrue isRefused $"{name} takes {what} for {parameter.Name}"

/// Members that the compiler writes, that libtorch calls, and that every object has.
let private isOwn (m: MethodBase) =
    not (List.contains m.Name [ "Equals"; "Deconstruct"; "forward"; "backward"; "<Clone>$"; "op_Equality"; "op_Inequality" ])
    && m.GetParameters().Length > 0
    && not (m.GetParameters() |> Array.exists _.ParameterType.IsByRefLike)

let private closed (m: MethodInfo) : MethodBase = if m.IsGenericMethodDefinition then m.MakeGenericMethod typeof<obj> else m

let private members: MethodBase list =
    let flags = BindingFlags.Public ||| BindingFlags.Instance ||| BindingFlags.Static ||| BindingFlags.DeclaredOnly

    [ for t in typeof<AudioFile>.Assembly.GetExportedTypes() do
          let isLeft = t.IsEnum || t.IsInterface || typeof<exn>.IsAssignableFrom t || List.contains t results

          if not isLeft then
              for m in t.GetConstructors() do
                  if isOwn m then m

              for m in t.GetMethods flags do
                  if isOwn m then closed m ]

let private words (m: MethodBase) =
    let parameters =
        String.Join(", ", [ for parameter in m.GetParameters() -> $"{parameter.ParameterType.Name} {parameter.Name}" ])

    $"{nameOf m}({parameters})"

[<Tests>]
let tests =
    testList
        "arguments of the core"
        [ for m in members do
              testCase (words m) (fun () -> Memory.plain (check m))

          test "spans, which are not walked" {
              Expect.throwsT<ArgumentOutOfRangeException> (fun () -> Histogram.Of(ReadOnlySpan [| 1.0f |], 0) |> ignore) "buckets"

              refusesArgument [ "ScalarType" ] (fun () ->
                  Arithmetic.Full(ReadOnlySpan [| 2L |], 1.0, LanguagePrimitives.EnumOfValue 99y) |> ignore)
          }

          test "settings that are changed are checked as new ones are" {
              refusesArgument [ "Name" ] (fun () -> StemSettings(Name = null) |> ignore)
              refusesArgument [ "Format"; "Flac" ] (fun () -> StemSettings(Format = enum<StemFormat> 99) |> ignore)

              inFolder (fun folder ->
                  let sound = sound ()
                  let undefined = enum<SampleFormat> 99
                  let path = Path.Combine(folder, "x.wav")
                  refusesArgument [ "format" ] (fun () -> AudioFile.Write(path, sound, undefined) |> ignore)
                  refusesArgument [ "format" ] (fun () -> AudioFile.Write(new MemoryStream(), sound, undefined) |> ignore)
                  Expect.isEmpty (Directory.GetFiles folder) "nothing is written")
          } ]
