namespace FunctionalSeparation

open System
open System.IO
open FunctionalSeparation.Core

/// A file or folder that a loader left out, and why.
type LeftOut =
    {
        /// The file or folder.
        Path: string
        /// Why, in a few words.
        Reason: string
    }

/// What was left out, in words.
[<RequireQualifiedAccess>]
module LeftOut =

    let private shown = 3

    /// The first of each reason, and others where there is room.
    let private examples (all: LeftOut list) =
        let first = List.distinctBy _.Reason all

        let others =
            all |> List.filter (fun one -> not (List.contains one first)) |> List.truncate (max 0 (shown - first.Length))

        all |> List.filter (fun one -> List.contains one first || List.contains one others)

    /// How many were left out, at least one for each reason, in one line: "2 left out: a.txt (not audio by its name), ...".
    let text (all: LeftOut list) : string =
        let chosen = examples all
        let named = chosen |> List.map (fun one -> $"{Path.GetFileName one.Path} ({one.Reason})")

        let more =
            if all.Length > chosen.Length then
                [ $"and {all.Length - chosen.Length} more" ]
            else
                []

        $"""{all.Length} left out: {String.concat ", " (named @ more)}"""

/// What a data folder holds.
type AudioFolder =
    {
        /// The audio files, in the ordinal order of their names.
        Files: string list
        /// Everything else.
        LeftOut: LeftOut list
    }

/// The one place that lists data folders. An audio file is told by the extension of its name, in upper or lower case, and can be
/// of any format that `AudioFile` reads. Hidden files, leftovers of 0 bytes, folders and files of other kinds are left out and
/// named; nothing is left out without a word.
[<RequireQualifiedAccess>]
module AudioFolder =

    let private whyLeftOut (entry: FileSystemInfo) : string option =
        match entry with
        | _ when entry.Name.Contains '\uFFFD' -> Some "its name is not UTF-8, rename it"
        | _ when entry.Name.StartsWith("._", StringComparison.Ordinal) -> Some "a companion file of macOS, not sound"
        | _ when entry.Name.StartsWith '.' || entry.Attributes &&& FileAttributes.Hidden <> FileAttributes.None -> Some "hidden"
        | :? FileInfo as file when not (AudioFile.HasAudioName file.Name) -> Some "not audio by its name"
        | :? FileInfo as file when file.Length = 0L -> Some "empty"
        | :? FileInfo -> None
        | _ -> Some "a folder"

    /// What the folders of a corpus in parts are called.
    let parts = [ "train"; "dev"; "test" ]

    let private entries (folder: string) =
        DirectoryInfo(folder).GetFileSystemInfos()
        |> Array.sortWith (fun a b -> String.CompareOrdinal(a.Name, b.Name))
        |> List.ofArray

    /// The name that a file's clip has: without folder and extension.
    let clipName (path: string) : string = Path.GetFileNameWithoutExtension path

    let private requireNames (files: string list) =
        for _, same in List.groupBy clipName files do
            match same with
            | first :: second :: _ ->
                raise (
                    InputException
                        $"{first} and {Path.GetFileName second}: two files of one clip. Remove one of them, or rename it."
                )
            | _ -> ()

    /// Lists a folder that exists. Raises InputException, naming both, where two files have one clip name, such as a.wav and
    /// a.flac.
    let list (folder: string) : AudioFolder =
        let found = entries folder |> List.map (fun entry -> Path.Combine(folder, entry.Name), whyLeftOut entry)
        let files = found |> List.filter (snd >> Option.isNone) |> List.map fst
        requireNames files

        { Files = files
          LeftOut = found |> List.choose (fun (path, why) -> why |> Option.map (fun why -> { Path = path; Reason = why })) }

    /// The same, with the files that do not `fit` left out for this reason.
    let fitting (reason: string) (fits: string -> bool) (folder: AudioFolder) : AudioFolder =
        let files, others = List.partition fits folder.Files
        { Files = files; LeftOut = folder.LeftOut @ [ for path in others -> { Path = path; Reason = reason } ] }

    /// Lists the folders in a folder that exists, in the ordinal order of their names, but hidden ones; and what else is there.
    let folders (folder: string) : string list * LeftOut list =
        let sort (entry: FileSystemInfo) =
            match entry, whyLeftOut entry with
            | :? DirectoryInfo, Some "a folder" -> None
            | _, Some reason -> Some reason
            | _, None -> Some "a file, not a folder"

        let found = entries folder |> List.map (fun entry -> Path.Combine(folder, entry.Name), sort entry)

        found |> List.filter (snd >> Option.isNone) |> List.map fst,
        found |> List.choose (fun (path, why) -> why |> Option.map (fun why -> { Path = path; Reason = why }))

    /// What lies in a folder beside the folders that are read.
    let beside (readFolders: string list) (folder: string) : LeftOut list =
        [ for entry in entries folder do
              if not (List.contains entry.Name readFolders) then
                  { Path = Path.Combine(folder, entry.Name); Reason = $"""beside {String.concat ", " readFolders}""" } ]

    /// What of a refusal tells why a folder has no clips: what was left out, or nothing where it is empty.
    let because (leftOut: LeftOut list) : string = if leftOut.IsEmpty then "" else $" ({LeftOut.text leftOut})"
