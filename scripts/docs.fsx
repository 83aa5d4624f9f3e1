// Renders the guides, with what they print, and the reference of the libraries into artifacts/docs: pages that need neither a
// server nor a network. Run by `dotnet fsi build.fsx docs`, after a build. With --no-results the guides are not run, and the
// pages go into artifacts/docs-without-results.
open System
open System.Diagnostics
open System.IO
open System.Text.RegularExpressions

let root = Path.GetFullPath(Path.Combine(__SOURCE_DIRECTORY__, ".."))
let isRun = not (Array.contains "--no-results" fsi.CommandLineArgs)
let pages = Path.Combine(root, "artifacts", (if isRun then "docs" else "docs-without-results"))

let projects =
    [ "FunctionalSeparation.Core/FunctionalSeparation.Core.csproj"
      "FunctionalSeparation.Learning/FunctionalSeparation.Learning.fsproj"
      "FunctionalSeparation/FunctionalSeparation.fsproj"
      "FunctionalSeparation.Plots/FunctionalSeparation.Plots.fsproj" ]

/// Prefix that fsdocs puts before every address; the pages get relative addresses.
let site = "/site/"

let fail (why: string) =
    eprintfn $"error: {why}"
    exit 2

let render () =
    let arguments =
        [ "fsdocs"; "build"; "--clean"; "--strict"; "--input"; "scripts/guides"; "--output"; pages; "--projects" ]
        @ [ for project in projects -> Path.Combine(root, "src", project) ]
        @ [ "--properties"; "Configuration=Release"; "--sourcerepo"; "none" ]
        @ [ "--parameters"; "root"; site; "fsdocs-collection-name"; "FunctionalSeparation" ]
        @ (if isRun then [ "--eval" ] else [])

    let info = ProcessStartInfo("dotnet", arguments, WorkingDirectory = root, RedirectStandardOutput = true)
    use running = Process.Start info
    let said = running.StandardOutput.ReadToEnd()
    running.WaitForExit()

    if running.ExitCode <> 0 then
        eprintfn $"{said}"
        fail $"fsdocs ended with code {running.ExitCode}. Restore it with: dotnet tool restore"

/// The way from a page's folder to the top.
let toTop (page: string) =
    let depth = Path.GetRelativePath(pages, page).Split(Path.DirectorySeparatorChar).Length - 1
    if depth = 0 then "./" else String.replicate depth "../"

/// Parts of a page in which no word is changed: backticks are a part of JavaScript, and of F#.
let asItIs = @"<(script|style|pre|textarea)\b.*?</\1>"

/// Code in backticks, as the documentation of the sources has it, and tips without XML tags.
let readable (text: string) =
    let inProse (found: Match) =
        if found.Groups[2].Success then
            $"<code>{found.Groups[2].Value}</code>"
        else
            found.Value

    let code = Regex.Replace(text, asItIs + "|`([^`<>\n]+)`", inProse, RegexOptions.Singleline)
    Regex.Replace(code, "&lt;summary&gt;\\s*(.*?)\\s*&lt;/summary&gt;.*?</em>", "$1</em>", RegexOptions.Singleline)

/// Signatures may go on in a new line behind a dot, a comma or a parenthesis, never inside a word.
let breakable (text: string) =
    let inText (found: Match) = Regex.Replace(found.Value, @"[.,(](?=\S)", "$0<wbr>")

    let inUsage (found: Match) = Regex.Replace(found.Value, "(?<=>)[^<>]+(?=<)", inText)
    Regex.Replace(text, "<a id=\"[^\"]*\">\\s*<a href=\"#.*?</a>", inUsage, RegexOptions.Singleline)

/// The purpose of each namespace: the compiler keeps no words of them.
let namespaces =
    [ "FunctionalSeparation.Core",
      "Audio files, STFT, metrics, and separation of sounds, files and streams by any separator; libtorch and devices. C#."
      "FunctionalSeparation.Learning", "Functional deep learning: keys, models, layers, optimisers, training as a fold. F#."
      "FunctionalSeparation.Plots", "Figures and self-contained pages of spectrograms, scores and sounds. F#."
      "FunctionalSeparation",
      ("Corpora, networks, losses, samplers, recipes, separation and "
       + "scores as values and pure functions, and a trained model. F#.") ]

let described (text: string) =
    let fill (text: string) (name, words) =
        Regex.Replace(text, $@"(title=""{Regex.Escape name}"">[^<]*</a>\s*</td>\s*<td>)\s*(</td>)", $"$1{words}$2")

    let ofNamespace (text: string) (name, words) =
        Regex.Replace(text, $@"(<h2[^>]*>\s*{Regex.Escape name} Namespace\s*</h2>)", $"$1<p>{words}</p>")

    namespaces |> List.fold ofNamespace (List.fold fill text namespaces)

/// The page that the guide of tables writes, where the guides are run; else the words that lead to it stay words.
let tablePage = "losses-smoke.html"

let withoutTable (text: string) =
    if isRun then
        text
    else
        Regex.Replace(text, $"<a href=\"{tablePage}\">(.*?)</a>", "$1")

let finish (page: string) =
    let text = File.ReadAllText page |> readable |> breakable |> described |> withoutTable
    File.WriteAllText(page, text.Replace($"\"{site}", $"\"{toTop page}"))

