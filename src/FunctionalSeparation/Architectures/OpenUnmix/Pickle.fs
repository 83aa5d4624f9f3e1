namespace FunctionalSeparation

open System
open System.Buffers.Binary
open System.Collections.Generic
open System.IO
open System.Text
open FunctionalSeparation.Core
open FunctionalSeparation.Learning

/// Reads pickles as far as files of weights need them: protocol 2 and below. It is data that is read, no program that is run: no
/// function is called, and a name that is not expected is refused.
[<RequireQualifiedAccess>]
module Pickle =

    /// A value in a Python pickle. Functions that the pickle names are not called: the value keeps their names and arguments.
    [<NoEquality; NoComparison>]
    type Value =
        /// None.
        | Nothing
        /// A truth value.
        | Flag of bool
        /// A whole number.
        | Whole of int64
        /// A number.
        | Real of float
        /// A text.
        | Text of string
        /// A tuple.
        | Sequence of Value list
        /// A list, in the order in which it was filled.
        | Items of ResizeArray<Value>
        /// A dictionary, in the order in which its entries were set.
        | Entries of ResizeArray<Value * Value>
        /// A function or class, such as `collections.OrderedDict`.
        | Name of string
        /// A function call that is not made: the name of the function and its arguments.
        | Made of name: string * arguments: Value list
        /// An object that is stored elsewhere.
        | Elsewhere of Value

    let private refuse why = raise (InputException why)

    /// An empty dictionary that keeps its order.
    let orderedDictionary = "collections.OrderedDict"

    let private longestLine = 200

    let private readLine (reader: BinaryReader) =
        let line = StringBuilder()

        let rec go () =
            match reader.ReadByte() with
            | 10uy -> line.ToString()
            | _ when line.Length >= longestLine -> refuse "a name in it has no end"
            | character ->
                line.Append(char character) |> ignore
                go ()

        go ()

    let private readText (reader: BinaryReader) =
        let length = reader.ReadUInt32()
        let left = reader.BaseStream.Length - reader.BaseStream.Position
        if int64 length > left then refuse "it is cut off"
        Encoding.UTF8.GetString(reader.ReadBytes(int length))

    /// A whole number of up to 8 bytes, little-endian; a longer one is kept as zero, since none is needed here.
    let private readLong (reader: BinaryReader) =
        let bytes = reader.ReadBytes(int (reader.ReadByte()))

        if bytes.Length > 8 then
            0L
        else
            int64 (System.Numerics.BigInteger(ReadOnlySpan bytes))

    /// The machine: a stack, places in it that are marked, and what is kept for later.
    type private Machine(known: string -> bool, reader: BinaryReader) =
        let stack = Stack<Value>()
        let marks = Stack<int>()
        let memory = Dictionary<int, Value>()

        let pop () =
            match stack.TryPop() with
            | true, top when marks.Count = 0 || stack.Count >= marks.Peek() -> top
            | _ -> refuse "something is missing in it"

        let popToMark () =
            match marks.TryPop() with
            | true, mark ->
                List.rev
                    [ while stack.Count > mark do
                          stack.Pop() ]
            | false, _ -> refuse "something is missing in it"

        let popSome count = List.rev [ for _ in 1..count -> pop () ]

        let recall index =
            match memory.TryGetValue index with
            | true, value -> value
            | false, _ -> refuse "something is missing in it"

        let keep index =
            let top = pop ()
            memory[index] <- top
            top

        let rec set (target: ResizeArray<Value * Value>) pairs =
            match pairs with
            | key :: value :: rest ->
                target.Add(key, value)
                set target rest
            | [] -> ()
            | _ -> refuse "a dictionary in it has a key without a value"

        let setEntries pairs =
            match pop () with
            | Entries target ->
                set target pairs
                Entries target
            | _ -> refuse "entries in it belong to no dictionary"

        let addItems items =
            match pop () with
            | Items target ->
                target.AddRange(items: Value list)
                Items target
            | _ -> refuse "items in it belong to no list"

        let name () =
            let name = readLine reader + "." + readLine reader

            if not (known name) then
                refuse $"it names {Json.quoted name}, which is no weight; nothing of it was run"

            Name name

        let make () =
            match popSome 2 with
            | [ Name name; Sequence [] ] when name = orderedDictionary -> Entries(ResizeArray())
            | [ Name name; Sequence arguments ] -> Made(name, arguments)
            | _ -> refuse "it calls what is no function"

        /// State of an object, such as the version of a module beside its weights: left out.
        let build () =
            match popSome 2 with
            | [ Entries target; _ ] -> Entries target
            | _ -> refuse "it sets the state of what is no dictionary"

        let step (code: byte) : Value =
            match char code with
            | 'c' -> name ()
            | 'q' -> keep (int (reader.ReadByte()))
            | 'r' -> keep (reader.ReadInt32())
            | 'h' -> recall (int (reader.ReadByte()))
            | 'j' -> recall (reader.ReadInt32())
            | 't' -> Sequence(popToMark ())
            | ')' -> Sequence []
            | '\u0085' -> Sequence(popSome 1)
            | '\u0086' -> Sequence(popSome 2)
            | '\u0087' -> Sequence(popSome 3)
            | '}' -> Entries(ResizeArray())
            | ']' -> Items(ResizeArray())
            | 's' -> setEntries (popSome 2)
            | 'u' -> setEntries (popToMark ())
            | 'a' -> addItems (popSome 1)
            | 'e' -> addItems (popToMark ())
            | 'X' -> Text(readText reader)
            | 'K' -> Whole(int64 (reader.ReadByte()))
            | 'M' -> Whole(int64 (reader.ReadUInt16()))
            | 'J' -> Whole(int64 (reader.ReadInt32()))
            | '\u008a' -> Whole(readLong reader)
            | 'G' -> Real(BinaryPrimitives.ReadDoubleBigEndian(ReadOnlySpan(reader.ReadBytes 8)))
            | '\u0088' -> Flag true
            | '\u0089' -> Flag false
            | 'N' -> Nothing
            | 'Q' -> Elsewhere(pop ())
            | 'R' -> make ()
            | 'b' -> build ()
            | _ -> refuse $"it says what is not understood (opcode {code} before byte {reader.BaseStream.Position})"

        member machine.Run() : Value =
            match reader.ReadByte() with
            | 0x2euy -> pop ()
            | 0x80uy ->
                reader.ReadByte() |> ignore
                machine.Run()
            | 0x28uy ->
                marks.Push stack.Count
                machine.Run()
            | code ->
                stack.Push(step code)
                machine.Run()

    /// Reads one pickle from where the stream stands, which must know its length; it stands behind it then. `known` tells which
    /// functions and classes it may name. Raises InputException for another name, and for what is damaged or not understood.
    let read (known: string -> bool) (stream: Stream) : Value =
        try
            use reader = new BinaryReader(stream, Encoding.UTF8, true)
            Machine(known, reader).Run()
        with
        | :? EndOfStreamException
        | :? ArgumentException -> refuse "it is cut off"
