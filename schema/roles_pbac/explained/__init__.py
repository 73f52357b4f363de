"""What the policy says of a role, and why: for people, never for deciding. Every verdict is asked of `schema.policy`.

`rulebook` holds the rules that whoever asks may see, `onlooker` whoever asks, `subject` the role that is asked about.
`considered` explains a verdict rule by rule, `filters` the filter of a rule part by part, `changes` what would turn the
verdict, `judged` how it stands with one row; `matrix` is all that a role may do, and `differences` what a change of
rules would give and take. `asked` reads from the databases what they need.
"""
