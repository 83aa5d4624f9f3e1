namespace FunctionalSeparation

/// How long a run may take.
type Preset =
    /// Under a minute: does everything work?
    | Smoke
    /// A few minutes a run: enough to compare the rows of a table, not to reach the papers.
    | Brief
    /// A quarter of an hour a row on one thread with instructions for bfloat16: rows that have learnt, all of a table alike.
    | Full
    /// An hour on one core.
    | Desk
    /// The paper's exact spec.
    | Paper
