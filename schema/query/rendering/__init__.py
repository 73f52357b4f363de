"""From a plan to SQL. `statement` puts an operation together from `reads`, `aggregates` and `writes`; `predicate` and
`json` render conditions and values; `context` is what the rendering of one statement shares."""
