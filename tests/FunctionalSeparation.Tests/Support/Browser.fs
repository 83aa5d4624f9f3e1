/// A page in a browser without a window, by Chromium's DevTools protocol.
module FunctionalSeparation.Tests.Browser

open System
open System.Diagnostics
open System.IO
open System.Net.Http
open System.Net.WebSockets
open System.Text
open System.Text.Json.Nodes
open System.Text.RegularExpressions
open System.Threading
open Expecto

let private patience = TimeSpan.FromMinutes 2.0

let private program =
    lazy
        (let folders = (Environment.GetEnvironmentVariable "PATH").Split Path.PathSeparator

         [ for name in [ "chromium"; "chromium-browser"; "google-chrome" ] do
               for folder in folders -> Path.Combine(folder, name) ]
         |> List.tryFind File.Exists)

let private json (pairs: (string * JsonNode) list) =
    let json = JsonObject()

    for name, value in pairs do
        json[name] <- value

    json

let private start (program: string) (profile: string) =
    let options =
        [ "--headless=new"
          "--no-sandbox"
          "--disable-gpu"
          "--no-first-run"
          "--remote-debugging-port=0"
          $"--user-data-dir={profile}"
          "about:blank" ]

    Process.Start(ProcessStartInfo(program, options, RedirectStandardError = true, RedirectStandardOutput = true))

/// The port that the browser says it listens on.
let private portOf (browser: Process) =
    let rec read () =
        match browser.StandardError.ReadLine() with
        | null -> failtest "the browser ended before it listened"
        | line ->
            let found = Regex.Match(line, @"DevTools listening on ws://[^:]+:(\d+)/")
            if found.Success then found.Groups[1].Value else read ()

    let port = read ()
    // The browser blocks when the pipe of an output that nobody reads is full.
    browser.StandardError.ReadToEndAsync() |> ignore
    browser.StandardOutput.ReadToEndAsync() |> ignore
    port

/// A tab. Calls are answered one by one; errors of the page are kept.
type Tab(socket: ClientWebSocket) =
    let mutable calls = 0
    let errors = ResizeArray<string>()
    let buffer = Array.zeroCreate<byte> 65536

    let receive () =
        use late = new CancellationTokenSource(patience)
        use message = new MemoryStream()

        let rec read () =
            let part = socket.ReceiveAsync(ArraySegment buffer, late.Token).Result
            message.Write(buffer, 0, part.Count)
            if not part.EndOfMessage then read ()

        read ()
        JsonNode.Parse(Encoding.UTF8.GetString(message.ToArray()))

    let note (message: JsonNode) =
        let parameters = message["params"]

        match string message["method"] with
        | "Runtime.exceptionThrown" -> errors.Add(parameters["exceptionDetails"].ToJsonString())
        | "Runtime.consoleAPICalled" when string parameters["type"] = "error" -> errors.Add(parameters["args"].ToJsonString())
        | "Log.entryAdded" when string (parameters["entry"].["level"]) = "error" -> errors.Add(parameters["entry"].ToJsonString())
        | _ -> ()

    let rec answer (call: int) =
        let message = receive ()

        if not (isNull message["id"]) && message["id"].GetValue<int>() = call then
            Expect.isNull message["error"] $"the browser answers: {message.ToJsonString()}"
            message["result"]
        else
            note message
            answer call

    /// A call of the protocol, with its answer.
    member _.Call(method: string, parameters: (string * JsonNode) list) : JsonNode =
        calls <- calls + 1
        let call = json [ "id", JsonValue.Create calls; "method", JsonValue.Create method; "params", json parameters ]
        use late = new CancellationTokenSource(patience)
        let bytes = Encoding.UTF8.GetBytes(call.ToJsonString())
        socket.SendAsync(ArraySegment bytes, WebSocketMessageType.Text, true, late.Token).Wait()
        answer calls

    /// The value of a JavaScript expression; promises are awaited.
    member tab.Value(expression: string) : JsonNode =
        let result =
            tab.Call(
                "Runtime.evaluate",
                [ "expression", JsonValue.Create expression
                  "awaitPromise", JsonValue.Create true
                  "returnByValue", JsonValue.Create true ]
            )

        Expect.isNull result["exceptionDetails"] $"{expression}: {result.ToJsonString()}"
        result["result"].["value"]

    /// Opens a report at a width in pixels, in the colours `light` or `dark`, and waits until its charts are drawn.
    member tab.Show(path: string, width: int, colours: string) : unit =
        let media = json [ "name", JsonValue.Create "prefers-color-scheme"; "value", JsonValue.Create colours ]
        tab.Call("Emulation.setEmulatedMedia", [ "features", JsonArray(media :> JsonNode) ]) |> ignore

        tab.Call(
            "Emulation.setDeviceMetricsOverride",
            [ "width", JsonValue.Create width
              "height", JsonValue.Create 900
              "deviceScaleFactor", JsonValue.Create 1
              "mobile", JsonValue.Create(width < 600) ]
        )
        |> ignore

        // An address of its own for every visit: the page before is not taken for this one.
        let address = $"{Uri(path).AbsoluteUri}?{calls}"
        tab.Call("Page.navigate", [ "url", JsonValue.Create address ]) |> ignore
        let clock = Stopwatch.StartNew()

        let isDrawn =
            ($"location.href === '{address}' && document.readyState === 'complete' && "
             + "[...document.querySelectorAll('.chart > .plot')].every(plot "
             + "=> plot._fullLayout && plot.querySelector('.main-svg'))")

        while not (tab.Value(isDrawn).GetValue<bool>()) do
            if clock.Elapsed > patience then failtest $"{path} is not drawn"
            Thread.Sleep 50

        // One more turn, so that observers of sizes have been called.
        tab.Value "new Promise(done => requestAnimationFrame(() => setTimeout(() => done(0), 50)))" |> ignore

    /// Errors that the page logged to the console, and exceptions that it threw.
    member _.Errors = List.ofSeq errors

/// Runs the test with a tab; it is skipped where there is no Chromium.
let withTab (test: Tab -> unit) : unit =
    match program.Value with
    | None -> skiptest "needs chromium"
    | Some program ->
        Scratch.inFolder (fun profile ->
            use browser = start program profile

            try
                let port = portOf browser
                use http = new HttpClient(new HttpClientHandler(UseProxy = false))
                let tabs = JsonNode.Parse(http.GetStringAsync($"http://127.0.0.1:{port}/json/list").Result).AsArray()
                let page = tabs |> Seq.find (fun tab -> string tab["type"] = "page")
                use socket = new ClientWebSocket()
                socket.Options.Proxy <- null
                socket.ConnectAsync(Uri(string page["webSocketDebuggerUrl"]), CancellationToken.None).Wait()
                let tab = Tab socket

                for domain in [ "Page"; "Runtime"; "Log" ] do
                    tab.Call($"{domain}.enable", []) |> ignore

                test tab
            finally
                browser.Kill true
                browser.WaitForExit())
