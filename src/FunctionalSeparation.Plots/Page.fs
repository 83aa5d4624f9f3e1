namespace FunctionalSeparation.Plots

open System
open System.IO
open System.IO.Compression
open System.Text.RegularExpressions
open FunctionalSeparation.Core
open Giraffe.ViewEngine
open Plotly.NET

/// The parts of a report page. Text is escaped by the view engine; raw text is only what this project ships.
[<RequireQualifiedAccess>]
module internal Page =

    let private resource (assembly: Reflection.Assembly) (ending: string) =
        assembly.GetManifestResourceStream(assembly.GetManifestResourceNames() |> Array.find (fun name -> name.EndsWith ending))

    let private own (ending: string) =
        use reader = new StreamReader(resource (Reflection.Assembly.GetExecutingAssembly()) ending)
        reader.ReadToEnd()

    /// plotly.js as Plotly.NET ships it, packed (gzip) to a third; report.js unpacks it.
    let private plotly =
        lazy
            (use packed = new MemoryStream()

             using (new GZipStream(packed, CompressionLevel.SmallestSize)) (fun zip ->
                 use script = resource typeof<Chart>.Assembly ".min.js"
                 script.CopyTo zip)

             Convert.ToBase64String(packed.ToArray()))

    let private id = attr "id"
    let private cls = attr "class"

    /// A chart as inert JSON, drawn by report.js. `<` cannot end the script element: it is written as an escape.
    let private chart kind (label: string) (chart: GenericChart) =
        let json = (GenericChart.toFigureJson chart).Replace("<", "\\u003c")

        div
            [ cls $"chart {kind}" ]
            [ script [ attr "type" "application/json" ] [ rawText json ]
              div [ cls "plot"; attr "role" "img"; attr "aria-label" label ] []
              div [ cls "playhead"; attr "hidden" "" ] [] ]

    let private number = Regex(@"^[+\-−±]?\d", RegexOptions.CultureInvariant)
    let private isBlank (cell: string) = List.contains (cell.Trim()) [ ""; "-"; "–"; "—"; "n/a"; "no score" ]

    /// Is this a column of numbers, some of which may be missing?
    let private isNumeric cells =
        List.forall (fun cell -> isBlank cell || number.IsMatch cell) cells && not (List.forall isBlank cells)

    /// A table with its caption above it; where the page is narrower, it scrolls under its caption, which says so.
    let table index (caption: string) (header: string list) (rows: string list list) =
        let align column =
            let numeric = isNumeric (rows |> List.map (List.item column))
            if numeric then [ cls "number" ] else []

        let alignments = header |> List.mapi (fun column _ -> align column)
        let heading cell attributes = th (attr "scope" "col" :: attributes) [ str cell ]

        let cells row =
            List.zip row alignments
            |> List.mapi (fun column (cell, attributes) ->
                if column = 0 then
                    th (attr "scope" "row" :: attributes) [ str cell ]
                else
                    td attributes [ str cell ])

        let name = $"table-{index}"

        div
            [ cls "table" ]
            [ p [ cls "caption" ] [ span [ id name ] [ str caption ]; span [ cls "hint" ] [ str "Scroll sideways for more." ] ]
              div
                  [ cls "scroll"; attr "role" "region"; attr "aria-labelledby" name; attr "tabindex" "0" ]
                  [ Giraffe.ViewEngine.HtmlElements.table
                        [ attr "aria-labelledby" name ]
                        [ thead [] [ tr [] (List.map2 heading header alignments) ]
                          tbody [] [ for row in rows -> tr [] (cells row) ] ] ] ]

    /// A chart with its number and caption.
    let figure index (caption: string) plot =
        tag "figure" [] [ chart "wide" caption plot; tag "figcaption" [] [ strong [] [ str $"Figure {index}. " ]; str caption ] ]

    let private player (name: string) (label: string) gain sound =
        audio
            [ attr "controls" ""
              attr "preload" "metadata"
              attr "aria-label" $"{name}: {label}"
              attr "src" (Wav.dataUri gain sound) ]
            []

    /// One line of a clip: the label with its player, and the panel of this kind beside it.
    let private row name kind gain sounds panels (label: string) =
        let named items = items |> List.tryFind (fun (other, _) -> other = label) |> Option.map snd

        div
            [ cls "row" ]
            [ div
                  [ cls "label" ]
                  [ h4 [] [ str label ]
                    match named sounds with
                    | Some sound -> player name label gain sound
                    | None -> () ]
              match named panels with
              | Some panel -> chart kind $"Spectrogram of {label}" panel
              | None -> () ]

    /// The scale that the panels of a clip share.
    let private legend audible =
        let stops =
            Figures.levelColours
            |> List.map (fun (at, colour) -> FormattableString.Invariant $"{colour} {100.0 * at:F0}" + "%")
            |> String.concat ", "

        div
            [ cls "legend" ]
            [ span [] [ str (FormattableString.Invariant $"−{Figures.dynamicRange:F0} dB") ]
              span [ cls "scale"; attr "style" $"background: linear-gradient(to right, {stops})" ] []
              span [] [ str "0 dB (loudest of all panels)" ]
              if audible then
                  span [ cls "hint" ] [ str "Click a panel to listen from there; a second sound goes on where the first was." ] ]

    /// A clip: its labels in order, each with panel (a tall one has more frequencies to show) and player. Sounds beyond full
    /// scale are all played softer, and the page says so.
    let clip (name: string) isTall (panels: (string * GenericChart) list) (sounds: (string * AudioBuffer) list) =
        let labels = List.map fst panels @ List.map fst sounds |> List.distinct
        let peak = sounds |> List.fold (fun most (_, sound) -> max most (Wav.peak sound)) 0.0f
        let gain = if peak > 1.0f then 1.0f / peak else 1.0f

        section
            [ cls "clip" ]
            [ h3 [] [ str name ]
              if not panels.IsEmpty then legend (not sounds.IsEmpty)
              yield! labels |> List.map (row name (if isTall then "panel tall" else "panel") gain sounds panels)
              if gain < 1.0f then
                  p
                      [ cls "note" ]
                      [ str (
                            FormattableString.Invariant
                                $"All sounds of this clip are played {20.0f * log10 peak:F1} dB softer, so that none clips."
                        ) ] ]

    /// A name that may break behind its dots.
    let private breakable (name: string) =
        name.Split '.'
        |> List.ofArray
        |> List.collect (fun part -> [ str "."; voidTag "wbr" []; str part ])
        |> List.skip 2

    /// Names and values.
    let facts (pairs: (string * string) list) =
        dl [] [ for name, value in pairs -> div [] [ dt [] (breakable name); dd [] [ str value ] ] ]

    /// The whole page: sections are (anchor, heading, content).
    let document (title: string) (summary: string list) (sections: (string * string * XmlNode list) list) =
        let contents = [ for anchor, heading, _ in sections -> a [ attr "href" $"#{anchor}" ] [ str heading ] ]

        html
            [ attr "lang" "en" ]
            [ head
                  []
                  [ meta [ attr "charset" "utf-8" ]
                    meta [ attr "name" "viewport"; attr "content" "width=device-width, initial-scale=1" ]
                    meta [ attr "name" "color-scheme"; attr "content" "light dark" ]
                    tag "title" [] [ str title ]
                    style [] [ rawText (own "report.css") ]
                    script [ id "plotly"; attr "type" "application/gzip" ] [ rawText plotly.Value ] ]
              body
                  []
                  [ header
                        []
                        [ h1 [] [ str title ]
                          for paragraph in summary do
                              p [] [ str paragraph ]
                          if sections.Length > 1 then nav [ attr "aria-label" "Sections" ] contents ]
                    main
                        []
                        [ noscript [] [ p [ cls "note" ] [ str "Charts need JavaScript; tables and sounds do not." ] ]
                          for anchor, heading, nodes in sections do
                              section [ id anchor ] (h2 [] [ str heading ] :: nodes) ]
                    script [] [ rawText (own "report.js") ] ] ]
        |> RenderView.AsString.htmlDocument
