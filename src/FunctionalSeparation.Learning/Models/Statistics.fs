namespace FunctionalSeparation.Learning

open TorchSharp

/// Statistics of normalisation: the moments of batches inside a network with fixed weights.
[<RequireQualifiedAccess>]
module Statistics =

    /// Mean and variance, one after the other, from counts, sums and sums of squares [3, features].
    let private ofMoments (moments: torch.Tensor) =
        let sums = moments.unbind 0
        let mean = sums[1] / sums[0]
        let variance = (sums[2] / sums[0] - mean.squared ()).clamp_min 0.0
        torch.cat [| mean; variance |]

    /// The moments of all layers in one batch, side by side.
    let private observeBatch (model: Model<Activations, Activations>) parameters (batch: torch.Tensor) =
        let output = Activations.ofFrames batch |> Activations.inMode Mode.Observing |> Model.apply model parameters
        torch.cat (List.toArray (List.rev output.Moments), 1L)

    /// How many features each normalising layer has, in order: mean and variance of a layer stand side by side in the layout.
    let private widths (layout: Layout) =
        Layout.statistics layout |> List.map Layout.size |> List.chunkBySize 2 |> List.map List.head

    /// The moments of all batches, added up.
    let private total (observe: torch.Tensor -> torch.Tensor) (batches: torch.Tensor seq) : torch.Tensor option =
        use batches = batches.GetEnumerator()

        let next (sofar: torch.Tensor option) =
            Memory.scoped Option.toList (fun () ->
                if batches.MoveNext() then
                    let moments = observe batches.Current
                    Some(sofar |> Option.fold (.+) moments)
                else
                    None)

        let rec fold sofar =
            match next sofar with
            | None -> sofar
            | total ->
                sofar |> Option.iter _.Dispose()
                fold total

        fold None

    /// <summary>
    /// The statistics [n] (see `Params.withStatistics`) of the activations that these batches, frames or images, have in the
    /// network. They are means over all elements of all batches, and their total variance. Each layer receives a batch that the
    /// layers before it have normalised by its own moments. A pure fold; the weights stay as they are. Where the network has no
    /// statistics, the batches are not read. A batch that is made on demand is freed after it was read. Raises ArgumentException
    /// where there is no batch.
    /// </summary>
    /// <example><code lang="fsharp">
    /// let network = Norm.batch 4 --> Layer.linear 4 2
    /// let weights = Model.init torch.float32 torch.CPU (Key.ofSeed 0) network
    /// let batches = [ torch.ones (10L, 1L, 4L); torch.zeros (10L, 1L, 4L) ]
    /// let observed = weights |> Params.withStatistics (Statistics.observe network weights batches)
    /// </code></example>
    let observe (model: Model<Activations, Activations>) (parameters: Params) (batches: torch.Tensor seq) : torch.Tensor =
        use _ = torch.no_grad ()

        Memory.tensor (fun () ->
            match widths model.Layout |> List.toArray with
            | [||] -> parameters.Statistics.clone ()
            | widths ->
                match total (observeBatch model parameters) batches with
                | None -> invalidArg (nameof batches) $"{model.Name}: wants at least one batch to observe."
                | Some total ->
                    let statistics = total.split (widths, 1L) |> Array.map ofMoments |> torch.cat
                    statistics.``to`` parameters.Statistics.dtype)
