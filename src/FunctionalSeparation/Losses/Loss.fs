namespace FunctionalSeparation

open System
open TorchSharp
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// A loss: a measure of the difference between estimates and references.
[<NoEquality; NoComparison>]
type Loss =
    {
        /// The identity of the loss.
        Id: Id
        /// The views of estimates and references that the loss reads.
        Domains: Domain list
        /// The loss as a scalar tensor, from estimates and references, both [batch, sources, channels, ...].
        Of: Views -> Views -> torch.Tensor
    }

/// Losses as values. Those of the papers are sums (not means) over batch, sources, frames and bins. The loss of a data set is
/// thus the sum of the losses of its parts. Estimates and references have one shape. Each loss raises ArgumentException, naming
/// itself and both shapes, where they have not, since libtorch would broadcast.
[<RequireQualifiedAccess>]
module Loss =

    /// <summary>
    /// A loss of one's own on a domain, from a function of estimates and references. The function is called only where both have
    /// one shape: [batch, sources, channels, time, bins] or, on waveforms, [batch, sources, channels, samples]. Its name is its
    /// identity, and should contain its numbers. Raises ArgumentException for an empty name.
    /// </summary>
    /// <example><code lang="fsharp">
    /// let absoluteError =
    ///     Loss.on Domain.Magnitude "absolute error" (fun estimates references -> (estimates - references).abs().sum())
    ///
    /// let both = Loss.add absoluteError (Loss.siSdr |> Loss.scale 0.1)
    /// </code></example>
    let on (domain: Domain) (name: string) (loss: torch.Tensor -> torch.Tensor -> torch.Tensor) : Loss =
        { Id = Id.named name
          Domains = [ domain ]
          Of =
            fun estimates references ->
                let y, s = estimates.At domain, references.At domain
                Shapes.RequireSame(name, "estimates", y, "references", s)
                loss y s }

    /// A loss on magnitudes, [batch, sources, channels, time, bins].
    let onMagnitudes name loss : Loss = on Domain.Magnitude name loss

    /// A loss on complex spectrograms, [batch, sources, channels, time, bins].
    let onSpectra name loss : Loss = on Domain.Spectrum name loss

    /// A loss on samples, [batch, sources, channels, samples].
    let onWaveforms name loss : Loss = on Domain.Waveform name loss

    /// 1/2 sum |y - s|^2 of magnitudes (Huang et al. 2014, eq. 3).
    let squaredError: Loss =
        onMagnitudes "squared error" (fun y s ->
            let difference = y - s
            (difference * difference).sum().mul(0.5))

    /// Mean of |y - s|^2 of magnitudes over all elements. It is not the sum of its parts: one batch a step.
    let meanSquaredError: Loss =
        onMagnitudes "mean squared error" (fun y s ->
            let difference = y - s
            (difference * difference).mean())

    /// The constant of the KL loss in the authors' code; at these magnitudes it is not a harmless epsilon.
    let klConstant = 1e-3

    /// Generalised Kullback-Leibler divergence sum [ s log(s/(y+c) + c) - s + y + c ], c = 1e-3 (Huang et al. 2014, eq. 4).
    /// The value is the authors' cost and the gradient their published one, 1 - s/(y+c), which leaves out the constant
    /// inside the logarithm; the two differ by about 3e-6, relative.
    let kullbackLeibler: Loss =
        onMagnitudes "generalised KL" (fun y s ->
            let c = klConstant
            let shifted = y.add c
            let differentiated = (shifted - s * shifted.log ()).sum()

            let offset =
                Memory.tensor (fun () ->
                    use _ = torch.no_grad ()
                    let value = (s * (s / shifted).add(c).log() - s .+ shifted).sum()
                    value - differentiated)

            differentiated .+ offset)

    /// 10 log10 of the energy of `x` over its last axis.
    let private decibels (x: torch.Tensor) = (x * x).sum(-1L).add(1e-8).log10().mul(10.0)

    /// The projection of y on s, over the last axis.
    let private projected (y: torch.Tensor) (s: torch.Tensor) =
        let scale = (y * s).sum(-1L, keepdim = true) / (s * s).sum(-1L, keepdim = true).add(1e-8)
        scale * s

    /// Minus the scale-invariant signal-to-distortion ratio in dB, the mean over batch, sources and channels (Le Roux et al.
    /// 2019, eqs. 3 to 5, with 1e-8 added to each energy).
    let siSdr: Loss =
        onWaveforms "SI-SDR" (fun y s ->
            let target = projected y s
            (decibels (y - target) - decibels target).mean())

    /// Minus the signal-to-distortion ratio 10 log10 (|s|^2 / |s - y|^2) in dB, the mean over batch, sources and channels. It is
    /// the log of the error ratio, which depends on the scale of the estimates.
    let logErrorRatio: Loss = onWaveforms "log error ratio" (fun y s -> (decibels (y - s) - decibels s).mean())

    /// Energies of spectra [batch, sources, channels, time, bins] in parts of `frames` frames, the last one as long as is left:
    /// [batch, sources, parts].
    let private energyOfParts (frames: int64) (spectra: torch.Tensor) =
        let ofFrames = (spectra.real.squared () .+ spectra.imag.squared ()).sum([| -3L; -1L |])
        let missing = (frames - ofFrames.shape[2] % frames) % frames
        (torch.nn.functional.pad (ofFrames, [| 0L; missing |])).unflatten(2L, [| -1L; frames |]).sum(-1L)

    let private logErrorShareOfParts id least (framesOf: torch.Tensor -> int64) : Loss =
        Numbers.positive "The log error share" (nameof least) least

        let loss =
            onSpectra id.Name (fun y s ->
                let energy = energyOfParts (framesOf s)
                let mixture = energy(s.sum (1L, keepdim = true)).clamp_min(1e-10)
                (energy (y - s) / mixture).add(least).log10().mul(10.0).mean())

        { loss with Id = id }

    /// 10 log10 (E + `least`) of complex spectra, where E is the energy of the error over that of the mixture; the mean over
    /// batch and sources. Errors of all excerpts count alike, loud or soft, and those below that share of the mixture count
    /// little. Raises ArgumentException for a share that is not positive.
    let logErrorShareAbove (least: float) : Loss =
        logErrorShareOfParts (Id.create "log error share" [ "least", least ] []) least _.shape[3]

    /// `logErrorShareAbove` in parts of `frames` frames, each of which counts alike. Pauses of a voice thus count as much as its
    /// loudest notes, as they do in the median SDR of BSS Eval 4. Raises ArgumentException for parts of less than a frame, and a
    /// share that is not positive.
    let logErrorShareInParts (frames: int) (least: float) : Loss =
        Numbers.atLeast 1 "The log error share" (nameof frames) frames
        let id = Id.create "log error share in parts" [ "frames", float frames; "least", least ] []
        logErrorShareOfParts id least (fun _ -> int64 frames)

    /// `logErrorShareAbove` with 1e-3: 30 dB below the mixture.
    let logErrorShare: Loss = logErrorShareAbove 1e-3

    /// A loss times a factor. Raises ArgumentException for a factor that is not finite.
    let scale (factor: float) (loss: Loss) : Loss =
        if not (Double.IsFinite factor) then
            invalidArg (nameof factor) $"A loss is scaled by a finite factor, got {factor}."

        { loss with
            Id = Id.create "scale" [ "factor", factor ] [ loss.Id ]
            Of = fun estimates references -> (loss.Of estimates references).mul factor }

    /// The sum of two losses, be they on different domains.
    let add (first: Loss) (second: Loss) : Loss =
        { Id = Id.create "sum" [] [ first.Id; second.Id ]
          Domains = List.distinct (first.Domains @ second.Domains)
          Of = fun estimates references -> first.Of estimates references .+ second.Of estimates references }

    /// The multi-resolution STFT loss of samples (Yamamoto et al. 2020, eqs. 4 to 6), the mean over several transforms of a sum
    /// of two terms. These are |Y - S| in the Frobenius norm over that of S, and the mean of |log Y - log S|. Transforms are
    /// centred Hann windows of these lengths, a quarter apart.
    let multiResolution (fftSizes: int list) : Loss =
        if fftSizes.IsEmpty then
            invalidArg (nameof fftSizes) "A multi-resolution loss needs at least one window length."

        let transforms = [ for size in fftSizes -> Stft(size, size / 4, StftWindow.Hann, true) ]
        let name = "multi-resolution STFT"

        let magnitude (stft: Stft) (x: torch.Tensor) =
            let spectrum = stft.Forward x
            (spectrum.real.squared () .+ spectrum.imag.squared ()).clamp_min(1e-7).sqrt()

        let at (y: torch.Tensor) (s: torch.Tensor) stft =
            let estimate, reference = magnitude stft y, magnitude stft s
            let convergence = (estimate - reference).norm() / reference.norm ()
            convergence .+ (estimate.log () - reference.log ()).abs().mean()

        let loss =
            onWaveforms name (fun y s ->
                let all = transforms |> List.map (at y s)
                (List.reduce (.+) all).div(float all.Length))

        { loss with Id = Id.create name [ for size in fftSizes -> "size", float size ] [] }

    let private sourceAxis = 1L

    let private sourcesOf (loss: Loss) (references: Views) =
        let shape = (references.At loss.Domains.Head).shape
        if shape.Length < 2 then 1 else int shape[int sourceAxis]

    let private discriminativeName = "discriminative"

    /// The weight of the discriminative term of a loss; 0 for one that is not discriminative.
    let gamma (loss: Loss) : float =
        if loss.Id.Name = discriminativeName then
            Id.tryNumber "gamma" loss.Id |> Option.defaultValue 0.0
        else
            0.0

    /// <summary>
    /// Discriminative training: loss(y, s) - gamma loss(y, n), where n holds another source for each estimate (Huang et al. 2014,
    /// eqs. 5 and 6); of more than two sources the mean over the others. The result can be negative. Raises ArgumentException for
    /// a gamma that is negative or not finite, and a loss that is discriminative already; at 0 it is the loss itself.
    /// </summary>
    /// <example><code lang="fsharp">
    /// let loss = Loss.squaredError |> Loss.discriminative 0.05
    /// </code></example>
    let discriminative (gamma: float) (loss: Loss) : Loss =
        Numbers.notNegative "A discriminative loss" (nameof gamma) gamma

        if loss.Id.Name = discriminativeName then
            invalidArg (nameof loss) $"The loss is discriminative already: {Id.text loss.Id}."

        let against estimates references count shift =
            let others = references |> Views.map (fun (s: torch.Tensor) -> s.roll (int64 shift, sourceAxis))
            (loss.Of estimates others).mul(gamma / float (count - 1))

        if gamma = 0.0 then
            loss
        else
            { loss with
                Id = Id.create discriminativeName [ "gamma", gamma ] [ loss.Id ]
                Of =
                    fun estimates references ->
                        let own, count = loss.Of estimates references, sourcesOf loss references

                        if count < 2 then
                            invalidArg
                                (nameof references)
                                ($"{Id.text loss.Id}, discriminative: wants at least two sources, [batch, "
                                 + $"sources, ...], got {Shapes.Describe(references.At loss.Domains.Head)}.")

                        [ 1 .. count - 1 ] |> List.map (against estimates references count) |> List.fold (-) own }

    let rec private permutations items =
        match items with
        | [] -> [ [] ]
        | _ ->
            [ for item in items do
                  for rest in permutations (List.filter ((<>) item) items) -> item :: rest ]

    /// Sources that a permutation-invariant loss tries in all orders: 5 have 120.
    let private mostPermuted = 5

    /// The least of the losses over all orders of the sources, for each element of the batch by itself, summed over the batch (Yu
    /// et al. 2017). It is for sources without names of their own, such as speakers. Raises ArgumentException for more than 5
    /// sources.
    let permutationInvariant (loss: Loss) : Loss =
        let one index (views: Views) = views |> Views.map (fun (x: torch.Tensor) -> x.narrow (0L, index, 1L))

        let inOrder (order: int list) (references: Views) =
            references
            |> Views.map (fun (s: torch.Tensor) ->
                s.index_select (sourceAxis, torch.tensor (List.toArray order, dtype = torch.int64, device = s.device)))

        let least estimates references orders =
            torch.stack([| for order in orders -> loss.Of estimates (inOrder order references) |]).min()

        { loss with
            Id = Id.create "permutation-invariant" [] [ loss.Id ]
            Of =
                fun estimates references ->
                    let count = sourcesOf loss references

                    if count > mostPermuted then
                        invalidArg
                            (nameof references)
                            $"A permutation-invariant loss takes at most {mostPermuted} sources, got {count}."

                    let orders = permutations [ 0 .. count - 1 ]
                    let batch = (references.At loss.Domains.Head).shape[0]

                    [ for index in 0L .. batch - 1L -> least (one index estimates) (one index references) orders ]
                    |> List.reduce (.+) }
