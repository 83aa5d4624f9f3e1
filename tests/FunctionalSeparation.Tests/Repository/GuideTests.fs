/// The guides of scripts/guides and the examples of the documentation, run as a reader would; and the pages that are made of
/// them.
module FunctionalSeparation.Tests.GuideTests

open System.Diagnostics
open System.IO
open System.Text.RegularExpressions
open Expecto
open FunctionalSeparation.Tests.Scripts

let private folder = Path.Combine(Golden.repository, "scripts", "guides")

/// Each guide, and something of what it prints at its end.
let private guides =
    [ "firstSeparation", "voice: SDR "
      "ownLayer", "after 20 steps the gains lie between"
      "ownLoss", "Adam: "
      "ownData", "ideal ratio mask: voice GNSDR"
      "paperTable", "Any training beats the mixture: holds"
      "fromCSharp", "music, voice, 48000 samples"
      "pitch", "of 32 new notes are heard right" ]

let private examples =
    lazy (DocTests.names.Value |> List.choose (fun name -> name.Example |> Option.map (fun code -> name.Name, code)))

let private opens =
    [ "open TorchSharp"
      "open FunctionalSeparation"
      "open FunctionalSeparation.Learning"
      "open FunctionalSeparation.Core" ]

/// An example as a module of its own, which says when it has run.
let private asModule number (name: string, code: string) =
    [ $"module Example{number} ="
      for line in opens @ List.ofArray (code.Split '\n') @ [ $"printfn \"{name} has run\"" ] do
          "    " + line ]

/// All guides and examples in one script: the compiler starts once.
let private everything () =
    [ for name, _ in guides do
          $"#load @\"{Path.Combine(folder, name)}.fsx\""

      // Behind load.fsx a page of a sound needs no namespace.
      "let page: string = Show.waveform (FunctionalSeparation.Core.AudioBuffer([| [| 0.1f; 0.2f |] |], 8000))"
      "printfn $\"a page of a sound: {System.IO.File.Exists page}\""

      for number, example in List.indexed examples.Value do
          yield! asModule number example ]

let private hasFsdocs () =
    let info =
        ProcessStartInfo(
            "dotnet",
            [ "fsdocs"; "--version" ],
            WorkingDirectory = Golden.repository,
            RedirectStandardOutput = true,
            RedirectStandardError = true
        )

    use running = Process.Start info
    let error = running.StandardError.ReadToEndAsync()
    let output = running.StandardOutput.ReadToEnd()
    running.WaitForExit()
    (output + error.Result).Contains "fsdocs 22"

/// Lines of code, and words of signatures, that the page cuts off.
let private cut =
    ("[...document.querySelectorAll('pre code, pre.fssnip, .fsdocs-member-usage "
     + "code')].filter(code => code.clientWidth > 0 && code.scrollWidth "
     + "> code.clientWidth + 1).map(code => code.textContent.slice(0, 60))")

/// Where a signature goes on in a new line inside a word.
let private broken =
    """(() => {
      const range = document.createRange();
      return [...document.querySelectorAll('.fsdocs-member-usage a code')].flatMap(code => {
        const texts = document.createTreeWalker(code, NodeFilter.SHOW_TEXT);
        const words = [];
        while (texts.nextNode()) for (const word of texts.currentNode.textContent.matchAll(/\w+/g)) {
          range.setStart(texts.currentNode, word.index);
          range.setEnd(texts.currentNode, word.index + word[0].length);
          if (new Set([...range.getClientRects()].map(box => Math.round(box.top))).size > 1) words.push(word[0]);
        }
        return words;
      });
    })()"""

