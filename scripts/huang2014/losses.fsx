// Huang et al. (ISMIR 2014), section 2: squared error or KL divergence, the weight of the discriminative term, and the mask
// inside the network against one at test time only (two-stage). DRNN-2 throughout.
//   dotnet fsi scripts/huang2014/losses.fsx --preset brief --data MIR-1K
#load "../load.fsx"

open FunctionalSeparation

let gammas = [ 0.0; 0.02; 0.05; 0.1; 0.2 ]

let row name mask loss gamma =
    Row.trained $"{name}, gamma {gamma}" (fun preset ->
        Huang2014.recipe preset { Huang2014.network preset with Mask = mask } (Loss.discriminative gamma loss))

let squared = row "squared error" Absolute Loss.squaredError
/// The authors' code has the exact gradient of the mask here.
let kl = row "KL" AbsoluteExact Loss.kullbackLeibler
let twoStage = row "two-stage" NoMask Loss.squaredError

{ Paper = "huang2014"
  Name = "losses"
  Title = "Losses, discriminative weights, joint and two-stage masks"
  Load = Mir1k.loadOrEmbedded
  Rows = List.map squared gammas @ [ kl 0.0; kl 0.05; twoStage 0.0; twoStage 0.05 ]
  Claims =
    [ { Text = "Squared error beats KL divergence"
        Pairs = [ for gamma in [ 0.0; 0.05 ] -> $"squared error, gamma {gamma}", $"KL, gamma {gamma}" ] }
      { Text = "The mask inside the network beats the two-stage way"
        Pairs = [ for gamma in [ 0.0; 0.05 ] -> $"squared error, gamma {gamma}", $"two-stage, gamma {gamma}" ] }
      { Text = "A discriminative term beats none"
        Pairs = [ for gamma in gammas.Tail -> $"squared error, gamma {gamma}", "squared error, gamma 0" ] } ] }
|> Table.main fsi.CommandLineArgs TablePage.save