let plain (html: string) = Regex.Replace(Net.WebUtility.HtmlDecode(Regex.Replace(html, "<[^>]*>", "")), @"\s+", " ").Trim()

/// The entries of a page that a reader can search for: its title, its headings, the members of a type; each with the place in the
/// pages.
let entries (page: string) =
    let text = File.ReadAllText page
    let place = Path.GetRelativePath(pages, page).Replace('\\', '/')

    let found pattern anchored =
        [ for heading in Regex.Matches(text, pattern, RegexOptions.Singleline) ->
              plain heading.Groups["text"].Value, place + (if anchored then "#" + heading.Groups["id"].Value else "") ]

    found "<h2[^>]*>\\s*(?<text>[^<]+?)\\s*</h2>" false
    @ found "<a name=\"(?<id>[^\"]*)\" class=\"anchor\"[^>]*>(?<text>.*?)</a>" true
    @ found "<a id=\"(?<id>[^\"]*)\">\\s*<a href=\"#[^\"]*\">(?<text>.*?)</a>" true

/// The index as a script, which a browser reads without a server.
let writeSearchIndex (html: string[]) =
    let index = [| for name, place in html |> Seq.collect entries |> Seq.distinct -> [| name; place |] |]

    File.WriteAllText(
        Path.Combine(pages, "search-index.js"),
        $"const searchIndex = {Text.Json.JsonSerializer.Serialize index};\n"
    )

let links (text: string) = [ for link in Regex.Matches(text, "(?:href|src)=\"([^\"]*)\"") -> link.Groups[1].Value ]

let anchors (text: string) = set [ for anchor in Regex.Matches(text, "(?:id|name)=\"([^\"]*)\"") -> anchor.Groups[1].Value ]

/// The file and the anchor that a link of a page leads to; None where it leads out of the pages.
let target (page: string) (link: string) =
    if link.Contains ':' then
        None
    else
        let parts = Uri.UnescapeDataString(link).Split('#', 2)

        let file =
            if parts[0] = "" then
                page
            else
                Path.GetFullPath(Path.Combine(Path.GetDirectoryName page, parts[0]))

        Some(file, Array.tryItem 1 parts)

/// The fault of a link. Pages may name other sites, but load nothing from them.
let problem (anchorsOf: Map<string, Set<string>>) (page: string) (link: string) =
    match target page link with
    | None -> None
    | Some(file, _) when not (File.Exists file) -> Some "there is no such file"
    | Some(file, Some anchor) when anchorsOf.ContainsKey file && not (anchorsOf[file].Contains anchor) ->
        Some "there is no such place in the page"
    | Some _ -> None

/// Members that fsdocs leaves out of the reference (methods of C# that are `async`) are looked for on the page of their type.
let toTypes (anchorsOf: Map<string, Set<string>>) (page: string) (text: string) =
    let shorter (link: Match) =
        match target page link.Groups[1].Value with
        | Some(file, Some anchor) when anchorsOf.ContainsKey file && not (anchorsOf[file].Contains anchor) ->
            (link.Value.Split '#')[0] + "\""
        | _ -> link.Value

    Regex.Replace(text, "href=\"([^\"#]*reference/[^\"#]+#[^\"]+)\"", shorter)

let loadsRemote (text: string) = Regex.IsMatch(text, "<(?:script|link|img|iframe)[^>]*(?:href|src)=\"(?:https?:)?//")

/// Text that fsdocs writes instead of results where a cell failed.
let failed = [ "No output has been produced."; "No value returned by any evaluator" ]

render ()

let html = Directory.GetFiles(pages, "*.html", SearchOption.AllDirectories)
Array.iter finish html
writeSearchIndex html

if isRun then
    let made = Directory.GetFiles(Path.Combine(root, "artifacts", "guides"), tablePage, SearchOption.AllDirectories)
    File.Copy(Array.exactlyOne made, Path.Combine(pages, tablePage), true)

let anchorsOf = Map.ofArray [| for page in html -> page, anchors (File.ReadAllText page) |]
let texts = [ for page in html -> page, toTypes anchorsOf page (File.ReadAllText page) ]

for page, text in texts do
    File.WriteAllText(page, text)

let problems =
    [ for page, text in texts do
          let name = Path.GetRelativePath(pages, page)

          for link in List.distinct (links text) do
              match problem anchorsOf page link with
              | Some why -> $"{name}: {link}: {why}"
              | None -> ()

          if loadsRemote text then $"{name}: loads something from another site"
          if text.Contains "{{" then $"{name}: holds a placeholder"

          if List.exists (fun (words: string) -> text.Contains words) failed then
              $"{name}: a cell has failed" ]

let named =
    set
        [ for page, text in texts do
              for link in links text do
                  for file, _ in Option.toList (target page link) -> file ]

// Files that no page names are not needed.
for file in Directory.GetFiles(pages, "*", SearchOption.AllDirectories) do
    if not (file.EndsWith ".html" || named.Contains file) then File.Delete file

if not problems.IsEmpty then fail (String.concat "\n" problems)

let count = texts |> List.sumBy (snd >> links >> List.length)
let first = Path.Combine(pages, "index.html")
printfn $"{html.Length} pages, {count} links: {first}"
