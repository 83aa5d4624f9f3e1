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

/// Marks, groups and describes the files and folders that were left out.
[<RequireQualifiedAccess>]
module LeftOut =

    let private shown = 3
    let private shownReasons = 8
    let private unusableMark = "cannot be used: "

    /// Sound that should have been read, and why it cannot be. Commands name each such file and report it in their exit code;
    /// files that are not sound are only counted.
    let unusable (path: string) (reason: string) : LeftOut = { Path = path; Reason = unusableMark + reason }

    /// Whether it is of `unusable`.
    let isUnusable (one: LeftOut) : bool = one.Reason.StartsWith(unusableMark, StringComparison.Ordinal)

    /// The reason of an entry that is named by itself, without the mark of `unusable`.
    let why (one: LeftOut) : string = if isUnusable one then one.Reason.Substring unusableMark.Length else one.Reason

    /// The result for a file or folder, or why it cannot be used.
    let tryUse (path: string) (work: unit -> 'result) : Result<'result, LeftOut> =
        try
            Ok(work ())
        with :? InputException as wrong ->
            Error(unusable path (wrong.Message.Replace(path + ": ", "").Replace(path + " ", "")))

    /// The entries that can be used, and those that are left out.
    let split (found: Result<'result, LeftOut> list) : 'result list * LeftOut list =
        let leftOut =
            function
            | Error one -> Some one
            | Ok _ -> None

        List.choose Result.toOption found, List.choose leftOut found

    let private group (reason: string, some: LeftOut list) =
        let names = some |> List.truncate shown |> List.map (fun one -> Path.GetFileName one.Path) |> String.concat ", "
        let more = if some.Length > shown then $" and {some.Length - shown} more" else ""
        $"{names}{more} ({reason})"

    /// How many were left out, and for each reason the first of them, in one line: "3 left out: a.txt, b.txt (not audio by its
    /// name); CD1 (a folder)".
    let text (all: LeftOut list) : string =
        let groups = List.groupBy _.Reason all
        let named = groups |> List.truncate shownReasons |> List.map group
        let others = groups |> List.skip named.Length |> List.sumBy (snd >> List.length)
        let more = if others > 0 then [ $"and {others} more" ] else []
        $"""{all.Length} left out: {String.concat "; " (named @ more)}"""

/// Contents of a data folder.
type AudioFolder =
    {
        /// The audio files, in the ordinal order of their names.
        Files: string list
        /// Everything else.
        LeftOut: LeftOut list
    }

/// The one place that lists data folders. An audio file is told by the extension of its name, in upper or lower case, and can be
/// of any format that `AudioFile` reads. Hidden files, leftovers of 0 bytes, folders, files of other kinds and links that lead
/// nowhere are left out and named; nothing is left out silently.
[<RequireQualifiedAccess>]
module AudioFolder =

    /// Folders that systems and their disks keep beside those of people.
    let private systemFolders =
        [ "@eaDir"; "#recycle"; "lost+found"; "__MACOSX"; "$RECYCLE.BIN"; "System Volume Information" ]

    let private isHidden (entry: FileSystemInfo) =
        entry.Name.StartsWith '.' || entry.Attributes &&& FileAttributes.Hidden <> FileAttributes.None

    /// The target that a link does not lead to; nothing where it leads to something, or is none.
    let private brokenLink (entry: FileSystemInfo) =
        try
            match entry.ResolveLinkTarget true with
            | null -> None
            | target when target.Exists -> None
            | target -> Some $"a link to {target.FullName}, which is not there"
        with :? IOException ->
            Some "a link that leads to itself"

    /// A name in another coding comes with a mark for each byte that is no UTF-8, and no file is found by it.
    let private isNotUtf8 (entry: FileSystemInfo) = entry.Name.Contains '\uFFFD' && not entry.Exists

    let private leftOut (entry: FileSystemInfo) (path: string) : LeftOut option =
        let because reason = Some { Path = path; Reason = reason }
        let unusable reason = Some(LeftOut.unusable path reason)

        match entry with
        | _ when entry.Name.StartsWith("._", StringComparison.Ordinal) -> because "a companion file of macOS, not sound"
        | _ when isNotUtf8 entry -> unusable "its name is not in UTF-8, rename it"
        | _ when isHidden entry -> because "hidden"
        | _ when List.contains entry.Name systemFolders -> because "kept by the system"
        | :? FileInfo as file when not (AudioFile.HasAudioName file.Name) -> because "not audio by its name"
        | :? FileInfo as file when file.Length = 0L -> because "empty"
        | :? FileInfo -> brokenLink entry |> Option.map (LeftOut.unusable path)
        | _ -> because "a folder"

    /// Names of the folders of a corpus that is split into parts.
    let parts = [ "train"; "dev"; "test" ]

    let private entries (folder: string) : (FileSystemInfo * string) list =
        try
            DirectoryInfo(folder).GetFileSystemInfos()
            |> Array.sortWith (fun a b -> String.CompareOrdinal(a.Name, b.Name))
            |> Array.map (fun entry -> entry, Path.Combine(folder, entry.Name))
            |> List.ofArray
        with :? UnauthorizedAccessException as cause ->
            raise (InputException($"{folder}: may not be read. Check its permissions.", cause))

    /// The name that a file's clip has: without folder and extension.
    let clipName (path: string) : string = Path.GetFileNameWithoutExtension path

    let private shared (files: string list) =
        files |> List.groupBy clipName |> List.map snd |> List.filter (fun same -> same.Length > 1)

    /// The audio files of a folder that exists, whatever they are called. Raises InputException where it may not be read.
    let files (folder: string) : AudioFolder =
        let found = entries folder |> List.map (fun (entry, path) -> path, leftOut entry path)
        { Files = found |> List.filter (snd >> Option.isNone) |> List.map fst; LeftOut = List.choose snd found }

    /// Whether a folder that exists holds audio files; one that may not be read passes, and is refused where it is used.
    let hasSound (folder: string) : bool =
        try
            not (files folder).Files.IsEmpty
        with :? InputException ->
            true

    /// The same without the files that share a clip name, such as a.wav and a.flac: nothing tells which of them is meant.
    let distinct (folder: AudioFolder) : AudioFolder =
        let doubtful = shared folder.Files

        let reason (same: string list) (path: string) =
            let others = same |> List.filter ((<>) path) |> List.map Path.GetFileName |> String.concat ", "
            LeftOut.unusable path $"{others} has the same name, remove or rename one of them"

        { Files = folder.Files |> List.except (List.concat doubtful)
          LeftOut =
            folder.LeftOut
            @ [ for same in doubtful do
                    yield! List.map (reason same) same ] }

    /// The audio files of a folder that exists, for what needs all of them. Raises InputException as `files`, and, naming both,
    /// where two files have one clip name.
    let list (folder: string) : AudioFolder =
        let found = files folder

        match shared found.Files with
        | (first :: second :: _) :: _ ->
            raise (
                InputException $"{first} and {Path.GetFileName second}: two files of one clip. Remove one of them, or rename it."
            )
        | _ -> found

    /// The same, with the files that do not `fit` left out for this reason.
    let fitting (reason: string) (fits: string -> bool) (folder: AudioFolder) : AudioFolder =
        let files, others = List.partition fits folder.Files
        { Files = files; LeftOut = folder.LeftOut @ [ for path in others -> { Path = path; Reason = reason } ] }

    /// Lists the folders in a folder that exists, in the ordinal order of their names, but hidden ones and those of systems; and
    /// what else is there. Raises InputException as `files`.
    let folders (folder: string) : string list * LeftOut list =
        let sort (entry: FileSystemInfo, path) =
            match entry, leftOut entry path with
            | :? DirectoryInfo, Some { Reason = "a folder" } -> None
            | :? FileInfo, Some why when not (LeftOut.isUnusable why) ->
                brokenLink entry |> Option.map (LeftOut.unusable path) |> Option.orElse (Some why)
            | _, Some why -> Some why
            | _, None -> Some { Path = path; Reason = "a file, not a folder" }

        let found = entries folder |> List.map (fun entry -> snd entry, sort entry)
        found |> List.filter (snd >> Option.isNone) |> List.map fst, List.choose snd found

    /// The entries of a folder beside the folders that are read. Raises InputException as `files`.
    let beside (readFolders: string list) (folder: string) : LeftOut list =
        [ for entry, path in entries folder do
              if not (List.contains entry.Name readFolders) then
                  { Path = path; Reason = $"""beside {String.concat ", " readFolders}""" } ]

    /// The part of an error message that tells why a folder has no clips: the entries left out, or nothing if it is empty.
    let because (leftOut: LeftOut list) : string = if leftOut.IsEmpty then "" else $" ({LeftOut.text leftOut})"
