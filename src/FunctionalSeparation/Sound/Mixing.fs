namespace FunctionalSeparation

open TorchSharp
open FunctionalSeparation.Core

/// How a mixture is made of recorded sources: what becomes of them before they are summed, and the words that say so. A key
/// decides what is random.
[<NoEquality; NoComparison>]
type Mixing =
    {
        /// What tables and identities of runs say.
        Words: string
        /// [sources, channels, samples] in and out, of any real type on any device.
        Sources: Key -> torch.Tensor -> torch.Tensor
    }

/// Ways to mix.
[<RequireQualifiedAccess>]
module Mixing =

    let private create words (change: Key -> torch.Tensor -> torch.Tensor) =
        let sources key (recorded: torch.Tensor) =
            Shapes.Require("mixing", "sources", recorded, [| Axis.Any "sources"; Axis.Any "channels"; Axis.Any "samples" |])
            Memory.tensor (fun () -> change key recorded)

        { Words = words; Sources = sources }

    /// The sum of the sources as recorded.
    let plain: Mixing = create "as recorded" (fun _ sources -> sources.alias ())

    /// Each source at unit L2 norm over the whole clip and all its channels, so that the mixture is at 0 dB (authors' code of
    /// Huang et al. 2014). A silent source stays silent.
    let unitNorm: Mixing =
        create "each source at unit norm" (fun _ sources ->
            let flat = sources.flatten 1L
            let norms = (flat * flat).sum(1L, keepdim = true).sqrt().unsqueeze 2L
            sources / torch.where (norms.eq 0.0, torch.ones_like norms, norms))

    /// Each source louder or softer by a gain drawn evenly from ± so many dB. Raises ArgumentException for a negative range.
    let gains (range: float) : Mixing =
        Numbers.notNegative "Mixing.gains" (nameof range) range

        create $"gains of up to {string range} dB" (fun key sources ->
            let ofSource number = 10.0 ** ((2.0 * Key.uniform (Key.fold number key) - 1.0) * range / 20.0)
            let gains = Array.init (int sources.shape[0]) ofSource
            sources * torch.tensor(gains).view(-1L, 1L, 1L).``to``(sources.dtype).``to`` sources.device)

    /// <summary>
    /// One after the other: `Mixing.unitNorm |> Mixing.andThen (Mixing.gains 6.0)`.
    /// </summary>
    /// <example><code lang="fsharp">
    /// let mixing = Mixing.unitNorm |> Mixing.andThen (Mixing.gains 6.0)
    /// </code></example>
    let andThen (next: Mixing) (first: Mixing) : Mixing =
        create $"{first.Words}, {next.Words}" (fun key sources ->
            sources |> first.Sources(Key.fold 0 key) |> next.Sources(Key.fold 1 key))
