namespace FunctionalSeparation

open TorchSharp
open FunctionalSeparation.Core

/// How magnitudes of several sources become their spectrograms.
type WienerSettings =
    {
        /// Iterations of expectation and maximisation; 0: none.
        Iterations: int
        /// Frames that are filtered together; None: all.
        Window: int option
        /// Whether what the estimates leave of the mixture is a source of its own, behind the others.
        Residual: bool
        /// Whether the iterations start from ratio masks on the mixture, in place of the magnitudes with its phase.
        SoftMask: bool
    }

/// The multichannel Wiener filter, its parameters refined by expectation and maximisation (Nugraha, Liutkus, Vincent 2016,
/// algorithm 1, as in the norbert library and in open-unmix). A source has a power v(t, f) and a spatial covariance R(f); its
/// estimate is v R (sum v R)^-1 x. Spectrograms are complex [sources, channels, time, bins], the mixture's [channels, time, bins].
[<RequireQualifiedAccess>]
module Wiener =

    /// One iteration on windows of 300 frames, as open-unmix.
    let openUnmix: WienerSettings = { Iterations = 1; Window = Some 300; Residual = false; SoftMask = false }

    let private epsilon = 1e-10

    /// Above this the largest magnitude of a window is scaled down.
    let private largest = 10.0

    /// v: the mean power of the channels, [sources, time, bins].
    let private powers (y: torch.Tensor) = (y * y.conj ()).real.mean [| 1L |]

    /// R: the mean of y y^H over time, weighted by 1 / v, [sources, channels, channels, bins].
    let private covariances (y: torch.Tensor) (v: torch.Tensor) =
        let products = (y.unsqueeze 2L * y.unsqueeze(1L).conj()).sum 3L
        products / v.sum(1L).add(epsilon).unsqueeze(1L).unsqueeze(1L)

    /// sum v R + sqrt(epsilon) I, [channels, channels, time, bins].
    let private mixtureCovariance (v: torch.Tensor) (r: torch.Tensor) =
        let channels = r.shape[1]

        let eye =
            torch.eye(channels, dtype = v.dtype, device = v.device).mul(sqrt epsilon).view(channels, channels, 1L, 1L)

        let ofSource (source: int64) = v[source].unsqueeze(0L).unsqueeze(0L) * r[source].unsqueeze 2L
        [ 0L .. v.shape[0] - 1L ] |> List.fold (fun sum source -> sum .+ ofSource source) eye

    /// C^-1 x, for one channel or two.
    let private whitened (c: torch.Tensor) (x: torch.Tensor) =
        if x.shape[0] = 1L then
            x / c[0L]
        else
            let at (row: int64) (column: int64) = c[row][column]
            let determinant = at 0L 0L * at 1L 1L - at 0L 1L * at 1L 0L
            let first = at 1L 1L * x[0L] - at 0L 1L * x[1L]
            let second = at 0L 0L * x[1L] - at 1L 0L * x[0L]
            torch.stack [| first; second |] / determinant

    /// One iteration: powers and covariances of the estimates, then the filter that they are.
    let private iterate (x: torch.Tensor) (y: torch.Tensor) =
        Memory.tensor (fun () ->
            let v = powers y
            let r = covariances y v
            let z = whitened (mixtureCovariance v r) x
            let ofSource (source: int64) = (r[source].unsqueeze 2L * z.unsqueeze 0L).sum 1L * v[source].unsqueeze 0L
            torch.stack [| for source in 0L .. v.shape[0] - 1L -> ofSource source |])

    /// The filter is the same at any scale but for what keeps it from dividing by zero.
    let private refined iterations (x: torch.Tensor) (y: torch.Tensor) =
        let scale = x.abs().max().div(largest).clamp_min 1.0
        let scaled = x / scale
        ([ 1..iterations ] |> List.fold (fun y _ -> iterate scaled y) (y / scale)) * scale

    let private firstEstimates settings (magnitudes: torch.Tensor) (x: torch.Tensor) =
        if settings.SoftMask then
            x * (magnitudes / magnitudes.sum(0L, keepdim = true).add epsilon)
        else
            torch.polar (magnitudes, x.angle().expand_as(magnitudes).contiguous())

    let private ofWindow settings (magnitudes: torch.Tensor) (x: torch.Tensor) =
        Memory.tensor (fun () ->
            let y = firstEstimates settings magnitudes x
            let y = if settings.Residual then torch.cat [| y; (x - y.sum 0L).unsqueeze 0L |] else y
            if settings.Iterations = 0 then y else refined settings.Iterations x y)

    let private check settings (magnitudes: torch.Tensor) (mixture: torch.Tensor) =
        Numbers.atLeast 0 "A Wiener filter" "Iterations" settings.Iterations
        settings.Window |> Option.iter (Numbers.atLeast 1 "A Wiener filter" "Window")
        Shapes.Require("Wiener filter", "a mixture", mixture, [| Axis.Any "channels"; Axis.Any "time"; Axis.Any "bins" |])
        Shapes.RequireType("Wiener filter", "a mixture", mixture, [| torch.complex64; torch.complex128 |])
        let wanted = Axis.Any "sources" :: [ for size in mixture.shape -> Axis.Of size ]
        Shapes.Require("Wiener filter", "magnitudes", magnitudes, List.toArray wanted, mixture.real)

        if settings.Iterations > 0 then
            if mixture.shape[0] > 2L then
                invalidArg
                    (nameof mixture)
                    $"Wiener filter: wants one channel or two, got {mixture.shape[0]}; with 0 iterations any number will do."

            if magnitudes.shape[0] = 1L && not settings.Residual then
                invalidArg
                    (nameof magnitudes)
                    "Wiener filter: of a single source nothing can be refined. Give two sources, a residual, or 0 iterations."

    /// The estimates [sources, channels, time, bins] (and the residual behind them) of magnitudes of that shape on a mixture
    /// [channels, time, bins], window by window. Raises ArgumentException where the two do not fit each other, for more than two
    /// channels, and for a single source without residual that is to be refined.
    let estimates (settings: WienerSettings) (magnitudes: torch.Tensor) (mixture: torch.Tensor) : torch.Tensor =
        check settings magnitudes mixture
        let frames = mixture.shape[1]
        let window = settings.Window |> Option.map int64 |> Option.defaultValue (max 1L frames)

        Memory.tensor (fun () ->
            use _ = torch.no_grad ()

            torch.cat (
                [| for start in 0L .. window .. frames - 1L do
                       let count = min window (frames - start)
                       ofWindow settings (magnitudes.narrow (2L, start, count)) (mixture.narrow (1L, start, count)) |],
                2L
            ))