/// The pages of the guides and some of the reference, on a desk and on a phone: nothing is cut, search finds, and no error is
/// thrown.
let private opensIn (tab: Browser.Tab) (folder: string) =
    let list (expression: string) = [ for value in (tab.Value expression).AsArray() -> string value ]

    let reference =
        [ "functionalseparation-core-audiofile"; "functionalseparation-separation"; "functionalseparation" ]

    let explaining =
        [ for page in Directory.GetFiles(Path.Combine(Golden.repository, "scripts", "guides"), "*.md") ->
              Path.GetFileNameWithoutExtension page ]

    let pages = explaining @ List.map fst guides @ [ for name in reference -> $"reference/{name}" ]

    for width, colours in [ 1280, "light"; 390, "dark" ] do
        for page in pages do
            tab.Show(Path.Combine(folder, page + ".html"), width, colours)
            Expect.isEmpty (list cut) $"{page} at {width}: cut"
            Expect.isEmpty (list broken) $"{page} at {width}: broken inside a word"

    let find (words: string) =
        tab.Value(
            $"(() => {{ const box = document.querySelector('#search input'); "
            + $"box.value = '{words}'; box.dispatchEvent(new Event('input')); }})()"
        )
        |> ignore

        list "[...document.querySelectorAll('#search li a')].map(link => link.href)"

    let first = List.head (find "AudioFile.Open")
    Expect.stringContains first "functionalseparation-core-audiofile.html#Open" "search leads to a member"
    Expect.isTrue (File.Exists(System.Uri(first).LocalPath)) "that is there"
    Expect.isEmpty (find "no such thing") "nothing for nothing"
    tab.Show(Path.Combine(folder, "reference", "index.html"), 1280, "light")
    Expect.isEmpty (list "[...document.querySelectorAll('td')].filter(cell => !cell.textContent.trim())") "namespaces have words"
    Expect.isEmpty tab.Errors "the page throws no errors"

[<Tests>]
let tests =
    testList
        "guides"
        [ test "each guide has a title, a category and an index, on lines of their own" {
              let folder = Path.Combine(Golden.repository, "scripts", "guides")

              for page in Array.append (Directory.GetFiles(folder, "*.fsx")) (Directory.GetFiles(folder, "*.md")) do
                  if Path.GetFileName page <> "index.md" then
                      let names =
                          File.ReadAllLines page
                          |> Seq.skipWhile ((<>) "---")
                          |> Seq.skip 1
                          |> Seq.takeWhile ((<>) "---")
                          |> Seq.map (fun line -> (line.Split ':')[0])

                      Expect.equal (List.ofSeq names) [ "title"; "category"; "categoryindex"; "index" ] page
          }

          test "all guides of the folder are run" {
              let found = Directory.GetFiles(folder, "*.fsx") |> Array.map Path.GetFileNameWithoutExtension |> List.ofArray
              Expect.equal (List.sort found) (guides |> List.map fst |> List.sort) "every guide of the folder is run"
          }

          test "the C# of the guide is the program that is compiled" {
              let guide = File.ReadAllText(Path.Combine(folder, "fromCSharp.fsx"))

              let shown =
                  [ for block in Regex.Matches(guide, "```csharp\n(.*?)```", RegexOptions.Singleline) -> block.Groups[1].Value ]

              let program = Path.Combine(Golden.repository, "tests", "FunctionalSeparation.CSharpConsumer", "Program.cs")
              Expect.equal (String.concat "\n" shown) (File.ReadAllText program) "scripts/guides/fromCSharp.fsx and Program.cs"
          }

          Scratch.long "the guides and the examples of the documentation run" (fun () ->
              Scratch.inFolder (fun scratch ->
                  let script = Path.Combine(scratch, "everything.fsx")
                  File.WriteAllLines(script, everything ())
                  let code, output, error = run script []
                  Expect.equal code 0 $"guides and examples: {error} {output}"
                  Expect.stringContains output "a page of a sound: True" "a guide shows a page of a sound"

                  for name, said in guides do
                      Expect.stringContains output said name

                  for name, _ in examples.Value do
                      Expect.stringContains output $"{name} has run" name))

          Scratch.long "guides and reference become pages without a broken link" (fun () ->
              if not (hasFsdocs ()) then skiptest "fsdocs is not there (dotnet tool restore)"
              let output = succeed "docs.fsx" [ "--no-results" ]
              let pages = int (Regex.Match(output, @"^(\d+) pages").Groups[1].Value)
              Expect.isGreaterThan pages (List.length guides + 200) $"pages of guides and reference: {output}"
              let folder = Path.Combine(Golden.repository, "artifacts", "docs-without-results")
              Browser.withTab (fun tab -> opensIn tab folder)) ]
