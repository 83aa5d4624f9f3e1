// Huang et al. (ISMIR 2014), section 2.2: what happens at test time, to a network trained with the mask inside and to one without
// (two-stage): no mask, a binary one, a soft one. DRNN-2.
//   dotnet fsi scripts/huang2014/masks.fsx --preset brief --data MIR-1K
#load "../load.fsx"

open FunctionalSeparation

let recipe mask preset = Huang2014.recipe preset { Huang2014.network preset with Mask = mask } Loss.squaredError
let twoStage = recipe NoMask
let joint = recipe Absolute

{ Paper = "huang2014"
  Name = "masks"
  Title = "Masks at test time"
  Load = Mir1k.loadOrEmbedded
  Rows =
    [ Row.trainedWith Unmasked "two-stage, no mask" twoStage
      Row.trainedWith Hard "two-stage, binary mask" twoStage
      Row.trainedWith Soft "two-stage, soft mask" twoStage
      Row.trainedWith Hard "joint, binary mask" joint
      Row.trainedWith Soft "joint, soft mask" joint ]
  Claims =
    [ { Text = "A soft mask beats a binary one"
        Pairs = [ for network in [ "two-stage"; "joint" ] -> $"{network}, soft mask", $"{network}, binary mask" ] }
      { Text = "A mask beats none"; Pairs = [ ("two-stage, soft mask", "two-stage, no mask") ] }
      { Text = "The mask inside the network beats the one at test time only"
        Pairs = [ ("joint, soft mask", "two-stage, soft mask") ] } ] }
|> Table.main fsi.CommandLineArgs TablePage.save
