namespace FunctionalSeparation

open TorchSharp
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// How a mixture is made of recorded sources: a factor for each. A key decides what is random.
[<NoEquality; NoComparison>]
type Mixing =
    {
        /// The identity of the mixing.
        Id: Id
        /// A factor for each source, from a key, the L2 norms of the sources, and their number. The norms are over the whole clip
        /// and all its channels, and are computed only where they are asked for.
        Factors: Key -> Lazy<float list> -> int -> float list
        /// Whether it is defined only where every source sounds.
        NeedsSound: bool
    }

/// Ways to mix.
[<RequireQualifiedAccess>]
module Mixing =

    /// The sum of the sources as recorded.
    let plain: Mixing =
        { Id = Id.named "as recorded"; Factors = (fun _ _ sources -> List.replicate sources 1.0); NeedsSound = false }

    /// Each source at unit L2 norm over the whole clip and all its channels, so that the mixture is at 0 dB (authors' code of
    /// Huang et al. 2014). A silent source stays silent.
    let unitNorm: Mixing =
        { Id = Id.named "unit norm"
          Factors = fun _ norms _ -> norms.Value |> List.map (fun norm -> if norm = 0.0 then 1.0 else 1.0 / norm)
          NeedsSound = true }

    /// Each source louder or softer by a gain drawn evenly from ± `range` dB. Raises ArgumentException for a negative range.
    let gains (range: float) : Mixing =
        Numbers.notNegative "Mixing.gains" (nameof range) range
        let ofSource key number = 10.0 ** ((2.0 * Key.uniform (Key.fold number key) - 1.0) * range / 20.0)

        { Id = Id.create "gains" [ "range", range ] []
          Factors = fun key _ sources -> List.init sources (ofSource key)
          NeedsSound = false }

    /// <summary>
    /// One after the other: `Mixing.unitNorm |> Mixing.andThen (Mixing.gains 6.0)`.
    /// </summary>
    /// <example><code lang="fsharp">
    /// let mixing = Mixing.unitNorm |> Mixing.andThen (Mixing.gains 6.0)
    /// </code></example>
    let andThen (next: Mixing) (first: Mixing) : Mixing =
        let factors key (norms: Lazy<float list>) sources =
            let before = first.Factors (Key.fold 0 key) norms sources
            let scaled = lazy (List.map2 (*) before norms.Value)
            List.map2 (*) before (next.Factors (Key.fold 1 key) scaled sources)

        { Id = Id.create "then" [] [ first.Id; next.Id ]
          Factors = factors
          NeedsSound = first.NeedsSound || next.NeedsSound }

    /// Sources [sources, channels, samples] of any real type on any device, each times its factor. Raises ArgumentException for
    /// another shape.
    let apply (mixing: Mixing) (key: Key) (recorded: torch.Tensor) : torch.Tensor =
        Shapes.Require("mixing", "sources", recorded, [| Axis.Any "sources"; Axis.Any "channels"; Axis.Any "samples" |])

        Memory.tensor (fun () ->
            let flat = recorded.flatten 1L
            let norms = lazy List.ofArray ((flat * flat).sum(1L).sqrt().to_type(torch.float64).cpu().data<float>().ToArray())
            let factors = mixing.Factors key norms (int recorded.shape[0]) |> Array.ofList
            recorded * torch.tensor(factors).view(-1L, 1L, 1L).``to``(recorded.dtype).``to`` recorded.device)
