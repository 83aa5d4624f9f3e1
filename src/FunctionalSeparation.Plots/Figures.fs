namespace FunctionalSeparation.Plots
module Figures =
    let x = 1
