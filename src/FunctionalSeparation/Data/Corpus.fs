namespace FunctionalSeparation

open System
open TorchSharp
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// A part of a corpus.
[<RequireQualifiedAccess>]
type Split =
    /// To learn from.
    | Train
    /// To choose with.
    | Dev
    /// To test on.
    | Test

/// Clips to learn from, to choose with, and to test on.
[<NoEquality; NoComparison>]
type Corpus =
    {
        /// Name of the corpus in tables and provenance.
        Name: string
        /// Where it was read: the folder, which messages name.
        Place: string
        /// How its mixtures are made of the sources.
        Mixing: Mixing
        /// Clips to learn from.
        Train: Clip list
        /// Clips to choose with.
        Dev: Clip list
        /// Clips to test on.
        Test: Clip list
        /// Other contents of the place, which were not read.
        LeftOut: LeftOut list
        /// Notes for a user on clips that are not read quite as they stand, a sentence each.
        Notes: string list
    }

/// Corpora: generated, regrouped, resampled, joined and told apart.
[<RequireQualifiedAccess>]
module Corpus =

    let private ofSong (song: SyntheticSong) : Clip =
        let sound = song.Stems.Head.Sound
        Clip.create song.Name sound.SampleRate sound.Channels.Count (Stems.names song.Stems) (fun () -> song.Stems)

    let private ofSongs name mixing (songs: SyntheticCorpus) : Corpus =
        { Name = name
          Place = name
          Mixing = mixing
          Train = List.map ofSong songs.Train
          Dev = List.map ofSong songs.Dev
          Test = List.map ofSong songs.Test
          LeftOut = []
          Notes = [] }

    /// The embedded corpus: generated songs of music and voice, mono at 16 kHz, for demonstrations and tests (see `Synthetic`).
    let embedded (seed: int) : Corpus = Synthetic.corpus seed |> ofSongs "generated songs" Mixing.unitNorm

    /// Generated songs by their parts: drums, bass, other and vocals in stereo at 44.1 kHz, summed as they are.
    let embeddedBand (seed: int) : Corpus =
        Synthetic.bandCorpusOf Synthetic.smallBand seed |> ofSongs "a generated band" Mixing.plain

    /// The clips of a part.
    let clips (split: Split) (corpus: Corpus) : Clip list =
        match split with
        | Split.Train -> corpus.Train
        | Split.Dev -> corpus.Dev
        | Split.Test -> corpus.Test

    /// Hours of sound in some clips; reads those that cannot be read in parts.
    let hours (clips: Clip list) : float =
        clips |> List.sumBy (fun clip -> float (Clip.samples clip) / float clip.SampleRate / 3600.0)

    let private nameOf =
        function
        | Split.Train -> "training clips"
        | Split.Dev -> "development clips"
        | Split.Test -> "test clips"

    /// Raises InputException, naming the corpus's place and the part, where one of the parts has no clip.
    let require (splits: Split list) (corpus: Corpus) : unit =
        for split in splits do
            if (clips split corpus).IsEmpty then
                let folder = $"{split}".ToLowerInvariant()

                raise (
                    InputException(
                        $"{corpus.Place}: there are no "
                        + $"{nameOf split}{AudioFolder.because corpus.LeftOut}. Give the folder "
                        + $"of a data set that has some, or one with clips in a folder '{folder}'."
                    )
                )

    /// <summary>
    /// One singer of the training clips held out to test on; no clip to choose with. A choice between recipes that looks at this
    /// corpus alone leaves the test clips untouched. Raises InputException, naming the singers there are, where none is called so
    /// or no other is left to learn from.
    /// </summary>
    /// <example><code lang="fsharp">
    /// // Two recipes are compared on a singer that neither has heard, and the test clips stay untouched.
    /// let trial (corpus: Corpus) = corpus |> Corpus.heldOut "amy"
    /// </code></example>
    let heldOut (singer: string) (corpus: Corpus) : Corpus =
        let test, train = corpus.Train |> List.partition (fun clip -> clip.Singer = singer)

        if test.IsEmpty || train.IsEmpty then
            let singers = corpus.Train |> List.map _.Singer |> List.distinct |> String.concat ", "
            raise (InputException $"'{singer}' cannot be held out: the training singers of {corpus.Name} are {singers}.")

        { corpus with Name = $"{corpus.Name} without {singer}"; Train = train; Dev = []; Test = test }

    /// Every clip changed; the corpus is then called so.
    let private changed (name: string) (change: Clip -> Clip) (corpus: Corpus) : Corpus =
        { corpus with
            Name = name
            Train = List.map change corpus.Train
            Dev = List.map change corpus.Dev
            Test = List.map change corpus.Test }

    /// The same sound under other names, in the order of the corpus. Raises ArgumentException, naming the clip, where there are
    /// not as many sources as names, or a name comes twice.
    let named (names: string list) (corpus: Corpus) : Corpus =
        let rename (clip: Clip) : Clip =
            if names.Length <> clip.Sources.Length || (List.distinct names).Length <> names.Length then
                let wanted, got = String.concat ", " names, String.concat ", " clip.Sources
                invalidArg (nameof names) $"{clip.Name}: the sources {got} cannot be called {wanted}."

            let own name = List.item (List.findIndex ((=) name) names) clip.Sources

            { clip with
                Sources = names
                Read = fun () -> List.map2 (fun name stem -> { stem with Name = name }) names (Clip.read clip)
                Parts = Clip.partsBy (fun read name -> read (own name)) clip }

        changed corpus.Name rename corpus

    let private words (groups: (string * string list) list) =
        [ for name, members in groups ->
              if members = [ name ] then
                  name
              else
                  $"""{name} ({String.concat " + " members})""" ]
        |> String.concat ", "

    /// <summary>
    /// Sums of sources under another name, in the order given:
    /// `Corpus.grouped [ "accompaniment", [ "drums"; "bass"; "other" ]; "vocals", [ "vocals" ] ]`.
    /// A clip that has no source of a group is without it. Raises ArgumentException, naming the clip, unless every source of it
    /// is in one group, and all sources of that group are there.
    /// </summary>
    /// <example><code lang="fsharp">
    /// let voiceAndRest (songs: Corpus) =
    ///     songs
    ///     |> Corpus.grouped [ "music", [ "drums"; "bass"; "other" ]; "voice", [ "vocals" ] ]
    ///     |> Corpus.mono
    ///     |> Corpus.resampled 16000
    /// </code></example>
    let grouped (groups: (string * string list) list) (corpus: Corpus) : Corpus =
        let members, names = List.collect snd groups, List.map fst groups

        let regroup (clip: Clip) : Clip =
            let isIn source = List.contains source clip.Sources
            let present = groups |> List.filter (snd >> List.exists isIn)

            if
                List.sort (List.collect snd present) <> List.sort clip.Sources
                || (List.distinct members).Length <> members.Length
                || (List.distinct names).Length <> names.Length
                || List.exists (snd >> List.isEmpty) groups
            then
                let got = String.concat ", " clip.Sources

                invalidArg
                    (nameof groups)
                    $"{clip.Name}: the sources {got} cannot be grouped as {words groups}: each belongs into one group."

            let sum stems (name, members) =
                { Name = name
                  Sound = Stems.sum [ for source in members -> { Name = source; Sound = Stems.find source stems } ] }

            let summed read name start count =
                [ for source in List.find (fst >> (=) name) present |> snd -> { Name = source; Sound = read source start count } ]
                |> Stems.sum

            { clip with
                Sources = List.map fst present
                Read =
                    fun () ->
                        let stems = Clip.read clip
                        List.map (sum stems) present
                Parts = Clip.partsBy summed clip }

        changed $"{corpus.Name} as {words groups}" regroup corpus

    /// Parts of a clip at another rate. All channels depend on one part, which is read once.
    let private partsAt (sampleRate: int) (ownRate: int) (parts: ClipParts) : ClipParts =
        let part source start count =
            let mutable own: AudioBuffer option = None

            let read number (first: int64) samples =
                if own.IsNone then own <- Some(parts.Read source (int first) samples)
                own.Value.Channels[number]

            let channel number =
                let target = Array.zeroCreate<float32> count
                Resampler.ResamplePart(int64 parts.Samples, ownRate, sampleRate, int64 start, target.AsSpan(), read number)
                target

            let first = channel 0
            let channels = own |> Option.fold (fun _ sound -> sound.Channels.Count) 1
            AudioBuffer(Array.init channels (fun number -> if number = 0 then first else channel number), sampleRate)

        { Samples = int (Resampler.LengthAt(int64 parts.Samples, ownRate, sampleRate)); Read = part }

    /// The corpus at another sample rate (Hz); clips that have it stay as they are.
    let resampled (sampleRate: int) (corpus: Corpus) : Corpus =
        let resample (clip: Clip) : Clip =
            let convert (sound: AudioBuffer) = Resampler.Resample(sound, sampleRate)

            if clip.SampleRate = sampleRate then
                clip
            else
                { clip with
                    SampleRate = sampleRate
                    Read = fun () -> Clip.read clip |> Stems.map convert
                    Parts = clip.Parts |> Option.map (partsAt sampleRate clip.SampleRate) }

        changed $"{corpus.Name} at {sampleRate} Hz" resample corpus

    /// The mean of the channels.
    let private mixedDown (sound: AudioBuffer) =
        let count = float32 sound.Channels.Count
        let sum = sound.Channels |> Seq.reduce (Array.map2 (+))
        AudioBuffer([| sum |> Array.map (fun x -> x / count) |], sound.SampleRate)

    /// The corpus in one channel, the mean of its channels; clips that have one stay as they are.
    let mono (corpus: Corpus) : Corpus =
        let mixDown (clip: Clip) : Clip =
            if clip.Channels = 1 then
                clip
            else
                { clip with
                    Channels = 1
                    Read = fun () -> Clip.read clip |> Stems.map mixedDown
                    Parts = clip |> Clip.partsBy (fun read source start count -> mixedDown (read source start count)) }

        changed $"{corpus.Name}, mono" mixDown corpus

    /// Several corpora as one, clips and songs named after the place of each. Its mixtures are made as those of the first. Raises
    /// ArgumentException where there is none; InputException, naming the places, where sources differ.
    let joined (corpora: Corpus list) : Corpus =
        let all corpus = corpus.Train @ corpus.Dev @ corpus.Test
        let sourcesOf corpus = all corpus |> List.tryHead |> Option.map _.Sources
        let inWords = Option.map (String.concat ", ") >> Option.defaultValue "no clips"

        let ofPlace (corpus: Corpus) (clip: Clip) =
            { clip with Name = $"{corpus.Place}/{clip.Name}"; Song = $"{corpus.Place}/{clip.Song}" }

        let part clips =
            [ for corpus in corpora do
                  yield! clips corpus |> List.map (ofPlace corpus) ]

        let names (name: Corpus -> string) = corpora |> List.map name |> String.concat " and "

        match corpora with
        | [] -> invalidArg (nameof corpora) "No corpora can be joined."
        | [ only ] -> only
        | first :: others ->
            for other in others do
                if sourcesOf other <> sourcesOf first then
                    raise (
                        InputException(
                            $"{other.Place}: has {inWords (sourcesOf other)}, "
                            + $"{first.Place} has {inWords (sourcesOf first)}. Call the "
                            + "sources alike (Corpus.named), or sum some (Corpus.grouped)."
                        )
                    )

            { Name = names _.Name
              Place = names _.Place
              Mixing = first.Mixing
              Train = part _.Train
              Dev = part _.Dev
              Test = part _.Test
              LeftOut = corpora |> List.collect _.LeftOut
              Notes = corpora |> List.collect _.Notes }

    /// A clip of more than `longest` seconds that can be read in parts has a fingerprint of `pieces` pieces of `pieceSeconds`
    /// each.
    let private longest, private pieces, private pieceSeconds = 20, 4, 0.25

    /// The sound from which the fingerprint of a clip is computed: all of it, or pieces at even distances.
    let private sample (clip: Clip) : AudioBuffer seq =
        match clip.Parts with
        | Some parts when parts.Samples > longest * clip.SampleRate ->
            let count = int (pieceSeconds * float clip.SampleRate)
            let start piece = int (int64 (parts.Samples - count) * int64 piece / int64 (pieces - 1))


            seq {
                for piece in 0 .. pieces - 1 do
                    for source in clip.Sources -> parts.Read source (start piece) count
            }
        | _ -> Clip.read clip |> Seq.map _.Sound

    /// A fingerprint of clips for provenance: the first 16 hexadecimal digits of a SHA-256 over names and samples. Of a clip of
    /// more than 20 seconds that can be read in parts, it takes four pieces of a quarter of a second at even distances. The names
    /// of the sources do not count.
    let fingerprint (clips: Clip list) : string =
        use hash = Security.Cryptography.IncrementalHash.CreateHash Security.Cryptography.HashAlgorithmName.SHA256

        for clip in clips do
            hash.AppendData(Text.Encoding.UTF8.GetBytes clip.Name)

            for sound in sample clip do
                for channel in sound.Channels do
                    hash.AppendData(Runtime.InteropServices.MemoryMarshal.AsBytes(ReadOnlySpan channel))

        Convert.ToHexStringLower(hash.GetHashAndReset()).Substring(0, 16)
