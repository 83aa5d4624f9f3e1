namespace FunctionalSeparation

open System
open System.IO
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// Speech against speech, and speech against noise (Huang et al. 2015, sections IV-B and IV-D). Speaker 1, the target, is the
/// last source. Speaker 2, or the noise, is the first source, which training rotates.
[<RequireQualifiedAccess>]
module SpeechPair =

    /// Hz, of the speech corpora.
    let sampleRate = 16000

    /// Hz, of speech against noise: the noises are known up to 4 kHz only.
    let noiseRate = 8000

    /// Names of two speakers, in the order of the corpora and of a network's outputs.
    let speakers = [ "speaker 2"; "speaker 1" ]

    /// Names of speech and noise, in the order of the corpora and of a network's outputs.
    let noiseAndSpeech = [ "noise"; "speech" ]

    /// One signal in three consecutive parts, [samples] each.
    [<NoEquality; NoComparison>]
    type private Parts = { Train: float32[]; Dev: float32[]; Test: float32[] }

    /// The last tenth tests, the last ninth of the rest chooses, the rest trains. `place` is what messages name.
    let private cut (place: string) (signal: float32[]) =
        if signal.Length < 10 then
            raise (
                InputException
                    $"{place}: {signal.Length} samples are too few to be cut into three parts. Give a longer recording."
            )

        let rest = int (int64 signal.Length * 9L / 10L)
        let train = int (int64 rest * 8L / 9L)
        { Train = signal[.. train - 1]; Dev = signal[train .. rest - 1]; Test = signal[rest..] }

    let private requireMono (path: string) (channels: int) =
        if channels <> 1 then
            raise (InputException $"{path}: has {channels} channels, speech and noise need one. Mix it down first.")

    /// A file that can be one of a speaker's by its header, or why it cannot.
    let private tried (path: string) : Result<string, LeftOut> =
        LeftOut.tryUse path (fun () ->
            requireMono path (AudioFile.Shape path).Channels
            path)

    /// A mono file at the given rate.
    let private readMono rate (path: string) : float32[] =
        let audio = AudioFile.Read path
        requireMono path audio.Channels.Count
        (Resampler.Resample(audio, rate)).Channels[0]

    /// The files of a folder whose headers are those of speech or noise; the others are left out, each with its fault.
    let private list (folder: string) : AudioFolder =
        let found =
            if Directory.Exists folder then
                let listed = AudioFolder.files folder |> AudioFolder.distinct
                let files, faults = listed.Files |> List.map tried |> LeftOut.split
                { Files = files; LeftOut = listed.LeftOut @ faults }
            else
                { Files = []; LeftOut = [] }

        if found.Files.IsEmpty then
            raise (
                InputException(
                    $"{folder}: there are no audio files{AudioFolder.because found.LeftOut}. "
                    + "Give the folder that holds one for each sentence or noise."
                )
            )

        found

    /// All sentences of a speaker, one after the other in the order of their file names.
    let private readSpeaker rate (folder: AudioFolder) = folder.Files |> List.map (readMono rate) |> Array.concat

    /// Two signals of equal length: both are cut to the shorter.
    let private pair (speaker1: float32[]) (speaker2: float32[]) : Stems =
        let length = min speaker1.Length speaker2.Length
        Stems.ofMono sampleRate (List.zip speakers [ Array.truncate length speaker2; Array.truncate length speaker1 ])

    let private nameOf (path: string) = Path.GetFileNameWithoutExtension(Path.TrimEndingDirectorySeparator path)

    /// A corpus of two speakers with a folder of sentences each, as in TSP. The sentences are mono, of any rate, resampled to 16
    /// kHz and joined in the order of their names. They are cut into 80, 10 and 10 % for training, development and test; each
    /// part of the two is cut to the shorter. Sound is read at first use and kept. Files that share a name, are not mono by their
    /// header or cannot be opened are left out and named. Raises InputException where a folder has no other file or, when the
    /// sound is used, where a file turns out damaged.
    let ofFolders (folder1: string) (folder2: string) : Corpus =
        let name = $"{nameOf folder1}-{nameOf folder2}"
        let files1, files2 = list folder1, list folder2

        let parts = lazy (cut folder1 (readSpeaker sampleRate files1), cut folder2 (readSpeaker sampleRate files2))

        let part title pick =
            Clip.create $"{name} {title}" sampleRate 1 speakers (fun () ->
                let first, second = parts.Value
                pair (pick first) (pick second))

        { Name = name
          Place = $"{folder1} and {folder2}"
          Mixing = Mixing.unitNorm
          Train = [ part "train" _.Train ]
          Dev = [ part "dev" _.Dev ]
          Test = [ part "test" _.Test ]
          LeftOut = files1.LeftOut @ files2.LeftOut
          Notes = [] }

    let private timitNames =
        [ for speaker in [ "female"; "male" ] do
              for part in [ "train"; "dev"; "test" ] -> $"{speaker}_{part}" ]

    /// A female and a male speaker of TIMIT, six files at 16 kHz named `female_train.wav`, `male_train.wav`, and so on with dev
    /// and test. The female is speaker 1. Raises InputException as `ofFolders`.
    let timit (folder: string) : Corpus =
        let isOne path = List.contains (AudioFolder.clipName path) timitNames
        let listed = list folder |> AudioFolder.fitting "not one of the six of the pair" isOne

        let file name =
            match listed.Files |> List.tryFind (fun path -> AudioFolder.clipName path = name) with
            | Some path -> path
            | None ->
                raise (
                    InputException(
                        $"{Path.Combine(folder, name)}.wav: there is no such file, nor one of another "
                        + $"format{AudioFolder.because listed.LeftOut}. Give the folder of the TIMIT pair."
                    )
                )

        let part title =
            let female, male = file $"female_{title}", file $"male_{title}"

            Clip.create $"TIMIT {title}" sampleRate 1 speakers (fun () ->
                pair (readMono sampleRate female) (readMono sampleRate male))

        { Name = "TIMIT pair"
          Place = folder
          Mixing = Mixing.unitNorm
          Train = [ part "train" ]
          Dev = [ part "dev" ]
          Test = [ part "test" ]
          LeftOut = listed.LeftOut
          Notes = [] }

    /// A signal repeated up to a length.
    let private repeated length (signal: float32[]) =
        let target = Array.zeroCreate length
        Augment.copyCircular signal 0 (Span target)
        target

    /// One speaker (a folder of sentences) against each noise of a folder, a clip for each noise. The rate is that of the noises,
    /// 8 kHz: at 16 kHz the speech above 4 kHz would be alone. Speech and noises are cut into 80, 10 and 10 %, so that the test
    /// uses neither speech nor noise of the training. The noise is repeated to the length of the speech. Raises InputException as
    /// `ofFolders`.
    let inNoise (speechFolder: string) (noiseFolder: string) : Corpus =
        let sentences, noiseFiles = list speechFolder, list noiseFolder
        let speech = lazy (cut speechFolder (readSpeaker noiseRate sentences))
        let noises = noiseFiles.Files |> List.map (fun path -> nameOf path, lazy (cut path (readMono noiseRate path)))

        let part title pick =
            [ for name, noise in noises ->
                  Clip.create $"{name} {title}" noiseRate 1 noiseAndSpeech (fun () ->
                      let voice: float32[] = pick speech.Value
                      Stems.ofMono noiseRate (List.zip noiseAndSpeech [ repeated voice.Length (pick noise.Value); voice ])) ]

        { Name = $"{nameOf speechFolder} in noise"
          Place = $"{speechFolder} and {noiseFolder}"
          Mixing = Mixing.unitNorm
          Train = part "train" _.Train
          Dev = part "dev" _.Dev
          Test = part "test" _.Test
          LeftOut = sentences.LeftOut @ noiseFiles.LeftOut
          Notes = [] }

    let private slice start length (sound: AudioBuffer) =
        AudioBuffer([| for channel in sound.Channels -> Array.sub channel start length |], sound.SampleRate)

    let private piecesOf seconds (whole: Clip) =
        let length = int (seconds * float whole.SampleRate)
        let count = max 1 (Stems.length (Clip.read whole) / max 1 length)

        [ for index in 0 .. count - 1 do
              let name = $"{whole.Name} {index + 1}"

              { whole with
                  Name = name
                  Song = name
                  Read =
                      fun () ->
                          let stems = Clip.read whole
                          let start = index * length
                          let own = if index = count - 1 then Stems.length stems - start else length
                          Stems.map (slice start own) stems } ]

    /// Cuts the training clips into pieces of `seconds` (the last of each may be up to twice as long). Every clip is scaled to
    /// unit norm, so a long one is quieter than a short one: pieces as long as the test clip are as loud as it. Raises
    /// ArgumentException for a length that is not positive.
    let inPieces (seconds: float) (corpus: Corpus) : Corpus =
        if not (seconds > 0.0) then
            invalidArg (nameof seconds) $"A piece has a positive length, got {string seconds} s."

        { corpus with Train = corpus.Train |> List.collect (piecesOf seconds) }
