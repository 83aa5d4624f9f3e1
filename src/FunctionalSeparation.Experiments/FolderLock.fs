namespace FunctionalSeparation

open System
open System.IO
open System.Threading
open FunctionalSeparation.Core

/// A lock on a folder, so that one process at a time works in it, on one machine or on several that share its file system. The
/// system releases the lock of a process that dies.
[<RequireQualifiedAccess>]
module FolderLock =

    /// Locks the folder, creating it where it is missing; None where another process holds the lock. Disposing releases it.
    /// Raises InputException where the folder cannot be written to.
    let tryTake (folder: string) : IDisposable option =
        let path = Path.Combine(folder, "lock")

        try
            Directory.CreateDirectory folder |> ignore
            Some(new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None) :> IDisposable)
        with
        | :? UnauthorizedAccessException as cause ->
            raise (InputException($"{path}: cannot be written. Check the permissions, or choose another folder.", cause))
        | :? IOException when File.Exists path -> None

    /// Locks the folder, waiting for a process that holds the lock.
    let rec take (folder: string) : IDisposable =
        match tryTake folder with
        | Some taken -> taken
        | None ->
            Thread.Sleep 500
            take folder
