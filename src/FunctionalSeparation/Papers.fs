namespace FunctionalSeparation

/// A row of a published table: voice scores in dB.
type PublishedRow = { Model: string; Gnsdr: float; Gsir: float; Gsar: float }

/// Figures of the papers, to stand beside ours.
[<RequireQualifiedAccess>]
module Papers =

    let private row (model, gnsdr, gsir, gsar) = { Model = model; Gnsdr = gnsdr; Gsir = gsir; Gsar = gsar }

    /// Huang et al. (ISMIR 2014), table 3: voice on the 825 test clips of MIR-1K, context 3, BSS Eval 3.
    let huang2014 =
        [ "DNN", 6.93, 10.99, 10.15
          "DRNN-1", 7.11, 11.74, 9.93
          "DRNN-2", 7.27, 11.98, 9.99
          "DRNN-3", 7.14, 11.48, 10.15
          "sRNN", 7.09, 11.72, 9.88
          "DNN + discrim", 7.09, 12.11, 9.67
          "DRNN-1 + discrim", 7.21, 12.76, 9.56
          "DRNN-2 + discrim", 7.45, 13.08, 9.68
          "DRNN-3 + discrim", 7.09, 11.69, 10.00
          "sRNN + discrim", 7.15, 12.79, 9.39 ]
        |> List.map row
