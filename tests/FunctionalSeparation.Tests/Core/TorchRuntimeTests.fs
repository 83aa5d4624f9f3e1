module FunctionalSeparation.Tests.TorchRuntimeTests

open System
open System.IO
open Expecto
open FunctionalSeparation.Core

/// The message of the InputException that `work` must raise.
let private complaint (work: unit -> 'a) =
    try
        work () |> ignore
        failtest "An InputException was expected."
    with :? InputException as e ->
        e.Message

let private inFolder (work: string -> unit) =
    let folder = Directory.CreateTempSubdirectory("funcsep-tests-")

    try
        work folder.FullName
    finally
        folder.Delete(true)

let private search = NativeSearch.OfProcess()

/// TorchSharp's native library as the package brings it.
let private packagedLibrary =
    search.TorchSharpFolders
    |> Seq.map (fun folder -> Path.Combine(folder, Platform.FileName NativeLibraries.TorchSharpLibrary))
    |> Seq.find File.Exists

/// A search that finds nothing but what the test puts into the folder.
let private searchIn (folder: string) =
    let application = [| Path.Combine(folder, "app"); folder |]
    NativeSearch(null, application, Path.Combine(folder, "packages"), "2.10.0", "0.107.0", folder)

let private onLinux name work =
    testCase name (fun () ->
        if OperatingSystem.IsLinux() then
            work ()
        else
            skiptest "ELF files are Linux's own.")

[<Tests>]
let tests =
    testList
        "TorchRuntime"
        [ testCase "initialising twice is cheap and describes itself" (fun () ->
              TorchRuntime.Initialize()
              TorchRuntime.Initialize()
              let info = TorchRuntime.Info()
              Expect.isTrue (Directory.Exists info.Folder) "the folder of libtorch"
              Expect.stringContains (TorchRuntime.Describe()) info.TorchSharp "the description names the version"
              Expect.equal (info.CudaDevices = 0) (not (isNull info.CudaProblem)) "no CUDA has a reason")

          onLinux "the patch changes one flag" (fun () ->
              let before = File.ReadAllBytes packagedLibrary
              let after = Array.copy before
              let at = ElfPatch.MarkVersionWeak(after.AsSpan(), ElfPatch.HarmlessVersion)

              let changed =
                  [ for i in 0 .. before.Length - 1 do
                        if before[i] <> after[i] then i ]

              Expect.equal changed [ at ] "one byte differs"
              Expect.equal (before[at], after[at]) (0uy, 2uy) "it is the WEAK flag"

              Expect.equal
                  (ElfPatch.MarkVersionWeak(after.AsSpan(), ElfPatch.HarmlessVersion))
                  -1
                  "a second time there is nothing to do"

              Expect.equal (ElfPatch.MarkVersionWeak(after.AsSpan(), "GLIBCXX_9.9.9")) -1 "an unknown version is not found")

          onLinux "processes that race for the patched copy agree" (fun () ->
              inFolder (fun cache ->
                  let before = File.ReadAllBytes packagedLibrary
                  let copies = Array.Parallel.init 8 (fun _ -> ElfPatch.WritePatchedCopy(packagedLibrary, cache))
                  Expect.hasLength (Array.distinct copies) 1 "all processes get one copy"
                  Expect.hasLength (Directory.GetFiles(cache, "*", SearchOption.AllDirectories)) 1 "no temporary file stays"
                  Expect.equal (File.ReadAllBytes packagedLibrary) before "the package's file is untouched"))

          onLinux "a file that is no ELF file, or is cut off, is refused" (fun () ->
              let refused (bytes: byte[]) =
                  Expect.throwsT<BadImageFormatException>
                      (fun () -> ElfPatch.MarkVersionWeak(bytes.AsSpan(), ElfPatch.HarmlessVersion) |> ignore)
                      "the file is refused"

              refused (Array.zeroCreate 100)
              refused (File.ReadAllBytes packagedLibrary |> Array.truncate 5000))

          testCase "a wrong FUNCSEP_LIBTORCH gives the whole diagnosis" (fun () ->
              inFolder (fun empty ->
                  let wrong =
                      NativeSearch(
                          empty,
                          search.ApplicationFolders,
                          search.NuGetFolder,
                          "2.10.0",
                          "0.107.0",
                          search.CacheFolder
                      )

                  let message = complaint (fun () -> NativeLibraries.Load wrong)

                  for part in [ empty; "libtorch 2.10.0"; Platform.FileName "torch_cpu"; "FUNCSEP_LIBTORCH"; "NuGet package" ] do
                      Expect.stringContains message part "the diagnosis names every part"

                  Expect.isLessThan (message.Split('\n').Length) 40 "it fits one screen"))

          testCase "libraries that are nowhere give one sentence that names the package" (fun () ->
              inFolder (fun empty ->
                  let message = complaint (fun () -> NativeLibraries.Load(searchIn empty))
                  Expect.isFalse (message.Contains '\n') "the message is one line"
                  Expect.stringContains message $"add the NuGet package libtorch-cpu-{Platform.Rid} 2.10.0" "what to add"))

          testCase "libraries that are there in part give every folder tried" (fun () ->
              inFolder (fun empty ->
                  File.WriteAllText(Path.Combine(empty, Platform.FileName "c10"), "")
                  let inPart = searchIn empty
                  let message = complaint (fun () -> NativeLibraries.Load inPart)

                  for folder in inPart.LibTorchFolders do
                      Expect.stringContains message folder "the diagnosis names every folder tried"))

          testCase "without a home nothing is looked for below the current folder" (fun () ->
              Expect.isNull (NativeSearch.PackagesOfUser(null, "")) "without a home there is no folder"
              Expect.isNull (NativeSearch.PackagesOfUser("packages", "")) "a setting that is no whole path"
              Expect.isNull (NativeSearch.PackagesOfUser("", "home")) "a home that is none"
              let root = Path.GetPathRoot Environment.CurrentDirectory
              Expect.equal (NativeSearch.PackagesOfUser(null, root)) (Path.Combine(root, ".nuget", "packages")) "below a home"
              Expect.equal (NativeSearch.PackagesOfUser(root, "")) root "a whole path that is set is used"
              let homeless = NativeSearch(null, [| search.ApplicationFolders[0] |], null, "2.10.0", "0.107.0", null)

              for folder in Seq.append homeless.LibTorchFolders homeless.TorchSharpFolders do
                  Expect.isTrue (Path.IsPathFullyQualified folder) folder)

          onLinux "where a folder may hold no executables, the advice is about that" (fun () ->
              inFolder (fun folder ->
                  if not (Scratch.succeeds "mount" [ "-t"; "tmpfs"; "-o"; "size=8m,noexec"; "tmpfs"; folder ]) then
                      skiptest "needs the right to mount a small file system"

                  try
                      let from =
                          search.LibTorchFolders
                          |> Seq.find (fun one -> File.Exists(Path.Combine(one, Platform.FileName "c10")))

                      File.Copy(Path.Combine(from, Platform.FileName "c10"), Path.Combine(folder, Platform.FileName "c10"))

                      for library in [ "torch_cpu"; "torch" ] do
                          File.WriteAllText(Path.Combine(folder, Platform.FileName library), "")

                      let message = complaint (fun () -> NativeLibraries.Load(searchIn folder))

                      for part in [ "failed to map segment"; "noexec"; "XDG_DATA_HOME"; "TMPDIR" ] do
                          Expect.stringContains message part "the diagnosis names the cause and advice"
                  finally
                      Scratch.succeeds "umount" [ folder ] |> ignore))

          testCase "devices by name" (fun () ->
              Expect.equal (Devices.Parse("CPU").``type``) TorchSharp.DeviceType.CPU "the device's name may be in capitals"
              let automatic = Devices.Parse("auto").``type`` = TorchSharp.DeviceType.CUDA
              Expect.equal automatic (TorchRuntime.Info().CudaDevices > 0) "auto is the GPU exactly where there is one")

          testCase "a device that is no device or absent is an error that lists what is there" (fun () ->
              for name in [ "gpu"; "cuda:"; "cuda:x"; "cuda:-1"; ""; "cuda:99" ] do
                  Expect.stringContains (complaint (fun () -> Devices.Parse name)) "Available: cpu" name

              if TorchRuntime.Info().CudaDevices = 0 then
                  Expect.stringContains (complaint (fun () -> Devices.Parse "cuda")) "cannot be used: " "the reason is told") ]
