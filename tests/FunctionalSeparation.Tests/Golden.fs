module FunctionalSeparation.Tests.Golden
let x = 1
