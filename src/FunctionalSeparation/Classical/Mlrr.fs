namespace FunctionalSeparation

open TorchSharp
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// Settings of multiple low-rank representation.
type Mlrr =
    {
        /// Weight of the nuclear norm of the voice's representation; the music's has 1.
        VoiceRank: float
        /// Factor k of the weight of the l1 norm of what neither dictionary explains, k / sqrt(max(frames, bins)).
        Sparsity: float
        /// Stops where all constraints hold within this share of the Frobenius norm of the mixture.
        Tolerance: float
        /// The largest number of iterations.
        Iterations: int
    }

/// Multiple low-rank representation (Yang, ISMIR 2013): magnitudes X = Z1 D1 + Z2 D2 + E with learnt dictionaries of music D1 and
/// of voice D2. It solves min |Z1|_* + beta |Z2|_* + lambda |E|_1: both sources are of low rank, each in its own dictionary.
/// Solved by the inexact augmented Lagrange multiplier method, Z_i = J_i split off as in low-rank representation (Liu 2013).
[<RequireQualifiedAccess>]
module Mlrr =

    /// One source's representation Z [frames, atoms], its low-rank copy J and the multiplier of Z = J.
    [<NoEquality; NoComparison>]
    type private Source = { Z: torch.Tensor; J: torch.Tensor; Tie: torch.Tensor }

    [<NoEquality; NoComparison>]
    type private State =
        { MusicSide: Source
          VoiceSide: Source
          Rest: torch.Tensor
          Multiplier: torch.Tensor
          Penalty: float
          Residual: float }

    /// A dictionary and (I + D D')^-1, which every iteration needs.
    [<NoEquality; NoComparison>]
    type private Basis = { Atoms: torch.Tensor; Inverse: torch.Tensor }

    let private growth, private largest = 1.2, 1e7

    let private tensors state =
        [ for source in [ state.MusicSide; state.VoiceSide ] do
              yield! [ source.Z; source.J; source.Tie ]
          state.Rest
          state.Multiplier ]

    let private norm (matrix: torch.Tensor) = matrix.norm().to_type(torch.float64).item<float>()

    let private require (settings: Mlrr) dictionaries (magnitudes: torch.Tensor) =
        let owner = "MLRR"
        Numbers.positive owner "VoiceRank" settings.VoiceRank
        Numbers.positive owner "Sparsity" settings.Sparsity
        Numbers.notNegative owner "Tolerance" settings.Tolerance
        Decomposition.requireMagnitudes owner magnitudes

        for dictionary in [ dictionaries.OfMusic; dictionaries.OfVoice ] do
            Shapes.Require(owner, "a dictionary", dictionary, [| Axis.Any "atoms"; Axis.Of magnitudes.shape[1] |])

    let private basis (dictionary: torch.Tensor) =
        let atoms = dictionary.to_type torch.float64
        let eye = torch.eye (atoms.shape[0], dtype = torch.float64, device = atoms.device)
        { Atoms = atoms; Inverse = torch.linalg.inv (eye .+ atoms.mm (atoms.t ())) }

    /// Minimises over J, then over Z: `target` is what this source should explain, with the multiplier over the penalty.
    let private updated basis weight penalty (target: torch.Tensor) source =
        let j = Shrinkage.singularValues (weight / penalty) (source.Z .+ source.Tie.div penalty)
        let pull: torch.Tensor = target.mm (basis.Atoms.t ()) .+ j - source.Tie.div penalty
        let z = pull.mm basis.Inverse
        { Z = z; J = j; Tie = source.Tie .+ (z - j).mul penalty }

    let private step (settings: Mlrr) (x: torch.Tensor) (music: Basis) (voice: Basis) sparsity ceiling state =
        let penalty = state.Penalty
        let scaled = x .+ state.Multiplier.div penalty
        let ofVoice = state.VoiceSide.Z.mm voice.Atoms
        let nextMusic = updated music 1.0 penalty (scaled - ofVoice - state.Rest) state.MusicSide
        let ofMusic = nextMusic.Z.mm music.Atoms
        let nextVoice = updated voice settings.VoiceRank penalty (scaled - ofMusic - state.Rest) state.VoiceSide
        let explained = ofMusic .+ nextVoice.Z.mm voice.Atoms
        let rest = Shrinkage.soft (sparsity / penalty) (scaled - explained)
        let gap = x - explained - rest

        { MusicSide = nextMusic
          VoiceSide = nextVoice
          Rest = rest
          Multiplier = state.Multiplier .+ gap.mul penalty
          Penalty = min (penalty * growth) ceiling
          Residual = List.max [ norm gap; norm (nextMusic.Z - nextMusic.J); norm (nextVoice.Z - nextVoice.J) ] }

    let private start (x: torch.Tensor) (music: Basis) (voice: Basis) penalty =
        let zeros (columns: int64) = torch.zeros (x.shape[0], columns, dtype = x.dtype, device = x.device)

        let source (basis: Basis) =
            let atoms = basis.Atoms.shape[0]
            { Z = zeros atoms; J = zeros atoms; Tie = zeros atoms }

        { MusicSide = source music
          VoiceSide = source voice
          Rest = torch.zeros_like x
          Multiplier = torch.zeros_like x
          Penalty = penalty
          Residual = infinity }

    let private solve settings (x: torch.Tensor) music voice =
        let first = 1.25 / Shrinkage.spectralNorm x
        let sparsity = settings.Sparsity / sqrt (float (max x.shape[0] x.shape[1]))
        let goal = settings.Tolerance * norm x

        Memory.scoped tensors (fun () -> start x music voice first)
        |> Iteration.run
            tensors
            settings.Iterations
            (fun state -> state.Residual <= goal)
            (step settings x music voice sparsity (first * largest))

    /// Splits magnitudes [frames, bins] into the parts that the dictionaries of music and of voice explain, in float64. The rest
    /// is in neither part. A matrix of zeros gives zeros. Raises ArgumentException for settings out of range, and where
    /// magnitudes and dictionaries do not fit each other.
    let decompose (settings: Mlrr) (dictionaries: Dictionaries) (magnitudes: torch.Tensor) : Decomposition =
        require settings dictionaries magnitudes

        Memory.scoped Decomposition.tensors (fun () ->
            let x = magnitudes.to_type torch.float64
            let music, voice = basis dictionaries.OfMusic, basis dictionaries.OfVoice

            if norm x = 0.0 then
                { MusicPart = torch.zeros_like x; VoicePart = torch.zeros_like x }
            else
                let solved = solve settings x music voice
                { MusicPart = solved.MusicSide.Z.mm music.Atoms; VoicePart = solved.VoiceSide.Z.mm voice.Atoms })
