namespace FunctionalSeparation

open TorchSharp
open FunctionalSeparation.Learning

/// Proximal operators of the two norms that low-rank and sparse models are made of.
[<RequireQualifiedAccess>]
module Shrinkage =

    /// The proximal operator of sum_ij t_ij |x_ij|: every element moves towards zero by its threshold and stops there.
    /// Thresholds are at least 0 and of a shape that broadcasts to the matrix's, [rows, columns].
    let softThresholds (thresholds: torch.Tensor) (matrix: torch.Tensor) : torch.Tensor =
        Memory.tensor (fun () -> matrix.sign () * (matrix.abs () - thresholds).clamp_min(0.0))

    /// The proximal operator of `threshold` times the l1 norm: sign(x) max(|x| - threshold, 0) of a matrix
    /// [rows, columns], for a threshold of at least 0.
    let soft (threshold: float) (matrix: torch.Tensor) : torch.Tensor =
        Memory.tensor (fun () -> softThresholds (torch.zeros_like(matrix).fill_ threshold) matrix)

    /// The tall matrix whose Gram matrix is the smaller one, and whether it is the transpose of the given one.
    let private tall (matrix: torch.Tensor) =
        let isWide = matrix.shape[0] < matrix.shape[1]
        (if isWide then matrix.t () else matrix), isWide

    /// The proximal operator of `threshold` times the nuclear norm, which is the sum of singular values (Cai, Candes, Shen 2010).
    /// Every singular value of the matrix [rows, columns] moves towards zero by the threshold and stops there. The result is
    /// A V diag(max(1 - threshold/s, 0)) V', with the eigenvectors V of the smaller Gram matrix A'A. That squares the condition
    /// number: singular values below about 1e-8 (float64) or 3e-4 (float32) of the largest are noise. Thresholds that small are
    /// unreliable.
    let singularValues (threshold: float) (matrix: torch.Tensor) : torch.Tensor =
        Memory.tensor (fun () ->
            let tall, isWide = tall matrix
            let struct (energies, vectors) = torch.linalg.eigh (tall.t().mm tall)
            let values = energies.clamp_min(0.0).sqrt()
            let rank = values.gt(threshold).sum().item<int64>()
            let first = values.shape[0] - rank
            // Eigenvalues ascend, so those to keep are last.
            let kept = vectors.narrow (1L, first, rank)
            let gains = values.narrow(0L, first, rank).reciprocal().mul(threshold).rsub 1.0
            let shrunk = (tall.mm kept * gains).mm(kept.t ())
            if isWide then shrunk.t().contiguous() else shrunk)

    /// The largest singular value of a matrix [rows, columns].
    let spectralNorm (matrix: torch.Tensor) : float =
        Memory.plain (fun () ->
            let tall, _ = tall matrix
            torch.linalg.eigvalsh(tall.t().mm tall).max().clamp_min(0.0).sqrt().to_type(torch.float64).item<float>())
