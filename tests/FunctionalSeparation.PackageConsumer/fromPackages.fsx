#r "nuget: FunctionalSeparation.Plots, 0.1.0"

open FunctionalSeparation
open FunctionalSeparation.Core
open FunctionalSeparation.Plots

// song.wav stems: takes a song apart into files, and writes a page to see and to hear them.
let song, folder = fsi.CommandLineArgs[1], fsi.CommandLineArgs[2]
let separator = Separators.Default()
let files = separator.SeparateFile(song, folder)

let sounds = [ for stem in separator.Stems -> stem, AudioFile.Read files[stem].Path ]

Report.save
    (System.IO.Path.Combine(folder, "stems.html"))
    { Title = "Stems"
      Summary = [ song ]
      Tables = []
      Charts = []
      Clips = [ { Name = "Song"; Panels = []; Audio = sounds } ]
      Provenance = [] }
