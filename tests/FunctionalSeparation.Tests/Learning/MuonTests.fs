/// Momentum whose matrices are brought near to orthogonal ones.
module FunctionalSeparation.Tests.MuonTests

open Expecto
open TorchSharp
open FunctionalSeparation
open FunctionalSeparation.Learning

let private noise seed (shape: int64 list) = Key.uniformTensor -1.0 1.0 shape (Key.ofSeed seed)
let private difference (a: torch.Tensor) (b: torch.Tensor) = (a - b).abs().max().item<float>()
let private weight name shape = { Name = name; Shape = shape; Init = Zeros }

/// A matrix, a bias, a convolution, a matrix of few columns.
let private layout =
    [ weight "a" [ 12L; 20L ]; weight "b" [ 12L ]; weight "c" [ 16L; 8L; 3L; 3L ]; weight "d" [ 16L; 2L ] ]

let private gradients count = [ for step in 1..count -> noise step [ Layout.total layout ] ]

/// The updates of a transform on these gradients.
let private updates (transform: Transform) (gradients: torch.Tensor list) =
    let step state gradient =
        let struct (update, next) = transform.Update gradient state gradient
        update, next

    List.mapFold step (transform.Init gradients.Head) gradients |> fst

let private part index (vector: torch.Tensor) =
    let start = layout |> List.take index |> List.sumBy Layout.size
    vector.narrow (0L, start, Layout.size layout[index])

[<Tests>]
let tests =
    testList
        "Muon"
        [ for rows, columns in [ 8L, 8L; 10L, 50L; 50L, 10L ] do
              test $"a matrix of {rows} x {columns} keeps its singular vectors, its values come near to 1" {
                  Memory.plain (fun () ->
                      let matrix = noise 1 [ rows; columns ]
                      let struct (left, _, right) = torch.linalg.svd (matrix, fullMatrices = false)
                      // Of the singular vectors of the matrix it is diagonal.
                      let values = left.t().mm(Muon.orthogonalised matrix).mm(right.t ())
                      let diagonal = values.diagonal ()
                      Expect.isLessThan (difference values (diagonal.diag ())) 1e-9 "the singular vectors stay as they are"
                      Expect.isGreaterThan (diagonal.min().item<float>()) 0.3 "no singular value is near 0"
                      Expect.isLessThan (diagonal.max().item<float>()) 1.3 "no singular value is far above 1")
              }

          test "no gradient, no step" {
              Memory.plain (fun () ->
                  let zeros = torch.zeros (8L, 9L, dtype = torch.float64)
                  Expect.equal (difference (Muon.orthogonalised zeros) zeros) 0.0 "a gradient of zeros makes no step")
          }

          test "matrices move by Muon, whatever the size of their gradients; all else moves as Adam has it" {
              Memory.plain (fun () ->
                  let gradients = gradients 3
                  let muon = Muon.create 0.9 0.8 0.99 layout

                  for index, update in List.indexed (updates muon gradients) do
                      for number in [ 1; 3 ] do
                          let adam = updates (Transform.adam 0.8 0.99 1e-8) [ for g in gradients -> (part number g).clone() ]

                          Expect.isLessThan (difference (part number update) adam[index]) 1e-12 layout[number].Name

                      for number in [ 0; 2 ] do
                          let size = (part number update).squared().mean().sqrt().item<float>()
                          Expect.isTrue (size > 0.1 && size < 0.25) $"{layout[number].Name}: {size}"

                  let larger = updates muon [ for gradient in gradients -> gradient.mul 1000.0 ]
                  let plain = updates muon gradients
                  Expect.isLessThan (difference (part 2 larger[2]) (part 2 plain[2])) 1e-9 "1000 times larger changes nothing")
          }

          test "a network without matrices, or of nothing else, is moved too" {
              Memory.plain (fun () ->
                  for number in [ 0; 1 ] do
                      let own = [ layout[number] ]
                      let gradient = noise 1 [ Layout.total own ]
                      let update = (updates (Muon.create 0.9 0.8 0.99 own) [ gradient ]).Head
                      Expect.equal update.shape gradient.shape layout[number].Name)
          } ]
