namespace FunctionalSeparation

open TorchSharp
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// Bins of a spectrogram that a network reads.
type internal SpectrumInput =
    {
        /// Bins that it reads one by one, from 0 Hz.
        Bins: int
        /// Bands above them.
        Bands: int
        /// Bins of a band.
        Width: int
        /// Factor on the spectrogram.
        Scale: float
    }

/// First and last layers of networks that read complex spectrograms and make complex masks.
[<RequireQualifiedAccess>]
module internal ComplexMasks =

    let private compression = 0.3

    /// Below this a magnitude has no phase.
    let private faintest = 1e-7

    /// Bands of `width` bins from `first` on, of parts [batch, channels, 2, time, bins]. The real part is the root of their mean
    /// power. The imaginary part is 0, for the root has no phase.
    let private bands (first: int) (count: int) (width: int) (parts: torch.Tensor) =
        let inside = (parts.narrow (4L, int64 first, int64 (count * width))).unflatten(4L, [| int64 count; int64 width |])
        let power = (inside * inside).sum(2L, keepdim = true).mean([| -1L |]).add(faintest * faintest).sqrt()
        torch.cat ([| power; torch.zeros_like power |], 2L)

    /// The input features of complex spectrograms [batch, 2 channels, time, bins]. For each channel they are the magnitude, the
    /// real part and the imaginary part, with magnitudes raised to the power of 0.3. One more channel holds the frequency of each
    /// bin. Above the bins that the network reads one by one, each band has features of its own.
    let compressed (read: SpectrumInput) : Model<Activations, Activations> =
        let rows = read.Bins + read.Bands

        let compressed (image: torch.Tensor) =
            let all = image.unflatten(1L, [| -1L; 2L |]).mul(read.Scale)
            let fine = all.narrow (4L, 0L, int64 read.Bins)

            let parts =
                if read.Bands = 0 then
                    fine
                else
                    torch.cat ([| fine; bands read.Bins read.Bands read.Width all |], 4L)

            let power = (parts * parts).sum(2L, keepdim = true).add(faintest * faintest)
            let magnitude = power.pow(compression / 2.0).add(-0.6).mul(2.0)
            torch.cat([| magnitude; parts * power.pow ((compression - 1.0) / 2.0) |], 2L).flatten(1L, 2L)

        let place (image: torch.Tensor) =
            let ramp = Arithmetic.Integers(0L, int64 rows, image.device).``to``(image.dtype).div(float rows)
            ramp.expand (image.shape[0], 1L, image.shape[2], -1L)

        Model.pureFunction "compressed parts" (Activations.map (fun image -> torch.cat ([| compressed image; place image |], 1L)))

    /// A layer whose outputs start at zero: masks at equal shares.
    let startingAtZero (model: Model<Activations, Activations>) =
        { model with Layout = model.Layout |> List.map (fun weight -> { weight with Init = Zeros }) }

    /// Completes the masks of all sources but the first, [batch, 2 channels (sources - 1), time, bins], which are deviations from
    /// equal shares. The first source gets what they leave of 1: [batch, 2 channels sources, time, bins].
    let completed (spec: SourceSpec) : Model<Activations, Activations> =

        /// The complex number 1 for each channel: real parts at even places.
        let one (like: torch.Tensor) =
            let parts = [| for place in 0 .. 2 * spec.Channels - 1 -> if place % 2 = 0 then 1.0f else 0.0f |]
            torch.tensor(parts, dtype = like.dtype, device = like.device).view(1L, 1L, -1L, 1L, 1L)

        let complete (outputs: torch.Tensor) =
            let whole = one outputs
            let share = whole.div (float spec.Sources.Length)
            let masks = outputs.unflatten (1L, [| -1L; 2L * int64 spec.Channels |]) .+ share
            torch.cat([| whole - masks.sum (1L, keepdim = true); masks |], 1L).flatten(1L, 2L)

        Model.pureFunction "masks" (Activations.map complete)

    /// Masks of bins, and of bands of `width` bins above them, as masks of bins: [..., rows] -> [..., bins].
    let spread (bins: int) (width: int) : Model<Activations, Activations> =
        let repeated (masks: torch.Tensor) =
            let above = masks.narrow (3L, int64 bins, masks.shape[3] - int64 bins)
            torch.cat ([| masks.narrow (3L, 0L, int64 bins); above.repeat_interleave (int64 width, 3L) |], 3L)

        Model.pureFunction "bands" (Activations.map repeated)
