namespace FunctionalSeparation

open TorchSharp
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// How magnitudes of several sources become their spectrograms.
type WienerSettings =
    {
        /// Iterations of expectation and maximisation; 0: none.
        Iterations: int
        /// Frames that are filtered together; None: all.
        Window: int option
        /// Whether what the estimates leave of the mixture is a source of its own, before the others.
        Residual: bool
        /// Whether the iterations start from ratio masks on the mixture, in place of the magnitudes with its phase.
        SoftMask: bool
    }

/// The multichannel Wiener filter, its parameters refined by expectation and maximisation (Nugraha, Liutkus, Vincent 2016,
/// algorithm 1, as in the norbert library and in open-unmix). A source has a power v(t, f) and a spatial covariance R(f); its
/// estimate is v R (sum v R)^-1 x. Where the mixture is exactly 0, open-unmix's own program writes ones before it fits R, a side
/// effect of its arctangent; here silence stays silent. Spectrograms are complex [sources, channels, time, bins], the mixture's
/// [channels, time, bins].
[<RequireQualifiedAccess>]
module Wiener =

    /// One iteration on windows of 300 frames, as open-unmix.
    let openUnmix: WienerSettings = { Iterations = 1; Window = Some 300; Residual = false; SoftMask = false }

    let private epsilon = 1e-10

    /// Above this the largest magnitude of a window is scaled down.
    let private largest = 10.0

    /// A complex array by its parts: libtorch's real operations are many times faster than its complex ones.
    [<Struct; NoEquality; NoComparison>]
    type private Parts = { Re: torch.Tensor; Im: torch.Tensor }

    let private partsOf (x: torch.Tensor) = { Re = x.real.contiguous (); Im = x.imag.contiguous () }
    let private wholeOf (x: Parts) = torch.complex (x.Re, x.Im)
    let private add a b = { Re = a.Re .+ b.Re; Im = a.Im .+ b.Im }
    let private subtract a b = { Re = a.Re - b.Re; Im = a.Im - b.Im }
    let private scale (factor: torch.Tensor) a = { Re = a.Re * factor; Im = a.Im * factor }
    let private multiply a b = { Re = a.Re * b.Re - a.Im * b.Im; Im = a.Re * b.Im .+ a.Im * b.Re }
    let private conjugate a = { a with Im = a.Im.neg () }
    let private power a = a.Re.squared () .+ a.Im.squared ()

    /// A Hermitian matrix of one channel or two for each point: its diagonal, which is real, and what is above it.
    [<NoEquality; NoComparison>]
    type private Covariance = { Diagonal: torch.Tensor list; Above: Parts option }

    let private covarianceTensors covariance =
        covariance.Diagonal
        @ (covariance.Above |> Option.toList |> List.collect (fun above -> [ above.Re; above.Im ]))

    /// v, the mean power of the channels [time, bins], and R, the mean of y y^H over time, weighted by 1 / v, [bins], of a
    /// source.
    let private modelOf (y: Parts list) =
        Memory.scoped (fun (v, r) -> v :: covarianceTensors r) (fun () ->
            let powers = List.map power y
            let v = (List.reduce (.+) powers).div(float y.Length)
            let weight = (v.sum 0L).add epsilon
            let mean (x: torch.Tensor) = x.sum 0L / weight

            let above =
                match y with
                | [ left; right ] ->
                    let product = multiply left (conjugate right)
                    Some { Re = mean product.Re; Im = mean product.Im }
                | _ -> None

            v, { Diagonal = List.map mean powers; Above = above })

    /// sum v R + sqrt(epsilon) I.
    let private mixtureCovariance (models: (torch.Tensor * Covariance) list) =
        let sum (part: Covariance -> torch.Tensor) = models |> List.map (fun (v, r) -> v * part r) |> List.reduce (.+)
        let channels = (snd models.Head).Diagonal.Length

        { Diagonal = [ for channel in 0 .. channels - 1 -> (sum _.Diagonal[channel]).add(sqrt epsilon) ]
          Above =
            if channels = 1 then
                None
            else
                Some { Re = sum _.Above.Value.Re; Im = sum _.Above.Value.Im } }

    /// C x.
    let private product (c: Covariance) (x: Parts list) =
        match c, x with
        | { Diagonal = [ c11; c22 ]; Above = Some c12 }, [ x1; x2 ] ->
            [ add (scale c11 x1) (multiply c12 x2); add (scale c22 x2) (multiply (conjugate c12) x1) ]
        | _ -> List.map2 scale c.Diagonal x

    /// C^-1 x.
    let private solution (c: Covariance) (x: Parts list) =
        match c, x with
        | { Diagonal = [ c11; c22 ]; Above = Some c12 }, [ x1; x2 ] ->
            let inverse = (c11 * c22 - power c12).reciprocal()

            [ subtract (scale c22 x1) (multiply c12 x2); subtract (scale c11 x2) (multiply (conjugate c12) x1) ]
            |> List.map (scale inverse)
        | _ -> List.map2 (fun (diagonal: torch.Tensor) -> scale (diagonal.reciprocal ())) c.Diagonal x

    let private partTensors (x: Parts list) = x |> List.collect (fun part -> [ part.Re; part.Im ])

    /// One iteration: powers and covariances of the estimates, then the filter that they are.
    let private iterate (x: Parts list) (estimates: Parts list list) =
        Memory.scoped (List.collect partTensors) (fun () ->
            let models = List.map modelOf estimates
            let whitened = solution (mixtureCovariance models) x

            models
            |> List.map (fun (v, r) -> Memory.scoped partTensors (fun () -> product r whitened |> List.map (scale v))))

    /// Scales loud mixtures down for the iterations. The filter is the same at any scale, but for the constants that prevent a
    /// division by zero.
    let private refined iterations (x: torch.Tensor) (y: torch.Tensor) =
        let loudness = x.abs().max().div(largest).clamp_min 1.0
        let channels (spectrogram: torch.Tensor) = [ for channel in spectrogram.unbind 0 -> partsOf (channel / loudness) ]
        let mixture, start = channels x, [ for source in y.unbind 0 -> channels source ]
        let last = [ 1..iterations ] |> List.fold (fun estimates _ -> iterate mixture estimates) start
        let whole (source: Parts list) = torch.stack [| for channel in source -> wholeOf channel |]
        (torch.stack [| for source in last -> whole source |]) * loudness

    /// The initial estimates of the iterations, and the result when there are no iterations: magnitudes [..., sources, channels,
    /// time, bins] applied to a mixture [..., channels, time, bins]. With `Residual`, the rest of the mixture is the first
    /// source.
    let start (settings: WienerSettings) (magnitudes: torch.Tensor) (mixture: torch.Tensor) : torch.Tensor =
        let sources = -4L
        let x = mixture.unsqueeze sources

        let y =
            if settings.SoftMask then
                x * (magnitudes / magnitudes.sum(sources, keepdim = true).add epsilon)
            else
                torch.polar (torch.ones_like x.real, x.angle ()) * magnitudes

        if settings.Residual then
            torch.cat ([| x - y.sum (sources, keepdim = true); y |], sources)
        else
            y

    let private ofWindow settings (magnitudes: torch.Tensor) (x: torch.Tensor) =
        Memory.tensor (fun () ->
            let y = start settings magnitudes x
            if settings.Iterations = 0 then y else refined settings.Iterations x y)

    /// Raises ArgumentException for settings that no filter has, and where iterations want other sources or channels.
    let require (settings: WienerSettings) (magnitudes: int64) (channels: int64) : unit =
        Numbers.atLeast 0 "A Wiener filter" "Iterations" settings.Iterations
        settings.Window |> Option.iter (Numbers.atLeast 1 "A Wiener filter" "Window")

        if settings.Iterations > 0 then
            if channels > 2L then
                invalidArg
                    (nameof channels)
                    $"Wiener filter: wants one channel or two, got {channels}; with 0 iterations any number will do."

            if magnitudes = 1L && not settings.Residual then
                invalidArg
                    (nameof magnitudes)
                    "Wiener filter: of a single source nothing can be refined. Give two sources, a residual, or 0 iterations."

    let private check settings (magnitudes: torch.Tensor) (mixture: torch.Tensor) =
        Shapes.Require("Wiener filter", "a mixture", mixture, [| Axis.Any "channels"; Axis.Any "time"; Axis.Any "bins" |])
        Shapes.RequireType("Wiener filter", "a mixture", mixture, [| torch.complex64; torch.complex128 |])
        let wanted = Axis.Any "sources" :: [ for size in mixture.shape -> Axis.Of size ]
        Shapes.Require("Wiener filter", "magnitudes", magnitudes, List.toArray wanted, mixture.real)
        require settings magnitudes.shape[0] mixture.shape[0]

    /// The estimates [sources, channels, time, bins] (the residual before them) of magnitudes of that shape on a mixture
    /// [channels, time, bins], window by window. Raises ArgumentException where the two do not fit each other, for more than two
    /// channels, and for a single source without residual that is to be refined.
    let estimates (settings: WienerSettings) (magnitudes: torch.Tensor) (mixture: torch.Tensor) : torch.Tensor =
        check settings magnitudes mixture
        let frames = mixture.shape[1]
        let window = settings.Window |> Option.map int64 |> Option.defaultValue (max 1L frames)
        let sources = magnitudes.shape[0] + (if settings.Residual then 1L else 0L)

        Memory.tensor (fun () ->
            use _ = torch.no_grad ()
            let result = mixture.new_empty (Array.append [| sources |] mixture.shape)

            for start in 0L .. window .. frames - 1L do
                let count = min window (frames - start)

                Memory.plain (fun () ->
                    let part = ofWindow settings (magnitudes.narrow (2L, start, count)) (mixture.narrow (1L, start, count))
                    result.narrow(2L, start, count).copy_ part |> ignore)

            result)

    /// `estimates` of each of a batch: [batch, sources, channels, time, bins] on [batch, channels, time, bins].
    let ofBatch (settings: WienerSettings) (magnitudes: torch.Tensor) (mixtures: torch.Tensor) : torch.Tensor =
        Memory.tensor (fun () ->
            torch.stack [| for a, x in Seq.zip (magnitudes.unbind 0) (mixtures.unbind 0) -> estimates settings a x |])
